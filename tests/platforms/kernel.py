"""Rows that boot another kernel, in a virtual machine: the conformance tests, on io_uring, as they
were built in Debian 12.

The kernel is the one of a Debian release, with its modules. A small initial file system holds
busybox and those modules; it mounts the disk, an ext4 with the tests, the libraries they need and
/etc/hosts, and runs them there. All that comes back is what the console says."""

import lzma
import re
import shutil
import subprocess

import recipes
from ladder import built
from places import CannotMake, HOME, need_program, run
from suites import count_lines, ENDED

MODULES = ("virtio_pci", "virtio_blk", "ext4")

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in {modules}; do insmod /$module; done
ip link set lo up
mount -t ext4 /dev/vda /disk || echo "no disk"
mount -t proc proc /disk/proc; mount --bind /dev /disk/dev; mount -t sysfs sys /disk/sys
mkdir -p /disk/dev/shm; mount -t tmpfs shm /disk/dev/shm
chroot /disk /bin/sh /run.sh </dev/null
sync; poweroff -f
"""

RUN = """export PATH=/bin HOME=/root ANEL_TEST_PATIENCE=10
ulimit -n 65536
timeout {seconds} /conformance_tests --gtest_color=no '--gtest_filter=*/io_uring'
"""


def virtual_machine(result, row, suite, seconds=1800):
    need_program("qemu-system-x86_64", "qemu-system-x86")
    need_program("mke2fs", "e2fsprogs")
    need_program("cpio", "cpio")
    build = built(result, row)
    build.make("conformance_tests")
    place = HOME / "machines" / row
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    kernel = make_initial(suite, place, row)
    make_disk(build, place, seconds)

    # Emulated: a kernel that starts under KVM here need not start under a nested one elsewhere.
    code, console = run(
        ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
         "-m", "2048", "-nographic", "-no-reboot", "-net", "none",
         "-kernel", kernel, "-append", "console=ttyS0 quiet panic=-1",
         "-initrd", place / "initial",
         "-drive", f"file={place / 'disk'},if=virtio,format=raw"], seconds + 300,
        HOME / "logs" / f"{row}.log")
    console = console.replace("\r", "")
    released = re.search(r"kernel (\d\S+)$", console, re.M)
    if not released:
        raise CannotMake(f"the machine did not start: {code}, {console.strip()[-200:]}")
    result.versions["kernel"] = released[1]
    _, unfinished = count_lines(console, result.counts)
    if unfinished:
        result.counts.fail(*unfinished)
    elif not ENDED.search(console):
        result.counts.fail("conformance_tests", "ended before its last test")


def make_initial(suite, place, row):
    """Unpacks a kernel, and makes the initial file system. Returns the kernel's path."""
    system = recipes.debian(row, suite, "amd64", "busybox-static kmod")
    unpacked = system.root / "opt/linux"
    if not list(unpacked.glob("lib/modules/*/modules.dep")):
        # Installing the package would make Debian's own initial file system; its files are enough.
        listed = "apt-cache depends {} | sed -n 's/.*Depends: //p' | grep -E '{}' | head -n {}"
        package = system.must("apt-get -q -y update >/dev/null && " + listed.format(
            "linux-image-amd64", "^linux-image-[0-9]", 1), 300).strip()
        # Since 7.0 the package holds none of them, and names those that do.
        parts = system.must(listed.format(package, "^linux-(binary|modules)-", 2) + " || :", 60)
        files = " ".join((package, *parts.split()))
        system.must(f"cd $(mktemp -d) && apt-get -q download {files}"
                    " && for part in *.deb; do dpkg -x $part /opt/linux; done && cd /opt/linux && "
                    "{ [ -e lib ] || ln -s usr/lib lib; } && depmod -b . $(ls lib/modules)", 600)
    version = next(unpacked.glob("lib/modules/*")).name
    kernel = next(path for path in unpacked.rglob("vmlinuz*") if path.is_file())
    tree = place / "tree"
    for folder in ("bin", "proc", "sys", "dev", "disk"):
        (tree / folder).mkdir(parents=True)
    shutil.copy(system.root / "bin/busybox", tree / "bin/busybox")
    needed = system.must("for module in " + " ".join(MODULES) + "; do modprobe -d /opt/linux -S "
                         + version + " --show-depends $module; done", 60)
    names = []
    for path in dict.fromkeys(re.findall(r"^insmod (\S+)", needed, re.M)):  # in their order
        packed = (system.root / path.lstrip("/")).read_bytes()
        names.append(path.rsplit("/", 1)[-1].removesuffix(".xz"))
        (tree / names[-1]).write_bytes(lzma.decompress(packed) if path.endswith(".xz") else packed)
    (tree / "init").write_text(INIT.format(modules=" ".join(names)))
    (tree / "init").chmod(0o755)
    with open(place / "initial", "wb") as output:
        subprocess.run("find . | cpio --quiet -o -H newc | gzip -1", shell=True, cwd=tree,
                       stdout=output, check=True)
    return kernel


def make_disk(build, place, seconds):
    """An ext4 with the test programs, and what they need to run."""
    inside = f"/tmp/{place.name}"
    tree = build.system.root / inside.lstrip("/")
    shutil.rmtree(tree, ignore_errors=True)
    for folder in ("bin", "etc", "proc", "sys", "dev", "tmp", "root"):
        (tree / folder).mkdir(parents=True)
    program = f"{build.folder}/tests/conformance_tests"
    needed = set(re.findall(r"(/lib\S+)", build.system.must(f"ldd {program}", 60)))
    build.system.must(f"cp -L --parents {' '.join(needed)} {inside} && cp {program} {inside}", 60)
    shutil.copy(place / "tree/bin/busybox", tree / "bin/busybox")
    for name in ("sh", "timeout", "uname", "cat"):  # what the tests start
        (tree / "bin" / name).symlink_to("busybox")
    (tree / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (tree / "run.sh").write_text('echo "kernel $(uname -r)"\n' + RUN.format(
        seconds=seconds))
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, place / "disk", "1G"], check=True,
                   capture_output=True)
    shutil.rmtree(tree)

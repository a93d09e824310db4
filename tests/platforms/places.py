"""Places where a row is built and run: Debian systems in folders of their own.

Everything lies under one folder outside the repository (ANEL_MATRIX_DIR) and is used again:

    base/SUITE-ARCH      what debootstrap made, never changed afterwards
    systems/NAME         a copy of it with the packages its rows ask for
    debs, ccache         shared by all systems
    results/ROW.json, logs/ROW.log

A command in a system runs in a mount and a process namespace that end with it, so that nothing
stays mounted and nothing goes on running. The sources in a system are a copy.
"""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
HOME = Path(os.environ.get("ANEL_MATRIX_DIR") or Path(CACHE) / "anel-matrix").resolve()
MIRROR = os.environ.get("ANEL_MATRIX_MIRROR", "http://deb.debian.org/debian")
JOBS = os.environ.get("ANEL_MATRIX_JOBS") or str(os.cpu_count() or 2)

ENTER = r"""
root=$1 home=$2; shift 2
mount --make-rprivate /
mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && mount -t sysfs sys "$root/sys"
mount --bind "$home/debs" "$root/var/cache/apt/archives" &&
    mount --bind "$home/ccache" "$root/ccache" && exec chroot "$root" env -i "$@"
"""


class CannotMake(Exception):
    """A row that cannot be made here, and why."""


class DoesNotBuild(Exception):
    """anel cannot be configured, compiled or linked there, and why."""


def say(text):
    print(f"   {text}", flush=True)


def run(command, timeout, log=None):
    """Runs a command to its end or for `timeout` seconds. Returns its exit code and its output.

    What it prints stands in the file `log` as soon as it is printed."""
    started = time.monotonic()
    with open(log, "a+b") if log else tempfile.TemporaryFile() as output:
        output.write(f"$ {shlex.join(map(str, command))[-2000:]}\n".encode())
        output.flush()
        begin = output.seek(0, os.SEEK_END)
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                              stderr=subprocess.STDOUT, start_new_session=True) as process:
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                code = 124
        output.seek(begin)
        text = output.read().decode(errors="replace")
        if code == 124:
            text += f"\nended after {timeout} s\n"
        output.write(f"-> {code}, {time.monotonic() - started:.0f} s\n\n".encode())
    return code, text


def need_program(program, package):
    """Installs a Debian package of this machine when its program is missing."""
    if shutil.which(program):
        return
    say(f"installing {package} on this machine")
    code, text = run(["sh", "-c", "apt-get -q -y update >/dev/null; DEBIAN_FRONTEND=noninteractive "
                      f"apt-get -q -y install --no-install-recommends {package}"], 600)
    if code or not shutil.which(program):
        raise CannotMake(f"{program} is missing and {package} cannot be installed: "
                         f"{last_line(text)}")


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no output"


def copy_sources(to):
    """The files that git tracks or would track, as they are now."""
    listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", REPOSITORY, "ls-files", "-z",
                             "-co", "--exclude-standard"], check=True, capture_output=True).stdout
    wanted = {name for name in listed.decode().split("\0") if (REPOSITORY / name).is_file()}
    # What has not changed keeps its time, so that a build starts from where the last one ended.
    for name in wanted:
        source, target = REPOSITORY / name, to / name
        if target.is_file() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    for target in [path for path in to.rglob("*") if path.is_file()]:
        if str(target.relative_to(to)) not in wanted and "build" not in target.parts:
            target.unlink()


class Debian:
    """One Debian system; made when it is first used."""

    def __init__(self, suite, arch="amd64", name=None, fresh=False):
        self.suite, self.arch = suite, arch
        self.root = HOME / "systems" / (name or f"{suite}-{arch}")
        self.log = None
        if fresh:
            shutil.rmtree(self.root, ignore_errors=True)
        if not (self.root / "src").is_dir():
            self._make()
        copy_sources(self.root / "src")

    def _make(self):
        base = HOME / "base" / f"{self.suite}-{self.arch}"
        if not base.is_dir():
            need_program("debootstrap", "debootstrap")
            say(f"debootstrap {self.suite} {self.arch}")
            half = base.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            half.parent.mkdir(parents=True, exist_ok=True)
            code, text = run(["debootstrap", "--variant=minbase", f"--arch={self.arch}",
                              self.suite, half, MIRROR], 1200)
            if code:
                raise CannotMake(f"debootstrap {self.suite}: {last_line(text)}")
            half.rename(base)
        for folder in (HOME / "debs" / "partial", HOME / "ccache", self.root.parent):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.root, ignore_errors=True)  # what an interrupted run left
        subprocess.run(["cp", "-a", base, self.root], check=True)
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        if os.path.exists("/etc/resolv.conf"):
            shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        # How far this machine trusts the dates of its mirror; and what need not survive a crash.
        _, settings = run(["apt-config", "dump"], 30)
        (self.root / "etc/apt/apt.conf.d/99matrix").write_text("".join(
            line + "\n" for line in settings.splitlines() if line.startswith("Acquire::Check-")
        ) + 'Dpkg::Options:: "--force-unsafe-io";\n')
        (self.root / "ccache").mkdir()
        (self.root / "src").mkdir()

    def run(self, command, timeout, **environment):
        """Runs a line of shell in the sources. Returns its exit code and its output."""
        settings = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "dumb",
                    "CCACHE_DIR": "/ccache", **environment}
        return run(["unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c", ENTER, "sh",
                    self.root, HOME, *(f"{key}={value}" for key, value in settings.items()),
                    "sh", "-c", f"cd /src && {command}"], timeout, self.log)

    def must(self, command, timeout, failure=CannotMake, **environment):
        code, text = self.run(command, timeout, **environment)
        if code:
            raise failure(f"{command.split(' &&')[0][:60]}: {first_error(text)}")
        return text

    def install(self, packages):
        """Installs packages, once."""
        marker = self.root / "installed"
        have = set(marker.read_text().split()) if marker.exists() else set()
        missing = [name for name in packages.split() if name not in have]
        if not missing:
            return
        say(f"installing {' '.join(missing)} in {self.root.name}")
        self.must("apt-get -q -y update", 300)
        self.must("DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "
                  + " ".join(missing), 1800)
        marker.write_text("\n".join(sorted(have | set(missing))))


def first_error(text):
    """The line of a log that says best what went wrong."""
    lines = text.splitlines()
    for mark in (": error:", " error: ", "CMake Error", "undefined reference", "E: ", "FAILED"):
        for number, line in enumerate(lines):
            if mark in line:
                found = line.strip()
                if mark == "CMake Error" and number + 1 < len(lines):
                    found += " " + lines[number + 1].strip()
                return found[:300]
    return last_line(text)[:300]

"""How a row is made: each function builds anel in some place, runs what can run there, and fills in
a Result. What a row asks for stands in rows.py."""

import re
from dataclasses import dataclass, field

from places import Debian, DoesNotBuild, HOME, JOBS, MIRROR, first_error
from suites import Counts, count_ctest, count_unittest, run_suite

SUITES = ("runtime", "net", "sim", "conformance")
PEERS = ("tcp_echo", "udp_echo", "request_reply", "request_reply_client", "request_reply_udp",
         "chat", "proxy")


@dataclass
class Result:
    """What is known of a row after it was run."""

    claims: str = "runs"  # or "links": it was built, and nothing could be run
    versions: dict = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    trouble: str = ""  # why the row was not made, or not built


class Build:
    """anel configured in one Debian system, in a folder of its own."""

    def __init__(self, system, result, row, compiler="g++", flags="", optimise="-O1", cmake=(),
                 own_gtest=False, pkg_config=""):
        self.system, self.result, self.row = system, result, row
        self.folder = f"/src/build/{row}"
        self.environment = {"PKG_CONFIG_LIBDIR": pkg_config} if pkg_config else {}
        version = system.must(f"{compiler} --version && cmake --version", 60).splitlines()
        result.versions["compiler"] = version[0]
        result.versions["cmake"] = re.search(r"cmake version (\S+)", "\n".join(version))[1]
        # g++ 14 crashes on coroutines over types of an unnamed namespace in an included file.
        batch = 1 if re.search(r"g\+\+.* 1[3-9]\.", version[0]) else 6
        settings = ["-G Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DANEL_BUILD_BENCH=OFF",
                    f"-DANEL_TEST_BATCH={batch}", "-DANEL_TEST_OPTIONS=-O0",
                    f"-DCMAKE_CXX_COMPILER={compiler}",
                    f"-DCMAKE_CXX_FLAGS='{flags}'",
                    f"-DCMAKE_CXX_FLAGS_RELWITHDEBINFO={optimise}", *cmake]
        if own_gtest:
            c_compiler = compiler.replace("clang++", "clang").replace("g++", "gcc")
            self._make_gtest([*settings, f"-DCMAKE_C_COMPILER={c_compiler}"])
            settings.append(f"-DCMAKE_PREFIX_PATH={self.folder}-gtest/prefix")
        text = system.must(f"cmake -S . -B {self.folder} {' '.join(settings)}", 300,
                           DoesNotBuild, **self.environment)
        if "without io_uring" not in text:
            result.versions["liburing"] = system.must("pkg-config --modversion liburing", 30,
                                                      **self.environment).strip()

    def _make_gtest(self, settings):
        """A googletest built as the tests are: for another C++ library, or without RTTI."""
        folder = f"{self.folder}-gtest"
        self.system.install("googletest")
        self.system.must(f"cmake -S /usr/src/googletest -B {folder} {' '.join(settings)} "
                         f"-DBUILD_GMOCK=OFF -DCMAKE_INSTALL_PREFIX={folder}/prefix && "
                         f"cmake --build {folder} -j {JOBS} && cmake --install {folder}", 900)

    def make(self, *targets):
        self.system.must(f"cmake --build {self.folder} -j {JOBS} --target {' '.join(targets)}",
                         3600, DoesNotBuild, **self.environment)

    def run_suites(self, suites, before="", only="", seconds=900, **environment):
        for suite in suites:
            program = f"{before} {self.folder}/tests/{suite}_tests".strip()
            counts = run_suite(lambda line, limit: self.system.run(line, limit, **environment),
                               program, seconds, only)
            self.result.counts.add(counts, f"{suite}.")


def native(result, row, suite="bookworm", arch="amd64", packages="g++", suites=SUITES,
           peers=(), **how):
    """Built and run in a Debian system."""
    tools = "socat netcat-openbsd" if peers else ""
    system = debian(row, suite, arch, f"cmake ninja-build pkg-config ccache python3 libgtest-dev "
                    f"liburing-dev {packages} {tools}")
    build = Build(system, result, row, **how)
    build.make(*(f"{name}_tests" for name in suites), "anel_examples")
    build.run_suites(suites)
    run_examples(build, peers)
    return build


def debian(row, suite, arch, packages, **more):
    system = Debian(suite, arch, **more)
    system.log = HOME / "logs" / f"{row}.log"
    system.install(packages)
    return system


def bare(result, row, suite, **environment):
    """The two commands of README.md on a system with nothing installed."""
    system = debian(row, suite, "amd64", "", name=row, fresh=True)
    code, text = system.run("./dev demo", 3600, **environment)
    if code:
        result.counts.fail("./dev demo", first_error(text))
    else:
        result.counts.passed += 1
    code, text = system.run("./dev test", 5400, **environment)
    result.counts.add(count_ctest(code, text))
    found = system.must(
        "cat /etc/debian_version; cmake --version | head -n 1; pkg-config --modversion liburing; "
        "$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' build/release/CMakeCache.txt) --version", 60)
    names = ("debian", "cmake", "liburing", "compiler")
    result.versions.update(zip(names, found.replace("cmake version ", "").splitlines()))


def run_examples(build, peers, before="", **environment):
    """The end-to-end tests of some examples: each against peers of this machine, both ways."""
    for peer in peers:
        code, text = build.system.run(f"cd tests/e2e && {before} env ANEL_BIN={build.folder} "
                                      f"python3 -B -m unittest -v test_{peer}", 900, **environment)
        build.result.counts.add(count_unittest(code, text), "e2e.")


def crossed(result, row, arch, triple, qemu, suites=SUITES, peers=PEERS, **how):
    """Built by a cross compiler of Debian 13; run by the processor if it can, else by qemu-user.

    qemu-user has no io_uring, so that what is tested is epoll and poll(2), and that a ring that is
    not there does no harm. The peers of the examples are programs of this machine."""
    system = debian(row, "trixie", "amd64", "cmake ninja-build pkg-config ccache python3 g++ "
                    f"strace googletest socat netcat-openbsd g++-{triple}")
    liburing = unpack_liburing(system, "trixie", arch)
    libraries = f"/usr/{triple}/lib:{liburing.libraries}"
    before = f"/usr/{triple}/lib/ld-linux.so.2 --library-path {libraries}"
    is_native = arch == "i386" and system.run(f"{before} --version", 30)[0] == 0
    if not is_native:
        system.install("qemu-user")
        result.versions["qemu"] = system.must(f"{qemu} --version", 30).split()[2]
        before = f"{qemu} -L /usr/{triple} -E LD_LIBRARY_PATH={libraries}"
    build = Build(system, result, row, compiler=f"{triple}-g++", own_gtest=True,
                  pkg_config=liburing.pkg_config,
                  cmake=("-DCMAKE_SYSTEM_NAME=Linux",
                         f"-DCMAKE_SYSTEM_PROCESSOR={triple.split('-', maxsplit=1)[0]}"), **how)
    build.make(*(f"{name}_tests" for name in suites), *(("anel_examples",) if peers else ()))
    build.run_suites(suites, before=before, seconds=1800, ANEL_TEST_PATIENCE="10")
    if not peers:
        return
    # In place of each program one that has it run.
    wrapped = f"{build.folder}/wrapped/examples"
    system.must(f"mkdir -p {wrapped} && for program in {build.folder}/examples/*; do "
                f"name=$(basename $program); printf '#!/bin/sh\\nexec {before} %s \"$@\"\\n' "
                f"$program >{wrapped}/$name; chmod +x {wrapped}/$name; done && "
                "g++ -std=c++20 -I. tests/refuse_io_uring.cpp -o build/refuse_io_uring", 120)
    build.folder = f"{build.folder}/wrapped"
    run_examples(build, peers, before="" if is_native else "/src/build/refuse_io_uring ENOSYS --",
                 ANEL_TEST_PATIENCE="10")


@dataclass
class Liburing:
    """A liburing of some Debian, unpacked below /opt."""

    version: str
    pkg_config: str
    libraries: str


def unpack_liburing(system, suite, arch="amd64"):
    """Unpacks the packages of another suite or architecture; they need nothing newer than libc."""
    place = f"/opt/liburing-{suite}-{arch}"
    inside = system.root / place.lstrip("/")
    if not inside.is_dir():
        (system.root / f"tmp/{suite}.list").write_text(f"deb {MIRROR} {suite} main\n")
        apt = (f"apt-get -q -o Dir::Etc::SourceList=/tmp/{suite}.list -o Dir::Etc::SourceParts=- "
               f"-o Dir::State::Lists=$lists -o Dir::State::status=/dev/null "
               f"-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Architecture={arch} "
               f"-o APT::Architectures={arch}")
        system.must(f"lists=$(mktemp -d) && mkdir $lists/partial && {apt} update && cd $lists && "
                    f"{apt} download liburing2 liburing-dev && for package in *.deb; do "
                    f"dpkg -x $package {place}; done && rm -r $lists", 300)
    described = next(inside.glob("usr/lib/*/pkgconfig/liburing.pc"))
    text = described.read_text()
    described.write_text(re.sub(r"(=|\s|-[IL])/usr\b", rf"\1{place}/usr", text))
    folder = "/" + str(described.parent.relative_to(system.root))
    version = re.search(r"^Version: (\S+)$", text, re.M)[1]
    return Liburing(version, folder, folder.removesuffix("/pkgconfig"))


def mixed_liburing(result, row, built, others=(), only="*", **how):
    """Built with the headers and the library of one liburing, run beside the others.

    `built` and `others` are suites of Debian, whose package is taken; `only` says which tests run
    beside the first."""
    system = debian(row, "trixie", "amd64", "cmake ninja-build pkg-config ccache python3 g++ "
                    "libgtest-dev")
    first = unpack_liburing(system, built)
    build = Build(system, result, row, pkg_config=first.pkg_config, **how)
    build.make("conformance_tests")
    beside = [first, *(unpack_liburing(system, name) for name in others)]
    result.versions["liburing"] = first.version
    for one in beside:
        if one is not first:
            result.versions["liburing"] += f", run beside {one.version}"
        counts = run_suite(
            lambda line, limit: system.run(line, limit),
            f"env LD_LIBRARY_PATH={one.libraries} {build.folder}/tests/conformance_tests", 900,
            only if one is first else "*/io_uring")
        result.counts.add(counts, f"beside {one.version}: conformance.")

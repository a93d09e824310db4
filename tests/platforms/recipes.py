"""How a row is made: each function builds anel in some place, runs what can run there, and fills in
a Result. What a row asks for stands in rows.py."""

import re
import shlex
from dataclasses import dataclass, field

from places import CannotMake, Debian, HOME, JOBS, first_error, last_line
from suites import Counts, run_suite

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
        system.must("true", 30)
        version = system.must(f"{compiler} --version && cmake --version", 60).splitlines()
        result.versions["compiler"] = version[0]
        result.versions["cmake"] = re.search(r"cmake version (\S+)", "\n".join(version))[1]
        settings = ["-G Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DANEL_BUILD_BENCH=OFF",
                    f"-DCMAKE_CXX_COMPILER={compiler}", f"-DCMAKE_CXX_FLAGS='{flags}'",
                    f"-DCMAKE_CXX_FLAGS_RELWITHDEBINFO={optimise}", *cmake]
        if own_gtest:
            self._make_gtest(settings)
            settings.append(f"-DCMAKE_PREFIX_PATH={self.folder}-gtest/prefix")
        text = system.must(f"cmake -S . -B {self.folder} {' '.join(settings)}", 300,
                           **self.environment)
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
                         3600, **self.environment)

    def run_suites(self, suites, before="", only="", seconds=900, **environment):
        for suite in suites:
            program = f"{before} {self.folder}/tests/{suite}_tests".strip()
            counts = run_suite(lambda line, limit: self.system.run(line, limit, **environment),
                               program, seconds, only)
            self.result.counts.add(counts, f"{suite}.")


def native(result, row, suite="bookworm", arch="amd64", packages="g++", suites=SUITES,
           peers=(), **how):
    """Built and run in a Debian system."""
    system = debian(row, suite, arch, f"cmake ninja-build pkg-config ccache python3 libgtest-dev "
                    f"liburing-dev {packages}")
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


def bare(result, row, suite, environment=None):
    """The two commands of README.md on a system with nothing installed."""
    system = debian(row, suite, "amd64", "", name=row, fresh=True)
    for command, seconds in (("./dev demo", 3600), ("./dev test", 5400)):
        code, text = system.run(command, seconds, **(environment or {}))
        name = command.removeprefix("./dev ")
        if command == "./dev test":
            counted = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", text, re.M)
            if not counted:
                raise CannotMake(f"{command}: {first_error(text)}")
            passed, failed, skipped = counted[-1]
            result.counts.passed += int(passed)
            names = re.findall(r"^\s+\d+ - (\S+) \((?:Failed|Timeout|.*Exc.*)\)", text, re.M)
            for test in names[:int(failed)]:
                result.counts.fail(test, said_about(text, test))
            for test in re.findall(r"^\s+\d+ - (\S+) \(Skipped\)", text, re.M)[:int(skipped or 0)]:
                result.counts.skipped[test] = "see the log"
        elif code:
            result.counts.fail(name, first_error(text))
        else:
            result.counts.passed += 1
    text = system.must("cat /etc/debian_version; grep CMAKE_CXX_COMPILER:STRING "
                       "build/release/CMakeCache.txt | sed 's/.*=//' | xargs -I{} sh -c "
                       "'{} --version' | head -n 1; cmake --version | head -n 1; "
                       "pkg-config --modversion liburing", 60)
    version, compiler, cmake, liburing = text.splitlines()[:4]
    result.versions.update(debian=version, compiler=compiler, cmake=cmake.split()[-1],
                           liburing=liburing)


def said_about(text, test):
    """What ctest printed for a test that failed."""
    found = re.search(rf"^ *\d+/\d+ Test +#\d+: {re.escape(test)} .*?\n(.*?)^ +(?:Start|\d+/\d+)",
                      text, re.M | re.S)
    return " ".join(found[1].split())[-300:] if found else "see the log"


def run_examples(build, peers, before="", **environment):
    """The end-to-end tests of some examples: each against peers of this machine, both ways."""
    for peer in peers:
        command = (f"cd tests/e2e && {before} env ANEL_BIN={build.folder} "
                   f"python3 -B -m unittest test_{peer}")
        code, text = build.system.run(command, 900, **environment)
        found = re.search(r"Ran (\d+) tests?", text)
        ran = int(found[1]) if found else 0
        failures = re.findall(r"^(?:FAIL|ERROR): (\w+) \(([\w.]+)\)\n(?:-+)\n(.*?)^(?:=|-)", text,
                              re.M | re.S)
        skipped = int((re.search(r"skipped=(\d+)", text) or [0, 0])[1])
        for test, where, said in failures:
            build.result.counts.fail(f"e2e.{where}.{test}", last_line(said))
        if code and not failures:
            build.result.counts.fail(f"e2e.{peer}", last_line(text))
        for number in range(skipped):
            build.result.counts.skipped[f"e2e.{peer}.{number}"] = "see the log"
        build.result.counts.passed += max(0, ran - len(failures) - skipped)


def emulated(result, row, arch, triple, qemu, suites=SUITES, peers=PEERS, suite="trixie", **how):
    """Built by Debian's cross compiler, run under qemu-user; the peers of the examples are native.

    qemu-user has no io_uring, so that epoll and poll(2) are what is tested, and that a ring that
    is not there is no harm."""
    system = debian(row, suite, "amd64", "cmake ninja-build pkg-config ccache python3 g++ qemu-user"
                    f" strace libgtest-dev")
    system.install(f"g++-{triple} libc6:{arch} libstdc++6:{arch} libgtest-dev:{arch} "
                   f"liburing-dev:{arch}", foreign=(arch,))
    processor = triple.split("-", maxsplit=1)[0]
    lib = f"/usr/lib/{triple}"
    build = Build(system, result, row, compiler=f"{triple}-g++", pkg_config=f"{lib}/pkgconfig",
                  cmake=("-DCMAKE_SYSTEM_NAME=Linux", f"-DCMAKE_SYSTEM_PROCESSOR={processor}",
                         f"-DCMAKE_CROSSCOMPILING_EMULATOR={qemu}",
                         f"-DGTest_DIR={lib}/cmake/GTest"), **how)
    result.versions["qemu"] = system.must(f"{qemu} --version", 30).split()[2]
    build.make(*(f"{name}_tests" for name in suites), "anel_examples")
    build.run_suites(suites, before=qemu, seconds=1800, ANEL_TEST_PATIENCE="10")
    # A program of that name that is run by qemu.
    wrapped = f"{build.folder}/emulated/examples"
    system.must(f"mkdir -p {wrapped} && for program in {build.folder}/examples/*; do "
                f"name=$(basename $program); printf '#!/bin/sh\\nexec {qemu} %s \"$@\"\\n' "
                f"$program >{wrapped}/$name; chmod +x {wrapped}/$name; done && "
                "g++ -std=c++20 tests/refuse_io_uring.cpp -o build/refuse_io_uring", 120)
    build.folder = f"{build.folder}/emulated"
    run_examples(build, peers, before="/src/build/refuse_io_uring ENOSYS --",
                 ANEL_TEST_PATIENCE="10")


def mixed_liburing(result, row, built, others, suite="sid"):
    """Built with the headers and the library of one liburing, run beside the others.

    `built` and `others` are suites of Debian whose package is taken."""
    system = debian(row, suite, "amd64", "cmake ninja-build pkg-config ccache python3 g++ "
                    "libgtest-dev")
    versions = {name: unpack_liburing(system, name) for name in (built, *others)}
    place = f"/opt/liburing-{built}"
    build = Build(system, result, row, pkg_config=f"{place}/pkgconfig",
                  flags=f"-isystem {place}/usr/include")
    build.make("conformance_tests")
    result.versions["liburing"] = versions[built] + ", run beside " + ", ".join(
        versions[name] for name in (built, *others))
    for name in (built, *others):
        counts = run_suite(lambda line, limit: system.run(line, limit), "env LD_LIBRARY_PATH="
                           f"/opt/liburing-{name}/usr/lib/x86_64-linux-gnu "
                           f"{build.folder}/tests/conformance_tests", 900, "*/io_uring")
        result.counts.add(counts, f"beside {versions[name]}: ")


def unpack_liburing(system, suite):
    """Unpacks the packages of another suite below /opt. Returns their version."""
    other = debian("liburing", suite, "amd64", "")
    other.must("apt-get -q -y update && cd /tmp && apt-get -q download liburing2 liburing-dev", 300)
    place = f"/opt/liburing-{suite}"
    for package in sorted((other.root / "tmp").glob("liburing*.deb")):
        (system.root / "tmp" / package.name).write_bytes(package.read_bytes())
        system.must(f"dpkg -x /tmp/{package.name} {place} && rm /tmp/{package.name}", 60)
        package.unlink()
    system.must(f"mkdir -p {place}/pkgconfig && sed 's|^prefix=.*|prefix={place}/usr|; "
                f"s|=/usr/|={place}/usr/|' {place}/usr/lib/x86_64-linux-gnu/pkgconfig/liburing.pc "
                f">{place}/pkgconfig/liburing.pc", 30)
    return system.must(f"PKG_CONFIG_LIBDIR={place}/pkgconfig pkg-config --modversion liburing",
                       30).strip()


def quoted(words):
    return " ".join(shlex.quote(word) for word in words)

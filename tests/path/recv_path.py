#!/usr/bin/env python3
"""How much code a reader of one recv has to walk through: the functions that run between
`co_await conn.recv(buffer)` and its return, the files they stand in, how often the next function
stands in another file than the one before, and the lines of those files.

    recv_path.py PROGRAM [--files N --lines N --changes N]

With limits it fails when one is exceeded. The program is recv_path.cpp, which is not optimised:
each function of the source is one that is called.
SPDX-License-Identifier: MIT
"""

import argparse
import itertools
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SKIPPED = 77  # this machine has no io_uring


def functions(program, backend):
    """The functions of the library that ran, in order: (name, file)."""
    ran = subprocess.run([program], env={**os.environ, "ANEL_BACKEND": backend}, check=False,
                         capture_output=True, text=True, timeout=60)
    if ran.returncode:
        print(ran.stderr)
        sys.exit(SKIPPED if "io_uring_setup" in ran.stderr else 1)
    told = subprocess.run(["addr2line", "-a", "-i", "-f", "-C", "-e", program], input=ran.stdout,
                          check=True, capture_output=True, text=True).stdout
    found = []
    for block in told.split("\n0x"):  # what was inlined at the first instruction comes first
        name, place = block.rstrip().splitlines()[-2:]
        path = Path(os.path.normpath(os.path.join(REPOSITORY, place.rsplit(":", 1)[0])))
        if path.is_relative_to(REPOSITORY):
            relative = path.relative_to(REPOSITORY)
            # To count up a number is no step into another file, whatever type the number has.
            if relative.parts[0] in ("runtime", "net") and path.name != "counter.hpp":
                found.append((name, str(relative)))
    return found


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("program")
    parser.add_argument("--backend", default="io_uring")
    parser.add_argument("--show", action="store_true", help="each function, as it ran")
    for limit in ("--files", "--lines", "--changes"):
        parser.add_argument(limit, type=int)
    wanted = parser.parse_args()

    ran = functions(wanted.program, wanted.backend)
    if wanted.show:
        for name, file in ran:
            print(f"{file:<40} {name[:100]}")
    files = sorted({file for _, file in ran})
    size = {file: len((REPOSITORY / file).read_text().splitlines()) for file in files}
    for file in files:
        names = {name for name, where in ran if where == file}
        print(f"{file:<40} {size[file]:>4} lines, {len(names):>2} functions ran")
    measured = {"files": len(files), "lines": sum(size.values()),
                "changes": sum(one[1] != next_one[1] for one, next_one in itertools.pairwise(ran))}
    print(f"{wanted.backend}: {len(ran)} calls of {len(set(ran))} functions, {measured['files']} "
          f"files, {measured['lines']} lines, {measured['changes']} changes of file")
    too_much = [f"{name}: {measured[name]}, at most {getattr(wanted, name)}" for name in measured
                if (getattr(wanted, name) or measured[name]) < measured[name]]
    print(*too_much, sep="\n", end="\n" if too_much else "")
    return 1 if too_much or not ran else 0


if __name__ == "__main__":
    sys.exit(main())

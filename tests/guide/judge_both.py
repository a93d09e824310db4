#!/usr/bin/env python3
"""An exercise is one: its starter fails the check that its answer passes.

    judge_both.py NN STARTER ANSWER     exit code 77: neither can run here, for want of io_uring
"""
# SPDX-License-Identifier: MIT

import os
import subprocess
import sys

import judge


def refused(program):
    """Programs on the ring say so where the kernel refuses it."""
    if not os.access(program, os.X_OK):
        return False
    try:
        done = subprocess.run([program, "0"], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=1, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 77


def main(number, starter, answer):
    if number in ("08", "09") and refused(answer):
        return 77
    for program, expected in ((starter, 1), (answer, 0)):
        code = judge.main(number, program)
        if code != expected:
            print(f"{program}: the judge's exit code is {code}, not {expected}")
            return 1
    return 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main(*sys.argv[1:]))

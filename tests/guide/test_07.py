#!/usr/bin/env python3
"""What chapter 7 shows: taking turns, waiting with poll, and the echo server in 120 lines."""
# SPDX-License-Identifier: MIT

import os
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import support
from echoes import Echoes

BINARIES = Path(os.environ["ANEL_GUIDE_BIN"])
SOURCES = Path(__file__).resolve().parents[2] / "examples" / "guide"
TURNS = """\
nobody has begun
A: 1
B: 1
A: 2
B: 2
A: 3
B: 3
nobody is ready
"""
WAITS = """\
A waits
B waits
C writes to B and waits for its answer
poll: 3 wait, 1 ready
B has 2 bytes and answers
poll: 2 wait, 1 ready
C has the answer and writes to A
poll: 1 wait, 1 ready
A has 2 bytes and answers
nobody waits
"""


class Steps(unittest.TestCase):
    def test_two_coroutines_take_turns(self):
        self.assertEqual(support.run([BINARIES / "07a_turns"]), (0, TURNS))

    def test_a_loop_sleeps_in_poll_for_those_who_wait(self):
        self.assertEqual(support.run([BINARIES / "07b_until_ready"]), (0, WAITS))

    def test_the_executor_has_120_lines(self):
        text = (SOURCES / "07_executor.cpp").read_text(encoding="utf-8")
        self.assertEqual(len(text.splitlines()), 120)


class Executor(Echoes, unittest.TestCase):
    def start(self):
        return support.Program([BINARIES / "07_executor", "0"])


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# test_02.py: chapter 2: the stream is cut anyhow, and the lines are the same.
# SPDX-License-Identifier: MIT

import os
import re
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

import support  # noqa: E402

BIN = Path(os.environ["ANEL_GUIDE_BIN"])
SOURCES = Path(__file__).resolve().parents[2] / "examples" / "guide"
PROGRAMS = ([BIN / "02_framing"], [sys.executable, "-B", SOURCES / "02_framing.py"])


class Framing(unittest.TestCase):
    def test_the_lines_do_not_depend_on_the_cuts(self):
        for program in PROGRAMS:
            with self.subTest(program=program[-1]):
                code, said = support.run(program)
                self.assertEqual(code, 0, said)
                lines = said.splitlines()
                self.assertEqual(numbers(lines, "send"), [3, 4, 7, 2, 4])
                received = numbers(lines, "recv")
                self.assertEqual(sum(received), 20)
                self.assertEqual(received[-1], 0, "the end of the stream")
                self.assertLessEqual(max(received), 7)
                self.assertEqual([line for line in lines if not re.search(r"\d", line)],
                                 ["oi", "bom dia", "até", "fim"])

    def test_the_kernel_makes_its_own_segments(self):
        _, said = support.run(PROGRAMS[0])
        segments = int(re.search(r"^(\d+) segments$", said, re.MULTILINE)[1])
        self.assertIn(segments, range(1, 6))  # 2, unless the machine was busy


def numbers(lines, call):
    return [int(line.split()[1]) for line in lines if line.startswith(call + " ")]


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""What chapter 6 shows: the order of its lines, and where clang 19 puts what in the frame."""
# SPDX-License-Identifier: MIT

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import support

BINARIES = Path(os.environ["ANEL_GUIDE_BIN"])
ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "docs" / "guide" / "figures"
SOURCE = ROOT / "examples" / "guide" / "06_by_hand.cpp"
SAID = """\
main: calls count(7, 9)
a frame of SIZE bytes
main: has a series
main: resumes it
    count: begins
    count: i is 7
main: resumes it
    count: i is 8
main: resumes it
    count: i is 9
main: resumes it
    count: ends
the frame is gone
"""


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


frame = load(FIGURES / "frame.py")


class ByHand(unittest.TestCase):
    def test_nothing_runs_before_it_is_resumed(self):
        code, said = support.run([BINARIES / "06_by_hand"])
        self.assertEqual(code, 0)
        self.assertEqual(re.sub(r"of \d+ bytes", "of SIZE bytes", said), SAID)


def has_clang_19():
    if platform.machine() != "x86_64" or not shutil.which(frame.COMPILER):
        return False
    version = subprocess.run([frame.COMPILER, "--version"], text=True, check=True,
                             stdout=subprocess.PIPE).stdout
    return "clang version 19." in version and bool(shutil.which("readelf"))


class Frame(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not has_clang_19():
            raise unittest.SkipTest("the picture is of clang 19 on x86-64")
        cls.size, cls.layout = frame.frame_of(SOURCE, "count")

    def picture(self):
        return json.loads((FIGURES / "06_frame.json").read_text(encoding="utf-8"))

    def test_the_picture_is_what_the_compiler_lays_out(self):
        picture = self.picture()
        rows = frame.rows_of(picture, "frame")
        self.assertEqual(list(frame.compare(rows, self.layout)), [])
        title = next(block["title"] for block in picture["blocks"] if block["id"] == "frame")
        self.assertIn(f"{self.size} bytes", title["en"])

    def test_a_picture_that_says_otherwise_is_refused(self):
        rows = frame.rows_of(self.picture(), "frame")
        row = next(row for row in rows if row["id"] == "i")
        row["offset"] += 4
        said = list(frame.compare(rows, self.layout))
        self.assertEqual(said, [f"i: offset is {row['offset'] - 4}, the picture says "
                                f"{row['offset']}"])

    def test_a_function_that_is_no_coroutine_has_no_frame(self):
        with self.assertRaises(frame.Unknown):
            frame.frame_of(SOURCE, "main")


if __name__ == "__main__":
    unittest.main()

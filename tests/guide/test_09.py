#!/usr/bin/env python3
"""What chapter 9 shows: chapter 7's server on io_uring, with the same sessions."""
# SPDX-License-Identifier: MIT

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
from echoes import Echoes

BINARIES = Path(os.environ["ANEL_GUIDE_BIN"])
ROOT = Path(__file__).resolve().parents[2]
REFUSED = 77


POLL = ROOT / "examples/guide/07_executor.cpp"
RING = ROOT / "examples/guide/09_executor_on_the_ring.cpp"


def sessions(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return lines[lines.index("// #region echo"):lines.index("// #endregion echo")]


class Difference(unittest.TestCase):
    def test_the_sessions_are_the_same(self):
        self.assertEqual(sessions(POLL), sessions(RING))

    @unittest.skipUnless(shutil.which("diff"), "needs diff")
    def test_the_difference_is_what_the_text_says(self):
        said = subprocess.run(["diff", POLL, RING], stdout=subprocess.PIPE, text=True, check=False)
        first = [line[:1] for line in said.stdout.splitlines()]
        page = (ROOT / "docs/guide/09_executor_on_the_ring.md").read_text(encoding="utf-8")
        gone, new = map(int, re.search(r"(\d+) lines go and (\d+) come", page).groups())
        self.assertEqual((first.count("<"), first.count(">")), (gone, new))


@unittest.skipUnless(platform.machine() == "x86_64" and shutil.which("clang++-19")
                     and shutil.which("readelf"), "the picture is of clang 19 on x86-64")
class Frame(unittest.TestCase):
    def test_the_picture_is_what_the_compiler_lays_out(self):
        figures = ROOT / "docs/guide/figures"
        said = subprocess.run(
            [sys.executable, "-B", figures / "frame.py", RING, "echo", "--check",
             figures / "09_user_data.json"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(said.returncode, 0, said.stdout)


class OnTheRing(Echoes, unittest.TestCase):
    def setUp(self):
        with self.start() as server:
            said = server.line()
            if not said.startswith("listening"):
                server.process.wait()
                self.assertEqual(server.process.returncode, REFUSED, said)
                self.skipTest(said)

    def start(self):
        return support.Program([BINARIES / "09_executor_on_the_ring", "0"])


if __name__ == "__main__":
    unittest.main()

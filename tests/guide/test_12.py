# test_12.py: chapter 12: what a timeout leaves behind, and 1,000 races in the simulator.
# SPDX-License-Identifier: MIT

import os
import re
import subprocess
import unittest
from pathlib import Path

import support
from backends import usable

FOLDER = Path(os.environ["ANEL_GUIDE_BIN"])
LINES = ["recv: Connection timed out", "the next recv: 5 bytes",
         "recv with 0 ms: 4 bytes, no timeout", "send: Connection timed out"]


class Chapter12(unittest.TestCase):
    def test_a_cut_recv_takes_nothing_and_a_cut_send_has_sent_some(self):
        for backend, environment in usable([FOLDER / "12_timeout"]):
            with self.subTest(backend=backend):
                code, said = support.run([FOLDER / "12_timeout"], env=environment)
                *lines, last = said.splitlines()
                self.assertEqual((code, lines), (0, LINES))
                arrived = re.fullmatch(r"the peer got (\d+) of 67108864 bytes", last)
                self.assertIsNotNone(arrived, last)
                self.assertTrue(0 < int(arrived.group(1)) < 67108864, last)

    def test_no_byte_is_lost_in_1000_races(self):
        # With a sanitizer on a slow machine longer than support.DEADLINE; ctest ends what hangs.
        ran = subprocess.run([FOLDER / "12_race", "--seeds=1000"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(ran.returncode, 0, ran.stdout)
        self.assertIn("race: 1000 seeds", ran.stdout)
        self.assertIn("sometimes the bytes win: yes", ran.stdout)
        self.assertIn("sometimes the timeout wins: yes", ran.stdout)

    def test_a_seed_repeats_its_race(self):
        environment = os.environ | {"ANEL_SIM_SEED": "0x2a"}
        first, second = (support.run([FOLDER / "12_race", "--trace"], env=environment)
                         for _ in range(2))
        self.assertEqual(first, second)
        self.assertEqual(first[0], 0, first[1])


if __name__ == "__main__":
    unittest.main()

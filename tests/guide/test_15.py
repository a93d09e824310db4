# test_15.py: chapter 15: right by hand, wrong under a seed, and the same each time.
# SPDX-License-Identifier: MIT

import os
import unittest
from pathlib import Path

import simulated
import support

FOLDER = Path(os.environ["ANEL_GUIDE_BIN"])
BACKENDS = ("io_uring", "epoll", "poll")


class Chapter15(unittest.TestCase):
    def test_by_hand_every_add_is_answered_and_the_server_never_does_less(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend):
                environment = os.environ | {"ANEL_BACKEND": backend}
                code, said = support.run([FOLDER / "15_by_hand"], env=environment)
                # More than 5 only where the machine stood still for 100 ms.
                self.assertRegex(said, r"^5 answered, ([5-9]|\d\d+) done\n$")
                self.assertEqual(code, 0)

    def test_a_seed_finds_the_planted_bug(self):
        code, said = simulated.run(FOLDER / "15_sim", "--seeds=100", "--jobs=1")
        self.assertEqual(code, 1)
        self.assertIn("FAILED each_add_once: always: each add is done once", said)
        self.assertIn("seed 0x0000000000000012", said)

    def test_the_same_seed_is_the_same_run(self):
        _, first = simulated.run(FOLDER / "15_sim", "--trace", seed=0x12)
        _, again = simulated.run(FOLDER / "15_sim", "--trace", seed=0x12)
        self.assertEqual(first, again)
        self.assertEqual(simulated.run(FOLDER / "15_answer", "--seeds=100", "--check")[0], 0)

    def test_the_picture_is_what_its_seed_does(self):
        first, again = (simulated.record(FOLDER / "15_sim", 0x12) for _ in range(2))
        self.assertEqual(first, again)
        figure = Path(simulated.FIGURES, "15_late.json")
        self.assertEqual(first, figure.read_text(encoding="utf-8"))

    def test_100_seeds_do_not_find_the_bug_of_the_exercise_and_500_do(self):
        self.assertEqual(simulated.run(FOLDER / "15_exercise", "--seeds=100")[0], 0)
        self.assertEqual(simulated.run(FOLDER / "15_exercise", "--seeds=500")[0], 1)


if __name__ == "__main__":
    unittest.main()

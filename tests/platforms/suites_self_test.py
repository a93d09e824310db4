"""Tests of suites.py: what each runner prints for what passed, failed, was skipped or crashed."""

import unittest

from suites import Counts, count_ctest, count_lines, count_unittest

GTEST = """[ RUN      ] tcp.ends/io_uring
[       OK ] tcp.ends/io_uring (3 ms)
[ RUN      ] tcp.breaks/epoll
tcp_test.cpp:5: Failure
[  FAILED  ] tcp.breaks/epoll, where GetParam() = epoll (1 ms)
[ RUN      ] tcp.cannot/poll
tcp_test.cpp:9: Skipped
no ::1 here
[  SKIPPED ] tcp.cannot/poll (0 ms)
"""
CTEST = """1/3 Test #1: unit.a ...   Passed    0.01 sec
    Start 2: unit.b
2/3 Test #2: unit.b ...***Failed    0.01 sec
it broke
2/3 Test #3: unit.c ...***Skipped   0.00 sec
The following tests did not run:
\t  3 - unit.c (Skipped)
The following tests FAILED:
\t  2 - unit.b (Failed)                 unit
1 passed, 1 failed, 1 skipped
"""
UNITTEST = """test_a (test_x.X) ... ok
test_b (test_x.X) ... FAIL
test_c (test_x.X) ... skipped 'no IPv6'
======
FAIL: test_b (test_x.X)
------
AssertionError: 1 != 2
------
"""


class Suites(unittest.TestCase):
    def check(self, counts, failed, skipped):
        self.assertEqual((counts.passed, counts.failed, list(counts.skipped)),
                         (1, failed, skipped))

    def test_googletest(self):
        counts = Counts()
        _, unfinished = count_lines(GTEST, counts)
        self.check(counts, ["tcp.breaks/epoll"], ["tcp.cannot/poll"])
        self.assertIsNone(unfinished)
        self.assertEqual(counts.skipped["tcp.cannot/poll"], "no ::1 here")

    def test_a_test_that_ends_the_program_is_told(self):
        _, unfinished = count_lines("[ RUN      ] tcp.crashes/epoll\nboom\n", Counts())
        self.assertEqual(unfinished, ("tcp.crashes/epoll", "boom"))

    def test_ctest(self):
        counts = count_ctest(1, CTEST)
        self.check(counts, ["unit.b"], ["unit.c"])
        self.assertEqual(counts.first_error, "unit.b: it broke")

    def test_unittest(self):
        counts = count_unittest(1, UNITTEST)
        self.check(counts, ["test_b"], ["test_c"])
        self.assertEqual(counts.first_error, "test_b: AssertionError: 1 != 2")


if __name__ == "__main__":
    unittest.main()

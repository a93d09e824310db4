#!/usr/bin/env python3
"""What chapter 8 shows: head and tail of both queues, and the order of the two results."""
# SPDX-License-Identifier: MIT

import os
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import support

BINARIES = Path(os.environ["ANEL_GUIDE_BIN"])
REFUSED = 77
SAID = """\
a new ring             SQ head 0 tail 0   CQ head 0 tail 0
two requests written   SQ head 0 tail 0   CQ head 0 tail 0
  ours alone: 2
  io_uring_enter took 2
two requests submitted SQ head 2 tail 2   CQ head 0 tail 0
a result is there      SQ head 2 tail 2   CQ head 0 tail 1
  user_data B, res 2: "oi"
we have taken it       SQ head 2 tail 2   CQ head 1 tail 1
a result is there      SQ head 2 tail 2   CQ head 1 tail 2
  user_data A, res 3: "ola"
we have taken it       SQ head 2 tail 2   CQ head 2 tail 2
"""


class Ring(unittest.TestCase):
    def test_the_queues_are_what_the_chapter_shows(self):
        code, said = support.run([BINARIES / "08_uring"])
        if code == REFUSED:
            self.skipTest(said.strip())
        self.assertEqual((code, said), (0, SAID))


if __name__ == "__main__":
    unittest.main()

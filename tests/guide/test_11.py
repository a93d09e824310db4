# test_11.py: chapter 11: tasks take turns, and an error ends the others, on each backend.
# SPDX-License-Identifier: MIT

import json
import os
import tempfile
import unittest
from pathlib import Path

import support
from backends import usable

FOLDER = Path(os.environ["ANEL_GUIDE_BIN"])
TURNS = """A1 A2 A3 B1 B2 B3 one after the other
A1 B1 A2 B2 A3 B3 both at once
total 12
"""
GROUP = """3 children, 1 thread
fetch 3 ends
fetch 2 ends
fetch 1 ends
the group: the peer closed the connection early
"""


class Chapter11(unittest.TestCase):
    def test_two_tasks_take_turns(self):
        for backend, environment in usable([FOLDER / "11_turns"]):
            with self.subTest(backend=backend):
                said = support.run([FOLDER / "11_turns"], env=environment)
                self.assertEqual(said, (0, TURNS))

    def test_an_error_ends_the_other_children(self):
        for backend, environment in usable([FOLDER / "11_turns"]):
            with self.subTest(backend=backend), tempfile.TemporaryDirectory() as folder:
                record = Path(folder) / "run.json"
                environment["ANEL_TRACE"] = str(record)
                said = support.run([FOLDER / "11_group"], env=environment)
                self.assertEqual(said, (0, GROUP))
                events = json.loads(record.read_text(encoding="utf-8"))["events"]
                asked = {event["task"] for event in events if event.get("call") == "connect"}
                ends = [event["how"] for event in events
                        if event["kind"] == "end" and event["task"] in asked]
                self.assertEqual(sorted(ends), ["cancelled", "cancelled", "error"])


if __name__ == "__main__":
    unittest.main()

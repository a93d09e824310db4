#!/usr/bin/env python3
"""gdb with share/gdb/anel-gdb.py on a program whose tasks wait for each other, and on its core.

    gdb_test.py GDB PROGRAM

SPDX-License-Identifier: MIT
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

GDB, PROGRAM = sys.argv.pop(1), sys.argv.pop(1)
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../share/gdb/anel-gdb.py")


def gdb(*commands, core=(), trusted=()):
    ran = subprocess.run(
        [GDB, "--batch", "-nx",
         *(word for folder in trusted for word in ("-iex", f"add-auto-load-safe-path {folder}")),
         *(word for command in commands for word in ("-ex", command)),
         PROGRAM, *core], capture_output=True, text=True, timeout=100, check=False,
        stdin=subprocess.DEVNULL, env={**os.environ, "DEBUGINFOD_URLS": ""})
    return ran.stdout


class Tasks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.core = os.path.join(cls.folder.name, "core")
        # The program brings the script along.
        trusted = (os.path.dirname(os.path.abspath(PROGRAM)),)
        cls.live = gdb("break everybody_waits", "run", "anel loops",
                       "anel tasks", f"generate-core-file {cls.core}", "kill", trusted=trusted)

    def number_of(self, what):
        found = re.search(rf"^ +(\d+)  {what}", self.live, re.M)
        self.assertTrue(found, self.live)
        return found[1]

    def test_the_loop_is_found_and_its_waits_are_counted(self):
        # accept, 20 sessions, two mutexes, the group's join.
        self.assertRegex(self.live, r"thread 1 \(deadlocked\): \w+, \d+ turns, \d+ resumes, "
                                    r"24 waits")

    def test_tasks_that_wait_alike_are_one_line(self):
        self.assertRegex(self.live, r"recv \(fd \d+\) in echo at deadlocked.cpp:\d+, and 19 like "
                                    r"it")

    def test_each_chain_of_awaits_says_where(self):
        self.assertRegex(self.live, r"mutex in take_both at deadlocked.cpp:\d+, and 1 like it")
        serving = (r"accept \(fd \d+\) in .*open_sessions::next at sessions.hpp:\d+ <- "
                   r".*accept_sessions at sessions.hpp:\d+ <- .*serve at sessions.hpp:\d+ <- "
                   r"serve_all at deadlocked.cpp:\d+")
        joining = r"join in .*with_task_group at task_group.hpp:\d+ <- program at deadlocked.cpp"
        self.assertRegex(self.live, serving)
        self.assertRegex(self.live, joining)

    def test_a_core_file_says_the_same(self):
        told = gdb(f"source {SCRIPT}", "anel tasks", core=(self.core,))
        lines = re.findall(r"^ +\d+  .*$", self.live, re.M)
        self.assertEqual(re.findall(r"^ +\d+  .*$", told, re.M), lines)

    def test_one_task_is_shown_with_its_variables(self):
        number = self.number_of(r"recv \(fd \d+\) in echo")
        told = gdb(f"source {SCRIPT}", f"anel task {number}", core=(self.core,))
        self.assertRegex(told, r"waits for recv \(fd \d+\)\n#0 +echo deadlocked.cpp:\d+\n")
        self.assertRegex(told, r"\n +conn = .*fd_ = \d+")
        self.assertRegex(told, r"\n#1 +.*run_session")

    def test_a_number_that_is_no_task_is_refused(self):
        for number in ("0", "1000", "x"):
            ran = subprocess.run([GDB, "--batch", "-nx", "-ex", f"source {SCRIPT}", "-ex",
                                  f"anel task {number}", PROGRAM, self.core], check=False,
                                 capture_output=True, text=True, timeout=100)
            self.assertIn("anel task", ran.stderr.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()

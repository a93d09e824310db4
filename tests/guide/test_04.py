#!/usr/bin/env python3
"""What chapter 4 shows: with one thread client B waits for client A, with threads it does not."""
# SPDX-License-Identifier: MIT

import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import quiet
import support

BINARIES = Path(os.environ["ANEL_GUIDE_BIN"])
SOURCES = Path(__file__).resolve().parents[2] / "examples" / "guide"
SESSION = re.compile(r"client (\d): (\d+\.\d) ms, (\d+\.\d\d) ms of them on the CPU")


def server(*options):
    return support.Program([BINARIES / "04_threads", "0", *options])


class OneByOne(unittest.TestCase):
    def test_b_gets_its_reply_once_a_has_closed(self):
        with server() as program:
            address = program.address()
            a, b = support.connect(address), support.connect(address)
            with b:
                with a:
                    a.sendall(b"oi")
                    self.assertEqual(a.recv(16), b"oi")
                    b.sendall(b"hello")
                    self.assertFalse(
                        quiet.answers_before_it_sleeps(b, program.process.pid))
                self.assertEqual(b.recv(16), b"hello")
                self.assertRegex(program.line(), SESSION)

    def test_the_waiting_costs_no_processor(self):
        if not quiet.can_tell():
            self.skipTest("no /proc")
        with server() as program:
            with support.connect(program.address()):
                quiet.wait_until_it_sleeps(program.process.pid, "busy", "ocupado")


class Threads(unittest.TestCase):
    def test_b_gets_its_reply_while_a_is_connected(self):
        with server("threads") as program:
            address = program.address()
            with support.connect(address) as a, support.connect(address) as b:
                for conversation, text in ((a, b"oi"), (b, b"hello"), (a, b"again")):
                    conversation.sendall(text)
                    self.assertEqual(conversation.recv(16), text)
                if quiet.can_tell():
                    self.assertEqual(len(quiet.threads(program.process.pid)), 3)
            ended = {SESSION.fullmatch(program.line())[1] for _ in range(2)}
            self.assertEqual(ended, {"1", "2"})


class TwoClients(unittest.TestCase):
    def order(self, *options):
        with server(*options) as program:
            _, port = program.address()
            said = subprocess.run(
                [sys.executable, "-B", SOURCES / "04_two_clients.py", str(port)], check=True,
                text=True, stdout=subprocess.PIPE, timeout=support.DEADLINE).stdout
        return [line.split(" ms  ")[1] for line in said.splitlines()]

    def test_one_by_one(self):
        self.assertEqual(self.order(), [
            "A sent 'oi'", "A got 'oi'", "B sent 'hello'", "B has waited for 1 s", "A closed",
            "B got 'hello'"])

    def test_on_threads_nobody_waits_for_a(self):
        order = self.order("threads")
        if "B has waited for 1 s" in order:
            self.skipTest("the machine is so busy that a second is short")
        self.assertEqual(order, ["A sent 'oi'", "A got 'oi'", "B sent 'hello'", "B got 'hello'"])


if __name__ == "__main__":
    unittest.main()

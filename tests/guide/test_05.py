#!/usr/bin/env python3
"""What chapter 5 shows: one thread serves several clients, and how many calls an echo costs."""
# SPDX-License-Identifier: MIT

import os
import re
import sys
import threading
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import quiet
import support

BINARIES = Path(os.environ["ANEL_GUIDE_BIN"])
LEFT = re.compile(r"a client left; calls: (\d+) poll, (\d+) recv, (\d+) send")


def server():
    return support.Program([BINARIES / "05_poll", "0"])


def calls(program):
    """The numbers of the line that it prints when a client leaves."""
    while True:
        line = program.line()
        if found := LEFT.fullmatch(line):
            return tuple(int(number) for number in found.groups())
        if not line:
            raise AssertionError(program.lines)


class Poll(unittest.TestCase):
    def test_one_thread_answers_two_clients_in_turns(self):
        with server() as program:
            address = program.address()
            with support.connect(address) as a, support.connect(address) as b:
                for conversation, text in ((a, b"oi"), (b, b"hello"), (a, b"again")):
                    conversation.sendall(text)
                    self.assertEqual(conversation.recv(16), text)
                if quiet.can_tell():
                    self.assertEqual(len(quiet.threads(program.process.pid)), 1)
                quiet.wait_until_it_sleeps(program.process.pid, "busy", "ocupado")

    def test_sixteen_echoes_cost_three_calls_each(self):
        with server() as program:
            with support.connect(program.address()) as client:
                for _ in range(16):
                    client.sendall(b"oi")
                    self.assertEqual(client.recv(16), b"oi")
            # One poll more brings the client, and one, with a recv, its end.
            self.assertEqual(calls(program), (18, 17, 16))

    def test_what_send_did_not_take_is_sent_later(self):
        text = bytes(range(256)) * 4096 * 8  # more than the buffers in the kernel
        got = bytearray()
        with server() as program:
            address = program.address()
            with support.connect(address) as slow, support.connect(address) as other:
                sender = threading.Thread(target=slow.sendall, args=(text,))
                sender.start()
                try:
                    self.assertIn("send took", program.line())
                    other.sendall(b"oi")  # nobody waits for the slow one
                    self.assertEqual(other.recv(16), b"oi")
                finally:
                    while len(got) < len(text) and (part := slow.recv(65536)):
                        got += part
                    sender.join()
                self.assertEqual(got, text)


if __name__ == "__main__":
    unittest.main()

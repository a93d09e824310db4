#!/usr/bin/env python3
# test_01.py: chapter 1: both servers answer both clients, and send does not wait for recv.
# SPDX-License-Identifier: MIT

import itertools
import os
import socket
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

import support  # noqa: E402

BIN = Path(os.environ["ANEL_GUIDE_BIN"])
SOURCES = Path(__file__).resolve().parents[2] / "examples" / "guide"
SERVERS = ([BIN / "01_server"], [sys.executable, "-B", SOURCES / "01_server.py"])
CLIENTS = ([BIN / "01_client"], [sys.executable, "-B", SOURCES / "01_client.py"])


class Lecture(unittest.TestCase):
    def test_every_server_answers_every_client(self):
        for server, client in itertools.product(SERVERS, CLIENTS):
            with self.subTest(server=server[-1], client=client[-1]):
                with support.Program([*server, 0]) as serving:
                    port = serving.address()[1]
                    code, said = support.run([*client, port])
                    self.assertEqual((code, said), (0, "send returned 2\nrecv returned 2: OI\n"))
                    code, said = support.run([*client, port, "oi", "bom dia"])
                    self.assertEqual((code, said), (
                        0, "send returned 2\nrecv returned 2: OI\n"
                           "send returned 7\nrecv returned 7: BOM DIA\n"))

    def test_send_returns_before_recv_is_called(self):
        for client in CLIENTS:
            with self.subTest(client=client[-1]):
                with support.Program([BIN / "01_server", 0, "wait"]) as server:
                    with support.Program([*client, server.address()[1]]) as asking:
                        # The server waits for Enter, so no recv has been called.
                        self.assertEqual(asking.line(), "send returned 2")
                        server.process.stdin.write("\n")
                        self.assertEqual(server.line(), "2 bytes wait in the kernel")
                        self.assertEqual(asking.line(), "recv returned 2: OI")

    def test_a_client_that_resets_does_not_end_the_server(self):
        for server in SERVERS[:1]:
            with support.Program([*server, 0]) as serving:
                address = serving.address()
                with support.connect(address) as conversation:
                    conversation.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                            b"\1\0\0\0\0\0\0\0")
                self.assertEqual(support.run([*CLIENTS[0], address[1]])[0], 0)

    def test_a_port_in_use_is_reported(self):
        with support.Program([*SERVERS[0], 0]) as first:
            code, said = support.run([*SERVERS[0], first.address()[1]])
            self.assertEqual((code, said), (1, "01_server: Address already in use\n"))

    def test_without_a_server_the_client_says_so(self):
        with socket.socket() as bound:  # bound, and it does not listen
            bound.bind(("127.0.0.1", 0))
            code, said = support.run([*CLIENTS[0], bound.getsockname()[1]])
            self.assertEqual((code, said), (1, "01_client: Connection refused\n"))


if __name__ == "__main__":
    unittest.main()

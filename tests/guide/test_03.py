#!/usr/bin/env python3
# test_03.py: chapter 3: what each side sees at three ends, and why a request without "\n" waits.
# SPDX-License-Identifier: MIT

import os
import socket
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

import sockets_of  # noqa: E402
import support  # noqa: E402

BIN = Path(os.environ["ANEL_GUIDE_BIN"])
SOURCES = Path(__file__).resolve().parents[2] / "examples" / "guide"

TRANSCRIPT = """\
1. half close
client send 8
client shutdown 0
server recv 8
server recv 0
server send 2
client recv 2
2. the client has gone
client send 8
client close 0
server recv 8
server recv 0
server send 2
server send -1 EPIPE
3. the server reads too little
client send 8
server recv 3
server send 2
server close 0
client recv 2
client recv -1 ECONNRESET
"""


class Ends(unittest.TestCase):
    def test_each_side_sees_what_the_chapter_shows(self):
        for program, wanted in (
                ([BIN / "03_ends"], TRANSCRIPT),
                ([sys.executable, "-B", SOURCES / "03_ends.py"], TRANSCRIPT.split("2.")[0])):
            with self.subTest(program=program[-1]):
                code, said = support.run(program)
                # The reset comes back within the first send, unless the kernel is very busy.
                said = said.replace("server send 2\nserver send 2\n",
                                    "server send 2\nserver send -1 EPIPE\n")
                self.assertEqual(said, wanted)
                self.assertEqual(code, 0)

    def test_a_request_without_a_line_end_is_answered_after_the_last_byte(self):
        server = self.reply_server()
        with support.Program([server, "127.0.0.1:0"]) as serving:
            address = serving.address()
            with support.connect(address) as silent:
                silent.sendall(b"upper oi")
                if sockets_of.can_look(silent):
                    support.wait_until(lambda: sockets_of.peer_has_taken_all(silent), "?", "?")
                # Another client is answered meanwhile, so the server does not compute: it waits.
                with support.connect(address) as other:
                    other.sendall(b"upper oi\n")
                    self.assertEqual(support.receive_line(other), "ok OI")
                silent.setblocking(False)
                with self.assertRaises(BlockingIOError):
                    silent.recv(100)
                silent.settimeout(support.DEADLINE)
                silent.shutdown(socket.SHUT_WR)
                self.assertEqual(support.receive_all(silent), b"ok OI\n")

    def test_the_lectures_client_gets_its_answer_when_it_sends_a_line(self):
        server = self.reply_server()
        for client in ([BIN / "01_client"], [sys.executable, "-B", SOURCES / "01_client.py"]):
            with support.Program([server, "127.0.0.1:0"]) as serving:
                code, said = support.run([*client, serving.address()[1], "upper oi\n"])
                self.assertEqual((code, said), (0, "send returned 9\nrecv returned 6: ok OI\n\n"))

    def reply_server(self):
        """anel's request_reply_server, which is built beside the programs of the guide."""
        server = BIN.parent / "request_reply_server"
        if not server.exists():
            self.skipTest("request_reply_server is not built")
        return server


if __name__ == "__main__":
    unittest.main()

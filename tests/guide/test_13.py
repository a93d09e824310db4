# test_13.py: chapter 13: what waits for a client that does not read, and a task that computes.
# SPDX-License-Identifier: MIT

import os
import socket
import unittest
from pathlib import Path

import support

FOLDER = Path(os.environ["ANEL_GUIDE_BIN"])
BACKENDS = ("io_uring", "epoll", "poll")
LINE = "x" * 999


class Room:
    """A chat with a client that reads nothing and one that speaks."""

    def __init__(self, server, stopped):
        address = server.address()
        stopped.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stopped.connect(address)
        self.name = "%s:%d" % stopped.getsockname()
        self.speaker = support.connect(address)
        self.answers = self.speaker.makefile("rb")

    def ask(self):
        """Of the client that reads nothing: how many lines wait, and how many are lost."""
        self.speaker.sendall(b"/who\n")
        rows = [self.answers.readline().decode().split() for _ in range(2)]
        found = [row for row in rows if row[0] == self.name]
        return int(found[0][1]), int(found[0][3])

    def close(self):
        self.answers.close()
        self.speaker.close()


def queue_over_time(limit, backend=None, steps=40, each=500):
    """(lines said, lines that wait, lines lost) after every `each` lines."""
    environment = os.environ | ({"ANEL_BACKEND": backend} if backend else {})
    with support.Program([FOLDER / "13_chat", "0", str(limit)], env=environment) as server:
        with socket.socket() as stopped:
            room = Room(server, stopped)
            room.ask()
            points = []
            for step in range(1, steps + 1):
                room.speaker.sendall((LINE + "\n").encode() * each)
                points.append((step * each, *room.ask()))
            room.close()
            return points


class Chapter13(unittest.TestCase):
    def test_the_limit_holds_and_what_is_beyond_is_counted(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend):
                points = queue_over_time(100, backend, steps=20, each=1000)
                said, wait, lost = points[-1]
                self.assertEqual(wait, 100)
                self.assertGreater(lost, 0)
                self.assertLess(lost, said)

    def test_without_a_limit_all_of_it_waits(self):
        points = queue_over_time(1_000_000, steps=20, each=1000)
        self.assertEqual([lost for _, _, lost in points], [0] * 20)
        said, wait, _ = points[-1]
        self.assertTrue(100 < wait < said)

    def test_who_reads_again_is_told_how_many_lines_are_lost(self):
        for backend in BACKENDS:
            environment = os.environ | {"ANEL_BACKEND": backend}
            with self.subTest(backend=backend), socket.socket() as stopped, \
                    support.Program([FOLDER / "13_chat", "0", "5"], env=environment) as server:
                room = Room(server, stopped)
                room.ask()
                room.speaker.sendall((LINE + "\n").encode() * 20000)
                _, lost = room.ask()
                stopped.settimeout(support.DEADLINE)
                with stopped.makefile("r") as lines:
                    received = [lines.readline() for _ in range(20000 - lost)]
                    self.assertTrue(all(line.endswith(LINE + "\n") for line in received))
                    room.speaker.sendall(b"end\n")
                    self.assertEqual(lines.readline(), f"* {lost} lines lost\n")
                    self.assertTrue(lines.readline().endswith(": end\n"))
                room.close()

    def test_a_task_that_computes_is_named(self):
        for backend in BACKENDS:
            environment = os.environ | {"ANEL_BACKEND": backend}
            with self.subTest(backend=backend), \
                    support.Program([FOLDER / "13_chat", "0"], env=environment) as server, \
                    support.connect(server.address()) as client:
                client.sendall(b"/think\n" * 3)  # on a busy machine the first may not be seen
                while "has not given way" not in (said := server.line()):
                    self.assertIsNone(server.process.poll(), said)
                self.assertIn("since 13_chat.cpp:", said)

    def test_offload_computes_and_the_session_goes_on(self):
        with support.Program([FOLDER / "13_chat", "0"]) as server, \
                support.connect(server.address()) as client:
            client.sendall(b"/offload\n/who\n")
            self.assertTrue(support.receive_line(client).endswith(" 0 wait, 0 lost"))


if __name__ == "__main__":
    unittest.main()

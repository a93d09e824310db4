# test_14.py: chapter 14: datagrams one by one and in batches, a flood, and a record from a seed.
# SPDX-License-Identifier: MIT

import os
import re
import socket
import unittest
from pathlib import Path

import simulated
import support

FOLDER = Path(os.environ["ANEL_GUIDE_BIN"])
BACKENDS = ("io_uring", "epoll", "poll")
EDGES = ["sent 2 bytes, received 2", "sent 0 bytes, received 0", "sent 18 bytes, received 8, cut"]


def buffer_of_a_socket():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        return any_socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


class Chapter14(unittest.TestCase):
    def test_each_datagram_is_answered_one_by_one_and_in_batches(self):
        for backend in BACKENDS:
            for how in ([], ["batch"]):
                with self.subTest(backend=backend, how=how):
                    self.shout(os.environ | {"ANEL_BACKEND": backend}, how)

    def shout(self, environment, how):
        with support.Program([FOLDER / "14_udp", "0", *how], env=environment) as server, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(support.DEADLINE)
            client.connect(server.address())
            for text in (b"oi", b"", b"upper oi"):
                client.send(text)
                self.assertEqual(client.recv(64), text.upper())
            for number in range(20):
                client.send(b"x%d" % number)
            self.assertEqual([client.recv(64) for _ in range(20)],
                             [b"X%d" % number for number in range(20)])

    def test_what_finds_no_room_is_lost_without_an_error(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend):
                environment = os.environ | {"ANEL_BACKEND": backend}
                code, said = support.run([FOLDER / "14_flood"], env=environment)
                *edges, one, batch = said.splitlines()
                self.assertEqual((code, edges), (0, EDGES))
                found = re.fullmatch(r"10000 sent, (\d+) arrived: (\d+) recvfrom", one)
                self.assertEqual(found.group(1), found.group(2))
                found = re.fullmatch(r"10000 sent, (\d+) arrived: (\d+) recv_batch", batch)
                arrived, calls = map(int, found.groups())
                self.assertTrue(arrived / 64 <= calls < arrived, batch)
                if buffer_of_a_socket() <= 1 << 20:
                    self.assertLess(arrived, 10000)

    def test_the_picture_is_what_its_seed_does(self):
        first, again = (simulated.record(FOLDER / "14_answer", 20) for _ in range(2))
        self.assertEqual(first, again)
        figure = Path(simulated.FIGURES, "14_lost.json")
        self.assertEqual(first, figure.read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()

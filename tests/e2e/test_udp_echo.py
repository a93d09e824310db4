# test_udp_echo.py: udp_echo returns each datagram whole, to the address that it came from.
# SPDX-License-Identifier: MIT

import os
import random
import signal
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness

DATAGRAM_MAX = 65507  # 65535 less the headers of IPv4 (20) and UDP (8)


@harness.for_each_backend
class Udp_echo:
    def setUp(self):
        self.echo = self.server("udp_echo")
        _, self.where = harness.parse_address(self.echo.address)

    def test_datagrams_of_every_size_come_back_whole(self):
        sock = harness.udp_socket(self, self.echo.address)
        for size in (1, 0, 1400, 4096, 4097, DATAGRAM_MAX, 0, 1):
            data = random.Random(size).randbytes(size)
            self.assertTrue(harness.udp_ask(sock, data) == data, f"datagram of {size} bytes")

    def test_unconnected_client_gets_the_reply_from_the_server_address(self):
        sock = harness.udp_socket(self)
        sock.sendto(b"unconnected", self.where)
        with harness.waiting_for("the datagram to come back"):
            self.assertEqual(sock.recvfrom(65536), (b"unconnected", self.where))

    def test_each_client_gets_its_own_datagram(self):
        clients = [harness.udp_socket(self, self.echo.address) for _ in range(20)]
        for i, sock in enumerate(clients):
            sock.send(b"client %d" % i)
        for i, sock in enumerate(clients):
            with harness.waiting_for(f"the datagram of client {i}"):
                self.assertEqual(sock.recv(65536), b"client %d" % i)

    def test_datagrams_that_waited_are_answered_in_order(self):
        sock = harness.udp_socket(self, self.echo.address)
        self.echo.stop()
        for i in range(50):
            sock.send(b"waiting %d" % i)
        self.echo.resume()
        for i in range(50):
            with harness.waiting_for(f"datagram {i} of 50"):
                self.assertEqual(sock.recv(65536), b"waiting %d" % i)

    def test_sender_that_is_gone_when_the_reply_comes_harms_nobody(self):
        # The replies meet closed ports, and the kernel is told so by ICMP: port unreachable.
        other = harness.udp_socket(self, self.echo.address)
        for _ in range(10):
            self.echo.stop()
            for _ in range(5):
                gone = harness.udp_socket(self, self.echo.address)
                gone.send(b"no answer wanted")
                gone.close()
            self.echo.resume()
            self.assertEqual(harness.udp_ask(other, b"still there?"), b"still there?")

    def test_nc_gets_back_its_datagram(self):
        host, port = self.where  # -W 1: end after one datagram
        command = ["nc", "-u", "-W", "1", host, str(port)]
        result = harness.run_command(command, input=b"from nc\n")
        self.assertEqual((result.returncode, result.stdout), (0, b"from nc\n"))

    def test_sigterm_ends_it_soon_and_its_port_is_free(self):
        sock = harness.udp_socket(self, self.echo.address)
        harness.udp_ask(sock, b"before")
        begin = time.monotonic()
        self.echo.signal(signal.SIGTERM)
        self.echo.assert_exits_0()
        self.assertLess(time.monotonic() - begin, 2 * self.echo.factor)
        second = self.server("udp_echo", self.echo.address)
        sock = harness.udp_socket(self, second.address)
        self.assertEqual(harness.udp_ask(sock, b"after"), b"after")

    def test_datagrams_that_nobody_reads_cost_bounded_memory(self):
        sock = harness.udp_socket(self, self.echo.address)
        harness.udp_ask(sock, bytes(DATAGRAM_MAX))
        baseline = self.echo.state.memory()
        for _ in range(1000):
            sock.send(bytes(DATAGRAM_MAX))
        other = harness.udp_socket(self, self.echo.address)
        other.settimeout(0.2)  # a datagram may be lost while the server's queue is full

        def answered():
            other.send(b"are you there?")
            try:
                return other.recv(65536)
            except TimeoutError:
                return None

        harness.poll_until(f"an answer from {self.echo.what}", answered)
        self.echo.assert_memory_grows_less_than(16 * harness.MIB, baseline)


@harness.for_each_backend
class Udp_echo_address:
    def test_ipv6_is_served(self):
        if not harness.have_ipv6():
            self.skipTest("this machine has no IPv6 loopback address")
        echo = self.server("udp_echo", "[::1]:0")
        self.assertRegex(echo.address, r"^\[::1\]:[1-9][0-9]*$")
        sock = harness.udp_socket(self, echo.address)
        self.assertEqual(sock.family, socket.AF_INET6)
        for data in (b"six", b"", bytes(DATAGRAM_MAX)):
            self.assertTrue(harness.udp_ask(sock, data) == data)

    def test_descriptor_0_closed_at_the_start_is_no_matter(self):
        echo = self.server("udp_echo", preexec=lambda: os.close(0))
        sock = harness.udp_socket(self, echo.address)
        self.assertEqual(harness.udp_ask(sock, b"zero"), b"zero")


if __name__ == "__main__":
    unittest.main(verbosity=2)

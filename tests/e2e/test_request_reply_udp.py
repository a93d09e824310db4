# test_request_reply_udp.py: request_reply_server over UDP: a datagram is a request, and its reply.
# SPDX-License-Identifier: MIT

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from test_request_reply import CONVERSATION, Request_reply

DATAGRAM_MAX = 65507


@harness.for_each_backend
class Request_reply_udp:
    assert_reply = Request_reply.assert_reply

    def setUp(self):
        self.replier = self.server("request_reply_server")

    def client(self):
        return harness.udp_socket(self, self.replier.address)

    def ask(self, sock, request):
        """The reply without its newline, which a datagram may have or not."""
        return harness.udp_ask(sock, request).removesuffix(b"\n")

    def test_every_request_has_its_reply(self):
        sock = self.client()
        for request, expected in CONVERSATION:
            if request:  # an empty datagram has a test of its own
                self.assert_reply(request, self.ask(sock, request.encode()), expected)

    def test_newline_at_the_end_of_a_datagram_is_tolerated(self):
        sock = self.client()
        for end in (b"", b"\n", b"\r\n"):
            self.assertEqual(self.ask(sock, b"upper hello" + end), b"ok HELLO")
            self.assertEqual(self.ask(sock, b"add 1 2" + end), b"ok 3")

    def test_tcp_and_udp_share_the_port(self):
        self.assertEqual(self.ask(self.client(), b"reverse udp"), b"ok pdu")
        self.assertEqual(self.replier.client().ask(b"reverse tcp"), b"ok pct")

    def test_port_0_is_one_that_udp_has_free_too(self):
        def with_one_port_free_for_both():
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.unshare(0x40000000) != 0:  # CLONE_NEWNET
                raise OSError(ctypes.get_errno(), "unshare")
            taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            up = struct.pack("16sh", b"lo", 1)  # IFF_UP
            fcntl.ioctl(taken, 0x8914, up)  # SIOCSIFFLAGS
            with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as ports:
                ports.write("40000 40001")
            taken.bind(("127.0.0.1", 40000))
            kept = taken.detach()
            if os.fork() == 0:  # keeps the port for as long as the server lives
                libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
                os.closerange(0, kept)
                os.closerange(kept + 1, 1024)
                signal.pause()

        if os.geteuid() != 0:
            self.skipTest("only root can make a network of its own")
        for _ in range(4):  # TCP is given either of them
            server = self.server("request_reply_server", preexec=with_one_port_free_for_both)
            self.assertEqual(server.address, "127.0.0.1:40001")

    def test_count_is_per_sender(self):
        first, second = self.client(), self.client()
        self.assertEqual(self.ask(first, b"count"), b"ok 1")
        self.assertEqual(self.ask(first, b"add 1 2"), b"ok 3")
        self.assertEqual(self.ask(first, b"count"), b"ok 3")
        self.assertEqual(self.ask(second, b"count"), b"ok 1")
        self.assertEqual(self.replier.client().ask(b"count"), b"ok 1")

    def test_quit_says_bye_and_the_server_goes_on(self):
        sock = self.client()
        self.assertEqual(self.ask(sock, b"quit"), b"ok bye")
        self.assertEqual(self.ask(sock, b"add 1 2"), b"ok 3")

    def test_empty_datagram_is_survived(self):
        sock = self.client()
        sock.send(b"")
        sock = self.client()
        self.assertEqual(self.ask(sock, b"add 1 2"), b"ok 3")

    def test_largest_datagram_is_answered_whole(self):
        text = b"a" * (DATAGRAM_MAX - len(b"upper "))
        self.assertEqual(self.ask(self.client(), b"upper " + text), b"ok " + text.upper())

    def test_nul_and_high_bytes_are_text(self):
        self.assertEqual(self.ask(self.client(), b"reverse a\0\xff\xfe"), b"ok \xfe\xff\0a")

    def test_sender_that_is_gone_when_the_reply_comes_harms_nobody(self):
        other = self.client()
        self.replier.stop()
        for _ in range(10):
            gone = self.client()
            gone.send(b"add 1 2")
            gone.close()
        self.replier.resume()
        self.assertEqual(self.ask(other, b"add 3 4"), b"ok 7")

    def test_many_senders_cost_bounded_memory(self):
        sock = self.client()
        self.ask(sock, b"count")
        baseline = self.replier.state.memory()
        for _ in range(2000):
            with harness.udp_socket(self, self.replier.address) as sender:
                self.assertEqual(self.ask(sender, b"add 1 2"), b"ok 3")
        self.replier.assert_memory_grows_less_than(4 * harness.MIB, baseline)

    def test_ipv6_is_served_over_both(self):
        if not harness.have_ipv6():
            self.skipTest("this machine has no IPv6 loopback address")
        server = self.server("request_reply_server", "[::1]:0")
        sock = harness.udp_socket(self, server.address)
        self.assertEqual(self.ask(sock, b"upper six"), b"ok SIX")
        self.assertEqual(server.client().ask(b"upper six"), b"ok SIX")


if __name__ == "__main__":
    unittest.main(verbosity=2)

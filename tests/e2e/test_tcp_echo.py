# test_tcp_echo.py: what clients see of tcp_echo: every byte comes back, in order, to its sender.
# SPDX-License-Identifier: MIT

import concurrent.futures
import hashlib
import os
import random
import signal
import socket
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from harness import KIB, MIB


@harness.for_each_backend
class Tcp_echo:
    def setUp(self):
        self.echo = self.server("tcp_echo")

    def test_nc_gets_back_what_it_sends(self):
        _, (host, port) = harness.parse_address(self.echo.address)
        result = harness.run_command(["nc", "-N", host, str(port)], input=b"one\ntwo\n")
        self.assertEqual((result.returncode, result.stdout), (0, b"one\ntwo\n"))

    def test_socat_gets_back_what_it_sends(self):
        # -t: after its own end of input socat waits this long for the server's.
        command = ["socat", "-t", "20", "-", "TCP:" + self.echo.address]
        text = b"socat\n" * 10000
        result = harness.run_command(command, input=text)
        self.assertEqual((result.returncode, result.stdout), (0, text))

    def test_one_client_makes_several_requests(self):
        client = self.echo.client()
        for i in range(100):
            client.assert_echo(b"request %d" % i)

    def test_fifty_clients_at_once_each_get_their_own_bytes(self):
        clients = [self.echo.client() for _ in range(50)]
        for round_number in range(3):
            messages = [b"client %d round %d\n" % (i, round_number) * 100 for i in range(50)]
            for client, message in zip(clients, messages):
                client.send(message)
            for client, message in zip(clients, messages):
                self.assertEqual(client.recv_exactly(len(message)), message)

    def test_two_hundred_idle_clients_do_not_hinder_an_active_one(self):
        idle = [self.echo.client() for _ in range(200)]
        active = self.echo.client()
        for i in range(200):
            active.assert_echo(b"active %d" % i)
        for client in idle:
            client.assert_echo(b"no longer idle")

    def test_sixteen_mebibytes_come_back_unchanged(self):
        data = random.Random(1).randbytes(16 * MIB)
        client = self.echo.client()
        received = hashlib.sha256()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            sending = pool.submit(client.send, data)
            for _ in range(256):
                received.update(client.recv_exactly(64 * KIB))
            sending.result(harness.DEADLINE)
        self.assertEqual(received.hexdigest(), hashlib.sha256(data).hexdigest())

    def test_single_bytes_come_back_in_order(self):
        client = self.echo.client()
        text = b"drop by drop, every one of them alone"
        for i in range(len(text)):
            client.send(text[i : i + 1])
            client.wait_until_read()
        self.assertEqual(client.recv_exactly(len(text)), text)

    def test_half_close_returns_everything_then_eof(self):
        data = random.Random(2).randbytes(256 * KIB)
        client = self.echo.client()
        client.send(data)
        client.half_close()
        self.assertEqual(client.recv_to_end(), data)

    def test_half_close_without_a_byte_returns_eof(self):
        client = self.echo.client()
        client.half_close()
        self.assertEqual(client.recv_to_end(), b"")

    def test_reset_in_the_middle_of_a_transfer_harms_no_other_client(self):
        bystander = self.echo.client()
        bystander.assert_echo(b"before")
        for _ in range(20):
            breaker = self.echo.client()
            breaker.send(bytes(MIB))
            breaker.reset()
            bystander.assert_echo(b"meanwhile")
        bystander.assert_echo(b"after")
        self.echo.client().assert_echo(b"a new client")

    def test_reset_while_the_reply_waits_ends_only_that_session(self):
        bystander = self.echo.client()
        bystander.assert_echo(b"before")
        descriptors = self.echo.state.descriptors()
        breaker = self.echo.client()
        breaker.block_the_reply(bytes(64 * KIB))
        breaker.reset()
        bystander.assert_echo(b"after")
        harness.poll_until(
            "the server to close the connection that was reset",
            lambda: self.echo.state.descriptors() <= descriptors,
        )

    def test_peer_that_closes_before_its_reply_is_survived_without_ignoring_sigpipe(self):
        self.assertFalse(
            self.echo.state.ignores(signal.SIGPIPE), "the disposition is left as it was"
        )
        for _ in range(10):
            client = self.echo.client()
            self.echo.stop()
            client.send(bytes(64 * KIB))
            client.half_close()
            client.reset()  # after a FIN the server's send fails with EPIPE, not ECONNRESET
            self.echo.resume()
            self.echo.client().assert_echo(b"alive")

    def test_urgent_byte_is_survived(self):
        client = self.echo.client()
        client.socket.send(b"!", socket.MSG_OOB)
        client.send(b"text")
        client.half_close()
        self.assertIn(client.recv_to_end(), (b"text", b"!text"))


@harness.for_each_backend
class Tcp_echo_address:
    def test_ipv6_is_served(self):
        if not harness.have_ipv6():
            self.skipTest("this machine has no IPv6 loopback address")
        server = self.server("tcp_echo", "[::1]:0")
        self.assertRegex(server.address, r"^\[::1\]:[1-9][0-9]*$")
        server.client().assert_echo(b"six")

    def test_unix_socket_is_served(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "echo.sock")
            server = self.server("tcp_echo", "unix:" + path)
            self.assertEqual(server.address, "unix:" + path)
            server.client().assert_echo(b"from Python")
            command = ["socat", "-t", "20", "-", "UNIX-CONNECT:" + path]
            result = harness.run_command(command, input=b"from socat\n")
            self.assertEqual((result.returncode, result.stdout), (0, b"from socat\n"))

    def test_port_0_prints_the_port_that_was_picked(self):
        first, second = self.server("tcp_echo"), self.server("tcp_echo")
        self.assertRegex(first.address, r"^127\.0\.0\.1:[1-9][0-9]*$")
        self.assertNotEqual(first.address, second.address)


if __name__ == "__main__":
    unittest.main(verbosity=2)

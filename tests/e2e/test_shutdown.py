# test_shutdown.py: the servers on SIGTERM and SIGINT: stop accepting, finish replies, exit 0.
# SPDX-License-Identifier: MIT

import os
import random
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from harness import KIB, MIB

CRASHES = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)



@harness.for_each_backend
class Shutdown:
    def wait_until_it_stops_accepting(self, server):
        harness.poll_until(
            f"{server.what} to close its listener",
            lambda: harness.refuses_connections(server.address),
        )

    def assert_idle_clients_do_not_delay_the_end(self, signum):
        echo = self.server("tcp_echo")
        clients = [echo.client() for _ in range(20)]
        for client in clients[:10]:
            client.assert_echo(b"now idle")
        begin = time.monotonic()
        echo.signal(signum)
        echo.assert_exits_0()
        # Those that have said nothing have a second to do so.
        self.assertLess(time.monotonic() - begin, 1 + 2 * echo.factor)
        for client in clients[:10]:
            self.assertEqual(client.recv_to_end(), b"")

    def test_sigterm_with_idle_clients_exits_0_soon(self):
        self.assert_idle_clients_do_not_delay_the_end(signal.SIGTERM)

    def test_sigint_with_idle_clients_exits_0_soon(self):
        self.assert_idle_clients_do_not_delay_the_end(signal.SIGINT)

    def test_clients_that_connect_as_the_signal_comes_do_not_delay_the_end(self):
        # The server finds the signal and the connections together, whichever it looks at first.
        for count in (1, 1, 1, 2, 2, 5):
            echo = self.server("tcp_echo")
            echo.client().assert_echo(b"before")
            echo.stop()
            for _ in range(count):
                echo.client()
            echo.signal(signal.SIGTERM)
            echo.resume()
            echo.assert_exits_0(1 + 2 * echo.factor)

    def test_sigterm_without_a_client_exits_0_soon(self):
        for name in ("tcp_echo", "udp_echo", "request_reply_server"):
            with self.subTest(name):
                server = self.server(name)
                begin = time.monotonic()
                server.signal(signal.SIGTERM)
                server.assert_exits_0()
                self.assertLess(time.monotonic() - begin, 2 * server.factor)

    def test_port_can_be_bound_again_at_once(self):
        for name in ("tcp_echo", "request_reply_server"):
            with self.subTest(name):
                first = self.server(name)
                clients = [first.client() for _ in range(5)]
                clients[0].ask(b"count")
                first.signal(signal.SIGTERM)  # the server closes first: TIME_WAIT is on its side
                first.assert_exits_0(1 + 2 * first.factor)  # the silent have a second
                second = self.server(name, first.address)
                self.assertEqual(second.address, first.address)
                second.client().ask(b"count")

    def assert_bytes_received_come_back_after(self, signum):
        data = random.Random(3).randbytes(MIB)
        echo = self.server("tcp_echo")
        client = echo.client()
        client.send(data)
        client.wait_until_received()
        self.assertEqual(client.recv_exactly(KIB), data[:KIB])
        echo.signal(signum)
        rest = b"".join(client.recv_exactly(KIB) for _ in range(len(data) // KIB - 1))
        self.assertTrue(rest == data[KIB:], "the bytes are the ones sent")
        self.assertEqual(client.recv_to_end(), b"")
        echo.assert_exits_0()

    def test_sigterm_lets_a_reply_in_flight_arrive(self):
        self.assert_bytes_received_come_back_after(signal.SIGTERM)

    def test_sigint_lets_a_reply_in_flight_arrive(self):
        self.assert_bytes_received_come_back_after(signal.SIGINT)

    def test_sigterm_while_a_send_waits_lets_every_byte_arrive(self):
        echo = self.server("tcp_echo")
        client = echo.client()
        sent = client.block_the_reply(random.Random(4).randbytes(64 * KIB))
        echo.signal(signal.SIGTERM)
        self.wait_until_it_stops_accepting(echo)
        self.assertTrue(echo.running(), "a reply is in flight")
        received = client.recv_exactly(len(sent))
        self.assertTrue(received == sent, "the bytes are the ones sent")
        self.assertEqual(client.recv_to_end(), b"")
        echo.assert_exits_0()

    def test_request_that_came_before_the_signal_was_seen_is_answered(self):
        server = self.server("request_reply_server")
        client = server.client()
        self.assertEqual(client.ask(b"count"), b"ok 1")
        server.stop()
        client.send(b"count\n")
        client.wait_until_received()
        server.signal(signal.SIGTERM)
        server.resume()
        self.assertEqual(client.recv_to_end(), b"ok 2\n")
        server.assert_exits_0()

    def test_requests_in_the_backlog_are_answered(self):
        server = self.server("request_reply_server")
        server.stop()  # in its first turn, or soon after it
        clients = [server.client() for _ in range(100)]
        for client in clients:
            client.send(b"count\n")
        server.signal(signal.SIGTERM)
        server.resume()
        for client in clients:
            self.assertEqual(client.recv_to_end(), b"ok 1\n")
        server.assert_exits_0()

    def test_requests_already_received_are_answered(self):
        server = self.server("request_reply_server")
        client = server.client()
        client.send(b"count\n" * 1000)
        client.wait_until_received()
        self.assertEqual(client.recv_line(), b"ok 1")
        server.signal(signal.SIGTERM)
        replies = client.recv_to_end().splitlines()
        self.assertEqual(replies, [b"ok %d" % i for i in range(2, 1001)])
        server.assert_exits_0()

    def test_half_a_request_does_not_delay_the_end(self):
        server = self.server("request_reply_server")
        client = server.client()
        client.send(b"upper no newline y")
        client.wait_until_read()
        begin = time.monotonic()
        server.signal(signal.SIGTERM)
        server.assert_exits_0()
        self.assertLess(time.monotonic() - begin, 1 + 2 * server.factor)  # the rest has a second

    def test_second_signal_ends_the_process_at_once(self):
        echo = self.server("tcp_echo", stderr_allowed=r"tcp_echo: .*")
        client = echo.client()
        client.block_the_reply(bytes(64 * KIB))
        echo.signal(signal.SIGTERM)
        self.wait_until_it_stops_accepting(echo)
        harness.observe(0.3)
        self.assertTrue(echo.running(), "the first signal waits for the reply in flight")
        echo.signal(signal.SIGTERM)
        code = echo.wait_for_end(2 * echo.factor)
        self.assertNotIn(-code, CRASHES, f"exit code {code}")


class Drain_time(harness.End_to_end):
    def test_reply_that_is_never_read_delays_the_end_by_ten_seconds_at_most(self):
        servers = self.servers("tcp_echo", stderr_allowed=r"tcp_echo: .*")
        for echo in servers:
            echo.client().block_the_reply(bytes(64 * KIB))
        for echo in servers:
            echo.signal(signal.SIGTERM)
        begin = time.monotonic()
        for echo in servers:
            echo.assert_exits_0(30)
            self.assertLess(time.monotonic() - begin, 10 + 2 * echo.factor, echo.what)


if __name__ == "__main__":
    unittest.main(verbosity=2)

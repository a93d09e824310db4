# test_request_reply_client.py: request_reply_client against our server and against awkward ones.
# SPDX-License-Identifier: MIT

import concurrent.futures
import os
import pty
import select
import socket
import subprocess
import sys
import time
import tty
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness

NAME = "request_reply_client"


def tcp_peer(test, talk):
    """A server that accepts one client, does `talk(connection)` and closes."""

    def accept_and_talk(listener):
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(harness.DEADLINE)
            talk(connection)

    return harness.Peer(test, accept_and_talk).address


def udp_peer(test, talk):
    return harness.Peer(test, talk, socket.SOCK_DGRAM).address


def recv_lines(connection, count):
    """Receives until `count` lines have come."""
    data = b""
    while data.count(b"\n") < count:
        with harness.waiting_for(f"{count} request lines; so far {data!r:.200}"):
            chunk = connection.recv(65536)
        if not chunk:
            raise AssertionError(f"end of stream, {count} request lines wanted; came {data!r:.200}")
        data += chunk
    return data


def recvfrom(sock):
    with harness.waiting_for("a request datagram"):
        request, sender = sock.recvfrom(65536)
    if not request:
        raise AssertionError("the client ended without another request")
    return request, sender


def recv_to_end(connection):
    """Waits until the client has closed, so that the server does not close first."""
    with harness.waiting_for("the client to close"):
        while connection.recv(65536):
            pass


@harness.for_each_backend
class Client_and_our_server:
    def setUp(self):
        self.replier = self.server("request_reply_server")

    def assert_prints(self, arguments, stdout, **options):
        result = self.run_program(NAME, *arguments, **options)
        self.assertEqual((result.stdout, result.stderr, result.returncode), (stdout, b"", 0))

    def test_each_argument_is_a_request_over_tcp(self):
        requests = ["upper hello world", "add 1 2", "count"]
        self.assert_prints([self.replier.address, *requests], b"ok HELLO WORLD\nok 3\nok 3\n")

    def test_each_argument_is_a_request_over_udp(self):
        requests = ["upper hello world", "add 1 2", "count"]
        arguments = ["--udp", self.replier.address, *requests]
        self.assert_prints(arguments, b"ok HELLO WORLD\nok 3\nok 3\n")

    def test_requests_come_from_standard_input_over_tcp(self):
        lines = b"".join(b"add %d 1\n" % i for i in range(200))
        expected = b"".join(b"ok %d\n" % (i + 1) for i in range(200))
        self.assert_prints([self.replier.address], expected, input=lines)

    def test_requests_come_from_standard_input_over_udp(self):
        lines = b"".join(b"add %d 1\n" % i for i in range(20))
        expected = b"".join(b"ok %d\n" % (i + 1) for i in range(20))
        self.assert_prints(["--udp", self.replier.address], expected, input=lines)

    def test_last_line_of_standard_input_needs_no_newline(self):
        self.assert_prints([self.replier.address], b"ok A\nok B\n", input=b"upper a\nupper b")

    def test_empty_standard_input_prints_nothing(self):
        self.assert_prints([self.replier.address], b"")

    def test_quit_prints_bye(self):
        self.assert_prints([self.replier.address, "quit"], b"ok bye\n")

    def test_large_reply_is_printed_whole(self):
        text = "a" * 60000
        for transport in ([], ["--udp"]):
            with self.subTest(transport):
                arguments = [*transport, self.replier.address, "upper " + text]
                self.assert_prints(arguments, b"ok " + text.upper().encode() + b"\n")

    def test_reply_appears_before_the_next_request_is_typed(self):
        terminal, end_of_program = pty.openpty()
        self.addCleanup(os.close, terminal)
        tty.setraw(end_of_program)
        process = subprocess.Popen(
            [harness.program(NAME), self.replier.address],
            stdin=subprocess.PIPE,
            stdout=end_of_program,
            stderr=subprocess.PIPE,
            env=harness.environment(self.backend),
        )
        os.close(end_of_program)
        try:
            for request, reply in ((b"upper one\n", b"ok ONE\n"), (b"add 1 2\n", b"ok 3\n")):
                process.stdin.write(request)
                process.stdin.flush()
                printed = b""
                while len(printed) < len(reply):
                    ready = select.select([terminal], [], [], harness.DEADLINE)[0]
                    self.assertTrue(ready, f"timed out waiting for the reply to {request!r}")
                    printed += os.read(terminal, len(reply) - len(printed))
                self.assertEqual(printed, reply)
            process.stdin.close()
            self.assertEqual(process.wait(harness.DEADLINE), 0, process.stderr.read())
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stderr.close()

    def test_ipv6_is_reached(self):
        if not harness.have_ipv6():
            self.skipTest("this machine has no IPv6 loopback address")
        server = self.server("request_reply_server", "[::1]:0")
        self.assert_prints([server.address, "upper six"], b"ok SIX\n")
        self.assert_prints(["--udp", server.address, "upper six"], b"ok SIX\n")


@harness.for_each_backend
class Client_and_other_servers:
    def test_reply_that_comes_byte_by_byte_is_printed_whole(self):
        def talk(connection):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            recv_lines(connection, 1)
            for byte in b"ok drop by drop\n":
                connection.send(bytes([byte]))
                harness.poll_until(
                    "the client to read a byte", lambda: harness.unread_by_peer(connection) == 0
                )
            recv_to_end(connection)

        result = self.run_program(NAME, tcp_peer(self, talk), "count")
        self.assertEqual((result.stdout, result.returncode), (b"ok drop by drop\n", 0))

    def test_replies_that_come_in_one_segment_are_printed_apart(self):
        requests = ["first", "second", "third"]

        def talk(connection):
            seen = recv_lines(connection, 1)
            connection.sendall(b"ok 1\nok 2\nok")  # ahead of the requests that it did not see yet
            recv_lines(connection, 3 - seen.count(b"\n"))
            connection.sendall(b" 3\n")
            recv_to_end(connection)

        result = self.run_program(NAME, tcp_peer(self, talk), *requests)
        self.assertEqual((result.stdout, result.returncode), (b"ok 1\nok 2\nok 3\n", 0))

    def test_requests_are_lines(self):
        seen = []

        def talk(connection):
            data = b""
            while b"last" not in data:
                line = recv_lines(connection, 1)
                data += line
                if b"last" in data:
                    seen.append(data)  # before the reply: the client ends with it
                connection.sendall(b"ok\n" * line.count(b"\n"))
            recv_to_end(connection)

        result = self.run_program(NAME, tcp_peer(self, talk), "first one", "", "last")
        self.assertEqual((result.stdout, result.returncode), (b"ok\nok\nok\n", 0))
        self.assertEqual(seen, [b"first one\n\nlast\n"])

    def assert_fails(self, result, *stdout):
        self.assertEqual(result.returncode, 1, result)
        self.assertIn(result.stdout, stdout)
        self.assertRegex(result.stderr.decode(), rf"^{NAME}: [^\n]+\n$")

    def test_refused_connection_is_named(self):
        # A port that is bound and does not listen refuses, and nobody else can take it.
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            address = harness.print_address(sock)
            self.assert_fails_saying(
                self.run_program(NAME, address, "count"),
                f"{NAME}: connect {address}: Connection refused (ECONNREFUSED)",
            )

    def test_server_that_closes_in_the_middle_of_a_reply_is_an_error(self):
        def talk(connection):
            recv_lines(connection, 1)
            connection.sendall(b"ok hal")

        result = self.run_program(NAME, tcp_peer(self, talk), "upper half")
        self.assert_fails(result, b"", b"ok hal")

    def test_server_that_closes_before_a_reply_is_an_error(self):
        def talk(connection):
            recv_lines(connection, 1)

        self.assert_fails(self.run_program(NAME, tcp_peer(self, talk), "count"), b"")

    def test_replies_before_the_failure_are_printed(self):
        def talk(connection):
            recv_lines(connection, 1)
            connection.sendall(b"ok first\n")
            connection.shutdown(socket.SHUT_WR)
            recv_to_end(connection)

        result = self.run_program(NAME, tcp_peer(self, talk), "a", "b")
        self.assert_fails(result, b"ok first\n")

    def test_reset_is_an_error(self):
        def talk(connection):
            recv_lines(connection, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        self.assert_fails(self.run_program(NAME, tcp_peer(self, talk), "count"), b"")

    def test_datagram_of_a_stranger_is_no_reply(self):
        def talk(sock):
            _, sender = recvfrom(sock)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.bind(("127.0.0.1", 0))
                stranger.sendto(b"ok forged", sender)
            sock.sendto(b"ok genuine", sender)

        address = udp_peer(self, talk)
        result = self.run_program(NAME, "--udp", address, "count")
        self.assertEqual((result.stdout, result.returncode), (b"ok genuine\n", 0))

    def test_reply_datagram_may_end_in_a_newline(self):
        def talk(sock):
            for reply in (b"ok 1\n", b"ok 2"):
                _, sender = recvfrom(sock)
                sock.sendto(reply, sender)

        address = udp_peer(self, talk)
        result = self.run_program(NAME, "--udp", address, "count", "count")
        self.assertEqual((result.stdout, result.returncode), (b"ok 1\nok 2\n", 0))


class Client_and_lost_datagrams(harness.End_to_end):
    def on_all_backends(self, ask):
        """What `ask(backend)` returns on each, all at the same time: each takes seconds."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            return list(pool.map(ask, harness.usable_backends()))

    def test_lost_datagram_is_sent_again(self):
        def lose_the_first(sock):
            lost, _ = recvfrom(sock)
            again, sender = recvfrom(sock)
            sock.sendto(b"ok again" if again == lost else b"error another request", sender)

        def ask(backend):
            address = udp_peer(self, lose_the_first)
            return self.run_program(NAME, "--udp", address, "count", backend=backend)

        for result in self.on_all_backends(ask):
            outcome = (result.stdout, result.stderr, result.returncode)
            self.assertEqual(outcome, (b"ok again\n", b"", 0))

    def test_udp_request_is_sent_three_times_a_second_apart_then_fails(self):
        def ask_nobody(backend):
            sock = harness.udp_socket(self)
            address = harness.print_address(sock)
            begin = time.monotonic()
            result = self.run_program(NAME, "--udp", address, "count", backend=backend)
            seconds = time.monotonic() - begin
            sock.setblocking(False)
            datagrams = []
            try:
                while True:
                    datagrams.append(sock.recv(65536).rstrip(b"\r\n"))
            except BlockingIOError:
                return backend, address, result, seconds, datagrams

        for backend, address, result, seconds, datagrams in self.on_all_backends(ask_nobody):
            with self.subTest(backend):
                self.assert_fails_naming(result, NAME, address)
                self.assertEqual(datagrams, [b"count"] * 3)
                self.assertGreater(seconds, 2.5)
                self.assertLess(seconds, 5 * harness.slowness(NAME))

    def test_closed_udp_port_is_an_error_that_names_it(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            address = harness.print_address(sock)

        def ask(backend):
            return self.run_program(NAME, "--udp", address, "count", backend=backend)

        for result in self.on_all_backends(ask):
            self.assert_fails_naming(result, NAME, address)


if __name__ == "__main__":
    unittest.main(verbosity=2)

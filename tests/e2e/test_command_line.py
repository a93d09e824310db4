# test_command_line.py: the arguments and options of the programs, and the errors for bad ones.
# SPDX-License-Identifier: MIT

import glob
import os
import re
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/*.cpp")
PROGRAMS = sorted(os.path.basename(path).removesuffix(".cpp") for path in glob.glob(SOURCES))
# Built only where OpenSSL is found.
PROGRAMS = [p for p in PROGRAMS if not p.startswith("tls_") or os.path.exists(harness.program(p))]
SERVERS = ("tcp_echo", "udp_echo", "request_reply_server", "chat", "mini_redis", "shell")
# Good arguments of each program whose options may stand anywhere. tcp_echo, the first program of
# README.md, takes one word.
ARGUMENTS = {
    "chat": ["127.0.0.1:0"],
    "mini_redis": ["127.0.0.1:0"],
    "happy_eyeballs": ["127.0.0.1", "1"],
    "port_scan": ["127.0.0.1", "1-2"],
    "proxy": ["127.0.0.1:0", "127.0.0.1:1"],
    "request_reply_client": ["127.0.0.1:1", "count"],
    "request_reply_server": ["127.0.0.1:0"],
    "udp_echo": ["127.0.0.1:0"],
}
BAD_ADDRESSES = (
    "127.0.0.1",
    "127.0.0.1:",
    ":7777x",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "127.0.0.1:80x",
    "127.0.0.1: 80",
    "127.0.0.1:99999999999999999999",
    "127.0.0.256:7777",
    "127.0.0.1.1:7777",
    "[::1]",
    "[::1:7777",
    "[::1]7777",
    "[::g]:7777",
    "unix:",
    "unix:/tmp/" + "x" * 200,
    "no address at all",
    "%s%n:1:",
)


def taken_socket(test, kind):
    """A bound (and for TCP listening) socket: its address is in use."""
    sock = socket.socket(socket.AF_INET, kind)
    test.addCleanup(sock.close)
    sock.bind(("127.0.0.1", 0))
    if kind == socket.SOCK_STREAM:
        sock.listen()
    return sock


@harness.for_each_backend
class Bind_error:
    def assert_in_use(self, name, kind):
        address = harness.print_address(taken_socket(self, kind))
        self.assert_fails_saying(
            self.run_program(name, address),
            f"{name}: bind {address}: Address already in use (EADDRINUSE)",
        )

    def test_tcp_echo_names_an_address_in_use(self):
        self.assert_in_use("tcp_echo", socket.SOCK_STREAM)

    def test_udp_echo_names_an_address_in_use(self):
        self.assert_in_use("udp_echo", socket.SOCK_DGRAM)

    def test_request_reply_server_names_an_address_in_use(self):
        self.assert_in_use("request_reply_server", socket.SOCK_STREAM)

    def test_request_reply_server_needs_the_udp_port_too(self):
        self.assert_in_use("request_reply_server", socket.SOCK_DGRAM)

    def test_second_server_on_the_same_port_fails_and_the_first_goes_on(self):
        first = self.server("tcp_echo")
        result = self.run_program("tcp_echo", first.address)
        self.assert_fails_naming(result, "tcp_echo", first.address, "EADDRINUSE")
        first.client().assert_echo(b"the first")

    def test_address_of_another_machine_is_named(self):
        for name in SERVERS:
            with self.subTest(name):
                self.assert_fails_saying(  # 192.0.2.0/24 is for documentation only
                    self.run_program(name, "192.0.2.1:0"),
                    f"{name}: bind 192.0.2.1:0: Cannot assign requested address (EADDRNOTAVAIL)",
                )


class Command_line(harness.End_to_end):
    backend = "poll"  # the command line is the same for all; poll is there on every system

    def test_bad_addresses_are_named(self):
        for name in SERVERS:
            for address in BAD_ADDRESSES:
                with self.subTest(name, address=address):
                    result = self.run_program(name, address)
                    self.assert_fails_naming(result, name, address)

    def test_client_names_bad_addresses(self):
        for address in ("127.0.0.1:65536", "127.0.0.1:80x", "[::1:7777"):
            with self.subTest(address):
                result = self.run_program("request_reply_client", address, "count")
                self.assert_fails_naming(result, "request_reply_client", address)

    def assert_prints_usage(self, name, *arguments):
        result = self.run_program(name, *arguments)
        self.assertRegex(result.stdout.decode(), rf"^usage: {name} \S")
        self.assertEqual((result.stderr, result.returncode), (b"", 0))

    def test_help_prints_the_usage(self):
        for name in PROGRAMS:
            with self.subTest(name):
                self.assert_prints_usage(name, "--help")

    def test_help_may_stand_anywhere(self):
        for name, arguments in ARGUMENTS.items():
            with self.subTest(name):
                self.assert_prints_usage(name, *arguments, "--help")
                self.assert_prints_usage(name, "--help", *arguments)
        self.assert_prints_usage("request_reply_client", "--udp", "-h", "127.0.0.1:1")
        self.assert_prints_usage("simulated_partition", "--seeds=1", "--help")

    def test_unknown_option_is_named(self):
        for name, arguments in ARGUMENTS.items():
            for words in (["--bad"], ["--bad", *arguments], [*arguments, "--bad"]):
                with self.subTest(name, words=words):
                    result = self.run_program(name, *words)
                    self.assert_fails_saying(result, f"{name}: unknown option --bad")

    def test_tcp_echo_names_an_unknown_option(self):
        result = self.run_program("tcp_echo", "--bad")
        self.assert_fails_naming(result, "tcp_echo", "--bad")

    def test_simulation_names_an_unknown_option(self):
        result = self.run_program("simulated_partition", "--bad")
        self.assertRegex(result.stderr.decode(), r"^.*simulated_partition: --bad\?\n")
        self.assertEqual((result.stdout, result.returncode), (b"", 2))

    def test_server_takes_one_address(self):
        for name in set(SERVERS) & set(ARGUMENTS):
            with self.subTest(name):
                result = self.run_program(name, "127.0.0.1:0", "127.0.0.1:0")
                self.assert_fails_naming(result, name)

    def test_udp_option_may_stand_anywhere(self):
        def answer_once(sock):
            request, sender = sock.recvfrom(65536)
            sock.sendto(b"ok " + request, sender)

        for place in range(3):
            with self.subTest(place):
                words = [harness.Peer(self, answer_once, socket.SOCK_DGRAM).address, "count"]
                words.insert(place, "--udp")
                result = self.run_program("request_reply_client", *words)
                self.assertEqual((result.stdout, result.returncode), (b"ok count\n", 0))

    def test_words_after_two_dashes_are_requests(self):
        address = self.server("request_reply_server").address
        for words in (["--", address, "--udp", "-h", "--"], [address, "--", "--udp", "-h", "--"]):
            with self.subTest(words):
                result = self.run_program("request_reply_client", *words)
                self.assertEqual(result.stdout, b"error unknown command\n" * 3)
                self.assertEqual((result.stderr, result.returncode), (b"", 0))

    def test_word_after_two_dashes_is_an_address(self):
        address = harness.print_address(taken_socket(self, socket.SOCK_STREAM))
        for name in ("request_reply_server", "chat"):
            with self.subTest(name):
                result = self.run_program(name, "--", address)
                self.assert_fails_naming(result, name, f"bind {address}")
                self.assert_fails_naming(self.run_program(name, "--", "--help"), name, '"--help"')

    def test_unknown_backend_is_named(self):
        for name in SERVERS:
            with self.subTest(name):
                result = self.run_program(name, "127.0.0.1:0", backend="kqueue")
                self.assert_fails_naming(result, name, "kqueue")

    def test_client_names_an_unknown_backend(self):
        result = self.run_program("request_reply_client", "127.0.0.1:1", "count", backend="kqueue")
        self.assert_fails_naming(result, "request_reply_client", "kqueue")

    def test_default_address_is_port_7777_of_this_machine(self):
        # Another program may hold the port: then the error names it.
        for name in SERVERS:
            with self.subTest(name):
                process = subprocess.Popen(
                    [harness.program(name)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=harness.environment(self.backend),
                )
                try:
                    line = process.stdout.readline().decode()
                    process.send_signal(signal.SIGTERM)
                    process.wait(harness.DEADLINE)
                finally:
                    process.kill()
                    process.communicate()
                self.assertRegex(line, r"^(listening on|.*: bind) " + re.escape("127.0.0.1:7777"))


if __name__ == "__main__":
    unittest.main(verbosity=2)

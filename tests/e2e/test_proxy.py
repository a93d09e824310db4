# test_proxy.py: what proxy passes on: every byte, each end by itself, a reset; at the slower pace.
# SPDX-License-Identifier: MIT

import concurrent.futures
import hashlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from harness import KIB, MIB


class Target(harness.Client):
    """The target's end of a connection that the proxy has made."""

    def __init__(self, test, listener):
        self.test, self.server_state, self.received = test, None, b""
        self.address = "the proxy, at its target"
        with harness.waiting_for("the proxy to connect to its target"):
            self.socket, _ = listener.accept()
        test.addCleanup(self.socket.close)
        self.socket.settimeout(harness.DEADLINE)


def listen(test, address=("127.0.0.1", 0), family=socket.AF_INET):
    listener = socket.create_server(address, family=family)
    test.addCleanup(listener.close)
    listener.settimeout(harness.DEADLINE)
    return listener


@harness.for_each_backend
class Proxy:
    def setUp(self):
        self.listener = listen(self)
        self.target_address = harness.print_address(self.listener)
        self.proxy = self.server(
            "proxy",
            arguments=[self.target_address],
            stderr_allowed=r"proxy: 127\.0\.0\.1:\d+: .*",
        )

    def connection(self):
        """Both ends: the client, and what its connection is at the target."""
        client = self.proxy.client()
        return client, Target(self, self.listener)

    def assert_passes(self, sender, receiver, data=b"a few bytes"):
        sender.send(data)
        self.assertEqual(receiver.recv_exactly(len(data)), data)

    def assert_all_arrives(self, *directions):
        """For each (sender, receiver, seed) at the same time: megabytes, and then the end."""
        with concurrent.futures.ThreadPoolExecutor(2 * len(directions)) as pool:
            jobs = []
            for sender, receiver, seed in directions:
                data = random.Random(seed).randbytes(8 * MIB)

                def send_all(sender=sender, data=data):
                    sender.send(data)
                    sender.half_close()

                jobs.append((pool.submit(send_all), pool.submit(receiver.recv_to_end), data))
            for sending, receiving, data in jobs:
                sending.result(harness.DEADLINE)
                received = receiving.result(harness.DEADLINE)
                self.assertEqual(len(received), len(data))
                self.assertEqual(hashlib.sha256(received).digest(), hashlib.sha256(data).digest())

    def assert_reset(self, peer):
        with self.assertRaises(ConnectionResetError), harness.waiting_for("a reset"):
            while peer.socket.recv(64 * KIB):
                pass

    def assert_descriptors_return_to(self, count):
        harness.poll_until(
            f"{self.proxy.what} to return to {count} descriptors",
            lambda: self.proxy.state.descriptors() <= count,
        )

    def test_bytes_pass_both_ways(self):
        client, target = self.connection()
        for i in range(100):
            self.assert_passes(client, target, b"question %d" % i)
            self.assert_passes(target, client, b"answer %d" % i)

    def test_megabytes_pass_both_ways_at_once(self):
        client, target = self.connection()
        self.assert_all_arrives((client, target, 1), (target, client, 2))

    def test_many_connections_are_each_their_own(self):
        pairs = [self.connection() for _ in range(50)]
        for i, (client, target) in enumerate(pairs):
            client.send(b"from client %d" % i)
            target.send(b"to client %d" % i)
        for i, (client, target) in enumerate(pairs):
            self.assertEqual(target.recv_exactly(len(b"from client %d" % i)), b"from client %d" % i)
            self.assertEqual(client.recv_exactly(len(b"to client %d" % i)), b"to client %d" % i)

    def test_client_that_has_finished_still_receives(self):
        client, target = self.connection()
        client.send(b"all I have to say")
        client.half_close()
        self.assertEqual(target.recv_to_end(), b"all I have to say")
        self.assert_all_arrives((target, client, 3))

    def test_target_that_has_finished_still_receives(self):
        client, target = self.connection()
        target.half_close()
        self.assertEqual(client.recv_to_end(), b"")
        self.assert_all_arrives((client, target, 4))

    def test_connection_is_closed_when_both_have_finished(self):
        first = self.connection()
        self.assert_passes(*first)
        descriptors = self.proxy.state.descriptors()
        for both_ends in (self.connection(), tuple(reversed(self.connection()))):
            both_ends[0].half_close()
            self.assertEqual(both_ends[1].recv_to_end(), b"")
            both_ends[1].half_close()
            self.assertEqual(both_ends[0].recv_to_end(), b"")
        self.assert_descriptors_return_to(descriptors)
        self.assert_passes(*first)

    def test_reset_is_passed_on_as_a_reset(self):
        bystanders = self.connection()
        for first, second in (self.connection(), tuple(reversed(self.connection()))):
            self.assert_passes(first, second)
            first.reset()
            self.assert_reset(second)
            self.assert_passes(*bystanders)
        harness.poll_until(
            "a line about each", lambda: self.proxy.stderr().count("(ECONNRESET)\n") == 2
        )

    def test_reset_while_the_other_side_does_not_read_is_passed_on(self):
        descriptors = self.proxy.state.descriptors()
        client, target = self.connection()
        client.server_state = self.proxy.state
        client.send_until_blocked(bytes(MIB), 64 * MIB)
        target.reset()
        self.assert_reset(client)
        self.assert_descriptors_return_to(descriptors)

    def test_side_that_does_not_read_slows_its_sender_down(self):
        bystanders = self.connection()
        baseline = self.proxy.state.memory()
        data = random.Random(5).randbytes(MIB)
        for sender, receiver in (self.connection(), tuple(reversed(self.connection()))):
            sender.server_state = self.proxy.state
            sent = sender.send_until_blocked(data, 128 * MIB)
            self.assertLess(sent, 128 * MIB)
            self.proxy.assert_memory_grows_less_than(4 * MIB, baseline)
            self.assert_passes(*bystanders)
            sender.half_close()
            received = receiver.recv_to_end()
            expected = data * (sent // len(data)) + data[: sent % len(data)]
            self.assertTrue(received == expected, f"{len(received)} bytes of {sent}")

    def test_target_that_is_down_is_reported_for_each_connection_and_may_come_back(self):
        bystanders = self.connection()
        _, where = harness.parse_address(self.target_address)
        self.listener.close()
        lines = []
        for _ in range(3):
            client = socket.socket()
            self.addCleanup(client.close)
            client.settimeout(harness.DEADLINE)
            client.bind(("127.0.0.1", 0))
            # The reset may come as early as the connect still waits.
            with self.assertRaises(ConnectionResetError), harness.waiting_for("a reset"):
                client.connect(harness.parse_address(self.proxy.address)[1])
                client.recv(1)
            lines.append(
                f"proxy: {harness.print_address(client)}:"
                f" connect {self.target_address}: Connection refused (ECONNREFUSED)\n"
            )
        harness.poll_until(
            "three lines on stderr", lambda: self.proxy.stderr().count("\n") == len(lines)
        )
        self.assertEqual(self.proxy.stderr(), "".join(lines))
        self.assert_passes(*bystanders)
        self.listener = listen(self, where)
        self.assert_passes(*self.connection())

    def test_connections_that_come_and_go_leave_nothing_behind(self):
        bystanders = self.connection()
        self.assert_passes(*bystanders)
        descriptors = self.proxy.state.descriptors()
        for i in range(100):
            client, target = self.connection()
            client.send(b"x")
            end = (client, target)[i % 2]
            (end.close, end.reset, end.half_close)[i % 3]()
            client.close()
            target.close()
        self.assert_descriptors_return_to(descriptors)
        self.assert_passes(*bystanders)

    def test_sigterm_lets_connections_finish_and_exits_0(self):
        begin = time.monotonic()
        pairs = [self.connection() for _ in range(5)]
        data = random.Random(6).randbytes(MIB)
        client, target = pairs[0]
        client.send(data)
        client.wait_until_received()
        self.proxy.signal(signal.SIGTERM)
        self.assertTrue(target.recv_exactly(MIB) == data, "what was sent before arrives")
        for client, target in pairs:
            self.assertEqual(target.recv_to_end(), b"", "the client is taken to have finished")
            target.send(b"the answer")
            target.close()
            self.assertEqual(client.recv_to_end(), b"the answer")
        self.proxy.assert_exits_0()
        self.assertLess(time.monotonic() - begin, 5 * self.proxy.factor)

    def test_unix_sockets_are_addresses_too(self):
        with tempfile.TemporaryDirectory() as directory:
            front, back = (os.path.join(directory, name) for name in ("front", "back"))
            listener = socket.socket(socket.AF_UNIX)
            self.addCleanup(listener.close)
            listener.bind(back)
            listener.listen()
            listener.settimeout(harness.DEADLINE)
            proxy = self.server("proxy", "unix:" + front, arguments=["unix:" + back])
            client = proxy.client()
            target = Target(self, listener)
            self.assert_all_arrives((client, target, 7), (target, client, 8))

    def test_address_in_use_is_named(self):
        result = self.run_program("proxy", self.proxy.address, self.target_address)
        self.assert_fails_saying(
            result, f"proxy: bind {self.proxy.address}: Address already in use (EADDRINUSE)"
        )


class Drain_time(harness.End_to_end):
    def test_connection_that_does_not_finish_is_cut_after_ten_seconds(self):
        listener = listen(self)
        proxies = self.servers(
            "proxy",
            arguments=[harness.print_address(listener)],
            stderr_allowed=r"proxy: 127\.0\.0\.1:\d+: .*",
        )
        pairs = [(proxy.client(), Target(self, listener)) for proxy in proxies]
        for proxy in proxies:
            proxy.signal(signal.SIGTERM)
        begin = time.monotonic()
        for _, target in pairs:
            self.assertEqual(target.recv_to_end(), b"")  # and does not answer
        for proxy in proxies:
            proxy.assert_exits_0(30)
            self.assertLess(time.monotonic() - begin, 10 + 2 * proxy.factor, proxy.what)
        for client, _ in pairs:
            with self.assertRaises(ConnectionResetError), harness.waiting_for("a reset"):
                client.socket.recv(1)


class Command_line(harness.End_to_end):
    backend = "poll"

    def test_arguments_that_are_no_addresses_are_named(self):
        usage = "proxy: usage: proxy [LISTEN] TARGET"
        self.assert_fails_saying(self.run_program("proxy"), usage)
        self.assert_fails_saying(self.run_program("proxy", "a", "b", "c"), usage)
        for address in ("127.0.0.1", "localhost:80", ""):
            for arguments in ([address], [address, "127.0.0.1:1"], ["127.0.0.1:0", address]):
                with self.subTest(arguments):
                    result = self.run_program("proxy", *arguments)
                    self.assert_fails_naming(result, "proxy", f'"{address}"')

    def test_default_address_is_port_7777_of_this_machine(self):
        # Another program may hold the port: then the error names it.
        process = subprocess.Popen(
            [harness.program("proxy"), "127.0.0.1:1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=harness.environment(self.backend),
        )
        try:
            said = process.stdout.readline().decode()
            process.send_signal(signal.SIGTERM)
            self.assertIn(process.wait(harness.DEADLINE), (0, 1))
        finally:
            process.kill()
            process.communicate()
        self.assertRegex(said, r"^(listening on|.*: bind) " + re.escape("127.0.0.1:7777"))


if __name__ == "__main__":
    unittest.main(verbosity=2)

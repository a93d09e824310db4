# test_dump.py: at SIGUSR1 every server example says what its tasks wait for, and goes on.
# SPDX-License-Identifier: MIT

import os
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness

AGE = r"\d+ ms|\d+\.\d s|\d+ min"


@harness.for_each_backend
class Dump:
    def dump(self, name, clients=0):
        """Starts the server, connects, and returns what it says at SIGUSR1."""
        arguments = ("127.0.0.1:1",) if name == "proxy" else ()
        server = self.server(name, stderr_allowed=r".*", arguments=arguments)
        harness.poll_until("the server to watch SIGUSR1",
                           lambda: server.state.catches(signal.SIGUSR1))
        connections = [server.client() for _ in range(clients)]
        for each in connections:
            each.assert_echo(b"hello")
        server.signal(signal.SIGUSR1)
        harness.poll_until("the dump", lambda: server.stderr().endswith("\n"))
        for each in connections:  # it goes on
            each.assert_echo(b"hello")
        return server.stderr()

    def test_sessions_that_wait_alike_are_one_line(self):
        text = self.dump("tcp_echo", clients=5)
        self.assertIn(f"tasks of a loop on {self.backend or 'io_uring'}", text)
        peer = r"from 127\.0\.0\.1:\d+ \(fd \d+\)"
        self.assertRegex(text, rf"\n +5 × recv {peer}; {peer}; {peer} …, oldest ({AGE}), "
                               r"at tcp_echo\.cpp:\d+")
        self.assertRegex(text, rf"\n +accept on 127\.0\.0\.1:\d+ \(fd \d+\), for ({AGE}), at "
                               r"sessions\.hpp:\d+ <- .* <- tcp_echo\.cpp:\d+")

    def test_sessions_that_are_groups_are_one_branch(self):
        for name in ("chat", "request_reply_server"):
            with self.subTest(name):
                server = self.server(name, stderr_allowed=r".*")
                harness.poll_until("the server to watch SIGUSR1",
                                   lambda: server.state.catches(signal.SIGUSR1))
                for _ in range(6):
                    client = server.client()
                    if name == "request_reply_server":
                        client.send(b"count\n")
                    client.recv_line()  # chat says who has joined
                server.signal(signal.SIGUSR1)
                harness.poll_until("the dump", lambda: server.stderr().endswith("\n"))
                self.assertLess(server.stderr().count("\n"), 12, server.stderr())
                self.assertIn(" 6 × ", server.stderr())

    def test_a_reader_that_does_not_read_holds_up_nothing(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        command = [harness.program("tcp_echo"), "127.0.0.1:0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=writing,
                                   env=harness.environment(self.backend))
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdout.readline()
        state = harness.Process_state(process.pid)
        harness.poll_until("the server to watch SIGUSR1", lambda: state.catches(signal.SIGUSR1))
        os.set_blocking(writing, False)
        with self.assertRaises(BlockingIOError):
            while True:
                os.write(writing, b"x" * 65536)
        os.set_blocking(writing, True)
        os.close(writing)
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(harness.DEADLINE), 0)

    def test_each_server_has_one(self):
        for name in ("chat", "proxy", "request_reply_server", "udp_echo"):
            with self.subTest(name):
                text = self.dump(name)
                self.assertRegex(text, rf"\n +(accept|recv_batch) on 127\.0\.0\.1:\d+ \(fd \d+\), "
                                       rf"for ({AGE}), at ")


if __name__ == "__main__":
    unittest.main()

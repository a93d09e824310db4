# test_embedding.py: an echo server that is a guest: in a loop around poll(2), and in glib's.
# SPDX-License-Identifier: MIT

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness


class Guest:
    """What holds for every host."""

    def host(self):
        if self.backend == "poll":
            self.skipTest("poll(2) has no descriptor that a host could wait for")
        if not os.path.exists(harness.program(self.name)):
            self.skipTest(f"built without the library of {self.name}")
        return self.server(self.name)

    def test_clients_are_served_as_by_a_loop_of_its_own(self):
        host = self.host()
        clients = [host.client() for _ in range(20)]
        for i in range(20):
            for client in clients:
                client.send(b"request %d" % i)
            for client in clients:
                self.assertEqual(client.recv_exactly(len(b"request %d" % i)), b"request %d" % i)
        data = os.urandom(4 * harness.MIB)
        clients[0].assert_echo(data)

    def test_an_idle_guest_does_not_wake_its_host(self):
        host = self.host()
        client = host.client()
        client.assert_echo(b"x")
        harness.observe(0.2)
        before = host.state.voluntary_switches()
        harness.observe(1)
        self.assertEqual(host.state.voluntary_switches() - before, 0)
        client.assert_echo(b"y")


@harness.for_each_backend
class Glib_host(Guest):
    name = "embedding/glib_host"


@harness.for_each_backend
class Poll_host(Guest):
    name = "embedding/poll_host"

    def test_the_host_does_its_own_work_too(self):
        host = self.host_with_input()
        host.stdin.write(b"?\n")
        host.stdin.flush()
        self.assertRegex(host.stdout.readline(), rb"woken \d+ times\n")
        host.stdin.close()

    def host_with_input(self):
        if self.backend == "poll":
            self.skipTest("poll(2) has no descriptor that a host could wait for")
        host = harness.subprocess.Popen(
            [harness.program("embedding/poll_host"), "127.0.0.1:0"],
            stdin=harness.subprocess.PIPE, stdout=harness.subprocess.PIPE,
            env=harness.environment(self.backend))
        self.addCleanup(host.stdout.close)
        self.addCleanup(host.wait)
        self.addCleanup(host.terminate)
        self.assertRegex(host.stdout.readline().decode(), r"listening on \S+ \(" + self.backend)
        return host

    def test_poll_is_refused_with_the_reason(self):
        if self.backend != "poll":
            self.skipTest("is no reason to refuse")
        result = self.run_program("embedding/poll_host", "127.0.0.1:0")
        self.assert_fails_naming(result, "poll_host", "embedded_loop (poll(2) has no descriptor")


if __name__ == "__main__":
    unittest.main()

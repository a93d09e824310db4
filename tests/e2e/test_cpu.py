# test_cpu.py: servers that can do nothing at the moment use no processor.
# SPDX-License-Identifier: MIT

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from harness import KIB


class Cpu(harness.End_to_end):
    def assert_use_little(self, servers, seconds_max):
        """CPU seconds of each of `servers` over the next second."""
        before = [server.state.cpu_seconds() for server in servers]
        harness.observe(1)
        for server, begin in zip(servers, before):
            with self.subTest(server.what):
                self.assertTrue(server.running())
                self.assertLess(server.state.cpu_seconds() - begin, seconds_max)

    def test_idle_servers_burn_none(self):
        servers = []
        for name in ("tcp_echo", "udp_echo", "request_reply_server"):
            servers += self.servers(name)
        for server in servers:
            if not server.what.startswith("udp_echo"):
                for client in [server.client() for _ in range(10)]:
                    client.ask(b"then silence")
            if not server.what.startswith("tcp_echo"):
                harness.udp_ask(harness.udp_socket(self, server.address), b"then silence")
        before = [server.state.voluntary_switches() for server in servers]
        self.assert_use_little(servers, 0.05)
        for server, begin in zip(servers, before):
            with self.subTest(server.what):
                self.assertLess(server.state.voluntary_switches() - begin, 20)

    def test_descriptor_exhaustion_is_survived_without_spinning(self):
        # A line in the log about it is no fault.
        preexec = harness.few_descriptors()
        allowed = r"tcp_echo: .*EMFILE.*"
        servers = self.servers("tcp_echo", preexec=preexec, stderr_allowed=allowed)
        served = []
        for echo in servers:
            clients = [echo.client() for _ in range(60)]
            clients[0].assert_echo(b"served")
            served.append(clients[0])
        self.assert_use_little(servers, 0.2)
        for client in served:
            client.assert_echo(b"still served")

    def test_client_that_never_reads_does_not_make_the_server_spin(self):
        servers = self.servers("tcp_echo")
        for echo in servers:
            echo.client().block_the_reply(bytes(64 * KIB))
        self.assert_use_little(servers, 0.1)

    def test_client_that_closed_half_and_never_reads_does_not_make_the_server_spin(self):
        servers = self.servers("tcp_echo")
        for echo in servers:
            client = echo.client()
            client.block_the_reply(bytes(64 * KIB))
            client.half_close()
        self.assert_use_little(servers, 0.1)


if __name__ == "__main__":
    unittest.main(verbosity=2)

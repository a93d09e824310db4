# test_port_scan.py: what port_scan says of ports that are open, closed, or silent, and how soon.
# SPDX-License-Identifier: MIT

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness

SUMMARY = r"(\d+) ports of (\S+) in (\S+) s: (\d+) open, (\d+) closed, (\d+) filtered"

# A network of its own in which what is sent to 192.0.2.0/24 (RFC 5737) is swallowed.
SILENT_NETWORK = ["unshare", "-n", "sh", "-c"]
SILENT_NETWORK += ['ip link set lo up && ip route add 192.0.2.0/24 dev lo && exec "$@"', "sh"]


def have_silent_network():
    if not shutil.which("unshare") or not shutil.which("ip"):
        return False
    return harness.run_command([*SILENT_NETWORK, "true"]).returncode == 0


def own_address(test):
    """An address of this machine on which, most likely, nobody else listens."""
    number = test.backend_number * 65536 + os.getpid() % 65536
    return f"127.{77 + number // 65536}.{number // 256 % 256}.{number % 256}"


def listen(test, host, port):
    sock = socket.socket()
    test.addCleanup(sock.close)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen()


@harness.for_each_backend
class Port_scan:
    def setUp(self):
        self.backend_number = harness.BACKENDS.index(self.backend)
        self.host = own_address(self)

    def scanned(self, result):
        """(open ports, closed, filtered, seconds) of a scan that went well."""
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        *lines, summary = result.stdout.decode().splitlines()
        ports = []
        for line in lines:
            match = re.fullmatch(r"(\S+):(\d+) open", line)
            self.assertTrue(match, line)
            ports.append(int(match[2]))
        count, self.scanned_host, seconds, *states = re.fullmatch(SUMMARY, summary).groups()
        opened, closed, filtered = map(int, states)
        self.assertEqual(opened, len(ports))
        self.assertEqual(int(count), opened + closed + filtered)
        return sorted(ports), closed, filtered, float(seconds)

    def scan(self, *arguments):
        return self.scanned(self.run_program("port_scan", *arguments))

    def scan_silence(self, *ports, **options):
        command = [*SILENT_NETWORK, harness.program("port_scan"), "192.0.2.7", *ports]
        environment = harness.environment(self.backend)
        return harness.run_command(command, env=environment, **options)

    def test_finds_the_open_ports_and_no_others(self):
        ports = [20000, 20001, 20099, 20500, 21998, 21999]
        for port in [*ports, 19999, 22000]:  # the last two lie outside of what is asked for
            listen(self, self.host, port)
        opened, closed, filtered, seconds = self.scan(self.host, "20000-21999")
        self.assertEqual((opened, closed, filtered), (ports, 1994, 0))
        self.assertLess(seconds, 3.9)  # it were 4 if each waited for its time

    def test_one_port_is_a_range(self):
        listen(self, self.host, 20000)
        self.assertEqual(self.scan(self.host, "20000-20000")[:3], ([20000], 0, 0))
        self.assertEqual(self.scan(self.host, "20001-20001")[:3], ([], 1, 0))

    def test_a_thousand_ports_are_the_default(self):
        expected = []
        if os.geteuid() == 0:
            expected = [1, 777, 1000]
            for port in [*expected, 1001]:
                listen(self, self.host, port)
        self.assertEqual(self.scan(self.host)[:3], (expected, 1000 - len(expected), 0))

    def test_ten_thousand_ports_up_to_the_last_there_is(self):
        listen(self, self.host, 65535)
        opened, closed, filtered, _ = self.scan(self.host, "55536-65535")
        self.assertIn(65535, opened)
        self.assertEqual((len(opened) + closed, filtered), (10_000, 0))

    def test_names_and_ipv6_are_hosts_too(self):
        self.scan("localhost", "1-10")
        self.assertEqual(self.scanned_host, "localhost")
        if harness.have_ipv6():
            self.scan("::1", "1-10")
            self.assertEqual(self.scanned_host, "::1")

    def test_silent_ports_take_a_fifth_of_a_second_a_hundred(self):
        if not have_silent_network():
            self.skipTest("this process cannot have a network of its own")
        _, closed, filtered, seconds = self.scanned(self.scan_silence())
        self.assertEqual((closed, filtered), (0, 1000))
        self.assertGreaterEqual(seconds, 2.0)  # ten rounds; fewer would be more at a time
        self.assertLess(seconds, 3.9)  # fifty at a time take 4

    def test_a_hundred_descriptors_are_enough(self):
        if not have_silent_network():
            self.skipTest("this process cannot have a network of its own")

        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120))

        _, _, filtered, _ = self.scanned(self.scan_silence("1-300", preexec_fn=limit))
        self.assertEqual(filtered, 300)

    def test_lack_of_descriptors_is_an_error_and_no_state_of_a_port(self):
        if not have_silent_network():
            self.skipTest("this process cannot have a network of its own")
        result = self.scan_silence(preexec_fn=harness.few_descriptors())
        self.assert_fails_naming(result, "port_scan", "connect 192.0.2.7:", "EMFILE")

    def test_no_route_is_an_error_and_no_state_of_a_port(self):
        if not have_silent_network():
            self.skipTest("this process cannot have a network of its own")
        command = [*SILENT_NETWORK, harness.program("port_scan"), "198.51.100.1"]
        result = harness.run_command(command, env=harness.environment(self.backend))
        self.assert_fails_naming(result, "port_scan", "connect 198.51.100.1:1:", "ENETUNREACH")

    def test_sigint_ends_a_scan_at_once(self):
        if not have_silent_network():
            self.skipTest("this process cannot have a network of its own")
        command = [*SILENT_NETWORK, harness.program("port_scan"), "192.0.2.7", "1-65535"]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=harness.environment(self.backend),
        )
        try:
            state = harness.Process_state(process.pid)
            harness.poll_until("the scan to be under way", lambda: state.descriptors() > 90)
            begin = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=harness.DEADLINE)
            self.assertLess(time.monotonic() - begin, 10)  # what is left takes 131
            self.assertEqual((process.returncode, out, err), (0, b"", b""))
        finally:
            process.kill()
            process.communicate()


class Command_line(harness.End_to_end):
    backend = "poll"

    def test_bad_arguments_are_named(self):
        usage = "port_scan: usage: port_scan HOST [FIRST-LAST]"
        self.assert_fails_saying(self.run_program("port_scan"), usage)
        self.assert_fails_saying(self.run_program("port_scan", "h", "1-2", "3"), usage)
        ranges = ("", "-", "5", "5-", "-5", "0-5", "5-4", "1-65536", "1-2x", "x-2", "1-99999999999")
        for text in (*ranges, "1--2", " 1-2", "1 -2", "+1-2"):
            with self.subTest(text):
                result = self.run_program("port_scan", "127.0.0.1", text)
                self.assert_fails_saying(result, f'port_scan: bad ports "{text}"')

    def test_host_that_is_none_is_named(self):
        result = self.run_program("port_scan", "no host", "1-2")
        self.assert_fails_naming(result, "port_scan", "no host")


if __name__ == "__main__":
    unittest.main(verbosity=2)

# test_happy_eyeballs.py: which address of a host connect() takes, and how long it hesitates.
# SPDX-License-Identifier: MIT

import os
import re
import shutil
import socket
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness

NAME = "happy_eyeballs"
RESOLVED = r"(\S+) resolved in (\S+) ms"
ALONE = r"(\S+) (connected|[A-Z].*) after (\S+) ms"
WON = r"(\S+) won the race after (\S+) ms"
REFUSED = "Connection refused"

# A file system of its own, in which the names of hosts are what a test says.
OWN_HOSTS = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"']


def have_own_hosts():
    if not shutil.which("unshare"):
        return False
    with tempfile.NamedTemporaryFile() as file:
        return harness.run_command([*OWN_HOSTS, file.name, "true"]).returncode == 0


def listen(test, host, port=0, backlog=16):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    test.addCleanup(sock.close)
    sock.bind((host, port))
    sock.listen(backlog)
    return sock.getsockname()[1]


def silence(test, host, port):
    """A listener that answers nobody any more: its backlog is full."""
    listen(test, host, port, backlog=0)
    for _ in range(16):
        sock = socket.socket()
        test.addCleanup(sock.close)
        sock.settimeout(0.05)
        try:
            sock.connect((host, port))
        except TimeoutError:
            return
    test.fail("the backlog does not get full")


@harness.for_each_backend
class Happy_eyeballs:
    def race(self, host, port, addresses=()):
        """Runs it; where `addresses` are given, they are what the name `host` has."""
        command = [harness.program(NAME), host, str(port)]
        if addresses:
            if not have_own_hosts():
                self.skipTest("this process cannot have names of its own")
            file = tempfile.NamedTemporaryFile()
            self.addCleanup(file.close)
            file.write("".join(f"{address} {host}\n" for address in addresses).encode())
            file.flush()
            os.chmod(file.name, 0o644)
            command = [*OWN_HOSTS, file.name, *command]
        return harness.run_command(command, env=harness.environment(self.backend))

    def outcome(self, result, host, winner=True):
        """({address: outcome}, winner, milliseconds of the race)."""
        first, *lines = result.stdout.decode().splitlines()
        self.assertEqual(re.fullmatch(RESOLVED, first)[1], host)
        won = time = None
        if winner:
            self.assertEqual((result.returncode, result.stderr), (0, b""))
            won, time = re.fullmatch(WON, lines.pop()).groups()
            time = float(time)
        alone = {}
        for line in lines:
            match = re.fullmatch(ALONE, line)
            self.assertTrue(match, line)
            alone[match[1]] = match[2]
        self.assertEqual(len(alone), len(lines), "each address once")
        return alone, won, time

    def soon(self, bound, *race):
        """The outcome of a race below `bound` ms, of three at most: to hesitate costs 250 ms each
        time, to be held up by other programs does not."""
        for _ in range(3):
            outcome = self.outcome(self.race(*race), race[0])
            if outcome[2] < bound * harness.slowness(NAME):
                return outcome
        self.fail(f"three races took {bound} ms and more, the last {outcome[2]}")

    def test_the_only_address_wins(self):
        port = listen(self, "127.0.0.1")
        address = f"127.0.0.1:{port}"
        alone, won, _ = self.soon(250, "127.0.0.1", port)
        self.assertEqual((alone, won), ({address: "connected"}, address))

    def test_localhost_is_raced(self):
        port = listen(self, "127.0.0.1")
        alone, won, _ = self.outcome(self.race("localhost", port), "localhost")
        self.assertEqual(won, f"127.0.0.1:{port}")
        self.assertEqual(alone[won], "connected")

    def test_the_family_that_listens_wins_at_once(self):
        if not harness.have_ipv6():
            self.skipTest("this machine has no IPv6 loopback address")
        for host in ("127.0.0.1", "::1"):
            port = listen(self, host)
            four, six = f"127.0.0.1:{port}", f"[::1]:{port}"
            alone, won, _ = self.soon(250, "both.test", port, ["::1", "127.0.0.1"])
            expected = {four: "connected", six: REFUSED}
            if host == "::1":
                expected = {four: REFUSED, six: "connected"}
            self.assertEqual(alone, expected)
            self.assertEqual(alone[won], "connected")

    def test_an_address_that_says_nothing_costs_a_quarter_of_a_second(self):
        port = listen(self, "127.88.0.2")
        silence(self, "127.88.0.1", port)
        alone, won, time = self.soon(500, "two.test", port, ["127.88.0.1", "127.88.0.2"])
        bad, good = f"127.88.0.1:{port}", f"127.88.0.2:{port}"
        self.assertEqual(alone, {bad: "Connection timed out", good: "connected"})
        self.assertEqual(won, good)
        self.assertGreaterEqual(time, 250)

    def test_a_silent_address_behind_one_that_answers_costs_nothing(self):
        port = listen(self, "127.88.0.2")
        silence(self, "127.88.0.1", port)
        _, won, _ = self.soon(250, "two.test", port, ["127.88.0.2", "127.88.0.1"])
        self.assertEqual(won, f"127.88.0.2:{port}")

    def test_when_all_refuse_the_last_one_is_named(self):
        with socket.socket() as holder:
            holder.bind(("127.88.0.1", 0))  # and listens not
            port = holder.getsockname()[1]
            hosts = ["127.88.0.1", "127.88.0.2", "127.88.0.3"]
            result = self.race("three.test", port, hosts)
        alone, _, _ = self.outcome(result, "three.test", winner=False)
        self.assertEqual(alone, {f"{host}:{port}": REFUSED for host in hosts})
        self.assertEqual(result.returncode, 1)
        self.assertEqual(
            result.stderr.decode(),
            f"{NAME}: connect {hosts[-1]}:{port}: Connection refused (ECONNREFUSED)\n",
        )


class Command_line(harness.End_to_end):
    backend = "poll"

    def test_bad_arguments_are_refused(self):
        usage = f"{NAME}: usage: {NAME} HOST PORT"
        for arguments in ([], ["h"], ["h", "x"], ["h", "65536"], ["h", ""], ["h", "1", "2"]):
            with self.subTest(arguments):
                self.assert_fails_saying(self.run_program(NAME, *arguments), usage)

    def test_host_that_is_none_is_named(self):
        self.assert_fails_naming(self.run_program(NAME, "no host", "80"), NAME, "no host")


if __name__ == "__main__":
    unittest.main(verbosity=2)

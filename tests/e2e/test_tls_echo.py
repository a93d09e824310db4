# test_tls_echo.py: what clients of other libraries see of tls_echo.
# SPDX-License-Identifier: MIT

import contextlib
import os
import random
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from certificates import Certificates
from harness import KIB, MIB

REFUSED = r"tls_echo: (TLS handshake with|recv) .*"


def connect(test, server, certificates, version=None, client=None):
    """A TLS connection of Python's library to the server, closed at the end of the test."""
    context = ssl.create_default_context(cafile=certificates.root)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 does by itself
    if version:
        context.minimum_version = context.maximum_version = version
    if client:
        context.load_cert_chain(*client)
    plain = socket.create_connection(harness.parse_address(server.address)[1])
    plain.settimeout(harness.DEADLINE)
    secure = context.wrap_socket(plain, server_hostname="localhost")
    test.addCleanup(secure.close)
    return secure


def receive(secure, size):
    received = b""
    while len(received) < size:
        part = secure.recv(min(64 * KIB, size - len(received)))
        if not part:
            break
        received += part
    return received


def exchange(secure, data):
    """Sends all of it and receives as much at the same time: in one thread, because two at one
    connection are not safe with Python's library before 3.13."""
    again = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
    secure.setblocking(False)
    sent, received = 0, bytearray()
    while len(received) < len(data):
        with contextlib.suppress(*again):
            if sent < len(data):
                sent += secure.send(data[sent:sent + 64 * KIB])
        try:
            part = secure.recv(64 * KIB)
        except again:
            select.select([secure], [secure] if sent < len(data) else [], [], harness.DEADLINE)
            continue
        if not part:
            break
        received += part
    secure.settimeout(harness.DEADLINE)
    return bytes(received)


@harness.for_each_backend
class Tls_echo:
    def setUp(self):
        self.certificates = Certificates(self)
        self.files = self.certificates.server()
        self.echo = self.server("tls_echo", arguments=self.files, stderr_allowed=REFUSED)

    def connect(self, **options):
        return connect(self, self.echo, self.certificates, **options)

    def s_client(self, *options, steps=((b"hello\n", b"hello"),)):
        """What openssl s_client prints. A step is a text to type, and one to wait for."""
        command = ["openssl", "s_client", "-connect", self.echo.address,
                   "-CAfile", self.certificates.root, "-verify_return_error",
                   "-servername", "localhost", "-verify_hostname", "localhost", *options]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, bufsize=0) as process:
            self.addCleanup(process.kill)
            printed = b""
            for text, line in (*steps, (b"Q\n", None)):
                with contextlib.suppress(BrokenPipeError):  # it has ended: reading tells that
                    process.stdin.write(text)
                while line and line not in printed:
                    part = os.read(process.stdout.fileno(), 64 * KIB)
                    self.assertTrue(part, f"s_client ended after {printed!r}")
                    printed += part
            printed += process.stdout.read()
        return printed.decode(errors="replace")

    def test_both_versions_of_s_client_are_served_and_resumed(self):
        for version in "-tls1_3", "-tls1_2":
            session = self.certificates.path("session" + version)
            first = self.s_client(version, "-sess_out", session)
            self.assertIn("Verification: OK", first)
            self.assertRegex(first, r"\nNew, TLSv1\.")
            again = self.s_client(version, "-sess_in", session)
            self.assertRegex(again, r"\nReused, TLSv1\.")

    def test_s_client_asks_for_new_keys(self):
        self.s_client("-tls1_3", steps=((b"before\n", b"before"), (b"K\n", b"KEYUPDATE"),
                                        (b"after\n", b"after")))

    def test_s_client_is_refused_another_handshake(self):
        printed = self.s_client("-tls1_2", steps=((b"before\n", b"before"),
                                                  (b"R\n", b"RENEGOTIATING")))
        self.assertIn("no renegotiation", printed)

    def test_python_sends_and_receives_at_once(self):
        data = random.Random(1).randbytes(4 * MIB)
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            secure = self.connect(version=version)
            self.assertEqual(exchange(secure, data), data)
            secure.unwrap().close()  # the server says its end, too

    def test_single_bytes_of_a_handshake_are_enough(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=self.certificates.root)
        engine = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        client = self.echo.client()
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def drive(call):
            while True:
                try:
                    return call()
                except ssl.SSLWantReadError:
                    for byte in outgoing.read():
                        client.send(bytes([byte]))
                    incoming.write(client.socket.recv(64 * KIB))

        drive(engine.do_handshake)
        engine.write(b"drop by drop")
        self.assertEqual(drive(lambda: engine.read(100)), b"drop by drop")

    def test_whoever_speaks_no_tls_is_refused_and_nobody_else(self):
        bystander = self.connect()
        for text in b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, b"\x16\x03\x01\x00\x05hello":
            client = self.echo.client()
            client.send(text)
            client.half_close()
            client.recv_to_end()
        bystander.sendall(b"still here")
        self.assertEqual(receive(bystander, 10), b"still here")
        harness.poll_until("three refusals", lambda: self.echo.stderr().count("\n") >= 3)

    def test_sigterm_says_the_end_to_idle_clients(self):
        idle = [self.connect() for _ in range(5)]
        for secure in idle:
            secure.sendall(b"x")
            self.assertEqual(receive(secure, 1), b"x")
        self.echo.signal(signal.SIGTERM)
        for secure in idle:
            self.assertEqual(secure.recv(1), b"")  # ssl.SSLEOFError without a close_notify
        self.echo.assert_exits_0()

    def test_sighup_brings_a_new_certificate_and_drops_nobody(self):
        before = self.connect()
        old = before.getpeercert()["serialNumber"]
        self.certificates.server()
        self.echo.signal(signal.SIGHUP)
        harness.poll_until(
            "a new certificate",
            lambda: self.connect().getpeercert()["serialNumber"] != old,
        )
        with open(self.files[1], "w", encoding="ascii") as key:
            key.write("no key")
        self.echo.signal(signal.SIGHUP)
        harness.poll_until("a complaint", lambda: "no key in " in self.echo.stderr())
        self.connect()
        before.sendall(b"still here")
        self.assertEqual(receive(before, 10), b"still here")
        self.echo.stderr_allowed = r"tls_echo: no key in .*"


class Tls_echo_once(harness.End_to_end):
    def test_curl_speaks_to_it(self):
        if not shutil.which("curl"):
            self.skipTest("curl is not installed")
        certificates = Certificates(self)
        echo = self.server("tls_echo", arguments=certificates.server(), stderr_allowed=REFUSED)
        # An echoed request is no reply of HTTP, but HTTP 0.9 takes whatever comes.
        port = harness.parse_address(echo.address)[1][1]
        result = harness.run_command(
            ["curl", "-sS", "--http0.9", "--max-time", "2", "--cacert", certificates.root,
             f"https://localhost:{port}/over-tls"])
        self.assertIn(b"GET /over-tls HTTP/1.1", result.stdout, result.stderr)

    def test_clients_show_their_certificate_or_are_refused(self):
        certificates = Certificates(self)
        echo = self.server("tls_echo", arguments=(*certificates.server(), certificates.root),
                           stderr_allowed=REFUSED)
        alice = certificates.make("alice", "/CN=alice", issuer="root")
        secure = connect(self, echo, certificates, client=alice)
        secure.sendall(b"hello")
        self.assertEqual(receive(secure, 5), b"hello")
        with self.assertRaisesRegex(ssl.SSLError, "alert certificate required"):
            stranger = connect(self, echo, certificates)
            stranger.sendall(b"hello")
            stranger.recv(5)
        harness.poll_until(
            "the refusal", lambda: "peer did not return a certificate" in echo.stderr())

    def test_an_idle_connection_costs_little_memory(self):
        certificates = Certificates(self)
        echo = self.server("tls_echo", arguments=certificates.server())
        if harness.built_with("tls_echo", b"__asan_init", b"__tsan_init"):
            self.skipTest("a sanitizer's memory is not the program's")

        def more(count):
            made = [connect(self, echo, certificates) for _ in range(count)]
            for secure in made:
                secure.sendall(b"x" * 100)
                self.assertEqual(receive(secure, 100), b"x" * 100)
            return made

        held = more(20)
        before = echo.state.memory()
        held += more(500)
        each = (echo.state.memory() - before) / 500
        # Since 3.2 OpenSSL's own state of a connection is some 9 KiB larger, and since 3.5 it also
        # keeps the post-quantum keys of the handshake.
        version = harness.run_command(["openssl", "version"]).stdout.split()[1].decode()
        most = 20 if [int(part) for part in version.split(".")[:2]] < [3, 2] else 36
        self.assertLess(each, most * KIB)

    def test_handshakes_broken_off_at_any_byte_leave_nothing_behind(self):
        certificates = Certificates(self)
        echo = self.server("tls_echo", arguments=certificates.server(), stderr_allowed=REFUSED)
        context = ssl.create_default_context(cafile=certificates.root)
        address = harness.parse_address(echo.address)[1]

        def break_off(allowed, resets):
            """The client goes after so many bytes. Returns how many it did not need."""
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            engine = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
            with socket.create_connection(address) as client:
                client.settimeout(harness.DEADLINE)
                if resets:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      struct.pack("ii", 1, 0))
                while True:
                    done = True
                    try:
                        engine.do_handshake()
                    except ssl.SSLWantReadError:
                        done = False
                    part = outgoing.read(allowed)
                    allowed -= len(part)
                    client.sendall(part)
                    if done or allowed == 0:
                        return allowed
                    incoming.write(client.recv(64 * KIB))

        idle = echo.state.descriptors()
        whole = MIB - break_off(MIB, False)
        self.assertGreater(whole, 300)
        times = 10_000 if "ANEL_LONG" in os.environ else 300

        def all_are_gone():
            return echo.state.descriptors() == idle

        for i in range(times):
            if i == times // 10:  # whatever is kept for the next ones is there
                harness.poll_until("the first clients to be gone", all_are_gone)
                before = echo.state.memory()
            break_off(1 + i * 7919 % (whole - 1), i % 3 == 0)
        harness.poll_until("all clients to be gone", all_are_gone)
        if not harness.built_with("tls_echo", b"__asan_init", b"__tsan_init"):  # they keep it
            echo.assert_memory_grows_less_than(512 * KIB, before)

    def test_secrets_are_logged_when_the_environment_names_a_file(self):
        certificates = Certificates(self)
        log = certificates.path("secrets")
        echo = self.server("tls_echo", arguments=certificates.server(),
                           variables={"SSLKEYLOGFILE": log})
        connect(self, echo, certificates).unwrap().close()
        with open(log, encoding="ascii") as file:
            self.assertIn("CLIENT_HANDSHAKE_TRAFFIC_SECRET ", file.read())

    def test_files_that_do_not_fit_are_refused_at_the_start(self):
        certificates = Certificates(self)
        chain, key = certificates.server()
        _, other = certificates.server("other")
        result = self.run_program("tls_echo", "127.0.0.1:0", chain, other)
        self.assert_fails_naming(result, "tls_echo", chain, other, "key values mismatch")
        result = self.run_program("tls_echo", "127.0.0.1:0", chain, "/no/key")
        self.assert_fails_saying(
            result, "tls_echo: open key /no/key: No such file or directory (ENOENT)")


if __name__ == "__main__":
    unittest.main()

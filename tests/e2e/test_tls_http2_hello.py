# test_tls_http2_hello.py: what clients of HTTP/2 see of http2_hello.
# SPDX-License-Identifier: MIT

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness

NAME = "http/http2_hello"
HELLO = b"hello over HTTP/2\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY = 0, 1, 4, 6, 7


def curl_speaks_http2():
    return shutil.which("curl") and b"HTTP2" in subprocess.run(
        ["curl", "-V"], capture_output=True).stdout


def frame(kind, data=b"", flags=0, stream=0):
    head = len(data).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + data


@unittest.skipUnless(os.path.exists(harness.program(NAME)), "built without nghttp2")
@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
@harness.for_each_backend
class Http2_hello:
    def setUp(self):
        folder = tempfile.mkdtemp(prefix="anel_http2.")
        self.addCleanup(shutil.rmtree, folder)
        self.certificate, key = os.path.join(folder, "server.pem"), os.path.join(folder, "key.pem")
        harness.run_command(
            ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "30", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-out", self.certificate,
             "-keyout", key]).check_returncode()
        self.hello = self.server(NAME, arguments=(self.certificate, key))

    def connect(self, *protocols):
        context = ssl.create_default_context(cafile=self.certificate)
        if protocols:
            context.set_alpn_protocols(protocols)
        plain = socket.create_connection(harness.parse_address(self.hello.address)[1])
        plain.settimeout(harness.DEADLINE)
        secure = context.wrap_socket(plain, server_hostname="127.0.0.1")
        self.addCleanup(secure.close)
        return secure

    def recv_frame(self, secure):
        """(type, data) of the next frame; None at the end."""
        def exactly(size):
            data = b""
            while len(data) < size:
                part = secure.recv(size - len(data))
                if not part:
                    return None
                data += part
            return data

        head = exactly(9)
        return head and (head[3], exactly(int.from_bytes(head[:3], "big")))

    def frames_to_end(self, secure):
        frames = []
        while (frame := self.recv_frame(secure)) is not None:
            frames.append(frame)
        return frames

    @unittest.skipUnless(curl_speaks_http2(), "there is no curl that speaks HTTP/2")
    def test_curl(self):
        url = f"https://{self.hello.address}/"
        for more in ([], ["-d", "x" * 100000]):
            result = harness.run_command(
                ["curl", "-sS", "--http2", "--cacert", self.certificate,
                 "-w", "%{http_version} %{http_code}", url, *more])
            self.assertEqual((result.stdout, result.stderr), (HELLO + b"2 200", b""))

    @unittest.skipUnless(shutil.which("h2load"), "h2load is not installed")
    def test_h2load(self):
        result = harness.run_command(
            ["h2load", "-n", "1000", "-c", "5", "-m", "20", f"https://{self.hello.address}/"])
        self.assertIn(b"1000 succeeded, 0 failed, 0 errored", result.stdout)

    def test_a_ping_is_answered(self):
        secure = self.connect("h2")
        self.assertEqual(secure.selected_alpn_protocol(), "h2")
        secure.sendall(PREFACE + frame(SETTINGS) + frame(PING, b"12345678"))
        kind = data = None
        while kind != PING:
            kind, data = self.recv_frame(secure)
        self.assertEqual(data, b"12345678")

    def test_a_head_has_no_body(self):
        secure = self.connect("h2")
        fields = b"\x42\4HEAD\x84\x87\x41\1h"  # :method HEAD, :path /, :scheme https, :authority
        whole = 5  # END_STREAM and END_HEADERS
        secure.sendall(PREFACE + frame(SETTINGS) + frame(HEADERS, fields, whole, 1) +
                       frame(PING, b"12345678"))
        kinds = []
        while PING not in kinds or HEADERS not in kinds:
            kinds.append(self.recv_frame(secure)[0])
        secure.sendall(frame(PING, b"87654321"))  # what was said before it comes before its answer
        while kinds.count(PING) < 2:
            kinds.append(self.recv_frame(secure)[0])
        self.assertNotIn(DATA, kinds)

    def test_what_is_no_http2_ends(self):
        for protocols, sent in ((["h2"], b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"), ([], PREFACE),
                                (["h2"], PREFACE + frame(SETTINGS) + frame(PING, b"short"))):
            secure = self.connect(*protocols)
            secure.sendall(sent)
            kinds = [kind for kind, _ in self.frames_to_end(secure)]
            self.assertNotIn(PING, kinds)
        self.assertIn(GOAWAY, kinds)  # the last one has broken a rule, and is told

    def test_at_sigterm_a_client_is_told(self):
        secure = self.connect("h2")
        secure.sendall(PREFACE + frame(SETTINGS) + frame(PING, b"12345678"))
        while self.recv_frame(secure)[0] != PING:
            pass
        self.hello.signal(signal.SIGTERM)
        self.assertIn(GOAWAY, [kind for kind, _ in self.frames_to_end(secure)])
        self.hello.assert_exits_0()


if __name__ == "__main__":
    unittest.main()

# test_http_server.py: what clients of HTTP, and those that would deceive it, see of http_server.
# SPDX-License-Identifier: MIT

import http.client
import os
import shutil
import signal
import ssl
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from harness import KIB, MIB

NAME = "http/http_server"
BUILT = os.path.exists(harness.program(NAME))
FILE = bytes(range(256)) * 8 * KIB  # 2 MiB
HOST = b"Host: here\r\n"


def read_reply(client, to=b"GET"):
    """(status, headers, body) of the next reply on the connection."""
    status = client.recv_line().split(b" ", 2)
    headers = {}
    while line := client.recv_line().rstrip(b"\r"):
        name, _, value = line.partition(b": ")
        headers[name] = value
    size = 0 if to == b"HEAD" else int(headers[b"Content-Length"])
    return int(status[1]), headers, client.recv_exactly(size)


class Folder:
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="anel_http.")
        self.addCleanup(shutil.rmtree, self.folder)
        os.makedirs(self.path("served/sub"))
        for name, data in (("secret", b"secret"), ("served/file", FILE), ("served/empty", b""),
                           ("served/index.html", b"<p>hello"), ("served/a b", b"spaced")):
            with open(self.path(name), "wb") as file:
                file.write(data)

    def path(self, name):
        return os.path.join(self.folder, name)

    def serve(self, *more, **options):
        self.http = self.server(NAME, arguments=(self.path("served"), *more), **options)


@unittest.skipUnless(BUILT, "built without llhttp or OpenSSL")
@harness.for_each_backend
class Http_server(Folder):
    def setUp(self):
        Folder.setUp(self)
        self.serve()

    def ask(self, request, client=None):
        client = client or self.http.client()
        client.send(request)
        return read_reply(client, request.split(b" ")[0])

    def get(self, target, *headers):
        return self.ask(b"GET %s HTTP/1.1\r\n%s%s\r\n" % (target, HOST, b"".join(headers)))

    def assert_refused(self, request, status):
        """One reply with the status, and then the end, whatever follows."""
        client = self.http.client()
        client.send_what_is_taken(request)
        self.assertEqual(read_reply(client)[0], status, request[:200])
        self.assertEqual(client.recv_to_close(), b"", request[:200])

    def test_pythons_client_keeps_its_connection(self):
        host, port = harness.parse_address(self.http.address)[1]
        client = http.client.HTTPConnection(host, port, timeout=harness.DEADLINE)
        self.addCleanup(client.close)
        sockets = set()
        for target, body in (("/", b"<p>hello"), ("/file", FILE), ("/empty", b""),
                             ("/a%20b?query", b"spaced")):
            client.request("GET", target)
            sockets.add(client.sock)
            reply = client.getresponse()
            self.assertEqual((reply.status, reply.read()), (200, body))
            client.request("HEAD", target)
            reply = client.getresponse()
            self.assertEqual((reply.status, reply.read()), (200, b""))
            self.assertEqual(int(reply.headers["Content-Length"]), len(body))
        client.request("POST", "/", body=iter([b"in ", b"chunks"]), encode_chunked=True)
        self.assertEqual(client.getresponse().read(), b"in chunks")
        client.request("POST", "/", body=b"x" * MIB)
        self.assertEqual(client.getresponse().read(), b"x" * MIB)
        self.assertEqual(len(sockets), 1)

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_curl(self):
        url = "http://" + self.http.address
        for extra, body in ((["/file"], FILE), (["/file", "-r", "1-1000"], FILE[1:1001]),
                            (["/", "-d", "said", "-H", "Expect: 100-continue"], b"said"),
                            (["/", "--http1.0"], b"<p>hello")):
            result = harness.run_command(["curl", "-sS", "--fail", url + extra[0], *extra[1:]])
            self.assertEqual((result.returncode, result.stderr), (0, b""))
            self.assertEqual(result.stdout, body)

    @unittest.skipUnless(shutil.which("h2load"), "h2load is not installed")
    def test_h2load_with_pipelining(self):
        result = harness.run_command(
            ["h2load", "--h1", "-n", "2000", "-c", "10", "-m", "10",
             f"http://{self.http.address}/index.html"])
        self.assertIn(b"2000 succeeded, 0 failed, 0 errored", result.stdout)

    def test_pipelined_requests_are_answered_in_order(self):
        client = self.http.client()
        get = b"GET %s HTTP/1.1\r\n" + HOST + b"\r\n"
        post = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" \
            b"3;ext=1\r\none\r\n3\r\ntwo\r\n0\r\nTrailer: x\r\n\r\n"
        client.send(get % b"/" + post + get % b"/none" + get % b"/file")
        replies = [read_reply(client) for _ in range(4)]
        self.assertEqual([r[0] for r in replies], [200, 200, 404, 200])
        self.assertEqual([r[2] for r in replies if r[0] == 200], [b"<p>hello", b"onetwo", FILE])

    def test_requests_may_come_byte_by_byte(self):
        client = self.http.client()
        for byte in b"\r\nPOST / HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nhi":
            client.send(bytes([byte]))
        self.assertEqual(read_reply(client)[2], b"hi")

    def test_a_client_that_expects_is_told_to_continue(self):
        client = self.http.client()
        head = b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
        client.send(head % 5)
        self.assertEqual(client.recv_exactly(25), b"HTTP/1.1 100 Continue\r\n\r\n")
        client.send(b"hello")
        self.assertEqual(read_reply(client)[2], b"hello")
        self.assert_refused(head % (2 * MIB), 413)  # without having been told to go on

    def test_a_refusal_gives_its_reason(self):
        for request, status, reason in (
                (b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400, b"Invalid header token\n"),
                (b"DELETE / HTTP/1.1\r\n" + HOST + b"\r\n", 405, b"refused\n")):
            got, headers, body = self.ask(request)
            self.assertEqual((got, body), (status, reason))
            self.assertEqual(headers[b"Connection"], b"close")

    def test_ranges(self):
        size = len(FILE)
        for asked, status, start, end in (
                (b"0-0", 206, 0, 1), (b"5-9", 206, 5, 10),
                (b"%d-" % (size - 3), 206, size - 3, size),
                (b"-4", 206, size - 4, size), (b"0-99999999", 206, 0, size),
                (b"-99999999", 206, 0, size), (b"x-3", 200, 0, size), (b"9-5", 200, 0, size),
                (b"0-1,4-5", 200, 0, size), (b"-", 200, 0, size)):
            got, headers, body = self.get(b"/file", b"Range: bytes=%s\r\n" % asked)
            self.assertEqual((got, len(body)), (status, end - start), asked)
            self.assertEqual(body, FILE[start:end])
            if status == 206:
                range_sent = b"bytes %d-%d/%d" % (start, end - 1, size)
                self.assertEqual(headers[b"Content-Range"], range_sent)
        for target, asked in ((b"/file", b"2097152-"), (b"/file", b"-0"), (b"/empty", b"0-")):
            got, headers, body = self.get(target, b"Range: bytes=%s\r\n" % asked)
            self.assertEqual((got, body), (416, b""), asked)
            self.assertTrue(headers[b"Content-Range"].startswith(b"bytes */"))
        self.assertEqual(self.get(b"/file", b"Range: bytes=0-0\r\n", b'If-Range: "v"\r\n')[0], 200)
        head = self.ask(b"HEAD /file HTTP/1.1\r\n" + HOST + b"Range: bytes=0-0\r\n\r\n")
        trailed = self.ask(b"GET /file HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
                           b"0\r\nRange: bytes=0-0\r\n\r\n")
        self.assertEqual(trailed[0], 200)
        self.assertEqual((head[0], int(head[1][b"Content-Length"])), (200, size))  # GET's alone

    def test_no_path_leads_out_of_the_folder(self):
        for target in (b"/../secret", b"/sub/../../secret", b"/%2e%2e/secret", b"/..%2fsecret",
                       b"/%2E./secret", b"/sub/..", b"/%00", b"/%", b"/%zz", b"/%2"):
            self.assertEqual(self.get(target)[0], 400, target)
        for target in (b"/none", b"/sub", b"/sub/", b"/file/x", b"//secret", b"/" + b"x" * 5000):
            self.assertEqual(self.get(target)[0], 404, target)

    def test_what_smuggles_requests_is_refused(self):
        post = b"POST / HTTP/1.1\r\n" + HOST
        inner = b"GET /secret HTTP/1.1\r\n" + HOST + b"\r\n"
        for request in (
                post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
                post + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
                post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" + inner,
                post + b"Content-Length: 5, 5\r\n\r\nhello" + inner,
                post + b"Content-Length: +5\r\n\r\nhello" + inner,
                post + b"Content-Length: -5\r\n\r\nhello" + inner,
                post + b"Content-Length : 5\r\n\r\nhello" + inner,
                post + b"Content-Length: 99999999999999999999\r\n\r\n" + inner,
                post + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + inner,
                post + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + inner,
                post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + inner,
                post + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n" + inner,
                post + b"Transfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n" + inner,
                post + b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n" + inner,
                b"GET / HTTP/1.1\nHost: here\n\n" + inner,
                b"GET / HTTP/1.1\r\nHost: here\n\r\n" + inner,
                b"GET / HTTP/1.1\r\nHost: h\0\r\n\r\n" + inner,
                b"GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n" + inner,
                b"GET / HTTP/1.1\r\n\r\n" + inner,
                b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n" + inner,
                b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n" + inner,
                b"GET / HTTP/1.1\r\n" + HOST + b": y\r\n\r\n" + inner,
                post + b"Content-Length:\r\n 5\r\n\r\nhello" + inner,
                post + b"Transfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n" + inner,
                post + b"X: y\r\n Content-Length: 5\r\n\r\n" + inner,
                b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"0\r\n\r\n" + inner,
                b"nonsense\r\n\r\n", b"\x16\x03\x01\0\x01"):
            self.assert_refused(request, 400)
        for codings in (b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding:\r\n",
                        b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"):
            self.assert_refused(post + codings + b"\r\n0\r\n\r\n" + inner, 400)

    def test_a_folded_line_is_refused_also_byte_by_byte(self):
        client = self.http.client()
        for byte in b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length:\r\n 2\r\n\r\n":
            client.send(bytes([byte]))
        self.assertEqual(read_reply(client)[0], 400)

    def test_what_looks_folded_in_a_body_is_not(self):
        body = b" \n x"
        reply = self.ask(b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: Chunked \r\n\r\n"
                         b"4\r\n%s\r\n0\r\nTrailer: x\r\n\r\n" % body)
        self.assertEqual((reply[0], reply[2]), (200, body))
        reply = self.ask(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\n" + body)
        self.assertEqual((reply[0], reply[2]), (200, body))

    def test_what_is_too_large_or_not_known_is_refused(self):
        get = b"GET / HTTP/1.1\r\n" + HOST
        post = b"POST / HTTP/1.1\r\n" + HOST
        self.assert_refused(get + b"X: " + b"x" * (64 * KIB), 431)
        self.assert_refused(get + b"X: y\r\n" * 4000 + b"\r\n", 431)
        self.assert_refused(b"GET /" + b"x" * (64 * KIB), 431)
        self.assert_refused(post + b"Content-Length: %d\r\n\r\n" % (MIB + 1), 413)
        chunks = b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n%s\r\n" % (b"x" * 64 * KIB) * 17
        self.assert_refused(post + chunks, 413)
        self.assert_refused(b"DELETE / HTTP/1.1\r\n" + HOST + b"\r\n", 405)
        self.assert_refused(b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n", 405)
        self.assert_refused(b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n", 200)
        self.assert_refused(b"GET / HTTP/1.0\r\n\r\n", 200)

    def test_an_upgrade_is_not_taken(self):
        client = self.http.client()
        upgrade = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        for _ in range(2):
            self.assertEqual(self.ask(upgrade, client)[0], 200)

    def test_at_sigterm_what_has_arrived_is_answered(self):
        idle, busy = self.http.client(), self.http.client()
        self.assertEqual(self.ask(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", idle)[0], 200)
        self.http.stop()
        busy.send(b"GET /file HTTP/1.1\r\n" + HOST + b"\r\n")
        self.http.signal(signal.SIGTERM)
        self.http.resume()
        self.assertEqual(read_reply(busy)[2], FILE)
        self.assertEqual(idle.recv_to_end(), b"")
        self.http.assert_exits_0()


@unittest.skipUnless(BUILT, "built without llhttp or OpenSSL")
class Slow_clients(Folder, harness.End_to_end):
    def test_a_slow_request_is_ended_by_its_time_limit(self):
        servers = self.servers(NAME, arguments=(self.path("served"),))
        clients = [server.client() for server in servers]
        ended, start = set(), time.monotonic()
        for byte in (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 100):
            for client in clients:
                client.send_what_is_taken(bytes([byte]))
            harness.observe(0.2)
            for client in clients:
                try:
                    client.socket.setblocking(False)
                    if client.socket.recv(1) == b"":
                        ended.add(client)
                except BlockingIOError:
                    pass
                except ConnectionResetError:
                    ended.add(client)
                client.socket.settimeout(harness.DEADLINE)
            if len(ended) == len(clients):
                break
        self.assertEqual(len(ended), len(clients))
        self.assertGreater(time.monotonic() - start, 4.5)


@unittest.skipUnless(BUILT, "built without llhttp or OpenSSL")
@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
@harness.for_each_backend
class Over_tls(Folder):
    def setUp(self):
        Folder.setUp(self)
        certificate, key = self.path("server.pem"), self.path("server.key")
        harness.run_command(
            ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "30", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate,
             "-keyout", key]).check_returncode()
        self.context = ssl.create_default_context(cafile=certificate)
        self.serve(certificate, key)

    def test_pythons_client(self):
        host, port = harness.parse_address(self.http.address)[1]
        client = http.client.HTTPSConnection(host, port, timeout=harness.DEADLINE,
                                             context=self.context)
        self.addCleanup(client.close)
        client.request("GET", "/file", headers={"Range": "bytes=1-"})
        reply = client.getresponse()
        self.assertEqual((reply.status, reply.read()), (206, FILE[1:]))
        client.request("POST", "/", body=b"x" * 100000)
        self.assertEqual(client.getresponse().read(), b"x" * 100000)


@unittest.skipUnless(BUILT, "built without llhttp or OpenSSL")
class Command_line(harness.End_to_end):
    def test_bad_arguments(self):
        self.assert_fails_naming(self.run_program(NAME, "nowhere"), "http_server", "nowhere")
        wrong = self.run_program(NAME, "127.0.0.1:0", ".", "/no/file", "/no/key")
        self.assert_fails_naming(wrong, "http_server", "/no/file")
        half = self.run_program(NAME, "127.0.0.1:0", ".", "/no/file")
        self.assert_fails_naming(half, "http_server", "KEY")
        unset = self.run_program(NAME, "127.0.0.1:0", "")
        self.assert_fails_naming(unset, "http_server", "FOLDER")


if __name__ == "__main__":
    unittest.main()

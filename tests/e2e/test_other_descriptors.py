# test_other_descriptors.py: c-ares and curl wait through anel, against servers of the test's own.
# SPDX-License-Identifier: MIT

import http.server
import os
import socket
import struct
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness


def needs(name):
    path = harness.program("embedding/" + name)
    return unittest.skipUnless(os.path.exists(path), f"built without the library of {name}")


class Name_server:
    """Answers every question of IPv4 with 192.0.2.N, N the length of the name's first label.

    A name that begins with "lost" is dropped once, and one that begins with "none" is not known.
    """

    def __init__(self, test):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.seen = set()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        test.addCleanup(self.stop)

    @property
    def address(self):
        return "127.0.0.1:%d" % self.socket.getsockname()[1]

    def serve(self):
        while True:
            question, sender = self.socket.recvfrom(512)
            if question == b"stop":
                return
            name = question[13:13 + question[12]]
            if name.startswith(b"lost") and name not in self.seen:
                self.seen.add(name)
                continue
            end = question.index(b"\0", 12) + 5
            known = not name.startswith(b"none")
            flags = 0x8180 if known else 0x8183
            answer = question[:2] + struct.pack("!HHHHH", flags, 1, known, 0, 0) + question[12:end]
            if known:
                answer += struct.pack("!HHHIH4B", 0xC00C, 1, 1, 60, 4, 192, 0, 2, len(name))
            self.socket.sendto(answer, sender)

    def stop(self):
        self.socket.sendto(b"stop", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


class Pages(http.server.BaseHTTPRequestHandler):
    """/N is a page of N bytes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        size = int(self.path[1:])
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(b"x" * size)

    def log_message(self, *_):
        pass


@needs("c_ares")
class C_ares(unittest.TestCase):
    def test_names_are_found_asked_again_and_told_unknown(self):
        for backend in harness.usable_backends():
            with self.subTest(backend=backend):
                server = Name_server(self)
                names = ["a.test.", "abc.test.", "none.test."]
                if backend == harness.usable_backends()[0]:
                    names.append("lost.test.")  # asked again after some seconds
                result = harness.run_program(
                    "embedding/c_ares", server.address, *names, backend=backend)
                self.assertEqual((result.returncode, result.stderr), (0, b""))
                lines = sorted(result.stdout.decode().splitlines())
                expected = ["a.test. 192.0.2.1", "abc.test. 192.0.2.3",
                            "none.test.: Domain name not found"]
                if len(names) > 3:
                    expected.insert(2, "lost.test. 192.0.2.4")
                self.assertEqual(lines, expected)

    def test_a_bad_server_is_an_error(self):
        result = harness.run_program("embedding/c_ares", "nonsense", "a.test.")
        self.assertEqual(result.returncode, 1)
        self.assertTrue(result.stderr.startswith(b"c_ares: "))


@needs("curl_multi")
class Curl_multi(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)
        self.url = "http://127.0.0.1:%d/" % self.server.server_address[1]

    def test_pages_are_fetched_at_once(self):
        for backend in harness.usable_backends():
            with self.subTest(backend=backend):
                sizes = [0, 1, 1000, 3_000_000, 77_777] + [100] * 20
                result = harness.run_program(
                    "embedding/curl_multi", *[self.url + str(size) for size in sizes],
                    backend=backend)
                self.assertEqual(result.returncode, 0)
                self.assertEqual(result.stdout.count(b"x"), sum(sizes))
                self.assertEqual(result.stderr, b"curl_multi: No error\n" * len(sizes))

    def test_a_server_that_is_not_there_is_told(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            url = "http://127.0.0.1:%d/" % nobody.getsockname()[1]
            for backend in harness.usable_backends():
                with self.subTest(backend=backend):
                    result = harness.run_program(
                        "embedding/curl_multi", url, self.url + "5", backend=backend)
                    self.assertEqual(result.stdout, b"xxxxx")
                    self.assertEqual(sorted(result.stderr.splitlines()), [
                        b"curl_multi: Couldn't connect to server", b"curl_multi: No error"])


if __name__ == "__main__":
    unittest.main()

# test_servers.py: the servers that anel-bench compares: what each answers, and how it ends.
# SPDX-License-Identifier: MIT
"""ANEL_BIN is the build directory. Those servers are tested that could be built there."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from test_bench import BENCH, DEADLINE, Server, anel_bench

SERVERS = os.path.join(BENCH, "servers")
NGINX = "nginx_server.py"


def assert_answers(test, address, *options):
    """On a busy machine no request may end within 50 ms."""
    for seconds in ("0.05", "0.5", "5"):
        ran = anel_bench("load", address, "--json", *options, "--seconds", seconds, "--warmup",
                         "0.02", expect=None)
        result = json.loads(ran.stdout)
        test.assertEqual(set(result["errors"].values()), {0, ""}, ran.stderr)
        if result["requests"] > 0:
            return
    test.fail(f"no reply from {address}: {ran.stdout}")


class Servers(unittest.TestCase):
    """All that could be built here, each with the whole protocol."""

    NAMES = sorted(name for name in os.listdir(SERVERS)
                   if os.access(os.path.join(SERVERS, name), os.X_OK) and name != "proxy.py")

    def test_each_answers_byte_for_byte(self):
        for name in self.NAMES:
            for options in (("--size", "200000", "--pipeline", "2"),
                            ("--times", "16", "--pipeline", "32"),
                            ("--times", "16", "--size", "20000"), ("--churn",)):
                if name == NGINX and "--size" in options:  # more than a socket takes at once
                    continue
                times = ("--times", "16") if "--times" in options else ()
                with self.subTest(name, options=options), Server(name, *times) as server:
                    self.assertRegex(server.announced, r"^listening on \S+ \([\w-]+\) \w")
                    assert_answers(self, server.address, "--connections", "4", *options)

    def test_each_keeps_the_order_when_a_peer_reads_slowly(self):
        sent = os.urandom(4 << 20)
        for name in self.NAMES:
            if name == NGINX:  # it cannot, and is left out of such loads
                ran = anel_bench("duel", "nginx", "epoll", "--slow", "1", expect=1)
                self.assertIn("nginx never sends what a socket does not take", ran.stderr)
                continue
            with self.subTest(name), Server(name) as server, socket.socket() as peer:
                host, port = server.address.split(":")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                peer.settimeout(DEADLINE)
                peer.connect((host, int(port)))
                sender = threading.Thread(target=peer.sendall, args=(sent,))
                sender.start()
                received = b""
                while len(received) < len(sent) and (some := peer.recv(1 << 16)):
                    received += some
                sender.join()
                self.assertEqual(len(received), len(sent))
                self.assertTrue(received == sent, "other bytes than were sent")

    def test_each_closes_what_its_peers_reset_or_finish_and_ends_with_success(self):
        for name in self.NAMES:
            with self.subTest(name), Server(name) as server:
                host, port = server.address.split(":")
                before = self.sockets(server)
                for reset in (True, False) * 3:
                    with socket.create_connection((host, int(port)), DEADLINE) as peer:
                        peer.sendall(b"x")
                        self.assertEqual(peer.recv(9), b"x")
                        if reset:
                            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                            struct.pack("ii", 1, 0))
                            continue
                        peer.sendall(b"the last")
                        peer.shutdown(socket.SHUT_WR)
                        with peer.makefile("rb") as rest:
                            self.assertEqual(rest.read(), b"the last")
                until = time.monotonic() + DEADLINE
                while self.sockets(server) > before:
                    self.assertLess(time.monotonic(), until, "a socket stays open")
                server.process.terminate()
                self.assertEqual(server.process.wait(DEADLINE), 0)

    def test_anel_has_several_loops_on_one_port(self):
        with socket.socket() as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % held.getsockname()[1]
            with Server("anel", "--loops", "2", on=address) as server:
                self.assertIn("loops: 2", server.announced)
                assert_answers(self, server.address, "--connections", "16")
        for words, why in ((("--loops", "0"), "--loops: not 1 to 1024"),
                           (("--loops", "-1"), "--loops: not 1 to 1024"),
                           (("--loops", "2", "127.0.0.1:0"), "--loops: each would listen")):
            ran = subprocess.run([os.path.join(SERVERS, "anel"), *words], capture_output=True,
                                 text=True, timeout=DEADLINE, check=False)
            self.assertEqual(ran.returncode, 1)
            self.assertIn(why, ran.stderr)

    @staticmethod
    def sockets(server):
        folder = f"/proc/{server.process.pid}/fd"
        count = 0
        for fd in os.listdir(folder):
            try:
                count += os.readlink(os.path.join(folder, fd)).startswith("socket:")
            except FileNotFoundError:
                pass  # closed meanwhile
        return count


@unittest.skipUnless(shutil.which("openssl"), "openssl makes the certificate")
class Secure(unittest.TestCase):
    """TLS, of the servers that have it and of the load."""

    NAMES = [name for name in ("anel", "asio", "asio_uring", "go_server", NGINX, "node_server.js")
             if name in Servers.NAMES]

    @classmethod
    def setUpClass(cls):
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=anel-bench", "-keyout", "-", "-out", "-"],
            capture_output=True, timeout=DEADLINE, check=True)
        cls.file = tempfile.NamedTemporaryFile(suffix=".pem")
        cls.file.write(made.stdout)
        cls.file.flush()
        if "without OpenSSL" in anel_bench("load", "127.0.0.1:1", "--tls", expect=1).stderr:
            raise unittest.SkipTest("built without OpenSSL")

    @classmethod
    def tearDownClass(cls):
        cls.file.close()

    def test_each_answers_byte_for_byte(self):
        for name in self.NAMES:
            for options in (("--pipeline", "16"), ("--size", "40000"), ("--churn",),
                            ("--churn", "--resume")):
                with self.subTest(name, options=options), \
                        Server(name, "--tls", self.file.name) as server:
                    assert_answers(self, server.address, "--tls", "--connections", "4", *options)

    def test_what_cannot_be_is_refused(self):
        for words, why in (
                (("uring", "uring", "--tls"), "uring has no TLS"),
                (("anel-epoll", "anel-epoll", "--churn", "--resume"),
                 "--resume is for the handshakes of --tls --churn"),
                (("anel-epoll", "anel-epoll", "--tls", "--udp"), "TLS needs a stream"),
                (("anel-epoll", "anel-epoll", "--tls", "--slow", "1"), "a slow reader of TLS")):
            self.assertIn(why, anel_bench("duel", *words, expect=1).stderr)
        with Server("epoll") as plain:
            ran = anel_bench("load", plain.address, "--tls", "--connections", "1", expect=1)
        self.assertRegex(ran.stderr, r"connect 127\.0\.0\.1:\d+ \(connection 1 of 1\): TLS: \w")

    def test_a_command_of_ones_own_gets_a_certificate(self):
        echo = os.path.join(os.environ["ANEL_BIN"], "examples", "tls_echo")
        command = f"{echo} 127.0.0.1:{{port}} {{certificate}} {{certificate}}"
        ran = anel_bench("duel", "anel-epoll", command, "--tls", "--connections", "4", "--time",
                         "2", "--starts", "2", "--slice", "20", "--no-causes", expect=None)
        self.assertEqual(ran.stderr, "")
        self.assertIn("TLS: 4 connections", ran.stdout)


class Proxies(unittest.TestCase):
    def test_each_passes_on_every_byte_and_takes_its_echo_with_it(self):
        for name in ("anel", "haproxy", "nginx"):
            if name != "anel" and not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin"):
                continue
            with self.subTest(name), socket.socket() as held:
                held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                held.bind(("127.0.0.1", 0))  # nobody else gets it, and the proxy may listen
                port = held.getsockname()[1]
                proxy = subprocess.Popen([os.path.join(SERVERS, "proxy.py"), name, str(port)],
                                         stdout=subprocess.DEVNULL)
                self.addCleanup(proxy.kill)
                self.wait_for(lambda: self.listens(port), proxy)
                with open(f"/proc/{proxy.pid}/task/{proxy.pid}/children",
                          encoding="utf-8") as file:
                    echo = int(file.read().split()[0])
                for size in ("64", "200000"):
                    assert_answers(self, f"127.0.0.1:{port}", "--connections", "4", "--size", size)
                proxy.terminate()
                self.assertIn(proxy.wait(DEADLINE), (0, -signal.SIGTERM))  # HAProxy leaves it be
                self.wait_for(lambda: self.has_ended(echo))

    @staticmethod
    def listens(port):
        with socket.socket() as peer:
            return peer.connect_ex(("127.0.0.1", port)) == 0

    @staticmethod
    def has_ended(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                return stat.read().rpartition(")")[2].split()[0] == "Z"  # init comes when it likes
        except FileNotFoundError:
            return True

    def wait_for(self, condition, process=None):
        until = time.monotonic() + DEADLINE
        while not condition():
            self.assertTrue(process is None or process.poll() is None, "it has ended")
            self.assertLess(time.monotonic(), until)


if __name__ == "__main__":
    unittest.main()

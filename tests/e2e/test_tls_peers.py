# test_tls_peers.py: nginx, haproxy, openssl and Python's library as peers, on both sides.
# SPDX-License-Identifier: MIT

import contextlib
import csv
import os
import random
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from certificates import Certificates

CLIENT = os.path.join(os.environ["ANEL_BIN"], "tests/tls_client")
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
REFUSED = r"tls_echo: (TLS handshake with|recv) .*"

NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    ssl_session_cache shared:all:1m; ssl_certificate {server[0]};
    ssl_certificate_key {server[1]};
    {servers}
}}
"""
HAPROXY = """
defaults
    timeout client 20s
    timeout server 20s
    timeout connect 20s
"""


def free_ports(count):
    """Ports that nobody listens on, and that no system gives to a socket that asks for any."""
    ports = []
    while len(ports) < count:
        port = random.randrange(15_000, 30_000)
        with socket.socket() as each, contextlib.suppress(OSError):
            each.bind(("127.0.0.1", port))
            ports += [port] if port not in ports else []
    return ports


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Peers(harness.End_to_end):
    """Certificates, and programs that end with the test."""

    def setUp(self):
        self.certificates = Certificates(self)
        self.files = self.certificates.make(
            "server", "/CN=localhost", "subjectAltName=DNS:localhost",
            "basicConstraints=critical,CA:FALSE", issuer="root")  # and not for 127.0.0.1
        self.alice = self.certificates.make("alice", "/CN=alice", issuer="root")

    def start(self, command, port):
        """Starts a server, which must say nothing before it accepts connections."""
        log = open(self.certificates.path("log"), "ab")
        self.addCleanup(log.close)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(process.wait, harness.DEADLINE)
        self.addCleanup(process.kill)

        def is_there():
            if process.poll() is not None:
                with open(self.certificates.path("log"), encoding="utf-8") as text:
                    self.fail(f"{command[0]} has ended: {text.read()}")
            return accepts(port)
        harness.poll_until(f"{command[0]} at {port}", is_there)

    def nginx(self, servers, port):
        folder = self.certificates.folder
        path = self.certificates.path("nginx.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(NGINX.format(folder=folder, server=self.files, servers=servers))
        self.start(["nginx", "-p", folder, "-c", path, "-e", "stderr"], port)

    def haproxy(self, sections, port):
        path = self.certificates.path("haproxy.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(HAPROXY + sections)
        self.start(["haproxy", "-db", "-f", path], port)

    def both(self, files, name):
        """A file of a certificate and its key, as haproxy reads it."""
        path = self.certificates.path(name)
        with open(path, "wb") as whole:
            for each in files:
                with open(each, "rb") as part:
                    whole.write(part.read())
        return path

    def run_client(self, backend, port, times=1, show=(), host="localhost", roots=None):
        return harness.run_command(
            [CLIENT, host, str(port), roots or self.certificates.root, str(times), *show],
            input=REQUEST, env=harness.environment(backend))

    def ask(self, port, *lines, **options):
        """What tls_client prints, on each backend; each line of it begins a connection."""
        for backend in harness.usable_backends():
            result = self.run_client(backend, port, len(lines), **options)
            self.assertEqual(result.stderr, b"", backend)
            said = result.stdout.decode()
            for line in lines:
                self.assertIn(line + "\n", said)
                said = said[said.index(line) + len(line):]
                yield said

    def assert_refused(self, port, *reasons, **options):
        result = self.run_client(None, port, **options)
        said = result.stderr.decode()
        self.assertTrue(said.startswith("tls_client: "), said)
        self.assertEqual((result.returncode, said.count("\n")), (1, 1), said)
        for reason in reasons:
            self.assertIn(reason, said)

    def assert_strangers_refused(self, port):
        """By this client, which takes no certificate that is not the host's."""
        place = f"TLS handshake with 127.0.0.1:{port} (certificate CN="
        self.assert_refused(port, place + "localhost): certificate refused: IP address mismatch",
                            host="127.0.0.1")
        other = Certificates(self)
        # The chain holds no root, so an unknown one is a certificate that is missing.
        self.assert_refused(port, place, "unable to get local issuer certificate",
                            roots=other.root)


@unittest.skipUnless(os.path.exists(CLIENT), "tls_client is not built")
class Servers_of_others(Peers):
    @unittest.skipUnless(shutil.which("nginx"), "nginx is not installed")
    def test_nginx(self):
        ports = free_ports(3)
        each = "server {{ listen 127.0.0.1:{} ssl; ssl_protocols {}; {} location / {{ return 200" \
            ' "nginx $ssl_session_reused $ssl_client_s_dn."; }} }}\n'
        asks = f"ssl_client_certificate {self.certificates.root}; ssl_verify_client optional;"
        self.nginx(each.format(ports[0], "TLSv1.3", "") + each.format(ports[1], "TLSv1.2", "") +
                   each.format(ports[2], "TLSv1.3", asks), ports[2])
        for port, version in zip(ports, ("TLSv1.3", "TLSv1.2")):
            replies = self.ask(port, f"{version} http/1.1 full", f"{version} http/1.1 resumed")
            for reply, reused in zip(replies, [".", "r"] * 3):
                self.assertIn(f"nginx {reused}", reply)
        for reply in self.ask(ports[2], "TLSv1.3 http/1.1 full", show=self.alice):
            self.assertIn("CN=alice.", reply)
        stranger = Certificates(self).make("stranger", "/CN=stranger")
        for reply in self.ask(ports[2], "TLSv1.3 http/1.1 full", show=stranger):
            self.assertIn("400 The SSL certificate error", reply)
        self.assert_strangers_refused(ports[0])

    @unittest.skipUnless(shutil.which("haproxy"), "haproxy is not installed")
    def test_haproxy(self):
        ports = free_ports(3)
        server = self.both(self.files, "server.both")
        section = "frontend f{0}\n    mode http\n    bind 127.0.0.1:{0} ssl crt " + server + \
            " alpn h2,http/1.1 ssl-min-ver {1} ssl-max-ver {1} {2}\n" \
            "    http-request return status 200 content-type text/plain lf-string " \
            '"haproxy %[ssl_fc_is_resumed] %[ssl_c_s_dn(cn)]."\n'
        asks = f"ca-file {self.certificates.root} verify required"
        self.haproxy(section.format(ports[0], "TLSv1.3", "") +
                     section.format(ports[1], "TLSv1.2", "") +
                     section.format(ports[2], "TLSv1.3", asks), ports[2])
        for port, version in zip(ports, ("TLSv1.3", "TLSv1.2")):
            replies = self.ask(port, f"{version} http/1.1 full", f"{version} http/1.1 resumed")
            for reply, resumed in zip(replies, ["0", "1"] * 3):
                self.assertIn(f"haproxy {resumed} .", reply)
        for reply in self.ask(ports[2], "TLSv1.3 http/1.1 full", show=self.alice):
            self.assertIn("haproxy 0 alice.", reply)
        self.assert_refused(ports[2], f"recv 127.0.0.1:{ports[2]}: ", "certificate required")
        self.assert_strangers_refused(ports[0])

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_openssl_s_server(self):
        for option, version in ("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2"):
            port, = free_ports(1)
            self.start(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", option,
                        "-alpn", "http/1.1", "-cert", self.files[0], "-key", self.files[1]], port)
            lines = f"{version} http/1.1 full", f"{version} http/1.1 resumed"
            for reply in self.ask(port, *lines):
                self.assertIn("s_server -accept", reply)
            self.assert_strangers_refused(port)

    def test_python(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.files)
        context.load_verify_locations(self.certificates.root)
        context.verify_mode = ssl.CERT_REQUIRED
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        asked = []

        def serve():
            with listener.accept()[0] as plain:
                plain.settimeout(harness.DEADLINE)
                with context.wrap_socket(plain, server_side=True) as secure:
                    asked.append((secure.recv(1000), secure.getpeercert()["subject"]))
                    secure.sendall(b"python" * 100_000)
                    secure.unwrap().close()

        for backend in harness.usable_backends():
            thread = threading.Thread(target=serve)
            thread.start()
            result = self.run_client(backend, listener.getsockname()[1], show=self.alice)
            thread.join()
            self.assertEqual((result.stderr, result.returncode), (b"", 0))
            self.assertEqual(result.stdout, b"TLSv1.3 - full\n" + b"python" * 100_000)
            self.assertEqual(asked.pop(), (REQUEST, ((("commonName", "alice"),),)))


class Proxies_of_others(Peers):
    """A proxy speaks TLS to its clients, and to a server of this library."""

    def connect(self, port):
        context = ssl.create_default_context(cafile=self.certificates.root)
        plain = socket.create_connection(("127.0.0.1", port), harness.DEADLINE)
        secure = context.wrap_socket(plain, server_hostname="localhost")
        self.addCleanup(secure.close)
        return secure

    @unittest.skipUnless(shutil.which("nginx"), "nginx is not installed")
    @unittest.skipUnless(os.path.exists(harness.program("http/http_server")),
                         "built without llhttp")
    def test_nginx(self):
        with open(self.certificates.path("file"), "wb") as file:
            file.write(b"through nginx" * 50_000)
        for backend in harness.usable_backends():
            for version in "TLSv1.3", "TLSv1.2":
                http = self.server("http/http_server", backend=backend,
                                   arguments=(self.certificates.folder, *self.files))
                port, = free_ports(1)
                self.nginx(f"upstream anel {{ server {http.address}; keepalive 2; }}\n"
                           f"server {{ listen 127.0.0.1:{port} ssl; location / {{"
                           f" proxy_pass https://anel; proxy_ssl_protocols {version};"
                           " proxy_ssl_verify on; proxy_ssl_name localhost;"
                           " proxy_ssl_server_name on; proxy_http_version 1.1;"
                           ' proxy_set_header Connection ""; proxy_set_header Host localhost;'
                           f" proxy_ssl_trusted_certificate {self.certificates.root}; }} }}", port)
                for _ in range(3):
                    secure = self.connect(port)
                    secure.sendall(REQUEST.replace(b"/ ", b"/file "))
                    reply = b""
                    while part := secure.recv(65536):
                        reply += part
                    self.assertTrue(reply.startswith(b"HTTP/1.1 200 OK\r\n"), reply[:200])
                    self.assertTrue(reply.endswith(b"\r\n\r\n" + b"through nginx" * 50_000))

    @unittest.skipUnless(shutil.which("haproxy"), "haproxy is not installed")
    def test_haproxy(self):
        for backend in harness.usable_backends():
            echo = self.server("tls_echo", backend=backend, stderr_allowed=REFUSED,
                               arguments=(*self.files, self.certificates.root))
            section = "listen l{0}\n    mode tcp\n    bind 127.0.0.1:{0} ssl crt " + \
                self.both(self.files, "server.both") + \
                f"\n    server anel {echo.address} ssl verify required sni str(localhost)" \
                f" verifyhost localhost ca-file {self.certificates.root}" \
                f" crt {self.both(self.alice, 'alice.both')} ssl-max-ver {{1}}" \
                " check inter 2s fall 10\n"
            ports = free_ports(2)
            self.haproxy(section.format(ports[0], "TLSv1.3") +
                         section.format(ports[1], "TLSv1.2"), ports[1])
            for port in ports * 2:
                secure = self.connect(port)
                data = os.urandom(100_000)
                secure.sendall(data)
                received = b""
                while len(received) < len(data):
                    part = secure.recv(65536)
                    self.assertTrue(part, f"an end after {len(received)} bytes")
                    received += part
                self.assertEqual(received, data)
                secure.unwrap().close()


TESTSSL = shutil.which("testssl") or shutil.which("testssl.sh")
# What testssl.sh finds besides TLS: its own helpers, records of a domain, headers of HTTP.
NO_TLS = {"engine_problem", "DNS_CAArecord", "HSTS", "HSTS_time", "security_headers"}


@unittest.skipUnless("ANEL_LONG" in os.environ, "two minutes long: only in a long check")
@unittest.skipUnless(TESTSSL, "testssl.sh is not installed")
class Testssl(harness.End_to_end):
    def assert_good(self, name, kind, *arguments, **options):
        """testssl.sh finds nothing worse than `OK` in a server with a key of that kind."""
        certificates = Certificates(self, kind)
        files = certificates.server(more=["extendedKeyUsage=serverAuth",
                                          "keyUsage=critical,digitalSignature",
                                          "crlDistributionPoints=URI:http://localhost/crl"])
        server = self.server(name, arguments=(*arguments, *files), **options)
        port = harness.parse_address(server.address)[1][1]
        findings = certificates.path("findings.csv")
        subprocess.run(
            [TESTSSL, "--quiet", "--color", "0", "--warnings", "batch", "--csvfile", findings,
             "--add-ca", certificates.root, f"https://localhost:{port}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=900)
        with open(findings, encoding="utf-8", newline="") as file:
            found = {row["id"]: row for row in csv.DictReader(file)}
        self.assertLessEqual(
            {"heartbleed", "secure_client_renego", "ROBOT", "TLS1_3", "cert_chain_of_trust",
             "cipherlist_STRONG", "LUCKY13", "cipher_order"}, found.keys())
        self.assertEqual(
            [row for name, row in found.items()
             if row["severity"] not in ("OK", "INFO", "DEBUG") and name not in NO_TLS], [])

    def test_tls_echo(self):
        self.assert_good("tls_echo", "rsa", stderr_allowed=REFUSED)

    @unittest.skipUnless(os.path.exists(harness.program("http/http_server")),
                         "built without llhttp")
    def test_http_server(self):
        self.assert_good("http/http_server", "ec", os.path.dirname(os.path.abspath(__file__)))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""beside.py: examples of anel beside the servers they are like, each asked in its own protocol.

    bench/beside.py BUILD [NAME ...]      BUILD is build/release; without names, all that can run

Both servers live on one CPU and are asked in turn from another, a slice each, by wrk,
redis-benchmark, or `openssl s_time`: a handshake and one request. A pair of slices gives a ratio of
CPU time a request; a start gives the median of its pairs; the interval is Student's over the
starts, as in `anel-bench duel`. Knows nothing of anel but its programs; needs nginx and wrk,
redis-server and redis-benchmark, or openssl and haproxy.
"""
# SPDX-License-Identifier: MIT
import argparse
import math
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SERVER_CPU, CLIENT_CPU = 0, 1
STARTS, PAIRS = 5, 4
STUDENT = 2.776  # 95 %, 4 degrees of freedom

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log stderr emerg;
events {{ worker_connections 4096; multi_accept on; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    open_file_cache max=100; open_file_cache_valid 1h;
    types {{ }} default_type text/plain;
    server {{ listen 127.0.0.1:{port} backlog=4096{listen}; root {folder}; }}
}}
"""

HAPROXY = """
global
    nbthread 1
defaults
    mode http
    timeout client 10s
    timeout connect 10s
    timeout server 10s
frontend f
    bind 127.0.0.1:{port} ssl crt {folder}/both.pem
    http-request return status 200 content-type text/plain string here
"""


def nginx(_, folder, port, listen=""):
    file = os.path.join(folder, "nginx.conf")
    with open(file, "w", encoding="utf-8") as out:
        out.write(NGINX.format(folder=folder, port=port, listen=listen))
    return ["nginx", "-e", "stderr", "-c", file]


def nginx_tls(build, folder, port):
    both = f"{folder}/both.pem"
    return nginx(build, folder, port, f" ssl; ssl_protocols TLSv1.3; ssl_certificate {both}; "
                                      f"ssl_certificate_key {both}")  # before 1.23.4 only to 1.2


def haproxy(_, folder, port):
    file = os.path.join(folder, "haproxy.cfg")
    with open(file, "w", encoding="utf-8") as out:
        out.write(HAPROXY.format(folder=folder, port=port))
    return ["haproxy", "-q", "-db", "-f", file]


def s_server(_, folder, port):
    return ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", f"{folder}/both.pem",
            "-quiet", "-WWW"]


def http_server(build, folder, port):
    return [f"{build}/examples/http/http_server", f"127.0.0.1:{port}", folder]


def https_server(build, folder, port):
    return [*http_server(build, folder, port), f"{folder}/both.pem", f"{folder}/both.pem"]


def redis_server(_, folder, port):
    return ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--dir",
            folder]


def mini_redis(build, _, port):
    return [f"{build}/examples/mini_redis", f"127.0.0.1:{port}"]


def wrk(name, connections):
    def command(port):
        return ["wrk", "-t1", f"-c{connections}", "-d1s", f"http://127.0.0.1:{port}/{name}"]
    return command, lambda text: int(re.search(r"(\d+) requests in", text)[1])


def redis_benchmark(test, in_flight, requests):
    def command(port):
        return ["redis-benchmark", "-p", str(port), "-t", test, "-P", str(in_flight), "-n",
                str(requests), "-c", "64", "-q"]
    return command, lambda text: requests


# A client that only shakes hands is gone before its last message is read, and HAProxy does no more
# for it then. So this one waits for an answer, which no server needs a file for: a path above the
# root is refused.
def handshakes():
    def command(port):
        return ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", "1",
                "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-www", "/.."]
    return command, lambda text: int(re.search(r"(\d+) connections in \d+ real", text)[1])


def make_files(folder):
    for file, size in (("1k", 1 << 10), ("1m", 1 << 20)):
        with open(os.path.join(folder, file), "wb") as out:
            out.write(os.urandom(size))
    if shutil.which("openssl"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-keyout",
                        f"{folder}/both.pem", "-out", f"{folder}/certificate.pem"],
                       capture_output=True, check=True)
        with (open(f"{folder}/both.pem", "ab") as both,
              open(f"{folder}/certificate.pem", "rb") as certificate):
            both.write(certificate.read())


DUELS = {  # name: ours, the other, the client
    "http-1k": (http_server, nginx, wrk("1k", 64)),
    "http-1m": (http_server, nginx, wrk("1m", 16)),
    "redis-get": (mini_redis, redis_server, redis_benchmark("get", 1, 60_000)),
    "redis-get-16": (mini_redis, redis_server, redis_benchmark("get", 16, 500_000)),
    "redis-set-16": (mini_redis, redis_server, redis_benchmark("set", 16, 500_000)),
    "tls-nginx": (https_server, nginx_tls, handshakes()),
    "tls-haproxy": (https_server, haproxy, handshakes()),
    "tls-s_server": (https_server, s_server, handshakes()),
}


def cpu_of(pid):
    """All its threads, those too that have ended, in seconds."""
    return time.clock_gettime((~pid << 3) | 2)


class Server:
    def __init__(self, make, build, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            make(build, folder, self.port), stdout=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CPU}))
        until = time.monotonic() + 10
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                if self.process.poll() is not None or time.monotonic() > until:
                    sys.exit(f"beside.py: {self.process.args[0]} does not listen")
                time.sleep(0.02)

    def ask(self, client):
        """CPU time for a request in µs, and requests a second."""
        command, count = client
        used, began = cpu_of(self.process.pid), time.monotonic()
        ran = subprocess.run(command(self.port), capture_output=True, text=True, check=True,
                             preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CPU}))
        taken, requests = time.monotonic() - began, count(ran.stdout)
        if re.search(r"Non-2xx|Socket errors|ERR", ran.stdout):
            sys.exit(f"beside.py: {ran.args[0]}: {ran.stdout}")
        return 1e6 * (cpu_of(self.process.pid) - used) / requests, requests / taken

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def start(duel, build, folder):
    """The median ratio of one start, other over ours, and what was seen of each."""
    *makes, client = duel
    servers = [Server(make, build, folder) for make in makes]
    seen = [[], []]
    for one in servers:
        one.ask(client)  # warms up
    for _ in range(PAIRS):
        for place in random.sample((0, 1), 2):
            seen[place].append(servers[place].ask(client))
    for one in servers:
        one.stop()
    return statistics.median(b[0] / a[0] for a, b in zip(*seen)), seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("names", nargs="*", choices=[*DUELS, []])
    given = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin"
    for name in given.names or DUELS:
        ours, other, client = DUELS[name]
        with tempfile.TemporaryDirectory() as folder:
            make_files(folder)
            needed = [ours(given.build, folder, 1)[0], other("", folder, 1)[0], client[0](1)[0]]
            if missing := [program for program in needed if not shutil.which(program)]:
                print(f"{name}: left out, no {', '.join(missing)}")
                continue
            starts = [start(DUELS[name], given.build, folder) for _ in range(STARTS)]
        logs = [math.log(ratio) for ratio, _ in starts]
        middle, wing = statistics.mean(logs), STUDENT * statistics.stdev(logs) / math.sqrt(STARTS)
        low, high = math.exp(middle - wing), math.exp(middle + wing)
        print(f"{name}: {other.__name__} needs {math.exp(middle):.2f} [{low:.2f}, {high:.2f}] of "
              f"{ours.__name__}'s CPU time, {STARTS} starts of {PAIRS} pairs")
        for place, make in enumerate((ours, other)):
            slices = [one for _, seen in starts for one in seen[place]]
            cpu, rate = (statistics.median(column) for column in zip(*slices))
            print(f"    {make.__name__}: {cpu:.2f} µs a request, {rate:,.0f} requests/s",
                  flush=True)


main()

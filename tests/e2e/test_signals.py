# test_signals.py: every example ends soon after the first SIGINT or SIGTERM, whatever it waits for.
# SPDX-License-Identifier: MIT

import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/*.cpp")
SOON = 1.0  # seconds; 2 to 20 ms when nothing else runs on the machine


def silent_port(test):
    """A port of 127.0.0.1 that lets a connect wait: its backlog is full."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    test.addCleanup(listener.close)
    for _ in range(4):
        client = socket.socket()
        test.addCleanup(client.close)
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
    return str(listener.getsockname()[1])


def silent_peer(test):
    """The address of a UDP socket that answers nothing."""
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    test.addCleanup(peer.close)
    peer.bind(("127.0.0.1", 0))
    return "127.0.0.1:%d" % peer.getsockname()[1]


def certificate(test):
    """The files of a certificate and of its key."""
    folder = tempfile.mkdtemp(prefix="anel_signals.")
    test.addCleanup(shutil.rmtree, folder)
    files = [os.path.join(folder, name) for name in ("server.pem", "server.key")]
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=a"]
    harness.run_command(command + ["-out", files[0], "-keyout", files[1]]).check_returncode()
    return files


# How each is started so that it waits for something that does not come.
WAITING = {
    "chat": lambda test: [["127.0.0.1:0"]],
    "happy_eyeballs": lambda test: [["127.0.0.1", silent_port(test)]],
    "mini_redis": lambda test: [["127.0.0.1:0"]],
    "port_scan": lambda test: [["127.0.0.1", "1-65535"]],
    "proxy": lambda test: [["127.0.0.1:0", "127.0.0.1:1"]],
    "request_reply_client": lambda test: [
        [test.server("request_reply_server").address],
        ["127.0.0.1:" + silent_port(test), "upper x"],
        ["--udp", silent_peer(test), "upper x"],
        ["--udp", silent_peer(test)],
    ],
    "request_reply_server": lambda test: [["127.0.0.1:0"]],
    "shell": lambda test: [["127.0.0.1:0"]],
    "simulated_partition": lambda test: [["--seeds=1000000"]],
    "tcp_echo": lambda test: [["127.0.0.1:0"]],
    "tls_echo": lambda test: [["127.0.0.1:0", *certificate(test)]],
    "udp_echo": lambda test: [["127.0.0.1:0"]],
}


@harness.for_each_backend
class Signals:
    def ends_soon(self, name, arguments, signum):
        process = subprocess.Popen(
            [harness.program(name), *arguments],
            stdin=subprocess.PIPE,  # and nothing ever comes
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=harness.environment(self.backend),
        )
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        state = harness.Process_state(process.pid)
        if name != "simulated_partition":  # which leaves signals their usual effect
            harness.poll_until(f"{name} to watch signals", lambda: state.catches(signum))
        process.send_signal(signum)
        begin = time.monotonic()
        code = process.wait(harness.DEADLINE)
        self.assertIn(code, (0, -signum))
        return time.monotonic() - begin < SOON * harness.slowness(name)

    def test_every_example_ends_soon_after_a_signal(self):
        names = [os.path.basename(path).removesuffix(".cpp") for path in glob.glob(SOURCES)]
        self.assertEqual(sorted(names), sorted(WAITING), "one entry an example")
        if not os.path.exists(harness.program("tls_echo")):  # built where there is OpenSSL
            names.remove("tls_echo")
        for name in names:
            for arguments in WAITING[name](self):
                for signum in (signal.SIGINT, signal.SIGTERM):
                    with self.subTest(name, arguments=arguments, signum=signum):
                        # Of three one may be held up by other programs, and two.
                        self.assertTrue(any(self.ends_soon(name, arguments, signum)
                                            for _ in range(3)), f"three took {SOON} s and more")


if __name__ == "__main__":
    unittest.main(verbosity=2)

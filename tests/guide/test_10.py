# test_10.py: chapter 10: the echo server and its client, on each backend.
# SPDX-License-Identifier: MIT

import os
import signal
import unittest
from pathlib import Path

import support
from backends import usable
from support import Program

FOLDER = Path(os.environ["ANEL_GUIDE_BIN"])


def echo_server():
    """tcp_echo is among the other examples, one folder up; or where ANEL_EXAMPLES says."""
    for folder in (os.environ.get("ANEL_EXAMPLES"), FOLDER, FOLDER.parent):
        if folder and (Path(folder) / "tcp_echo").exists():
            return Path(folder) / "tcp_echo"
    raise unittest.SkipTest("tcp_echo is not built")


class Chapter10(unittest.TestCase):
    def on_each_backend(self):
        for backend, environment in usable([FOLDER / "10_client", "127.0.0.1:1"]):
            with self.subTest(backend=backend):
                yield environment

    def test_the_client_sends_the_keyboard_and_prints_replies(self):
        for environment in self.on_each_backend():
            with Program([echo_server(), "127.0.0.1:0"], env=environment) as server:
                address = "%s:%d" % server.address()
                with Program([FOLDER / "10_client", address], env=environment) as client:
                    client.process.stdin.write("oi\n")
                    client.process.stdin.flush()
                    self.assertEqual(client.line(), "oi")  # while the keyboard is waited for
                    self.assertEqual(client.finish("tudo bem?\n"), "tudo bem?\n")
                    self.assertEqual(client.process.returncode, 0)
                server.process.send_signal(signal.SIGTERM)
                server.finish()
                self.assertEqual(server.process.returncode, 0)

    def test_a_silent_client_does_not_hold_up_another(self):
        for environment in self.on_each_backend():
            with Program([echo_server(), "127.0.0.1:0"], env=environment) as server:
                address = server.address()
                with support.connect(address) as silent, support.connect(address) as other:
                    other.sendall(b"oi\n")
                    self.assertEqual(support.receive_line(other), "oi")
                    threads = Path(f"/proc/{server.process.pid}/task")
                    if threads.exists():  # one runs the loop, one waits for SIGUSR1
                        self.assertLessEqual(len(list(threads.iterdir())), 2)
                    silent.sendall(b"late\n")
                    self.assertEqual(support.receive_line(silent), "late")

    def test_a_refused_connection_is_named(self):
        for environment in self.on_each_backend():
            code, said = support.run([FOLDER / "10_client", "127.0.0.1:1"], env=environment)
            self.assertEqual(code, 1)
            self.assertEqual(said, "10_client: connect 127.0.0.1:1: Connection refused "
                                   "(ECONNREFUSED)\n")


if __name__ == "__main__":
    unittest.main()

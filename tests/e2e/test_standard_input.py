# test_standard_input.py: request_reply_client waits for a line as it waits for its server, and
# leaves its standard input as it was.
# SPDX-License-Identifier: MIT

import fcntl
import os
import pty
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from waiting import DEADLINE


@harness.for_each_backend
class Standard_input:
    def start(self, address, stdin):
        client = subprocess.Popen(
            [harness.program("request_reply_client"), address],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=harness.environment(self.backend),
        )
        self.addCleanup(self.end, client)
        return client

    def end(self, client):
        client.kill()
        client.communicate()

    def pipe(self):
        ours, theirs = os.pipe()[::-1]
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        return ours, theirs

    def ask(self, client, fd):
        os.write(fd, b"upper x\n")
        self.assertEqual(client.stdout.readline(), b"ok X\n")

    def test_a_signal_ends_the_wait_for_a_line(self):
        server = self.server("request_reply_server")
        for signum in (signal.SIGINT, signal.SIGTERM):
            ours, theirs = self.pipe()
            client = self.start(server.address, theirs)
            self.ask(client, ours)
            client.send_signal(signum)
            self.assertEqual(client.wait(DEADLINE), 0)

    def test_a_signal_ends_the_wait_for_a_line_of_a_terminal(self):
        server = self.server("request_reply_server")
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        client = self.start(server.address, theirs)
        self.ask(client, ours)
        client.send_signal(signal.SIGTERM)
        self.assertEqual(client.wait(DEADLINE), 0)

    def test_a_server_that_goes_away_ends_the_wait_for_a_line(self):
        server = self.server("request_reply_server")
        ours, theirs = self.pipe()
        client = self.start(server.address, theirs)
        self.ask(client, ours)
        server.signal(signal.SIGTERM)
        server.assert_exits_0()
        self.assertEqual(client.wait(DEADLINE), 0)

    def test_the_descriptor_stays_blocking(self):
        server = self.server("request_reply_server")
        ours, theirs = self.pipe()
        client = self.start(server.address, theirs)
        self.ask(client, ours)
        self.assertFalse(fcntl.fcntl(theirs, fcntl.F_GETFL) & os.O_NONBLOCK)

    def test_every_line_of_a_pipe_and_the_rest_without_an_end_is_asked(self):
        server = self.server("request_reply_server")
        ours, theirs = os.pipe()[::-1]
        self.addCleanup(os.close, theirs)
        client = self.start(server.address, theirs)
        os.write(ours, b"upper a\nup")
        self.assertEqual(client.stdout.readline(), b"ok A\n")
        os.write(ours, b"per b\r\nupper c")
        os.close(ours)
        self.assertEqual(client.communicate(timeout=DEADLINE), (b"ok B\nok C\n", b""))
        self.assertEqual(client.returncode, 0)

    def test_a_file_is_read_to_its_end(self):
        server = self.server("request_reply_server")
        with tempfile.TemporaryFile() as file:
            file.write(b"count\n" * 2000 + b"upper last")
            file.flush()
            file.seek(0)
            client = self.start(server.address, file)
            out, err = client.communicate(timeout=DEADLINE)
        self.assertEqual((client.returncode, err), (0, b""))
        self.assertEqual(out.splitlines()[1998:], [b"ok 1999", b"ok 2000", b"ok LAST"])

    def test_no_input_at_all_is_an_end(self):
        server = self.server("request_reply_server")
        client = self.start(server.address, subprocess.DEVNULL)
        self.assertEqual(client.communicate(timeout=DEADLINE), (b"", b""))
        self.assertEqual(client.returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)

# test_shell.py: commands over a connection: their output, their end, and the time that they have.
# SPDX-License-Identifier: MIT

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def said_by(client):
    """What a command said, up to the line in brackets."""
    lines = []
    while not lines or not lines[-1].startswith(b"["):
        lines.append(client.recv_line())
    return b"\n".join(lines) + b"\n"


@harness.for_each_backend
class Shell:
    def test_output_and_errors_come_back_and_how_it_ended(self):
        client = self.server("shell").client()
        client.send(b"echo one; echo two >&2; pwd >/dev/null\n")
        self.assertEqual(said_by(client), b"one\ntwo\n[exit code 0]\n")
        client.send(b"exit 3\nkill -9 $$\n/no/such/program\n")  # three, one after the other
        self.assertEqual(said_by(client), b"[exit code 3]\n")
        self.assertEqual(said_by(client), b"[signal 9]\n")
        self.assertTrue(said_by(client).endswith(b"not found\n[exit code 127]\n"))
        client.half_close()
        self.assertEqual(client.recv_to_end(), b"")

    def test_long_output_streams_back(self):
        client = self.server("shell").client()
        client.send(b"head -c 3000000 /dev/zero | tr '\\0' x; echo\n")
        said = said_by(client)
        self.assertEqual(len(said), 3000000 + len(b"\n[exit code 0]\n"))

    def test_time_limit_ends_a_command_and_what_it_started(self):
        server = self.server("shell", arguments=["1"])
        client = server.client()
        client.send(b"sleep 1000 & echo $!; sleep 1000\n")
        said = said_by(client).decode()
        self.assertRegex(said, r"^\d+\n\[killed after 1 s\]\n$")
        pid = int(said.split()[0])
        harness.poll_until("the sleeper to end", lambda: not runs(pid))
        client.send(b"echo still here\n")
        self.assertEqual(said_by(client), b"still here\n[exit code 0]\n")

    def test_stop_of_the_server_ends_its_commands(self):
        server = self.server("shell", arguments=["1000"], stderr_allowed=r"shell: .*")
        client = server.client()
        client.send(b"echo $$; sleep 1000; sleep 1000\n")
        pid = int(client.recv_line())
        self.assertTrue(runs(pid))
        server.signal(harness.signal.SIGTERM)
        server.assert_exits_0()
        harness.poll_until("the command to end", lambda: not runs(pid))

    def test_bad_time_is_refused(self):
        for word in ("0", "x", "-1", "1.5", "9999999"):
            result = self.run_program("shell", "127.0.0.1:0", word)
            self.assert_fails_naming(result, "shell", f'"{word}"')

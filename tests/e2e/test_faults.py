# test_faults.py: the programs of docs/seeing_inside.md have the faults that the page finds, the
# page's steps find them, and what it calls the mend mends them.
# SPDX-License-Identifier: MIT

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness


def tool(*arguments):
    done = subprocess.run([sys.executable, "-B", harness.TRACE_TOOL, *arguments],
                          capture_output=True, text=True, timeout=harness.DEADLINE, check=True)
    return done.stdout


@harness.for_each_backend
class Faults:
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "run.json")

    def fault(self, name, *options):
        return self.server(f"faults/{name}", arguments=options, stderr_allowed=r".*",
                           variables={"ANEL_TRACE": self.path})

    def opposite_transfers(self, server, times):
        """With many of them, some two overlap: on any machine."""
        clients = [server.client(), server.client()]
        for client, request in zip(clients, (b"transfer 0 1\n", b"transfer 1 0\n")):
            client.send(request * times)
        return clients

    @unittest.skipUnless(harness.knows_linux(), "there are no abstract sockets")
    def test_the_bank_hangs_and_its_tasks_say_why(self):
        server = self.fault("hangs")
        idle = server.client()
        idle.send(b"balance 0\n")
        self.assertEqual(idle.recv_line(), b"100")
        self.opposite_transfers(server, 100)
        pid = str(server.process.pid)
        harness.poll_until("two waits for a mutex", lambda: "2 × mutex" in tool("ps", pid))
        told = tool("ps", pid)
        self.assertRegex(told, r"2 × mutex \(held since hangs\.cpp:\d+\); \(held since "
                               r"hangs\.cpp:\d+\), oldest .*, at hangs\.cpp:\d+ <- hangs\.cpp:\d+")
        self.assertRegex(told, r"\n +recv from 127\.0\.0\.1:\d+ ")
        idle.send(b"balance 1\n")  # others are answered
        self.assertRegex(idle.recv_line(), rb"^\d+$")
        server.signal(harness.signal.SIGTERM)
        server.assert_exits_0()
        self.assertRegex(tool(self.path), r"hangs\.cpp:\d+ +mutex +\d+ ")

    def test_the_mended_bank_goes_on(self):
        server = self.fault("hangs", "--mended")
        for client in self.opposite_transfers(server, 1):
            self.assertIn(client.recv_line(), (b"99", b"100"))

    def prices_and_a_ping(self, server):
        computing, other = server.client(), server.client()
        other.send(b"ping\n")
        self.assertEqual(other.recv_line(), b"pong")
        computing.send(b"price 60000\n")
        self.assertEqual(computing.recv_line(), b"746773")
        other.send(b"ping\n")
        self.assertEqual(other.recv_line(), b"pong")

    def test_the_slow_server_is_told_of_its_stall(self):
        server = self.fault("is_slow")
        self.prices_and_a_ping(server)
        self.assertRegex(server.stderr(), r"a task has not given way for [\d.]+ m?s since "
                                          r"(buffered_reader|is_slow)\.cpp:\d+")
        server.signal(harness.signal.SIGTERM)
        server.assert_exits_0()
        self.assertRegex(tool(self.path), r"longest run without giving way: [\d.]+ m?s, task \d+ "
                                          r"from (buffered_reader|is_slow)\.cpp:\d+ to ")

    def test_the_mended_server_offloads(self):
        server = self.fault("is_slow", "--mended")
        self.prices_and_a_ping(server)
        server.signal(harness.signal.SIGTERM)
        server.assert_exits_0()
        self.assertRegex(tool(self.path), r"is_slow\.cpp:\d+ +offload +1 ")


class No_answer(unittest.TestCase):
    def simulate(self, *arguments, **variables):
        return subprocess.run(
            [harness.program("faults/gets_no_answer"), *arguments], capture_output=True, text=True,
            timeout=harness.DEADLINE, check=False, env={**os.environ, **variables})

    def test_a_seed_shows_the_fault_and_its_record_the_lost_answer(self):
        found = self.simulate("--seeds=20", "--filter=asks_once")
        self.assertEqual(found.returncode, 1)
        self.assertRegex(found.stdout, r"client:\n  recvfrom on 0\.0\.0\.0:\d+ \(fd \d+\), "
                                       r"at gets_no_answer\.cpp:\d+")
        seed = re.search(r"ANEL_SIM_SEED=(0x\w+)", found.stdout)[1]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "run.json")
            self.simulate("--filter=asks_once", f"--record={path}", ANEL_SIM_SEED=seed)
            with open(path, encoding="utf-8") as file:
                record = json.load(file)
            self.assertIn("lost", [packet.get("fate") for packet in record["network"]])
            drawn = os.path.join(folder, "run.svg")
            tool("sequence", path, "-o", drawn)
            with open(drawn, encoding="utf-8") as file:
                self.assertIn("nothing will ever happen again", file.read())

    def test_the_mended_client_is_always_answered(self):
        self.assertEqual(self.simulate("--seeds=200", "--filter=mended").returncode, 0)


if __name__ == "__main__":
    unittest.main()

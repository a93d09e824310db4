# test_16.py: the stop of a server as two plans see it. The bounds are arithmetic, not speed.
# SPDX-License-Identifier: MIT

import contextlib
import os
import re
import sys
import unittest
from pathlib import Path

import support

PATIENCE = 120  # seconds: 4,000 questions, one after the other, where others want the processor
PROGRAM = Path(os.environ["ANEL_GUIDE_BIN"]) / "16_stall"
SERVER = """
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.request.sendall(data)
socketserver.ThreadingTCPServer.daemon_threads = True
with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
    print("listening on 127.0.0.1:%d" % server.server_address[1], flush=True)
    server.serve_forever()
"""


def sections(text):
    """What each plan printed: {plan: (questions, [count in each bucket], p99)}."""
    found = {}
    for part in re.split(r"\n(?=\w+ loop)", text.strip()):
        plan, questions = re.match(r"(\w+) loop: (\d+) questions", part).groups()
        counts = [int(count) for count in re.findall(r"up to +\d+ ms +(\d+)", part)]
        found[plan] = int(questions), counts, float(re.search(r"p99 +([\d.]+)", part)[1])
    return found


class Stall(unittest.TestCase):
    def test_the_open_loop_sees_the_stop_on_every_backend(self):
        backends = ["auto", "epoll", "poll"]
        with contextlib.ExitStack() as all_of_them:
            running = []
            for backend in backends:
                server = all_of_them.enter_context(support.Program([sys.executable, "-c", SERVER]))
                host, port = server.address()
                command = [PROGRAM, f"{host}:{port}", server.process.pid]
                running.append(all_of_them.enter_context(
                    support.Program(command, env={**os.environ, "ANEL_BACKEND": backend})))
            for backend, program in zip(backends, running):
                with self.subTest(backend):
                    text, _ = program.process.communicate(timeout=PATIENCE)
                    self.check(text, program.process.returncode)

    def check(self, text, code):
        self.assertEqual(code, 0, text)
        plans = sections(text)
        questions, counts, p99 = plans["open"]
        self.assertEqual(questions, 4000)
        self.assertEqual(sum(counts), 4000, text)
        # Whatever else the machine does: those due in the first 750 ms of the stop wait 250 ms.
        self.assertGreater(sum(counts[2:]), 700, text)
        self.assertGreater(p99, 900, text)
        # 4 seconds hold at most 16 answers of 250 ms, one after the other.
        questions, counts, _ = plans["closed"]
        self.assertEqual(sum(counts), questions, text)
        self.assertLess(sum(counts[2:]), 18, text)

    def test_it_says_how_it_is_used(self):
        code, text = support.run([PROGRAM])
        self.assertEqual(code, 2)
        self.assertIn("usage: 16_stall ADDRESS:PORT PID", text)


if __name__ == "__main__":
    unittest.main()

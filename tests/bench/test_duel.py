# test_duel.py: anel-bench duel end to end: every kind of load, what it tells, how it ends.
# SPDX-License-Identifier: MIT
"""ANEL_BIN is the build directory. How large a ratio comes out is not tested, except where one
server has two hundred microseconds of work more."""

import json
import os
import re
import signal
import subprocess
import tempfile
import unittest

from test_bench import BENCH, DEADLINE, anel_bench


class Duel(unittest.TestCase):
    TCP_ECHO = os.path.join(os.environ["ANEL_BIN"], "examples", "tcp_echo") + " 127.0.0.1:{port}"
    SHORT = ("--connections", "4", "--slice", "50", "--starts", "2", "--no-causes", "--time", "5")

    def test_a_server_against_itself(self):
        text = anel_bench("duel", self.TCP_ECHO, self.TCP_ECHO, *self.SHORT, expect=None).stdout
        verdict = re.search(r"^B needs (\S+) \[(\S+), (\S+)\] of A's CPU a request: \d+ pairs? of "
                            r"\d+ starts?, \d+ dropped; A against itself ", text, re.M)
        if "time is up" in text:
            return
        self.assertIn("narrow enough", text)
        low, high = float(verdict[2]), float(verdict[3])
        self.assertLess(high - low, 0.05)
        # An interval of two starts leaves the truth out now and then; tests/bench/ratio_test.cpp
        # says how often.
        self.assertLess(abs(float(verdict[1]) - 1), 0.3, text)

    def test_a_command_of_ones_own_with_work_to_do_needs_more(self):
        server = os.path.join(BENCH, "servers", "epoll")
        ran = anel_bench("duel", "epoll", f"env A=b {server} --work 200 127.0.0.1:{{port}}",
                         *self.SHORT, "--json", expect=None)
        data = json.loads(ran.stdout)
        self.assertIn(data["ended"], ("narrow enough", "time is up"))
        pairs = sorted(pair for start in data["b_against_a"]["cpu_pairs"] for pair in start)
        self.assertGreater(pairs[len(pairs) // 2], 2)  # 200 µs beside what an echo takes
        again = data["a_against_itself"]
        self.assertEqual(sum(map(len, again["cpu_pairs"])) + again["dropped_pairs"],
                         len(pairs) + data["b_against_a"]["dropped_pairs"])

    def test_every_kind_of_load_goes_in_slices(self):
        for options in (("--rate", "2000"), ("--churn",), ("--pipeline", "8", "--idle", "3"),
                        ("--churn", "--rate", "1000", "--poisson"),
                        ("--slow", "2", "--times", "16"), ("--udp",), ("--work", "30"),
                        ("--udp", "--rate", "2000", "--poisson")):
            with self.subTest(options):
                other = "uring" if "--udp" in options else "poll"
                ran = anel_bench("duel", "epoll", other, *self.SHORT[:-1], "2", "--json",
                                 *options, expect=None)
                data = json.loads(ran.stdout)
                self.assertGreater(len(data["b_against_a"]["cpu_pairs"]), 0)

    def test_a_difference_is_traced_to_its_causes(self):
        command = list(self.SHORT)
        command.remove("--no-causes")
        ran = anel_bench("duel", "epoll", "uring", *command, "--json", expect=None)
        lines = json.loads(ran.stdout)["causes"]
        whole = lines[0]["difference_ns"]
        for depth in (1, 2):
            parts = [line["difference_ns"] for line in lines if line["depth"] == depth]
            if depth == 2:
                whole = lines[2]["difference_ns"]
                self.assertEqual(lines[2]["what"], "in the kernel")
            self.assertAlmostEqual(sum(parts), whole, places=3)
        calls = [line for line in lines if line["what"].startswith("system calls")]
        if calls:  # else neither perf nor strace may count here
            self.assertGreater(calls[0]["a"], 2)  # recv, send, and a share of epoll_wait
            self.assertLess(calls[0]["b"], 2)  # 2: when every turn finds one completion
        counted = [line for line in lines if line["what"].startswith("instructions")]
        if counted:
            self.assertGreater(counted[0]["a"], 50)
            self.assertLess(counted[0]["a"], 50_000)

    def test_what_cannot_be_is_told_in_one_line(self):
        for names, options, why in (
                (("apache", "epoll"), (), 'unknown server "apache"; known: uring'),
                (("epoll", "/bin/false {port}"), (), "/bin/false {port} did not listen on 127.0."),
                (("epoll", "/no/such {port}"), (), "start /no/such: No such file"),
                (("epoll", "epoll"), ("--within", "2"), "--within: not a share such as 2%: 2"),
                (("epoll", "poll"), ("--udp",), "poll has no UDP"),
                (("epoll", "cat {port}"), ("--udp",), "no --udp")):
            with self.subTest(names):
                ran = anel_bench("duel", *names, *options, *self.SHORT, expect=1)
                self.assertIn(why, ran.stderr)
                self.assertEqual(ran.stderr.count("\n"), 1, ran.stderr)

    def test_a_server_that_dies_ends_the_duel(self):
        with tempfile.NamedTemporaryFile("w", suffix=".py") as mortal:
            mortal.write("import os, signal, socket, sys\n"
                         "listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
                         "conns = [listener.accept()[0] for _ in range(6)]\n"
                         "os.kill(os.getpid(), signal.SIGKILL)\n")
            mortal.flush()
            ran = anel_bench("duel", "epoll", f"python3 {mortal.name} {{port}}", *self.SHORT,
                             expect=1)
        self.assertIn(".py {port}", ran.stderr)

    def test_an_interrupt_leaves_no_server_behind(self):
        running = subprocess.Popen([os.path.join(BENCH, "anel-bench"), "duel", "epoll", "poll"],
                                   stderr=subprocess.PIPE, text=True)
        children = set()
        while len(children) < 6:  # three servers, and a load on each
            for entry in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{entry}/stat", encoding="utf-8") as stat:
                        parent = int(stat.read().rpartition(")")[2].split()[1])
                except OSError:
                    continue
                if parent == running.pid:
                    children.add(int(entry))
        running.send_signal(signal.SIGINT)
        self.assertIn("interrupted", running.communicate(timeout=DEADLINE)[1])
        self.assertEqual(running.returncode, 128 + signal.SIGINT)
        for child in children:
            self.assertFalse(os.path.exists(f"/proc/{child}"))


if __name__ == "__main__":
    unittest.main()

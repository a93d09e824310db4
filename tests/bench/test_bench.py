# test_bench.py: anel-bench end to end: what its generator notices, and what its reports contain.
# SPDX-License-Identifier: MIT
"""ANEL_BIN is the build directory. Rates and latencies are not tested, except where a stopped
server makes a difference of a hundred times."""

import html.parser
import json
import os
import re
import shutil
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading
import unittest

BENCH = os.path.join(os.environ["ANEL_BIN"], "bench")
DEADLINE = 60


def anel_bench(*arguments, expect=0, env=None):
    ran = subprocess.run([os.path.join(BENCH, "anel-bench"), *arguments], capture_output=True,
                         text=True, timeout=DEADLINE, check=False, env=env)
    if expect is not None and ran.returncode != expect:
        raise AssertionError(f"exit code {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    return ran


class Server:
    """One of the servers by hand, on a free port."""

    def __init__(self, *command, on="127.0.0.1:0"):
        self.process = subprocess.Popen([os.path.join(BENCH, "servers", command[0]), *command[1:],
                                         on], stdout=subprocess.PIPE, text=True)
        self.announced = self.process.stdout.readline()
        self.address = re.match(r"listening on (\S+) \(", self.announced)[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(DEADLINE)
        self.process.stdout.close()


def load(server, *options, expect=0):
    ran = anel_bench("load", server.address, "--json", *options, expect=expect)
    return json.loads(ran.stdout)


SHORT = ("--seconds", "0.2", "--warmup", "0.05")


class Generator(unittest.TestCase):
    def test_every_kind_of_load_gets_its_answers(self):
        kinds = {
            "closed": (),
            "pipelined": ("--pipeline", "8"),
            "longer replies": ("--times", "16"),
            "even": ("--rate", "2000"),
            "poisson": ("--rate", "2000", "--poisson"),
            "churn": ("--churn",),
            "churn at a rate": ("--churn", "--rate", "2000", "--poisson"),
            "idle and slow": ("--idle", "20", "--slow", "3", "--times", "16"),
        }
        for name, options in kinds.items():
            times = ("--times", "16") if "16" in options else ()
            with self.subTest(name), Server("epoll", *times) as server:
                result = load(server, "--connections", "8", *options, *SHORT)
                self.assertGreater(result["requests"], 0)
                self.assertEqual(result["latency_ns"]["count"] > 0, True)

    def test_datagrams(self):
        with Server("epoll", "--udp") as server:
            for _ in range(3):  # one counts as lost after 100 ms, which a machine may stand still
                result = load(server, "--udp", "--connections", "4", *SHORT)
                self.assertGreater(result["requests"], 0)
                if result["lost"] == 0:
                    break
            self.assertEqual(result["lost"], 0)

    def test_a_server_on_ipv6(self):
        try:
            with socket.create_server(("::1", 0), family=socket.AF_INET6):
                pass
        except OSError:
            self.skipTest("no IPv6 here")
        echo = os.path.join(os.environ["ANEL_BIN"], "examples", "tcp_echo")
        with Server(echo, on="[::1]:0") as server:
            self.assertGreater(load(server, "--connections", "2", *SHORT)["requests"], 0)

    def test_what_is_no_address_is_refused(self):
        for text in ("localhost:7777", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "::1:7777",
                     "[127.0.0.1]:7777", "127.0.0.1:7777x", ":7777"):
            ran = anel_bench("load", text, expect=1)
            self.assertIn("not an ADDRESS:PORT", ran.stderr, text)

    def silent_socket(self):
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % silent.getsockname()[1]

    def test_datagrams_that_nobody_answers_are_lost(self):
        ran = anel_bench("load", self.silent_socket(), "--json", "--udp", "--connections", "2",
                         "--seconds", "0.5", "--warmup", "0", expect=1)
        self.assertGreaterEqual(json.loads(ran.stdout)["lost"], 4)

    def test_every_datagram_of_an_open_loop_is_answered_or_lost(self):
        with Server("epoll", "--udp") as server:
            result = load(server, "--udp", "--connections", "4", "--rate", "5000", "--poisson",
                          "--warmup", "0", "--seconds", "0.5")
        offered = round(result["offered_per_s"] * result["window_s"])
        self.assertGreater(offered, 2000)
        self.assertEqual(result["latency_ns"]["count"] + result["lost"] + result["unsent"], offered)
        ran = anel_bench("load", self.silent_socket(), "--json", "--udp", "--connections", "4",
                         "--rate", "1000", "--warmup", "0", "--seconds", "0.5", expect=1)
        result = json.loads(ran.stdout)
        offered = round(result["offered_per_s"] * result["window_s"])
        self.assertEqual(result["lost"] + result["unsent"], offered)

    def test_a_server_that_goes_is_counted_once_for_each_connection(self):
        for kind in ((), ("--udp",)):
            with self.subTest(kind), Server("epoll", *kind) as server:
                kill = threading.Timer(0.4, server.process.kill)
                kill.start()
                result = load(server, *kind, "--connections", "16", "--rate", "20000",
                              "--seconds", "0.5", "--warmup", "0.2", expect=1)
                errors = result["errors"]
                self.assertEqual(errors["corrupted"], 0)
                self.assertEqual(errors["broken_off"] + errors["unanswered"], 16)

    def test_what_waits_when_the_window_closes_is_answered_and_counted(self):
        with Server("epoll", "--work", "1000") as server:  # a thousand answers a second
            result = load(server, "--connections", "4", "--rate", "3000", "--seconds", "0.5",
                          "--warmup", "0", "--server-pid", str(server.process.pid))
        offered = round(result["offered_per_s"] * result["window_s"])
        self.assertGreater(offered, 1400)
        self.assertEqual(result["latency_ns"]["count"] + result["unsent"], offered)
        served = result["server_cpu_ns"] / (result["window_s"] * 1e9)  # it has always work to do
        if result["unsent"] or served < 0.9:
            return  # on a machine without a processor for each anything may come late
        self.assertGreater(result["latency_ns"]["p99"], 700e6)  # the last of them waited a second
        self.assertEqual(result["unanswered_share"], 0)

    def test_a_rate_that_nobody_can_send_is_invalid_and_ends(self):
        for options in ((), ("--udp",), ("--churn",)):
            serves = [option for option in options if option == "--udp"]
            with self.subTest(options), Server("epoll", *serves) as server:
                result = load(server, *options, "--rate", "100000000", *SHORT, expect=None)
                self.assertNotEqual(result["generator_bound"], "")

    def test_what_nobody_can_ask_for_is_refused(self):
        for options, why in ((("--poisson",), "needs a --rate"),
                             (("--udp", "--times", "2"), "the same datagram")):
            ran = anel_bench("load", "127.0.0.1:1", *options, expect=1)
            self.assertIn(why, ran.stderr)

    def test_an_open_loop_offers_its_rate_and_reports_its_own_lateness(self):
        with Server("epoll") as server:
            result = load(server, "--connections", "8", "--rate", "5000", "--seconds", "0.5")
            self.assertAlmostEqual(result["offered_per_s"], 5000, delta=50)
            offered = round(result["offered_per_s"] * result["window_s"])
            self.assertEqual(result["latency_ns"]["count"] + result["unsent"], offered)
            if not result["generator_bound"]:  # else it was starved, and says so
                self.assertGreater(result["slip_ns"]["count"], 0)

    def test_churn_at_a_rate_counts_each_connection_from_when_it_was_due(self):
        with Server("epoll") as server:
            result = load(server, "--connections", "4", "--churn", "--rate", "1000",
                          "--seconds", "0.5")
            self.assertAlmostEqual(result["offered_per_s"], 1000, delta=20)
            offered = round(result["offered_per_s"] * result["window_s"])
            self.assertEqual(result["latency_ns"]["count"] + result["unsent"], offered)

    def test_connections_that_come_and_go_end_without_an_error(self):
        ends = []

        class Echo(socketserver.BaseRequestHandler):
            def handle(self):
                try:
                    while data := self.request.recv(4096):
                        self.request.sendall(data)
                    ends.append("end of stream")
                except OSError as error:
                    ends.append(str(error))

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            anel_bench("load", "127.0.0.1:%d" % server.server_address[1], "--churn",
                       "--connections", "2", "--rate", "500", *SHORT)
            server.shutdown()
        self.assertGreater(len(ends), 50)
        self.assertEqual(set(ends), {"end of stream"})

    def test_a_wrong_byte_is_noticed(self):
        class Liar(socketserver.BaseRequestHandler):
            def handle(self):
                seen = 0
                while data := self.request.recv(4096):
                    if seen <= 5000 < seen + len(data):
                        place = 5000 - seen
                        data = data[:place] + bytes([data[place] ^ 1]) + data[place + 1:]
                    seen += len(data)
                    try:
                        self.request.sendall(data)
                    except OSError:
                        return

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Liar) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            ran = anel_bench("load", "127.0.0.1:%d" % server.server_address[1], "--json",
                             "--connections", "1", *SHORT, expect=1)
            server.shutdown()
        errors = json.loads(ran.stdout)["errors"]
        self.assertEqual(errors["corrupted"], 1)
        self.assertIn("wrong byte", errors["first"])

    def test_a_server_that_stands_still_shows_in_an_open_loop_and_hides_in_a_closed_one(self):
        def p99(*options):
            with Server("epoll") as server:
                pid = server.process.pid
                stop = threading.Timer(0.5, os.kill, (pid, signal.SIGSTOP))
                go_on = threading.Timer(0.9, os.kill, (pid, signal.SIGCONT))
                stop.start()
                go_on.start()
                return load(server, "--connections", "4", "--seconds", "1.2", "--warmup", "0.2",
                            *options)["latency_ns"]["p99"] / 1e6

        # For a third of the time nobody is served. Requests that are due meanwhile wait for up to
        # 400 ms; a closed loop has four requests that wait, and thousands that do not.
        self.assertGreater(p99("--rate", "2000"), 100)
        self.assertLess(p99(), 50)

    def test_latencies_in_the_text_of_hdrhistogram(self):
        with Server("epoll") as server, tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "latency.hgrm")
            result = load(server, "--connections", "4", "--hdr", file, *SHORT)
            with open(file, encoding="utf-8") as text:
                lines = text.read().splitlines()
        self.assertEqual(lines[0].split(), ["Value", "Percentile", "TotalCount",
                                            "1/(1-Percentile)"])
        rows = [line.split() for line in lines[2:] if not line.startswith("#")]
        self.assertEqual(int(rows[-1][2]), result["latency_ns"]["count"])
        self.assertEqual(float(rows[-1][1]), 1)
        values = [float(row[0]) for row in rows]
        self.assertEqual(values, sorted(values))


class PageReader(html.parser.HTMLParser):
    """Collects what a page holds, and whether its elements are closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.tags, self.links = [], [], set(), []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "srcset", "action"):
                self.links.append(value)
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()


class Comparison(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.command = ["compare", "--servers", "epoll,anel-epoll", "--workloads",
                        "ping-pong,light-load,churn,udp", "--starts", "2", "--rounds", "3",
                        "--slice", "20", "--no-calls", "--busy-machine", "--out",
                        self.folder]

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def check_page(self):
        page = PageReader()
        page.feed(self.read("index.html"))
        self.assertEqual(page.open, [])
        self.assertEqual(len(page.ids), len(set(page.ids)), "an id is used twice")
        self.assertNotIn("script", page.tags)
        self.assertEqual([link for link in page.links if not link.startswith("data:")], [])
        return page

    def check_in_browser(self):
        """Where there is a headless Chromium: it draws the page, and its console stays empty."""
        names = ("chromium-headless-shell", "chromium", "google-chrome")
        browser = next(filter(None, map(shutil.which, names)), None)
        if browser is None:
            return
        picture = os.path.join(self.folder, "page.png")
        ran = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu",
                              "--enable-logging=stderr", "--screenshot=" + picture,
                              "--window-size=400,4000",
                              "--user-data-dir=" + os.path.join(self.folder, "profile"),
                              "file://" + os.path.join(self.folder, "index.html")],
                             capture_output=True, text=True, timeout=DEADLINE, check=True)
        self.assertNotIn("CONSOLE", ran.stderr)
        self.assertGreater(os.path.getsize(picture), 20_000)

    def test_a_report_is_complete_and_self_contained(self):
        ran = anel_bench(*self.command)
        self.assertLessEqual(max(map(len, ran.stdout.splitlines())), 100 + len(self.folder))
        self.assertIn("where io_uring loses", ran.stdout)
        data = json.loads(self.read("data.json"))
        self.assertEqual((data["schema"], data["complete"]), (5, True))
        self.assertEqual([cell["workload"] for cell in data["cells"]],
                         ["ping-pong", "light-load", "churn", "udp"])
        offered = [cell["load"]["offered_per_s"] for cell in data["cells"]]
        maximum = data["cells"][0]["servers"][0]["requests_per_s"]
        self.assertAlmostEqual(offered[1], maximum / 10, places=3)
        self.assertEqual([rate > 0 for rate in offered], [False, True, False, False])
        for cell in data["cells"]:
            names = [(one["server"], one["reference_again"]) for one in cell["servers"]]
            self.assertEqual(names[0], ("epoll", False))
            self.assertEqual(names[-1], ("epoll", True))
            for server in cell["servers"]:
                self.assertEqual(server["errors"], [])
            for server in cell["servers"][1:]:  # every one met the reference in every round
                pairs = sum(map(len, server["cpu_pairs"]))
                self.assertEqual(pairs + server["pairs_dropped"], 2 * 3)
            self.check_verdicts(cell)
        self.assertEqual([curve["server"] for curve in data["curves"]],
                         ["epoll", "anel-epoll"])
        page = self.check_page()
        for figure in ("latency-against-rate", "cpu-against-rate", "where-io-uring-loses",
                       "environment", "memory", "agreement"):
            self.assertIn(figure, page.ids)
        # On a busy machine too many pairs of a start may be dropped to say anything.
        told = any(cell["duels"] for cell in data["cells"])
        self.assertEqual(["heat-map" in page.ids, "duels" in page.ids], [told, told])
        for cell in data["cells"]:  # on a busy machine every run of a cell may be invalid
            valid = any(not server["invalid"] and not server["reference_again"]
                        for server in cell["servers"])
            self.assertEqual("spectrum-" + cell["workload"] in page.ids, valid)
            known = any(server["cpu_against_reference"]["ratio"] for server in cell["servers"][1:])
            self.assertEqual("duels-" + cell["workload"] in page.ids, known)
        self.assertIn("anel-bench compare --servers", self.read("repro.sh"))
        self.check_in_browser()
        again = anel_bench("page", os.path.join(self.folder, "data.json")).stdout
        self.assertEqual(again, self.read("index.html"))

    def check_verdicts(self, cell):
        """A tie where the interval holds 1 or the ratio is within the floor; else no tie."""
        again = cell["servers"][-1]["cpu_against_reference"]
        if again["low"] is not None:
            floor = max(abs(again["low"] - 1), abs(again["high"] - 1))
            self.assertAlmostEqual(cell["noise_floor"], floor)
        for duel in cell["duels"] + [one["cpu_against_reference"] for one in cell["servers"][1:]]:
            tie = (duel["low"] is None or duel["low"] <= 1 <= duel["high"] or
                   cell["noise_floor"] is None or abs(duel["ratio"] - 1) <= cell["noise_floor"])
            wanted = "tie" if tie else "lower" if duel["ratio"] < 1 else "higher"
            self.assertEqual(duel["cpu_is"], wanted)

    def test_a_server_that_fails_takes_no_further_part_and_the_others_go_on(self):
        command = ["compare", "--servers", "epoll,asyncio,poll", "--workloads", "ping-pong",
                   *self.command[5:], "--no-curves"]
        nowhere = {**os.environ, "PATH": "/nonexistent"}  # so that there is no python3
        ran = anel_bench(*command, expect=1, env=nowhere)
        self.assertIn("! asyncio took no further part", ran.stdout)
        servers = json.loads(self.read("data.json"))["cells"][0]["servers"]
        self.assertEqual([len(server["errors"]) for server in servers], [0, 1, 0, 0])
        self.assertEqual([server["starts"] for server in servers], [2, 0, 2, 2])
        self.check_page()

    def test_a_load_of_ones_own_is_compared(self):
        own = ["--connections", "3", "--size", "100", "--times", "2", "--work", "7"]
        servers = "epoll,uring,anel-io_uring,anel-epoll"
        ran = anel_bench("compare", "--servers", servers, *own, *self.command[5:],
                         "--no-curves")
        self.assertIn("3 connections × 100 B → 200 B, 1 in flight each, 7 µs of work", ran.stdout)
        data = json.loads(self.read("data.json"))
        self.assertEqual([cell["workload"] for cell in data["cells"]], ["yours"])
        cell = data["cells"][0]
        self.assertEqual([server["errors"] for server in cell["servers"]], [[]] * 5)
        # Nobody can answer faster than the work allows.
        self.assertLess(cell["servers"][0]["requests_per_s"], 1e6 / 7)
        gains = {gain["ring"]: gain for gain in cell["io_uring_and_epoll"]}
        # epoll is the reference. On a busy machine too many pairs may be dropped to tell of one.
        against = {server["server"]: server["cpu_against_reference"]["ratio"]
                   for server in cell["servers"][1:4]}
        self.assertEqual("uring" in gains, against["uring"] is not None)
        if "uring" in gains:
            self.assertAlmostEqual(gains["uring"]["difference"], against["uring"] - 1)
        self.assertLessEqual({(duel["own"], duel["other"]) for duel in cell["duels"]},
                             {("uring", "epoll"), ("anel-io_uring", "anel-epoll"),
                              ("anel-io_uring", "uring"), ("anel-epoll", "epoll")})
        self.assertEqual("answer" in self.check_page().ids, bool(gains))

    def test_a_page_is_not_made_from_another_schema(self):
        file = os.path.join(self.folder, "data.json")
        with open(file, "w", encoding="utf-8") as text:
            text.write('{"schema": 1}')
        self.assertIn("its schema is 1, not 5", anel_bench("page", file, expect=1).stderr)

    def test_an_interrupt_leaves_a_valid_partial_report(self):
        self.command[self.command.index("20")] = "100"
        running = subprocess.Popen([os.path.join(BENCH, "anel-bench"), *self.command],
                                   stdout=subprocess.PIPE, text=True)
        for line in running.stdout:
            if line.startswith("noise floor"):  # the first table is there
                break
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read()
        self.assertEqual(running.wait(DEADLINE), 128 + signal.SIGINT)
        running.stdout.close()
        self.assertIn("interrupted", rest)
        data = json.loads(self.read("data.json"))
        self.assertEqual(data["complete"], False)
        self.assertGreaterEqual(len(data["cells"]), 1)
        self.check_page()

    def test_unknown_names_are_refused_with_those_that_are_known(self):
        ran = anel_bench("compare", "--servers", "apache", expect=1)
        self.assertIn('unknown server "apache"', ran.stderr)
        self.assertIn("anel-io_uring", ran.stderr)


if __name__ == "__main__":
    unittest.main()

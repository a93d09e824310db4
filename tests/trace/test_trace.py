#!/usr/bin/env python3
# test_trace.py: what anel-trace makes of two small records, and of odd ones.
# SPDX-License-Identifier: MIT
"""python3 -B tests/trace/test_trace.py

The tests of the pictures stand in pictures.py and described.py and run with these."""

import copy
import json
import os
import shutil
import socket
import string
import subprocess
import threading
import unittest

from described import Described, Figures
from pictures import Pictures, Sequence, Timeline
from support import ECHO, FOLDER, SIMULATED, TOOL, WithFolder, load, run, small

from anel_trace.kernel import Tracing
from anel_trace.words import LANGUAGES, TABLE, Words

PICTURES = (Pictures, Sequence, Timeline, Described, Figures)  # unittest finds them here

# Three waits of 10, 20 and 400 us at one place, two of 5 and 6 at another; one goes on.
WAITS = small([
    (0, "suspend", {"task": 2, "place": "a.cpp:1", "wait": "recv", "op": 1}),
    (0, "suspend", {"task": 3, "place": "b.cpp:2", "wait": "mutex"}),
    (1, "enter", {}), (5, "leave", {"done": 0}),
    (5, "resume", {"task": 3, "place": "b.cpp:2"}),
    (6, "suspend", {"task": 3, "place": "b.cpp:2", "wait": "mutex"}),
    (10, "resume", {"task": 2, "place": "a.cpp:1"}),
    (12, "submit", {"task": 2, "op": 9, "call": "send", "fd": 4, "bytes": 3, "result": 3}),
    (17, "suspend", {"task": 2, "place": "a.cpp:1", "wait": "recv", "op": 1}),
    (12 + 0, "resume", {"task": 3, "place": "b.cpp:2"}),
    (13, "suspend", {"task": 3, "place": "b.cpp:2", "wait": "mutex"}),
    (37, "resume", {"task": 2, "place": "a.cpp:1"}),
    (39, "suspend", {"task": 2, "place": "a.cpp:1", "wait": "recv", "op": 1}),
    (40, "enter", {"until": 0}), (50, "leave", {"done": 3}),
    (60, "timer", {"task": 4, "late": 2500}),
    (439, "resume", {"task": 2, "place": "a.cpp:1"}),
    (500, "suspend", {"task": 2, "place": "", "wait": ""}),
])


class Committed(WithFolder):
    """The pictures of docs/seeing_inside.md, of records that stand beside them."""

    PICTURES = (
        ("timeline", "hangs", "--from", "295.6", "--to", "305.8", "--tasks", "3,4",
         "--title", "Two transfers lock two accounts in opposite order"),
        ("timeline", "is_slow", "--from", "820.895", "--to", "1254.35", "--tasks", "3,4",
         "--title", "A ping waits while another session computes"),
        ("sequence", "gets_no_answer", "--title", "An answer is lost, and nobody asks again"),
    )

    def test_they_are_what_the_tool_draws_today(self):
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/pictures")
        for kind, name, *options in self.PICTURES:
            with self.subTest(name):
                out = self.path("out.svg")
                run(kind, os.path.join(folder, f"{name}.json"), "-o", out, *options)
                with open(out, encoding="utf-8") as drawn, open(
                        os.path.join(folder, f"{name}.svg"), encoding="utf-8") as committed:
                    self.assertEqual(drawn.read(), committed.read(),
                                     f"draw docs/pictures/{name}.svg again")


class Kernel_lane(WithFolder):
    """What `anel-trace record` adds to a record: echo.json with what the kernel might have said."""

    def setUp(self):
        super().setUp()
        data = load(ECHO)
        recv = next(event for event in data["events"]
                    if event["kind"] == "submit" and event["call"] == "recv")
        done = next(event for event in data["events"]
                    if event["kind"] == "complete" and event["op"] == recv["op"])
        self.at = done["at"] - 1500
        data["kernel"] = [{"at": self.at, "what": "task_add", "fd": recv["fd"], "opcode": "RECV"},
                          {"at": self.at - 100, "what": "poll_arm", "op": recv["op"]}]
        data["processor"] = [{"at": self.at, "until": self.at + 5000, "preempted": True}]
        self.data = data

    def test_the_summary_counts_it(self):
        told = run(self.record(self.data))
        self.assertIn("kernel: 1 poll_arm, 1 task_add\n", told)
        self.assertIn("on a processor 1 times, 5.00 µs altogether; 1 times it was made to", told)

    def test_the_timeline_marks_when_the_bytes_came(self):
        with_lane, without = self.path("with.svg"), self.path("without.svg")
        run("timeline", self.record(self.data), "-o", with_lane)
        run("timeline", ECHO, "-o", without)
        dots = []
        for path in (with_lane, without):
            with open(path, encoding="utf-8") as drawn:
                dots.append(drawn.read().count("<circle"))
        self.assertEqual(dots[0], dots[1] + 2)  # on its lane, and in the legend

    def test_perfetto_has_it_as_a_process(self):
        out = self.path("out.json")
        run("perfetto", self.record(self.data), "-o", out)
        events = load(out)["traceEvents"]
        kernel = next(event["pid"] for event in events if event["name"] == "process_name"
                      and event["args"]["name"] == "kernel")
        names = [event["name"] for event in events if event["pid"] == kernel]
        self.assertIn("task_add RECV", names)
        self.assertIn("on a processor", names)

    def test_one_that_is_odd_is_refused(self):
        for name, odd in (("kernel", [{"what": "task_add"}]), ("processor", [{"at": 5}]),
                          ("kernel", [{"at": 5, "fd": "x"}])):
            with self.subTest(name, odd=odd):
                run(self.record({**self.data, name: odd}), code=1)


class Processor(unittest.TestCase):
    """When process 7 ran, from what the kernel tells of it."""

    @staticmethod
    def spans(*events):
        class Told(Tracing):
            pid = 7

            def __init__(self):
                self.switches = self

            @staticmethod
            def lines():
                return ((0, at, event, text) for at, event, text in events)
        return [(span["at"], span["until"], span["preempted"])
                for span in Told().on_processor(begin=10, end=100)]

    @staticmethod
    def switch(at, before, state, after):
        return at, "sched_switch", (f"prev_comm=a b prev_pid={before} prev_prio=120 "
                                    f"prev_state={state} ==> next_comm=c next_pid={after} "
                                    "next_prio=120")

    def test_it_runs_from_a_switch_to_a_switch(self):
        self.assertEqual(self.spans(self.switch(20, 0, "R", 7), self.switch(30, 7, "S", 0),
                                    self.switch(40, 5, "S", 7), self.switch(45, 7, "R+", 5),
                                    self.switch(47, 5, "S", 7), self.switch(60, 7, "Z", 0)),
                         [(20, 30, False), (40, 45, True), (47, 60, False)])

    def test_it_may_have_run_before_anything_was_told(self):
        self.assertEqual(self.spans(self.switch(30, 7, "S", 0)), [(10, 30, False)])

    def test_a_switch_that_is_not_told_of_was_when_it_was_woken(self):
        self.assertEqual(self.spans(self.switch(30, 7, "S", 0), (40, "sched_waking", "pid=7"),
                                    self.switch(50, 7, "S", 0), (55, "sched_waking", "pid=7"),
                                    (56, "sched_migrate_task", "pid=7"),
                                    self.switch(70, 7, "S", 0)),
                         [(10, 30, False), (40, 50, False), (56, 70, False)])

    def test_its_last_switch_may_not_be_written_down_yet(self):
        self.assertEqual(self.spans(self.switch(90, 0, "R", 7)), [(90, 100, False)])
        self.assertEqual(self.spans(self.switch(30, 7, "S", 0), (91, "sched_waking", "pid=7")),
                         [(10, 30, False), (91, 100, False)])


class Record_command(WithFolder):
    def test_a_program_that_is_not_there(self):
        self.assertIn("there is no program /no/such",
                      run("record", "-o", self.path("r"), "--", "/no/such", code=1))

    def test_a_program_that_leaves_no_record(self):
        for command, code in ((("true",), 1), (("sh", "-c", "exit 5"), 5),
                              (("sh", "-c", "kill -9 $$"), 137)):
            with self.subTest(command):
                self.assertIn("has left no record",
                              run("record", "-o", self.path("r"), "--", *command, code=code))

    def test_what_is_no_plain_file_is_left_alone(self):
        pipe, missing = self.path("pipe"), os.path.join(self.path("missing"), "r")
        os.mkfifo(pipe)
        self.assertIn("is no plain file", run("record", "-o", pipe, "--", "true", code=1))
        self.assertTrue(os.path.exists(pipe))
        self.assertIn("cannot write into", run("record", "-o", missing, "--", "true", code=1))

    def test_what_is_no_record_is_said_to_be_none(self):
        out = self.path("r")
        for text in ("{}", "[", "[1]"):
            with self.subTest(text):
                said = run("record", "-o", out, "--", "sh", "-c", f"echo '{text}' >{out}", code=1)
                self.assertIn("something else than a record", said)


class Summary(WithFolder):
    def test_waits_are_counted_by_place_and_by_what_they_are_for(self):
        lines = run(self.record(WAITS)).splitlines()
        site = next(line for line in lines if line.startswith("a.cpp:1"))
        self.assertEqual(site.split(), "a.cpp:1 recv 3 430 µs 20.0 µs 400 µs 400 µs".split())
        site = next(line for line in lines if line.startswith("b.cpp:2"))
        self.assertEqual(site.split(), "b.cpp:2 mutex 2 11.0 µs 5.00 µs 6.00 µs 6.00 µs 1".split())
        self.assertLess(*(next(number for number, line in enumerate(lines)
                               if line.startswith(place)) for place in ("a.cpp", "b.cpp")))

    def test_a_wait_for_several_things_is_one(self):
        told = run(self.record(small([
            (0, "suspend", {"task": 2, "place": "a.cpp:1", "wait": ""}),
            (8, "resume", {"task": 2, "place": "a.cpp:1"}),
            (9, "suspend", {"task": 2, "place": "", "wait": ""})])))
        self.assertIn("a.cpp:1  several      1  8.00 µs", told)

    def test_the_longest_run_is_named_with_both_places(self):
        told = run(self.record(WAITS))
        self.assertIn("longest run without giving way: 61.0 µs, task 2 from a.cpp:1\n", told)
        shorter = copy.deepcopy(WAITS)
        shorter["events"] = shorter["events"][:-2]
        self.assertIn("giving way: 7.00 µs, task 2 from a.cpp:1 to a.cpp:1\n",
                      run(self.record(shorter)))

    def test_a_loop_has_its_enters_and_shares(self):
        row = run(self.record(WAITS)).splitlines()[-1]
        # 2 enters with 3 completions, 1 operation at once, 4 of 500 us asleep, 10 asking.
        self.assertEqual(row.split(), "0 (epoll) 2 1.50 1 0 0.8 % 2.0 % 97.2 %".split())

    def test_timers_that_are_late_are_told(self):
        self.assertIn("timers: 1, late by p50 2.50 µs, p99 2.50 µs, max 2.50 µs",
                      run(self.record(WAITS)))

    def test_top_limits_the_sites_and_says_so(self):
        told = run(self.record(WAITS), "--top", "1")
        self.assertIn("a.cpp:1", told)
        self.assertNotIn("b.cpp:2  mutex", told)
        self.assertIn("and 1 more: --top 2", told)

    def test_it_is_at_most_100_columns_wide(self):
        long = copy.deepcopy(WAITS)
        long["program"] = "p" * 200
        for event in long["events"]:
            if event.get("place"):
                event["place"] = "directory/" * 20 + event["place"]
        for line in run(self.record(long)).splitlines():
            self.assertLessEqual(len(line), 100, line)

    def test_summary_needs_no_name(self):
        self.assertEqual(run(ECHO), run("summary", ECHO))

    def test_a_simulated_run_tells_its_network_and_its_failure(self):
        told = run(SIMULATED)
        self.assertIn("network: 17 arrives, 3 blocked, 1 doubled, 1 late, 1 lost; 4 faults", told)
        self.assertIn("failed at 5.00 s: always: each request is done once", told)
        self.assertIn("seed 42", told)


class Perfetto(WithFolder):
    def events(self, record):
        return json.loads(self.made("perfetto", record, end="json"))["traceEvents"]

    def check(self, events):
        """The rules of the format; returns how often each phase occurs."""
        phases, flows, open_spans, before = {}, {}, {}, 0
        for event in events:
            for name in ("ph", "ts", "pid", "tid"):
                self.assertIn(name, event)
            self.assertGreaterEqual(event["ts"], before)
            before = event["ts"]
            phase = event["ph"]
            phases[phase] = phases.get(phase, 0) + 1
            if phase == "X":
                self.assertGreaterEqual(event["dur"], 0)
            elif phase in "sf":
                flows.setdefault(event["id"], []).append(phase)
            elif phase in "be":
                open_spans.setdefault((event["cat"], event["id"]), []).append(phase)
            elif phase == "i":
                self.assertIn(event["s"], "gpt")
            else:
                self.assertEqual(phase, "M")
        self.assertTrue(all(pair == ["s", "f"] for pair in flows.values()), flows)
        self.assertTrue(all(pair == ["b", "e"] for pair in open_spans.values()), open_spans)
        return phases

    def test_the_trace_keeps_the_rules_of_the_format(self):
        phases = self.check(self.events(ECHO))
        # Each of the 9 runs has an arrow from what made it ready: a begin or a completion.
        self.assertEqual((phases["s"], phases["f"]), (9, 9))
        self.assertEqual(phases["i"], 2)  # the mark, the accept that was done at once
        self.check(self.events(SIMULATED))

    def test_slices_of_one_track_never_overlap(self):
        tracks = {}
        for event in self.events(ECHO):
            if event["ph"] == "X":
                tracks.setdefault((event["pid"], event["tid"]), []).append(
                    (event["ts"], event["ts"] + event["dur"]))
        self.assertEqual(len(tracks), 5)  # the loop and four tasks
        for spans in tracks.values():
            for (_, end), (begin, _) in zip(spans, spans[1:]):
                self.assertLessEqual(end, begin + 0.001)

    def test_arrows_begin_and_end_in_a_slice(self):
        events = self.events(ECHO)
        spans = [(event["tid"], event["ts"], event["ts"] + event["dur"]) for event in events
                 if event["ph"] == "X"]
        for event in events:
            if event["ph"] in "sf":
                self.assertTrue(any(tid == event["tid"] and begin <= event["ts"] <= end
                                    for tid, begin, end in spans), event)

    def test_tracks_are_named(self):
        names = {event["args"]["name"] for event in self.events(ECHO)
                 if event["name"] == "thread_name"}
        self.assertEqual(names, {"the loop", "task 1", "accept 2", "echo 3", "echo 4"})

    def test_packets_and_faults_of_a_simulated_run_are_there(self):
        events = self.events(SIMULATED)
        self.assertEqual(sum(event["ph"] == "b" for event in events), 23)
        self.assertEqual(sum(event.get("cat") == "fault" for event in events), 4)
        self.assertEqual(sum(event.get("cat") == "failure" for event in events), 1)


class Inputs(WithFolder):
    def refused(self, what, *arguments, code=1):
        said = run(*arguments, code=code)
        self.assertEqual(said.count("\n"), 1, said)
        self.assertTrue(said.startswith("anel-trace: "), said)
        self.assertIn(what, said)

    def test_what_is_no_record_is_refused_in_one_line(self):
        for text, what in (("", "is cut off"), ("[1, 2]", "has no `anel_record`"),
                           ("{}", "has no `anel_record`"), ("{nothing", "is no JSON"),
                           ('{"anel_record": 2}', "reads version 1"),
                           ('{"anel_record": 1}', "the record is empty"),
                           ("[" * 100_000, "nested too deep")):
            path = self.record(text)
            self.refused(f"summary: {path}: ", path)
            self.refused(what, path)
        self.refused("summary: nowhere.json: no such file", "nowhere.json")
        self.refused("is a directory", self.folder)
        with open(self.path("bytes.json"), "wb") as file:
            file.write(b"\xff\xfe")
        self.refused("not UTF-8", self.path("bytes.json"))

    def test_a_record_that_was_cut_off_is_refused_at_every_length(self):
        with open(SIMULATED, encoding="utf-8") as file:
            text = file.read()
        for length in range(1, len(text) - 3, len(text) // 12):
            self.refused("perfetto: ", "perfetto", self.record(text[:length]), "-o",
                         self.path("x.json"))

    def test_an_event_that_is_wrong_is_named(self):
        for change, what in (({"at": "soon"}, "event 1: `at`"), ({"at": -1}, "event 1: `at`"),
                             ({"loop": 7}, "event 1: loop 7 of 1"), ({"task": 1.5}, "`task`"),
                             ({"place": 3}, "`place` is no text"), ({"kind": None}, "`kind`")):
            data = load(ECHO)
            data["events"][0].update(change)
            self.refused(what, self.record(data))
        data = load(SIMULATED)
        data["network"][0]["to"] = 9
        self.refused("network 1: there is no host 9", self.record(data))

    def test_what_a_terminal_must_not_see_is_replaced(self):
        data = load(ECHO)
        data["program"] = "a\x1b[2J\ud800b"
        data["events"][0]["name"] = "\x07\ufffe"
        record = self.record(data)
        self.assertTrue(run(record).startswith("a·[2J·b: 52 events"))
        for command, end in (("timeline", "svg"), ("timeline", "html"), ("perfetto", "json")):
            self.assertNotRegex(self.made(command, record, end=end), "[\x07\x1b\ufffe]")

    def test_the_tool_runs_where_it_is_installed(self):
        os.makedirs(self.path("bin"))
        os.makedirs(self.path("share/anel/trace"))
        tool = shutil.copy(TOOL, self.path("bin"))
        shutil.copytree(os.path.join(FOLDER, "anel_trace"),
                        self.path("share/anel/trace/anel_trace"))
        ran = subprocess.run([tool, ECHO], capture_output=True, text=True, timeout=60, check=True,
                             cwd="/")
        self.assertEqual(ran.stdout, run(ECHO))

    def test_an_event_of_a_later_kind_is_passed_over(self):
        data = load(ECHO)
        data["events"].append({"at": 1, "loop": 0, "kind": "later"})
        self.assertIn("52 events", run(self.record(data)))

    def test_a_wrong_command_line_is_refused(self):
        for arguments, what in (
                (("--odd", ECHO), "--odd"), (("timeline", ECHO), "-o"), (("ps", "me"), "'me'"),
                (("timeline", ECHO, "-o", "x.png"), ".svg or .html"),
                (("timeline", ECHO, "-o", "x.svg", "--lang", "de"), "'de'"),
                (("summary",), "FILE"), (("--top", "0", ECHO), "'0'"),
                (("timeline", ECHO, "-o", "x.svg", "--width", "12"), "'12'")):
            self.refused(what, *arguments, code=2)
        self.assertIn("usage", run(code=2))
        self.assertIn("anel-trace ps PID", run("--help"))

    def test_a_span_that_is_not_there_is_refused(self):
        out = self.path("x.svg")
        for arguments, what in (
                (("timeline", ECHO, "--from", "tea"), "no mark says 'tea'"),
                (("timeline", ECHO, "--from", "9", "--to", "8"), "--to lies before --from"),
                (("timeline", ECHO, "--from", "1e9"), "nothing happens"),
                (("timeline", ECHO, "--tasks", "9"), "has no task 9"),
                (("timeline", ECHO, "--loop", "3"), "loop 3 has no event"),
                (("sequence", ECHO), "nothing went over a simulated network"),
                (("sequence", SIMULATED, "--from", "9000"), "nothing goes over the network")):
            self.refused(what, *arguments, "-o", out)
            self.assertFalse(os.path.exists(out))

    def test_a_file_that_cannot_be_written_is_told(self):
        self.refused("cannot write", "perfetto", ECHO, "-o", self.path("none/x.json"))


class Languages(unittest.TestCase):
    def test_both_say_the_same_things(self):
        fields = string.Formatter().parse
        for key, texts in TABLE.items():
            self.assertEqual(len(texts), len(LANGUAGES), key)
            self.assertTrue(all(texts), key)
            names = [sorted(name for _, name, _, _ in fields(text) if name) for text in texts]
            self.assertEqual(names[0], names[1], key)

    def test_numbers_are_written_as_the_language_does(self):
        self.assertEqual(Words("en").duration(1234), "1.23 µs")
        self.assertEqual(Words("pt").duration(1234), "1,23 µs")
        self.assertEqual(Words("en").duration(999_960), "1.00 ms")
        self.assertEqual(Words("pt").listed(["a", "b", "c"]), "a, b e c")
        self.assertEqual(Words("en").listed("abcde"), "a, b, c, d, …")


class Ps(unittest.TestCase):
    def listen(self, number, answer, times=1):
        """A loop of this process, which answers once."""
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(f"\0anel-{os.getpid()}-{number}")
        server.listen()
        self.addCleanup(server.close)

        def serve():
            for _ in range(times):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(answer)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)

    def test_every_loop_answers_in_order(self):
        self.listen(10, b"ten\n", times=3)
        self.listen(2, "dois: \u00e9\n".encode() * 20_000, times=3)
        listed = "dois: \u00e9\n" * 20_000 + "ten\n"
        own = str(os.getpid())
        self.assertEqual(run("ps", own), listed)
        self.assertEqual(run("ps", own, own), f"process {own}:\n{listed}" * 2)

    def test_a_loop_that_closes_at_once_is_told(self):
        self.listen(0, b"")
        said = run("ps", str(os.getpid()), code=1)
        self.assertIn("loop 0 says nothing", said)

    def test_a_process_that_does_not_listen_is_told(self):
        said = run("ps", "1", code=1)
        self.assertEqual(said, "anel-trace: ps: process 1 listens nowhere: it must run with "
                               "run_options::dump_on (the example servers do), as the same user\n")


if __name__ == "__main__":
    unittest.main()

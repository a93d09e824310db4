# test_trace.py: a server that is asked to records what it did, and anel-trace reads it.
# SPDX-License-Identifier: MIT

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness

def processor_time(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        user, system = file.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@harness.for_each_backend
class Trace:
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "run.json")

    def read(self):
        with open(self.path, encoding="utf-8") as file:
            return json.load(file)

    def recorded_server(self):
        server = self.server("tcp_echo", variables={"ANEL_TRACE": self.path},
                             stderr_allowed=r".*")
        harness.poll_until("the server to watch SIGUSR1",
                           lambda: server.state.catches(signal.SIGUSR1))
        return server

    def tool(self, *arguments):
        done = subprocess.run([sys.executable, "-B", harness.TRACE_TOOL, *arguments],
                              capture_output=True, text=True, timeout=harness.DEADLINE,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_the_record_tells_of_each_echo(self):
        server = self.recorded_server()
        for _ in range(2):
            client = server.client()
            client.assert_echo(b"x" * 100)
            client.close()
        server.signal(signal.SIGTERM)
        server.assert_exits_0()
        record = self.read()
        self.assertEqual(record["program"], "tcp_echo" if harness.knows_linux() else "")
        events = record["events"]
        self.assertEqual(sorted(events, key=lambda event: event["at"]), events)
        sent = [event for event in events
                if event["kind"] == "submit" and event["call"] == "send"]
        self.assertEqual([event["bytes"] for event in sent], [100, 100])
        sessions = {event["task"] for event in sent}
        received = [event["result"] for event in events
                    if event.get("call") == "recv" and event["task"] in sessions
                    and "result" in event]
        self.assertEqual(sum(received), 200)
        ended = [event["how"] for event in events if event["kind"] == "end"]
        self.assertEqual(ended.count("ok"), 2)

    def test_a_session_that_fails_ends_by_an_error(self):
        server = self.recorded_server()
        before = server.state.descriptors()
        client = server.client()
        client.assert_echo(b"hello")
        client.reset()
        harness.poll_until("the end of the session",
                           lambda: server.state.descriptors() == before)
        server.signal(signal.SIGTERM)
        server.assert_exits_0()
        ended = [event["how"] for event in self.read()["events"] if event["kind"] == "end"]
        self.assertIn("error", ended)

    def test_it_is_written_at_the_signal_too(self):
        server = self.recorded_server()
        server.client().assert_echo(b"hello")
        server.signal(signal.SIGUSR1)
        harness.poll_until("the dump", lambda: server.stderr().endswith("\n"))
        self.assertTrue(any(event.get("call") == "send" for event in self.read()["events"]))

    def test_the_tool_draws_it(self):
        server = self.recorded_server()
        for _ in range(2):
            server.client().assert_echo(b"hello")
        server.signal(signal.SIGTERM)
        server.assert_exits_0()
        self.assertIn("tcp_echo.cpp:11", self.tool(self.path))
        for kind, form in (("perfetto", "json"), ("timeline", "svg"), ("timeline", "html")):
            with self.subTest(kind + form):
                drawn = f"{self.path}.{form}"
                self.tool(kind, self.path, "-o", drawn)
                self.assertGreater(os.path.getsize(drawn), 1000)

    def test_the_tool_records_it_with_what_the_kernel_says(self):
        command = [sys.executable, "-B", harness.TRACE_TOOL, "record", "-o", self.path, "--",
                   harness.program("tcp_echo"), "127.0.0.1:0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env=harness.environment(self.backend))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        address = re.search(r"on (\S+):(\d+)", process.stdout.readline())
        with socket.create_connection((address[1], int(address[2])), harness.DEADLINE) as client:
            client.sendall(b"hello")
            self.assertEqual(client.recv(5, socket.MSG_WAITALL), b"hello")
        process.terminate()
        self.assertEqual(process.wait(harness.DEADLINE), 0)
        record = self.read()
        self.assertTrue(any(event.get("call") == "send" for event in record["events"]))
        if "without the kernel's lane" in process.stderr.read():
            self.assertNotIn("kernel", record)
        else:
            for event in record["events"]:
                self.assertTrue(any(span["at"] <= event["at"] < span["until"] + 1000  # in whole µs
                                    for span in record["processor"]),
                                f"{event} on no processor: {record['processor']}")
            if record["loops"][0]["backend"] == "io_uring":
                self.assertIn("complete", [event["what"] for event in record["kernel"]])
        self.assertIn("longest run without giving way", self.tool(self.path))

    @unittest.skipUnless(harness.knows_linux(), "there are no abstract sockets")
    def test_an_inspector_that_no_descriptor_is_left_for_costs_nothing(self):
        server = self.recorded_server()
        pid = server.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE,
                         (len(os.listdir(f"/proc/{pid}/fd")), limits[1]))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as inspector:
            inspector.settimeout(harness.DEADLINE)
            inspector.connect(f"\0anel-{pid}-0")
            before = processor_time(pid)
            with self.assertRaises(socket.timeout):
                inspector.settimeout(1)
                inspector.recv(1)
            self.assertLess(processor_time(pid) - before, 0.2)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
            inspector.settimeout(harness.DEADLINE)
            self.assertIn(b"tasks of a loop on", inspector.recv(4096))

    @unittest.skipUnless(harness.knows_linux(), "there are no abstract sockets")
    def test_the_tool_lists_the_tasks_of_a_process(self):
        server = self.recorded_server()
        server.client().assert_echo(b"hello")
        listed = self.tool("ps", str(server.process.pid))
        self.assertRegex(listed, r"recv from .* at tcp_echo\.cpp:11")


if __name__ == "__main__":
    unittest.main()

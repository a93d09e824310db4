# kernel.py: runs a program with a record, and adds what the kernel's tracepoints said meanwhile.
# SPDX-License-Identifier: MIT
"""The kernel's lane: when a request was handed over, when it had to wait, when what it waited for
came, and when the thread had a processor. Both sides use CLOCK_MONOTONIC, and io_uring's user_data
is the address of the operation, or for a receive that stays armed its descriptor (uring.hpp).
Where tracefs is not to be had, the record has no such lane, and the user is told why."""

import contextlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time

from .record import Trouble

TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
RING_EVENTS = ("submit_req", "poll_arm", "task_add", "complete", "cqring_wait")
KIB_PER_CPU = 16384
# `echo-17 [000] d.s3. 28525.793981: io_uring_task_add: ring 0..., user_data 0x6b, opcode RECV`
LINE = re.compile(r"-(\d+) +\[\d+\] \S+ +(\d+)\.(\d{6}): (\w+): (.*)")
SWITCH = re.compile(r"prev_pid=(\d+) .*prev_state=(\S+) ==> .*next_pid=(\d+)")
TAG_MASK, OWN, RECEIVE, CLOSE = 7, 0, 3, 5  # uring::tag


class Instance:
    """A trace buffer of our own, so that nobody else's tracing is touched."""

    def __init__(self, tracefs, name):
        self.folder = f"{tracefs}/instances/{name}"
        os.mkdir(self.folder)

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="ascii") as file:
            file.write(text)

    def enable(self, event):
        self.write(f"events/{event}/enable", "1")

    def lines(self):
        with open(f"{self.folder}/trace", encoding="utf-8", errors="replace") as file:
            for line in file:
                if found := LINE.search(line):
                    thread, seconds, micro, event, text = found.groups()
                    yield int(thread), (int(seconds) * 10**6 + int(micro)) * 1000, event, text

    def lost(self):
        """How many events the buffer had no room for."""
        count = 0
        for cpu in os.listdir(f"{self.folder}/per_cpu"):
            with open(f"{self.folder}/per_cpu/{cpu}/stats", encoding="ascii") as file:
                count += int(re.search(r"overrun: (\d+)", file.read())[1])
        return count

    def close(self):
        os.rmdir(self.folder)


class Tracing:
    """The tracepoints, from before a program begins until it has ended."""

    def __init__(self, pid):
        tracefs = next((path for path in TRACEFS if os.path.isdir(f"{path}/instances")), None)
        if tracefs is None:
            raise OSError(None, "tracefs is not mounted, or not for this user to see; as root: "
                                f"mount -t tracefs tracefs {TRACEFS[0]}")
        self.pid, self.open = pid, []
        left_over(tracefs)
        try:
            self.rings = self.instance(tracefs, f"anel-{os.getpid()}-rings")
            for event in RING_EVENTS:
                self.rings.enable(f"io_uring/io_uring_{event}")
            self.switches = self.instance(tracefs, f"anel-{os.getpid()}-switches")
            for event, of_ours in (("sched_switch", f"prev_pid == {pid} || next_pid == {pid}"),
                                   ("sched_waking", f"pid == {pid}"),
                                   ("sched_migrate_task", f"pid == {pid}")):
                self.switches.write(f"events/sched/{event}/filter", of_ours)
                self.switches.enable(f"sched/{event}")
        except OSError:
            self.close()
            raise

    def instance(self, tracefs, name):
        made = Instance(tracefs, name)
        self.open.append(made)
        made.write("trace_clock", "mono")
        for option, value in (("record-tgid", "0"), ("irq-info", "1")):  # as LINE expects it
            with contextlib.suppress(OSError):
                made.write(f"options/{option}", value)
        made.write("buffer_size_kb", str(KIB_PER_CPU))
        return made

    def close(self):
        while self.open:
            self.open.pop().close()

    def ring_events(self):
        """Those of the program's rings: what completes a request may run in another process."""
        every = list(self.rings.lines())
        own = {text.split(",")[0] for thread, _, _, text in every if thread == self.pid}
        for _, at, event, text in every:
            if text.split(",")[0] in own:
                yield {"at": at, "what": event.removeprefix("io_uring_"), **subject(text)}

    def on_processor(self, begin, end):
        """The spans in which the program's first thread ran, and whether it was made to stop.

        Linux 6.18 does not tell of each switch from an idle processor (one in six of all, by a
        trial). The thread has run since it was woken or moved then. And a program may be seen to
        have ended before its last switch is written down."""
        since, ready, stopped = None, begin, begin
        for _, at, event, text in self.switches.lines():
            if event != "sched_switch":
                ready = at
                continue
            found = SWITCH.search(text)
            before, state, after = int(found[1]), found[2], int(found[3])
            if before == self.pid:
                yield {"at": since or max(ready, stopped), "until": at,
                       "preempted": state.startswith("R")}
                since, stopped = None, at
            if after == self.pid:
                since = at
        if since is not None or ready > stopped:
            yield {"at": since or ready, "until": end, "preempted": False}


def subject(text):
    """What an event is about: the operation `op` or the descriptor `fd`, and what it says of it."""
    told = {}
    if found := re.search(r"user_data 0x([0-9a-f]+)", text):
        data = int(found[1], 16)
        if data & TAG_MASK == OWN and data:
            told["op"] = data
        elif data & TAG_MASK in (RECEIVE, CLOSE):
            told["fd"] = data >> 3
    if found := re.search(r"opcode (\w+)", text):
        told["opcode"] = found[1]
    if found := re.search(r"result (-?\d+)", text):
        told["result"] = int(found[1])
    return told


# Runs in the place of the program until the pipe is closed, and then becomes the program.
WAIT_AND_RUN = """
import os, sys
gate, *command = sys.argv[1:]
os.read(int(gate), 1)
os.close(int(gate))
try:
    os.execvp(command[0], command)
except OSError as error:
    sys.exit(f"{command[0]}: {error.strerror}")
"""


class Program:
    """The program, stopped before its first instruction. A signal for the tool is one for it."""

    def __init__(self, command, path):
        reading, self.gate = os.pipe()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: self.process.send_signal(number))
        self.process = subprocess.Popen(
            [sys.executable, "-c", WAIT_AND_RUN, str(reading), *command], pass_fds=(reading,),
            env={**os.environ, "ANEL_TRACE": path},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        os.close(reading)

    def run(self):
        """Its exit code, as a shell tells it."""
        os.close(self.gate)
        code = self.process.wait()
        return 128 - code if code < 0 else code


def left_over(tracefs):
    """Removes what was left by tools that were killed: the name says whose it is."""
    for name in os.listdir(f"{tracefs}/instances"):
        found = re.fullmatch(r"anel-(\d+)-(rings|switches)", name)
        if found and not os.path.exists(f"/proc/{found[1]}"):
            with contextlib.suppress(OSError):
                os.rmdir(f"{tracefs}/instances/{name}")


def trace(program):
    """The program's exit code, and what was traced until it ended: parts of a record."""
    try:
        tracing = Tracing(program.process.pid)
    except OSError as error:
        reason = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
        say(f"without the kernel's lane: {reason}")
        return program.run(), {}
    try:
        begin = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        code = program.run()
        end = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        found = {"kernel": list(tracing.ring_events()), "kernel_lost": tracing.rings.lost(),
                 "processor": list(tracing.on_processor(begin, end))}
    finally:
        tracing.close()
    if not found["processor"]:
        say(f"the kernel's lane is empty: nothing was seen of process {program.process.pid}")
    return code, found


def say(text):
    sys.stderr.write(f"anel-trace: record: {text}\n")


def check(command, path):
    """Refuses what cannot work before anything is started, or removed."""
    if not shutil.which(command[0]):
        raise Trouble(f"there is no program {command[0]}")
    folder = os.path.dirname(path)
    if not os.access(folder, os.W_OK):
        raise Trouble(f"cannot write into {folder}")
    if os.path.lexists(path):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise Trouble("is no plain file")
        os.unlink(path)


def record(command, path):
    """Runs a program and leaves its record in a file; the program's exit code."""
    path = os.path.abspath(path)
    check(command, path)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the program gets it as well, and ends
    code, found = trace(Program(command, path))
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        first = min((event["at"] for event in data["events"]), default=0)
    except FileNotFoundError:
        say(f"{command[0]} has left no record: it does not use anel, or ended too early")
        return code or 1
    except (OSError, ValueError, KeyError, TypeError):
        say(f"{command[0]} has left something else than a record in {path}")
        return code or 1
    if found:
        for name in ("kernel", "processor"):  # the record's ring keeps the last events only
            found[name] = [each for each in found[name] if each.get("until", each["at"]) >= first]
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            json.dump({**data, **found}, file, separators=(",", ":"))
            file.write("\n")
    return code

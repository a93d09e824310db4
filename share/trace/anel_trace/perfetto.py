# perfetto.py: a record as Chrome trace events, which ui.perfetto.dev opens.
# SPDX-License-Identifier: MIT
"""A process is a loop; its first track is the loop itself, and each task has one. The runs and
waits of a task are slices of one track: they never overlap, and so a track reads as a sentence.
Arrows lead from what made a task ready to the run that followed. The packets of a simulated
network are a process of their own."""

import json

from .story import stories
from .summary import task_name

LOOP_TRACK = 0  # tasks are numbered from 1
ORDER = {"M": 0, "X": 1, "b": 2, "e": 3, "i": 4, "s": 5, "f": 6}


def microseconds(ns):
    """Exact: a double holds every nanosecond of a machine that has been up for 100 days."""
    return ns / 1000


class Trace:
    """The trace events of a record, in the making."""

    def __init__(self):
        self.events = []
        self.arrows = 0

    def add(self, phase, ns, process, track, name, **more):
        self.events.append({"ph": phase, "ts": microseconds(ns), "pid": process, "tid": track,
                            "name": name, **more})

    def named(self, process, track, what, **arguments):
        self.add("M", 0, process, track, what, args=arguments)

    def slice(self, begin, end, process, track, name, category, arguments=None):
        self.add("X", begin, process, track, name, cat=category,
                 dur=microseconds(end - begin), args=arguments or {})

    def arrow(self, process, begin, source, end, target, name):
        self.arrows += 1
        self.add("s", begin, process, source, name, cat="ready", id=self.arrows)
        self.add("f", end, process, target, name, cat="ready", id=self.arrows, bp="e")

    def text(self):
        self.events.sort(key=lambda event: (event["ts"], ORDER[event["ph"]],
                                            -event.get("dur", 0)))
        lines = ",\n".join(json.dumps(event, ensure_ascii=False) for event in self.events)
        return f'{{"displayTimeUnit":"ns","traceEvents":[\n{lines}\n]}}\n'


def loop_track(trace, story, process):
    last = story.at(len(story.events) - 1)
    reached = story.at(0)
    for sleep in story.sleeps:
        begin = reached if sleep.begin is None else story.at(sleep.begin)
        end = last if sleep.end is None else story.at(sleep.end)
        if begin > reached:
            trace.slice(reached, begin, process, LOOP_TRACK, "turn", "loop")
        trace.slice(begin, end, process, LOOP_TRACK, "asleep" if sleep.asleep else "asks",
                    "loop", {"completions": sleep.done})
        reached = end
    if last > reached:
        trace.slice(reached, last, process, LOOP_TRACK, "turn", "loop")


def task_tracks(trace, story, process):
    last = story.at(len(story.events) - 1)
    for run in story.runs:
        if run.begin is None:
            continue
        end = last if run.end is None else story.at(run.end)
        name = f"runs {run.place}".rstrip()
        trace.slice(story.at(run.begin), end, process, run.task, name, "run",
                    {"from": run.place, "to": run.wait["place"] if run.wait else ""})
        if run.cause is not None:
            cause = story.events[run.cause]
            by_task = cause["kind"] in ("begin", "grant")
            source = cause.get("by") if by_task else LOOP_TRACK
            if not by_task or source in story.tasks:
                trace.arrow(process, cause["at"], source, story.at(run.begin), run.task,
                            cause["kind"])
    for wait in story.waits:
        end = last if wait.end is None else story.at(wait.end)
        ready = {} if wait.ready is None else {"ready_us": microseconds(story.at(wait.ready))}
        trace.slice(story.at(wait.begin), end, process, wait.task, wait.what, "wait",
                    {"at": wait.place, **ready})


def instants(trace, story, process):
    for event in story.events:
        kind = event["kind"]
        if kind in ("mark", "cancel"):
            name = event["text"] if kind == "mark" else "cancel"
            trace.add("i", event["at"], process, event["task"], name, s="t", cat=kind)
        elif kind in ("wake", "timer"):
            trace.add("i", event["at"], process, LOOP_TRACK, kind, s="t", cat="loop",
                      args={"late_ns": event["late"]} if "late" in event else {})
        elif kind == "submit" and "result" in event:
            trace.add("i", event["at"], process, event["task"], f"{event['call']} at once", s="t",
                      cat="operation", args={"fd": event.get("fd", -1), "result": event["result"]})


def kernel(trace, record, process):
    """What `anel-trace record` has added: the requests by descriptor, and the thread."""
    trace.named(process, 0, "process_name", name="kernel")
    trace.named(process, 0, "thread_name", name="the thread")
    for span in record.processor:
        trace.slice(span["at"], span["until"], process, 0, "on a processor", "processor",
                    {"preempted": span.get("preempted", False)})
    for event in record.kernel:
        trace.add("i", event["at"], process, 1 + event.get("fd", -1),
                  f"{event['what']} {event['opcode']}".rstrip(), s="t", cat="kernel",
                  args={key: event[key] for key in ("op", "fd", "result") if key in event})


def network(trace, record, process):
    trace.named(process, 0, "process_name", name="network")
    for number, packet in enumerate(record.network, 1):
        track = packet["from"]
        name = f"{packet['kind']} to {record.hosts[packet['to']]['name']}".rstrip()
        common = {"cat": "network", "id": number}
        end = packet.get("arrives", packet["at"])
        trace.add("b", packet["at"], process, track, name, **common,
                  args={key: packet[key] for key in ("bytes", "ports", "fate") if key in packet})
        trace.add("e", max(end, packet["at"]), process, track, name, **common)
    for fault in record.faults:
        trace.add("i", fault["at"], process, 0, f"{fault['kind']} {fault['text']}".strip(), s="p",
                  cat="fault")
    if record.failure:
        trace.add("i", record.failure["at"], process, 0, f"failure: {record.failure['text']}",
                  s="g", cat="failure")


def perfetto(record):
    """The text of the trace."""
    trace = Trace()
    for story in stories(record):
        process = story.loop + 1
        title = f"{record.program} {story.name}".strip()
        trace.named(process, LOOP_TRACK, "process_name",
                    name=f"{title}, loop {story.loop} on {story.backend}")
        trace.named(process, LOOP_TRACK, "thread_name", name="the loop")
        trace.named(process, LOOP_TRACK, "thread_sort_index", sort_index=-1)
        for number in sorted(story.tasks):
            trace.named(process, number, "thread_name", name=task_name(story, number))
            trace.named(process, number, "thread_sort_index", sort_index=number)
        loop_track(trace, story, process)
        task_tracks(trace, story, process)
        instants(trace, story, process)
    if record.network:
        network(trace, record, len(record.loops) + 1)
    if record.kernel or record.processor:
        kernel(trace, record, len(record.loops) + 2)
    return trace.text()

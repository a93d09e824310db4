# story.py: what the events of one loop mean: runs, waits, operations, sleeps.
# SPDX-License-Identifier: MIT
"""Events are told apart by their number in the loop, not by their time: much that a simulated
run does happens at one virtual instant. The oldest events may be missing, and a record ends in
the middle of waits: then `begin` or `end` is None."""

from dataclasses import dataclass, field


@dataclass
class Span:
    """What lasts from one event to another."""
    task: int
    begin: int | None
    end: int | None = None


@dataclass
class Run(Span):
    """A task runs, without giving way."""
    place: str = ""
    cause: int | None = None  # the event that made it ready
    inside: list = field(default_factory=list)  # what it did
    wait: dict | None = None  # the event with which it gave way


@dataclass
class Wait(Span):
    place: str = ""
    what: str = ""
    ready: int | None = None  # from this event on it could run


@dataclass
class Operation(Span):
    op: int = 0
    call: str = ""
    fd: int = -1
    bytes: int = 0
    result: int | None = None
    at_once: bool = False


@dataclass
class Sleep:
    """The loop asks the kernel, and sleeps unless its deadline has passed."""
    begin: int | None
    end: int | None = None
    asleep: bool = True
    done: int = 0


@dataclass
class Task:
    number: int
    name: str = ""
    place: str = ""
    by: int | None = None
    begin: int | None = None
    end: int | None = None
    how: str = ""


class Story:
    """What happened on one loop."""

    def __init__(self, record, loop):
        self.loop = loop
        self.backend = record.loops[loop]["backend"] or "?"
        self.name = record.loops[loop]["name"]
        self.events = [event for event in record.events if event["loop"] == loop]
        self.tasks, self.runs, self.waits, self.operations, self.sleeps = {}, [], [], [], []
        self.running, self.waiting, self.in_flight = {}, {}, {}
        self.made_ready = {}  # task -> the event that did it
        self.asking = None
        for number, event in enumerate(self.events):
            if "task" in event:
                self.tasks.setdefault(event["task"], Task(event["task"]))
            getattr(self, "on_" + event["kind"])(number, event)
        self.operations.sort(key=lambda one: -1 if one.begin is None else one.begin)

    def at(self, number):
        return self.events[number]["at"]

    def lasted(self, span):
        """Nanoseconds from begin to end; None where the record lacks one of them."""
        if span.begin is None or span.end is None:
            return None
        return self.at(span.end) - self.at(span.begin)

    def during(self, number, event):
        """An event that happens while its task runs."""
        run = self.running.get(event.get("by" if event["kind"] in ("begin", "grant") else "task"))
        if run:
            run.inside.append(number)

    def on_begin(self, number, event):
        task = self.tasks[event["task"]]
        task.name, task.place, task.by = event["name"], event["place"], event.get("by")
        task.begin = number
        self.made_ready[task.number] = number
        self.during(number, event)

    def on_end(self, number, event):
        task = self.tasks[event["task"]]
        task.end, task.how = number, event["how"]
        self.give_way(task.number, number, None)

    def on_resume(self, number, event):
        task = event["task"]
        cause = self.made_ready.pop(task, None)
        wait = self.waiting.pop(task, None)
        if wait:
            wait.end = number
        self.give_way(task, number, None)  # a suspend that is missing
        run = Run(task, number, place=event["place"], cause=cause)
        self.running[task] = run
        self.runs.append(run)

    def give_way(self, task, number, event):
        run = self.running.pop(task, None)
        if run:
            run.end, run.wait = number, event

    def on_suspend(self, number, event):
        task = event["task"]
        self.give_way(task, number, event)
        if not event["wait"] and not event["place"]:
            return  # it has ended
        wait = Wait(task, number, place=event["place"], what=event["wait"] or "several")
        if wait.what == "turn":
            wait.ready = number
        self.waiting[task] = wait
        self.waits.append(wait)

    def on_submit(self, number, event):
        self.during(number, event)
        made = Operation(event["task"], number, op=event["op"], call=event["call"],
                         fd=event.get("fd", -1), bytes=event.get("bytes", 0))
        self.operations.append(made)
        if "result" in event:
            made.end, made.result, made.at_once = number, event["result"], True
        else:
            self.in_flight[event["op"]] = made

    def on_complete(self, number, event):
        made = self.in_flight.pop(event["op"], None)
        if made is None:  # its submit was overwritten, or one submit brings many results
            wait = self.waiting.get(event["task"])
            made = Operation(event["task"], wait.begin if wait else None, op=event["op"],
                             call=event["call"], fd=event.get("fd", -1))
            self.operations.append(made)
        made.end, made.result = number, event.get("result")
        self.becomes_ready(number, event)

    def becomes_ready(self, number, event):
        self.made_ready[event["task"]] = number
        wait = self.waiting.get(event["task"])
        if wait and wait.ready is None:
            wait.ready = number

    def on_enter(self, number, event):
        self.asking = Sleep(number, asleep=event.get("until", event["at"] + 1) > event["at"])
        self.sleeps.append(self.asking)

    def on_leave(self, number, event):
        if self.asking is None:
            self.asking = Sleep(None)
            self.sleeps.append(self.asking)
        self.asking.end, self.asking.done = number, event.get("done", 0)
        self.asking = None

    def on_grant(self, number, event):
        self.during(number, event)
        self.becomes_ready(number, event)

    def on_timer(self, number, event):
        if "task" in event:  # the loop may not know whose timer it was
            self.becomes_ready(number, event)

    on_cancel = on_mark = during

    def on_wake(self, number, event):
        """Another thread: the loop's own business."""


def stories(record):
    """Each loop that did something."""
    told = [Story(record, loop) for loop in range(len(record.loops))]
    return [story for story in told if story.events]

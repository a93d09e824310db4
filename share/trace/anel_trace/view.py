# view.py: which part of a run a timeline shows, and on which lanes.
# SPDX-License-Identifier: MIT
"""Where no span is given, the earliest is chosen in which the most happens side by side."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

from .record import Trouble
from .story import stories

EVENTS_CHOSEN = 45  # more would not be read
EVENTS_MAX = 90  # more do not fit into 960 pixels
TURNS_CHOSEN = 4
OF_A_TASK = {"resume", "suspend", "submit", "complete", "timer", "grant", "begin", "end", "cancel",
             "mark"}


@dataclass
class Row:
    """A lane of the kernel: what a task asked of it for one descriptor."""
    task: int
    call: str
    fd: int
    operations: list = field(default_factory=list)


class View:
    """A span of a loop's events, and the tasks of it that have a lane."""

    def __init__(self, record, story, first, last, wanted, lanes_max):
        self.story, self.first = story, first
        here = [event for event in story.events[first:last + 1] if "task" in event]
        busy = {}
        for event in here:
            busy[event["task"]] = busy.get(event["task"], 0) + 1
        if wanted:
            unknown = [number for number in wanted if number not in story.tasks]
            if unknown:
                raise Trouble(f"loop {story.loop} has no task {unknown[0]}")
            busy = {number: busy.get(number, 0) for number in wanted}
        chosen = sorted(busy, key=lambda number: (-busy[number], number))[:lanes_max]
        self.tasks = sorted(chosen)
        self.left_out = len(busy) - len(chosen)
        self.partial = bool(wanted or self.left_out)
        points = [number for number in range(first, last + 1) if self.shown(number)]
        self.cut_of = len(points) if len(points) > EVENTS_MAX else 0
        self.points = points[:EVENTS_MAX]
        if not self.points:
            raise Trouble("nothing happens in this span")
        self.last = self.points[-1]
        self.enters = [sleep.begin for sleep in story.sleeps if sleep.begin is not None]
        self.rows = self.make_rows(lanes_max)
        self.packets = list(self.make_packets(record))
        self.came = list(self.make_came(record))

    def shown(self, number):
        event = self.story.events[number]
        if event["kind"] in OF_A_TASK and "task" in event:
            return event["task"] in self.tasks
        return True

    def overlaps(self, span):
        """Whether a span reaches into the view; one that ends where it begins does not."""
        begins = span.begin is None or span.begin <= self.last
        return begins and (span.end is None or span.end > self.first
                           or span.end == span.begin == self.first)

    def held_from(self, operation):
        """When the kernel gets to know of an operation: io_uring at the call that follows."""
        if operation.begin is None or operation.at_once or self.story.backend != "io_uring":
            return operation.begin
        place = bisect_right(self.enters, operation.begin)
        held = self.enters[place] if place < len(self.enters) else len(self.story.events)
        return held if operation.end is None else min(held, operation.end)

    def make_rows(self, most):
        rows, reached = [], {}
        for operation in self.story.operations:
            if operation.task not in self.tasks or not self.overlaps(operation):
                continue
            begin = -1 if operation.begin is None else operation.begin
            if (self.held_from(operation) or 0) > self.last:
                continue
            row = next((row for row in rows if row.task == operation.task
                        and (row.fd, row.fd < 0 and row.call)
                        == (operation.fd, operation.fd < 0 and operation.call)
                        and reached[id(row)] <= begin), None)
            if row is None:
                row = Row(operation.task, operation.call, operation.fd)
                rows.append(row)
            row.operations.append(operation)
            reached[id(row)] = len(self.story.events) if operation.end is None else operation.end
        rows.sort(key=lambda row: -len(row.operations))
        return sorted(rows[:most], key=lambda row: (row.task, row.fd))

    def make_packets(self, record):
        """What reached the loop's host over a simulated network, or left it: (when, packet)."""
        begin, end = self.story.at(self.first), self.story.at(self.last)
        for packet in record.network:
            for side in ("to", "from"):
                when = packet.get("arrives") if side == "to" else packet["at"]
                if packet[side] == self.story.loop and when is not None and begin <= when <= end:
                    yield when, side, packet

    def make_came(self, record):
        """When the kernel got what an operation waits for: (when, the row of the operation)."""
        begin, end = self.story.at(self.first), self.story.at(self.last)
        for event in record.kernel:
            if event["what"] != "task_add" or not begin <= event["at"] <= end:
                continue
            for number, row in enumerate(self.rows):
                if "fd" in event and row.fd == event["fd"] or "op" in event and any(
                        one.op == event["op"] for one in row.operations):
                    yield event["at"], number
                    break

    def parts(self):
        """How the time of the view was spent: (what, from, to) in nanoseconds, in order."""
        story = self.story
        begin, end = story.at(self.first), story.at(self.last)
        cuts = []
        for sleep in story.sleeps:
            if self.overlaps(sleep):
                cuts.append(("asleep" if sleep.asleep else "asks", sleep.begin, sleep.end))
        for run in story.runs:
            if self.overlaps(run):
                cuts.append(("tasks", run.begin, run.end))
        spans = sorted((begin if first is None else max(begin, story.at(first)),
                        end if last is None else min(end, story.at(last)), what)
                       for what, first, last in cuts)
        reached, found = begin, []
        for first, last, what in spans:
            first = max(first, reached)
            if last <= first:
                continue
            if first > reached:
                found.append(("loop", reached, first))
            found.append((what, first, last))
            reached = last
        if end > reached:
            found.append(("loop", reached, end))
        return found


def score(story, first, last):
    """How much happens side by side between two events."""
    here = story.events[first:last + 1]
    woken = {event["task"] for event in here if event["kind"] == "complete"}
    calls = {event["call"] for event in here if event["kind"] in ("complete", "submit")}
    arrows = sum(1 for event in here if event["kind"] == "grant")
    return 3 * min(len(woken), 3) + 2 * min(len(calls), 3) + min(arrows, 2)


def interesting(story):
    """The span with the best score, from one sleep of the loop to another: (score, first, last)."""
    enters = [number for number, event in enumerate(story.events) if event["kind"] == "enter"]
    best = (-1, 0, min(len(story.events), EVENTS_CHOSEN) - 1)
    for place, first in enumerate(enters):
        last = next((later for later in reversed(enters[place + 1:place + 1 + TURNS_CHOSEN])
                     if later - first < EVENTS_CHOSEN), None)
        if last is not None:
            found = score(story, first, last)
            if found > best[0]:
                best = (found, first, last)
    return best


def moment(events, text, after=0, origin=None):
    """The time of `--from` or `--to`: milliseconds from the first event, or a mark's text."""
    try:
        return (events[0]["at"] if origin is None else origin) + round(float(text) * 1e6)
    except (ValueError, OverflowError):
        pass
    for event in events:
        if event["kind"] == "mark" and event["text"] == text and event["at"] >= after:
            return event["at"]
    raise Trouble(f"no mark says {text!r}, and it is no time in milliseconds")


def choose(record, options):
    """The loop and the span that the options ask for, or the most interesting: (story, a, b)."""
    told = stories(record)
    if options.loop is not None:
        told = [story for story in told if story.loop == options.loop]
    if not told:
        raise Trouble("no event of a loop" if options.loop is None
                      else f"loop {options.loop} has no event")
    if options.begin is None and options.end is None:
        if options.tasks and len(told) > 1:
            told = [story for story in told
                    if all(number in story.tasks for number in options.tasks)] or told
        found = [(interesting(story), story) for story in told]
        (_, first, last), story = max(found, key=lambda one: one[0][0])
        return story, first, last
    story = max(told, key=lambda one: len(one.events))
    if options.loop is None:
        story = next((one for one in told if any(event["text"] == options.begin
                      for event in one.events if event["kind"] == "mark")), story)
    times = [event["at"] for event in story.events]
    begin = times[0] if options.begin is None else moment(record.events, options.begin)
    first = bisect_left(times, begin)
    if options.end is None:
        return story, first, min(first + EVENTS_CHOSEN, len(times)) - 1
    end = moment(record.events, options.end, begin)
    if end < begin:
        raise Trouble("--to lies before --from")
    return story, first, bisect_right(times, end) - 1

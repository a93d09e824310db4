# steps.py: tells what happens in a timeline, step by step, in plain words.
# SPDX-License-Identifier: MIT
"""A turn of the loop has three kinds of steps: it wakes, tasks run, it goes to sleep. Where they
would be too many, those of one turn become one."""

from dataclasses import dataclass

from .words import error_name

STEPS_MAX = 9
STEPS_TOGETHER_MAX = 12  # where the wakes and sleeps have none of their own


@dataclass
class Step:
    anchor: int  # the event beside which its number stands
    task: int | None  # on its lane; None: the loop's
    text: str


class Teller:
    """Puts the events of a view into words."""

    def __init__(self, view, words):
        self.view, self.words, self.story = view, words, view.story
        self.runs = {run.begin: run for run in self.story.runs}
        self.sizes = {one.end: one.bytes for one in self.story.operations}
        self.uring = self.story.backend == "io_uring"

    def label(self, number):
        task = self.story.tasks.get(number)
        name = self.words.task(task) if task else self.words("task", n=number)
        name = name.replace(" ", "\u00a0")  # no line ends within it
        return name if task and task.name else self.words("a task", task=name)

    def subject(self, numbers):
        """The beginning of a sentence."""
        told = self.words.listed((self.label(number) for number in numbers), 6)
        # A name stays as it is.
        return told if self.story.tasks[numbers[0]].name else told[0].upper() + told[1:]

    def operation(self, event):
        if event.get("fd", -1) < 0:
            return event["call"]
        return self.words("on fd", call=event["call"], fd=event["fd"])

    def result(self, number, sent="has sent"):
        """What a task has of the result that an event tells of."""
        words, event = self.words, self.story.events[number]
        call, result = event["call"], event.get("result")
        if result is None:
            return words("gets result", call=call)
        if result < 0:
            return words("gets error", error=error_name(result), call=call)
        if call == "accept":
            return words("gets connection")
        if call == "connect":
            return words("connected")
        if call in ("recv", "recv_chunk", "recv_exact") and result == 0:
            return words("gets end")
        if call.startswith("recv"):
            return words("gets", bytes=words.bytes(result), call=call)
        if call.startswith("send"):
            return words(sent, bytes=words.bytes(result or self.sizes.get(number, 0)))
        return words("gets result", call=call)

    def beginning(self, run):
        """Why a run began."""
        cause = self.story.events[run.cause] if run.cause is not None else {"kind": ""}
        if cause["kind"] == "complete":
            return self.result(run.cause)
        if cause["kind"] == "grant" and cause["by"] in self.story.tasks:
            return self.words("let go", by=self.label(cause["by"]))
        return self.words({"begin": "begins", "timer": "wakes up"}.get(cause["kind"], "goes on"))

    def doing(self, number):
        """What a task did while it ran."""
        words, event = self.words, self.story.events[number]
        kind = event["kind"]
        if kind == "submit" and "result" not in event:
            return words("asks for", call=event["call"])
        if kind == "submit":
            return words("at once", clause=self.result(number, "sends"))
        if kind == "begin":
            return words("spawns", task=self.label(event["task"]))
        if kind == "grant":
            return words("lets go", task=self.label(event["task"]))
        return words("cancels") if kind == "cancel" else words("marks", text=event["text"])

    def giving_way(self, run, inside):
        wait = run.wait["wait"] if run.wait else ""
        if not wait and run.wait and run.wait["place"]:
            wait = "several"
        if not wait:
            task = self.story.tasks[run.task]
            if run.end is None or task.end is None:
                return []
            return [self.words(f"end {task.how}" if self.words.has(f"end {task.how}")
                               else "end ok")]
        if any(event["kind"] == "submit" and "result" not in event for event in inside):
            return [self.words("suspends")]
        if self.words.has(f"wait {wait}"):
            return [self.words(f"wait {wait}")]
        return [self.words("waits for", what=wait)]

    def run(self, run):
        inside = [self.story.events[number] for number in run.inside]
        clauses = [self.beginning(run)] + [self.doing(number) for number in run.inside]
        if len(clauses) > 5:
            clauses = clauses[:4] + ["…"]
        clauses += self.giving_way(run, inside)
        return f"{self.subject([run.task])} {self.words.listed(clauses, len(clauses))}."

    def waking(self, number, events):
        kinds = {event["kind"] for event in events}
        done = [event for event in events if event["kind"] == "complete"]
        if done:
            key = "returns" if self.uring else "wakes"
            listed = self.words.listed(self.operation(event) for event in done)
            count = len(done)
            if self.view.partial and self.story.events[number].get("done", 0) > count:
                count, listed = self.story.events[number]["done"], listed + ", …"
            return self.words(key, results=self.words.counted("one result", "results", count),
                              list=listed)
        if "wake" in kinds:
            return self.words("woken")
        if "timer" in kinds:
            return self.words("timer fires")
        return self.words("returns without" if self.uring else "wakes without")

    def sleeping(self, number, first):
        words = self.words
        sleeps = any(sleep.begin == number and sleep.asleep for sleep in self.story.sleeps)
        held = [one for row in self.view.rows for one in row.operations
                if not one.at_once and (one.begin is None or one.begin < number)
                and (one.end is None or one.end > number)]
        handed = [one for one in held if self.uring and self.view.held_from(one) == number
                  and one.begin is not None and one.begin > self.view.first]
        if handed and not first:
            listed = words.listed(self.operation(vars(one)) for one in handed)
            told = words("hands over one", list=listed)
            if len(handed) > 1:
                requests = words.counted("one request", "requests", len(handed))
                told = words("hands over", requests=requests, list=listed)
            return f"{told} {words('sleeps')}" if sleeps and number == self.view.last else told
        if not sleeps:
            return words("does not sleep")
        if held and first:
            listed = words.listed(self.operation(vars(one)) for one in held)
            return words("holds" if self.uring else "waits ready", list=listed)
        return words("nothing left" if number == self.view.last else "sleeps")

    def pieces(self):
        """The smallest steps, each with the turn that it belongs to."""
        turn, found, woken, last = 0, [], [], None
        for number in self.view.points:
            event = self.story.events[number]
            kind = event["kind"]
            if kind == "leave":
                turn += 1
                last = woken
                found.append((turn, number, None, last))
            elif kind in ("complete", "timer", "wake"):
                (woken if last is None else last).append(event)
            elif kind == "resume":
                found.append((turn, number, event["task"], None))
            elif kind == "enter":
                woken, last = [], None
                found.append((turn, number, "enter", None))
        return found

    def tell(self, piece):
        _, number, what, events = piece
        if events is not None:
            return self.waking(number, events)
        if what == "enter":
            return self.sleeping(number, number == self.view.points[0])
        return self.run(self.runs[number])

    def steps(self):
        pieces = self.pieces()
        groups = [[piece] for piece in pieces]
        if len(groups) > STEPS_MAX:
            groups = []  # the wake goes with the run that follows, the sleep with the one before
            for piece in pieces:
                joins = groups and groups[-1][-1][0] == piece[0] and (
                    piece[2] == "enter" or groups[-1][-1][3] is not None)
                if not joins:
                    groups.append([])
                groups[-1].append(piece)
        if len(groups) > STEPS_TOGETHER_MAX:
            turns = {}
            for piece in pieces:
                turns.setdefault(piece[0], []).append(piece)
            groups = list(turns.values())
        told = []
        for group in groups:
            lead = group[0]
            task = lead[2] if isinstance(lead[2], int) else None
            told.append(Step(lead[1], task, " ".join(self.sentences(group)).replace("….", "…")))
        return told

    def sentences(self, group):
        """What a step says: more than two runs are told as one."""
        runs = [piece for piece in group if isinstance(piece[2], int)]
        for piece in group:
            if len(runs) <= 2 or piece not in runs:
                yield self.tell(piece)
            elif piece is runs[0]:
                yield self.words("run in turn", list=self.subject([run[2] for run in runs]))

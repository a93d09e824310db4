# lanes.py: the lanes of a timeline, from the kernel to the code, and what stands on them.
# SPDX-License-Identifier: MIT
"""Time goes to the right on a wide picture and down on a narrow one; all that differs is
`Lanes.point`. Lines are drawn first, then bars, then texts where room is left."""

from .axis import at_once_width
from .drawing import HUES, clip, text_width


class Lanes:
    """The drawing area: lanes beside each other, time along them."""

    def __init__(self, view, words, canvas, turned):
        self.view, self.words, self.canvas, self.turned = view, words, canvas, turned
        self.story = view.story
        self.half = 11 if turned else 13
        # Where the middle of each lane is, across.
        self.network, self.rows, self.loop, self.tasks = 0, [], 0, {}
        self.axis = None

    def point(self, along, across):
        return (across, along) if self.turned else (along, across)

    def box(self, begin, end, across, half):
        left, top = self.point(begin, across - half)
        right, bottom = self.point(end, across + half)
        return left, top, right, bottom

    def hue(self, task):
        return self.view.tasks.index(task) % HUES

    def bar(self, begin, end, across, classes, half=None):
        box = self.box(begin, end, across, half or self.half)
        self.canvas.rect(*box, classes, 3.5)
        self.canvas.obstacles.append(box)

    def label(self, begin, end, across, texts, classes, size=11.5, **how):
        """The first text that fits into a bar."""
        for text in texts:
            if text_width(text, size, how.get("bold", False)) <= end - begin - 6:
                x, y = self.point((begin + end) / 2, across)
                shift = (size * 0.36, 0) if self.turned else (0, size * 0.36)
                self.canvas.text(x + shift[0], y + shift[1], text, size, classes, "middle",
                                 turned=self.turned, **how)
                return

    def arrow(self, along, source, target, hue, along_target=None):
        """From one lane to another: both ends stand off by half a bar."""
        step = 1 if target > source else -1
        begin = self.point(along, source + step * self.half)
        end = self.point(along if along_target is None else along_target,
                         target - step * (self.half + 1))
        self.canvas.arrow(*begin, *end, f"h{hue}")

    # The lines between lanes.

    def arrows(self):
        for row, across in zip(self.view.rows, self.rows):
            for operation in row.operations:
                self.operation_arrows(operation, across, self.hue(row.task))
        for number in self.view.points:
            event = self.story.events[number]
            kind, at = event["kind"], self.axis.of(number)
            if kind == "resume":
                self.arrow(at, self.loop, self.tasks[event["task"]], self.hue(event["task"]))
            elif kind == "suspend":
                self.arrow(at, self.tasks[event["task"]], self.loop, self.hue(event["task"]))
            elif kind in ("grant", "begin") and event.get("by") in self.tasks:
                if event["by"] != event["task"]:
                    self.arrow(at, self.tasks[event["by"]], self.tasks[event["task"]],
                               self.hue(event["by"]))

    def shows(self, number):
        return number is not None and self.view.points[0] <= number <= self.view.last

    def operation_arrows(self, operation, across, hue):
        if operation.at_once:
            if self.shows(operation.begin):
                at = self.axis.of(operation.begin)
                self.arrow(at - 4 * self.axis.scale, self.loop, across, hue)
                self.arrow(at + 4 * self.axis.scale, across, self.loop, hue)
            return
        held = self.view.held_from(operation)
        if self.shows(held) and held != operation.end:
            begin = self.axis.of(held)
            # What one call hands over fans out, as seen from the loop.
            lean = 12 if self.story.backend == "io_uring" else 0
            self.arrow(begin + 2, self.loop, across, hue, begin + 2 + lean)
        if self.shows(operation.end):
            self.arrow(self.axis.of(operation.end), across, self.loop, hue)

    # The bars and what stands in them.

    def kernel_lanes(self):
        for row, across in zip(self.view.rows, self.rows):
            hue = self.hue(row.task)
            for operation in row.operations:
                if operation.at_once:
                    if self.shows(operation.begin):
                        at = self.axis.of(operation.begin)
                        half = at_once_width(operation.call) / 2 * self.axis.scale
                        self.bar(at - half, at + half, across, f"h{hue}")
                        self.label(at - half, at + half, across, (operation.call,), "on", 11,
                                   bold=True)
                    continue
                begin, end = self.axis.span(self.view.held_from(operation), operation.end)
                if self.shows(self.view.held_from(operation)):
                    begin += 10 if self.story.backend == "io_uring" else 0
                self.bar(begin, max(end, begin + 4), across, f"s{hue}")
                texts = [self.words("on fd", call=operation.call, fd=operation.fd), operation.call]
                self.label(begin, end, across, texts[operation.fd < 0:], f"h{hue}")

    def kernel_events(self):
        """What the kernel itself has said: when that came for which an operation waits."""
        for when, row in self.view.came:
            edge = self.rows[row] + self.half  # the names of operations stand in the middle
            place = self.point(self.axis.at_time(when, "to"), edge)
            self.canvas.dot(*place, 4, f"page h{self.hue(self.view.rows[row].task)}-line")

    def network_lane(self, hosts):
        """Packets of a simulated network, as dots: full where one arrives, open where it leaves."""
        if not self.view.packets:
            return
        ends = [self.point(along, self.network) for along in (self.axis.begin, self.axis.end)]
        self.canvas.line(*ends[0], *ends[1], "line-line")
        for when, side, packet in self.view.packets:
            at = self.axis.at_time(when, side)
            self.canvas.dot(*self.point(at, self.network), 4, "busy" if side == "to" else
                            "page busy-line")
            size = packet.get("bytes", 0)
            what = self.words.bytes(size) if size else self.words.kind(packet["kind"])
            other = hosts[packet["from" if side == "to" else "to"]]["name"]
            text = self.words("packet in" if side == "to" else "packet out", what=what, host=other)
            for shown in (text, what):
                if not self.turned and self.near(at, self.network, shown, "quiet", off=8):
                    break

    def loop_lane(self):
        begin, end = self.axis.begin, self.axis.end
        self.bar(begin, end, self.loop, "busy")
        for sleep in self.story.sleeps:
            if not self.view.overlaps(sleep):
                continue
            first, last = self.axis.span(sleep.begin, sleep.end)
            self.bar(first, last, self.loop, "rest line-line" if sleep.asleep else "ask")
            texts = [self.words("asleep" if sleep.asleep else "asks")]
            if sleep.asleep:
                texts.insert(0, f"z z z   {texts[0]}")
            self.label(first, last, self.loop, texts, "quiet" if sleep.asleep else "ink",
                       italic=True)

    def task_lanes(self):
        for number, across in self.tasks.items():
            hue, task = self.hue(number), self.story.tasks[number]
            alive = self.axis.span(task.begin, task.end)
            begin, end = self.point(alive[0], across), self.point(alive[1], across)
            self.canvas.line(*begin, *end, f"h{hue}-line", 2, "2 5")
            if self.shows(task.end):
                box = self.box(alive[1] - 1.5, alive[1] + 1.5, across, 8)
                self.canvas.rect(*box, f"h{hue}")
        for wait in self.story.waits:
            if wait.task in self.tasks and self.view.overlaps(wait) and wait.ready is not None:
                begin, end = self.axis.span(wait.ready, wait.end)
                if end - begin > 1 and wait.ready <= self.view.last:
                    across, hue = self.tasks[wait.task], self.hue(wait.task)
                    box = self.box(begin, end, across, self.half - 4)
                    self.canvas.rect(*box, f"s{hue}", 3)
                    self.canvas.hatch(*box, hue)
                    self.canvas.obstacles.append(box)
        for run in self.story.runs:
            if run.task in self.tasks and self.view.overlaps(run):
                begin, end = self.axis.span(run.begin, run.end)
                self.bar(begin, max(end, begin + 3), self.tasks[run.task],
                         f"h{self.hue(run.task)}")
        for number in self.view.points:
            self.sign(number, self.story.events[number])

    def sign(self, number, event):
        """Marks, cancels and timers are signs on a lane."""
        at = self.axis.of(number)
        if event["kind"] == "cancel" and event["task"] in self.tasks:
            self.canvas.cross(*self.point(at, self.tasks[event["task"]]), "bad-line", 6)
        elif event["kind"] in ("timer", "wake"):
            self.canvas.dot(*self.point(at, self.loop), 5, "page ink-line")
            self.near(at, self.loop, self.words(event["kind"]), "quiet")
        elif event["kind"] == "mark":
            across, hue = self.tasks[event["task"]], self.hue(event["task"])
            self.canvas.dot(*self.point(at, across), 3.5, "on")
            self.near(at, across, clip(event["text"], 150, 11, True), f"h{hue}", bold=True)

    def near(self, at, across, text, classes, bold=False, off=None):
        """A text beside a lane, where there is room; whether there was."""
        off = off or self.half + (5 if self.turned else 4)
        places = ((at, across - off, "middle"), (at, across - off, "start"),
                  (at, across - off, "end"), (at, across + off + 8, "middle"),
                  (at, across + off + 8, "start"), (at, across + off + 8, "end"))
        if self.turned:
            places = ((at + 4, across - off, "end"), (at + 4, across + off, "start"),
                      (at + 16, across - off, "end"), (at + 16, across + off, "start"))
        for along, aside, anchor in places:
            x, y = self.point(along, aside)
            box = self.canvas.text_box(x, y, text, 11, anchor, bold)
            if self.canvas.fits(box, margin=1):
                if self.turned:
                    self.canvas.rect(*box, "page")  # over the lines of other tasks
                self.canvas.text(x, y, text, 11, classes, anchor, bold=bold)
                return True
        return False

    def wait_labels(self):
        """What a suspended task waits for, on its dotted line, between the arrows that cross."""
        for wait in self.story.waits:
            if wait.task not in self.tasks or not self.view.overlaps(wait):
                continue
            begin, end = self.axis.span(wait.begin, wait.end if wait.ready is None else wait.ready)
            texts = [self.words("suspended in await", what=wait.what),
                     self.words("in await", what=wait.what), wait.what]
            if wait.place:
                texts.insert(0, self.words("in await", what=f"{wait.what}, {wait.place}"))
            self.on_line(begin, end, self.tasks[wait.task], texts, f"h{self.hue(wait.task)}")

    def on_line(self, begin, end, across, texts, classes):
        size = 11 if self.turned else 11.5
        for text in texts:
            room = end - begin - text_width(text, size) - 12
            for part in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9, 0.0, 1.0):
                if room < 0:
                    break
                along = begin + 6 + room * part + text_width(text, size) / 2
                x, y = self.point(along, across)
                x, y = (x + size * 0.36, y) if self.turned else (x, y + size * 0.36)
                box = self.canvas.text_box(x, y, text, size, "middle", False, self.turned)
                if self.canvas.fits(box, margin=3):
                    self.canvas.rect(*self.box(along - text_width(text, size) / 2 - 3,
                                               along + text_width(text, size) / 2 + 3,
                                               across, size * 0.6), "page")
                    self.canvas.text(x, y, text, size, classes, "middle", italic=True,
                                     turned=self.turned)
                    return

    def numbers(self, steps):
        """The numbers of the steps, each beside what it tells of."""
        for count, step in enumerate(steps, 1):
            at = self.axis.of(step.anchor)
            if step.task is None:
                lanes = [self.loop - 36, self.loop + 36]
            else:
                last = max(self.tasks.values())
                home = self.tasks[step.task]
                lanes = [home + 24, home - 24, last + 30]
            spots = sorted((abs(aside) + abs(across - lanes[0]) / 3, aside, across)
                           for aside in range(-140, 141, 7) for across in lanes)
            for _, aside, across in spots:
                x, y = self.point(at + aside, across)
                if self.canvas.fits((x - 10, y - 10, x + 10, y + 10), margin=1):
                    self.canvas.number(x, y, count)
                    break

    def draw(self, steps, hosts):
        self.arrows()
        self.network_lane(hosts)
        self.kernel_lanes()
        self.kernel_events()
        self.loop_lane()
        self.task_lanes()
        self.numbers(steps)
        self.wait_labels()

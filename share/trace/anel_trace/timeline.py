# timeline.py: the picture of a span of a run: its frame, the lanes, the steps told below.
# SPDX-License-Identifier: MIT
"""What stands where on a wide picture, and where on a narrow one."""

from math import fsum

from .axis import Axis
from .drawing import Canvas, clip, text_width, wrap
from .lanes import Lanes
from .steps import Teller
from .view import View, choose
from .words import Words

NARROW = 720  # a picture that is narrower has its time going down
UNITS = ((10**10, 10**9, "s"), (10**7, 10**6, "ms"), (0, 10**3, "µs"))
PARTS = {"asleep": "rest line-line", "asks": "line", "tasks": "busy", "loop": "ask"}


class Sheet:
    """The picture in the making; all `y` are where a part begins, or where it ended."""

    def __init__(self, record, options, words, width):
        story, first, last = choose(record, options)
        self.turned = width < NARROW
        self.view = View(record, story, first, last, options.tasks, 4 if self.turned else 6)
        self.record, self.words, self.story = record, words, story
        self.canvas = Canvas(width, f"t{words.language}{width}")
        self.lanes = Lanes(self.view, words, self.canvas, self.turned)
        self.left = 12 if self.turned else 16
        self.right = width - self.left
        self.steps = Teller(self.view, words).steps()
        count = words.counted("one task", "tasks", len(self.view.tasks))
        self.title = options.title or words("timeline", program=record.program, tasks=count)

    def kind(self):
        """What kind of run it was, and which part of it is shown."""
        words, view = self.words, self.view
        lasted = words.duration(self.story.at(view.last) - self.story.at(view.first))
        if self.record.virtual:
            key = "virtual run, no seed" if self.record.seed is None else "virtual run"
            kind = words(key, seed=self.record.seed, time=lasted)
        else:
            kind = words("real run", backend=self.story.backend, time=lasted)
        since = self.story.at(view.first) - self.record.events[0]["at"]
        if since:
            kind += words("from", ms=words.decimal(f"{since / 1e6:.3f}"))
        if len(self.record.loops) > 1:
            kind += f" · {words('loop n', n=self.story.loop)} {self.story.name}".rstrip()
        return kind

    def header(self):
        canvas, size = self.canvas, 18 if self.turned else 22
        y = canvas.lines(self.left, size + 14, wrap(self.title, self.right - self.left, size,
                                                    True)[:3], size, size + 5, bold=True)
        small = 12 if self.turned else 14
        lines = wrap(self.kind(), self.right - self.left, small)
        y = canvas.lines(self.left, y - 2, lines, small, small + 4, "quiet")
        if self.turned:
            return y
        if len(lines) > 1 or self.legend() < self.left + 12 + text_width(lines[0], small):
            y += 22
        self.legend(y - 23)
        return y

    def legend(self, y=None):
        """Samples of the bars, from the right; where it begins. Without `y` it is but measured."""
        canvas, right = self.canvas, self.right
        uring = self.story.backend == "io_uring"
        held = "held by network" if self.record.virtual else "held" if uring else "until ready"
        came = ("came",) if self.view.came else ()
        for key in ("suspended", "ready", *came, held, "runs"):
            right -= text_width(self.words(key), 12) + 38
            if y is None:
                continue
            canvas.text(right + 38, y + 4, self.words(key), 12, "quiet")
            box = (right + 18, y - 6, right + 32, y + 6)
            if key == "suspended":
                canvas.line(box[0] - 4, y, box[2], y, "quiet-line", 2, "2 5")
                continue
            canvas.rect(*box, "busy" if key == "runs" else "s0", 2)
            if key == "came":
                canvas.dot(right + 25, y, 4, "page h0-line")
            if key == "ready":
                canvas.hatch(*box, 0, 2)
        return right

    def group_name(self, x, y, key):
        self.canvas.text(x, y, self.words(key), 11, "quiet", bold=True,
                         spaced=0.8)

    def names(self):
        """Of all lanes: (where across, colour, name)."""
        lanes, words = self.lanes, self.words
        if self.view.packets:
            yield lanes.network, "busy", words("packets")
        for row, across in zip(self.view.rows, lanes.rows):
            name = f"fd {row.fd}" if row.fd >= 0 else row.call
            yield across, f"h{lanes.hue(row.task)}", name
        yield lanes.loop, "busy", words("loop")
        for number, across in lanes.tasks.items():
            yield across, f"h{lanes.hue(number)}", words.task(self.story.tasks[number])

    def place(self, begin, pitch, gap, first):
        """Puts the lanes across: those of the kernel from `begin` on; where these end."""
        lanes, outer = self.lanes, len(self.view.rows) + bool(self.view.packets)
        places = [begin + pitch * (each + 0.5) for each in range(outer)]
        lanes.network = places.pop(0) if self.view.packets else 0
        lanes.rows = places
        end = begin + pitch * outer
        lanes.loop = end + (gap if outer else first) + lanes.half
        begin = lanes.loop + lanes.half + gap
        lanes.tasks = {number: begin + pitch * (each + 0.5)
                       for each, number in enumerate(self.view.tasks)}
        return end if outer else None

    def place_wide(self, top):
        """Lanes below each other; where they end."""
        canvas, lanes = self.canvas, self.lanes
        band = self.place(top + 22, 40, 42, 36)
        if band:
            canvas.rect(0, top, canvas.width, band + 8, "band")
            self.group_name(self.left, top + 18, "network" if self.record.virtual else "kernel")
        self.group_name(self.left, lanes.loop - 28, "process")
        names = list(self.names())
        column = min(170, max(86, *(text_width(name, 14, True) for _, _, name in names)) + 14)
        for y, classes, name in names:
            canvas.text(self.left, y + 5, clip(name, column - 8, 14, True), 14, classes, bold=True)
        lanes.axis = Axis(self.view, self.left + column, self.right)
        line = max(lanes.tasks.values(), default=lanes.loop + 20) + 50
        canvas.line(lanes.axis.begin, line, lanes.axis.end, line, "line-line")
        canvas.text(self.left, line + 18, self.words("not to scale"), 11, "quiet", italic=True)
        return line

    def place_narrow(self, top):
        """Lanes beside each other, their names turned; where they end."""
        canvas, lanes = self.canvas, self.lanes
        count = len(self.view.rows) + bool(self.view.packets) + len(self.view.tasks)
        pitch = min(46, (self.right - self.left - 126) / max(1, count))
        band = self.place(self.left, pitch, 42, 0)
        names = list(self.names())
        head = min(96, max(text_width(name, 11, True) for _, _, name in names) + 30)
        begin = top + 14 + head
        lanes.axis = Axis(self.view, begin, begin + Axis.wish(self.view), 12)
        if band:
            canvas.rect(self.left - 6, top - 2, band + 6, lanes.axis.end, "band")
            self.group_name(self.left, top + 14, "network" if self.record.virtual else "kernel")
        self.group_name(lanes.loop - 20, top + 14, "process")
        for x, classes, name in names:
            canvas.text(x + 4, begin - 6, clip(name, head - 16, 11, True), 11, classes, bold=True,
                        turned=True)
        return lanes.axis.end

    def ticks(self, line):
        """The times of the loop's sleeps, where there is room; the first has the unit."""
        story, view, canvas = self.story, self.view, self.canvas
        lasted = story.at(view.last) - story.at(view.first)
        _, size, unit = next(each for each in UNITS if lasted >= each[0])
        digits = max(0, (lasted < 200 * size) + (lasted < 20 * size) - (unit == "µs"))
        before = None
        for number in view.points:
            if before is not None and story.events[number]["kind"] not in ("enter", "leave"):
                continue
            text = f"{(story.at(number) - story.at(view.first)) / size:.{digits}f}"
            if text == before:
                continue
            shown = self.words.decimal(text) + (f" {unit}" if before is None else "")
            before, at = text, self.lanes.axis.of(number)
            x, y, anchor = ((canvas.width - 6, at + 4, "end") if self.turned
                            else (at, line + 18, "middle"))
            if canvas.fits(canvas.text_box(x, y, shown, 11, anchor), away=False):
                canvas.text(x, y, shown, 11, "quiet", anchor)
                if not self.turned:
                    canvas.line(x, line, x, line + 5, "quiet-line")

    def tell(self, y):
        """The steps, in two columns of about one height on a wide picture."""
        size, canvas = 13 if self.turned else 13.5, self.canvas
        columns = 1 if self.turned else 2
        width = (self.right - self.left) / columns
        wrapped = [wrap(step.text, width - 44, size) for step in self.steps]
        heights = [len(lines) * (size + 4.5) + 8 for lines in wrapped]
        split = len(wrapped)
        if columns == 2:
            split = min(range(1, split + 1), default=0,
                        key=lambda place: max(fsum(heights[:place]), fsum(heights[place:])))
        x, top, lowest = self.left, y, y
        for count, (lines, height) in enumerate(zip(wrapped, heights), 1):
            if count == split + 1:
                x, y = self.left + width, top
            canvas.number(x + 10, y, count)
            canvas.lines(x + 28, y + size * 0.36, lines, size, size + 4.5)
            y += height
            lowest = max(lowest, y)
        return lowest

    def strip(self, y):
        """The same span at true scale, and what its time went into."""
        canvas, words, left = self.canvas, self.words, self.left
        parts = self.view.parts()
        begin, lasted = parts[0][1] if parts else 0, fsum(last - first for _, first, last in parts)
        if len({what for what, _, _ in parts}) < 2:
            return y - 18  # in a simulated run code takes no time
        canvas.text(left, y, words("true scale", time=words.duration(lasted)), 12, "quiet",
                    bold=True)
        canvas.rect(left, y + 8, self.right, y + 20, "rest")
        spent = dict.fromkeys(PARTS, 0)
        for what, first, last in parts:
            spent[what] += last - first
            x = [left + (self.right - left) * (at - begin) / lasted for at in (first, last)]
            if what != "asleep":
                canvas.rect(x[0], y + 8, max(x[1], x[0] + 0.3), y + 20, PARTS[what])
        x, y = left, y + 38
        for what, ns in spent.items():
            text = words(f"part {what}", time=words.duration(ns))
            if ns and x + 18 + text_width(text, 12) > self.right:
                x, y = left, y + 18
            if ns:
                canvas.rect(x, y - 10, x + 11, y + 1, PARTS[what], 2)
                canvas.text(x + 17, y, text, 12)
                x += 39 + text_width(text, 12)
        return y

    def notes(self, y):
        """What the picture leaves out."""
        words, view, told = self.words, self.view, []
        if view.cut_of:
            told.append(words("cut", n=len(view.points), all=view.cut_of))
        if view.left_out:
            told.append(words("left out", tasks=words.counted("one task", "tasks", view.left_out)))
        for text in told:
            y = self.canvas.lines(self.left, y, wrap(text, self.right - self.left, 12), 12, 16,
                                  "quiet")
        return y

    def draw(self):
        """Draws all of it; the height."""
        top = self.header()
        line = self.place_narrow(top + 8) if self.turned else self.place_wide(top + 2)
        self.ticks(line)
        self.lanes.draw(self.steps, self.record.hosts)
        y = self.tell(line + (26 if self.turned else 50))
        return self.notes(self.strip(y + 16) + 24) + 2


def timeline(record, options, language, width, styled=True):
    """The SVG text of the picture."""
    sheet = Sheet(record, options, Words(language), width)
    height = sheet.draw()
    told = " ".join(f"{count}. {step.text}" for count, step in enumerate(sheet.steps, 1))
    return sheet.canvas.svg(round(height), sheet.title, told, language, styled)

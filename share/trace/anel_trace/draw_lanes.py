# draw_lanes.py: actors beside each other, time going down, and what goes from one to another.
# SPDX-License-Identifier: MIT
"""Every time of the picture has a place of its own on an elastic axis. On a wide picture the text
of a bar stands in it, on a narrow one it is turned or stands beside it."""

from math import log2

from .drawing import text_width, wrap
from .picture import Picture, whole
from .schema import STATES

GAP = 15  # pixels between two times, at least
ROOM = 9  # pixels that a crowded place gets at a time


class Lanes(Picture):
    def body(self, top):
        data = self.data
        self.ids = [lane["id"] for lane in data["lanes"]]
        self.lanes = {lane["id"]: lane for lane in data["lanes"]}
        self.unit = data.get("unit", "µs")
        self.bars = [{"state": "runs", **bar} for bar in data.get("bars", [])]
        self.bars.sort(key=lambda bar: (bar["from"], -bar["to"]))
        self.arrows = data.get("arrows", [])
        times = {at for bar in self.bars for at in (bar["from"], bar["to"])}
        times |= {arrow[end][1] for arrow in self.arrows for end in ("from", "to")}
        times |= {each["at"] for key in ("marks", "lines") for each in data.get(key, [])}
        self.times = sorted(times) or [0]
        self.place_lanes()
        y = self.legend(top + 4, self.legend_entries())
        y = self.names(y + 2)
        self.canvas.obstacles.append((0, top, self.canvas.width, y))
        bottom = self.place_times(y + 14)
        self.background(y, bottom)
        for arrow in self.arrows:
            self.draw_arrow(arrow)
        for bar in self.bars:
            self.draw_bar(bar)
        self.axis(y, bottom)
        for line in data.get("lines", []):
            self.draw_line(line)
        self.draw_marks()
        for arrow in self.arrows:
            self.arrow_step(arrow)
        for bar in self.bars:
            self.bar_texts(bar)
        for arrow in self.arrows:
            self.arrow_label(arrow)
        self.mark_labels()
        return max(bottom, max(box[3] for box in self.canvas.texts) + 2)

    # Where things are.

    def place_lanes(self):
        """Lanes across; bars of one lane that overlap in time stand beside each other."""
        column = max((text_width(self.time(at), 11) for at in self.times), default=0) + 12
        self.begin = self.left + (column if self.unit else 0)
        self.pitch = (self.right - self.begin) / len(self.ids)
        self.half = 8.0 if self.narrow else min(66.0, self.pitch * 0.27)
        self.x = {lane: self.begin + self.pitch * (count + 0.5)
                  for count, lane in enumerate(self.ids)}
        self.across = {}
        for lane in self.ids:
            bars = [count for count, bar in enumerate(self.bars) if bar["lane"] == lane]
            cluster, reached = [], None
            for count in [*bars, None]:
                bar = self.bars[count] if count is not None else None
                if cluster and (bar is None or bar["from"] >= reached):
                    self.beside(lane, cluster)
                    cluster, reached = [], None
                if bar:
                    cluster.append(count)
                    reached = bar["to"] if reached is None else max(reached, bar["to"])

    def beside(self, lane, cluster):
        columns, which = [], {}
        for count in cluster:
            bar = self.bars[count]
            free = next((each for each, until in enumerate(columns) if until <= bar["from"]), None)
            if free is None:
                free = len(columns)
                columns.append(0)
            columns[free] = max(bar["to"], bar["from"])
            which[count] = free
        half = self.half if len(columns) == 1 else min(self.pitch * 0.36,
                                                       self.half * len(columns) * 0.9)
        width = 2 * half / len(columns)
        for count, column in which.items():
            left = self.x[lane] - half + column * width
            self.across[count] = (left, left + width - (2 if column + 1 < len(columns) else 0))

    def place_times(self, top):
        """The elastic axis; where it ends."""
        gaps = [second - first for first, second in zip(self.times, self.times[1:])]
        grain = min(gaps, default=1) or 1
        y = top + ROOM * self.extra.get(self.times[0], 0)  # its labels may need room above
        self.y = {self.times[0]: y}
        for (first, second), gap in zip(zip(self.times, self.times[1:]), gaps):
            y += GAP + min(30, 5 * log2(gap / grain)) * (self.unit != "")
            y += ROOM * self.extra.get(first, 0)
            self.y[second] = y
        return y + 16 + ROOM * self.extra.get(self.times[-1], 0)

    def bar_box(self, bar):
        left, right = self.across[self.bars.index(bar)]
        top, bottom = self.y[bar["from"]], self.y[bar["to"]]
        if bottom - top < 6:
            top, bottom = top - 3, top + 3
        return left, top, right, bottom

    def edge(self, lane, at, towards):
        """Where an arrow touches a lane: the edge of a bar, or the line."""
        side = 1 if towards > 0 else -1
        edges = [self.x[lane]]
        for bar in self.bars:
            if bar["lane"] == lane and bar["from"] <= at <= bar["to"]:
                box = self.bar_box(bar)
                edges.append(box[2] if side > 0 else box[0])
        return side * max(side * edge for edge in edges)

    def hue(self, item, lane):
        hue = item.get("hue", self.lanes[lane].get("hue"))
        return "busy" if hue is None else f"h{hue}"

    # The frame.

    def time(self, at):
        """With as many digits as tell all times apart, at most three, but no needless zero."""
        digits = 0
        while digits < 3 and len({round(each, digits) for each in self.times}) < len(self.times):
            digits += 1
        value = round(at, digits)
        return self.number(value, 0 if value == int(value) else digits)

    def legend_entries(self):
        words, own = self.words, self.data.get("legend", {})
        used = {bar["state"] for bar in self.bars}

        def sample(state):
            hues = [self.hue(bar, bar["lane"]) for bar in self.bars if bar["state"] == state]
            return lambda *box: self.paint(box, state, "busy" if state == "runs" else hues[0])
        if len(used) > 1 or own:
            for state in STATES:
                if state in used:
                    yield sample(state), self.say(own.get(state)) or words(f"state {state}")
        for fate in ("lost", "cut", "copy"):
            if any(arrow.get("fate") == fate for arrow in self.arrows):
                yield self.fate_sample(fate), words(f"fate {fate}")

    def legend(self, y, entries):
        return super().legend(y, list(entries))

    def fate_sample(self, fate):
        def draw(left, top, right, bottom):
            y = (top + bottom) / 2
            self.canvas.line(left, y, right, y, "busy-line", 1.6,
                             "4 3" if fate == "copy" else "")
            if fate == "lost":
                self.canvas.cross(right - 5, y, "bad-line", 4.5)
            elif fate == "cut":
                self.cut_sign((left + right) / 2, y)
        return draw

    def cut_sign(self, x, y):
        self.canvas.line(x - 3, y + 6, x + 3, y - 6, "bad-line", 2.4)

    def names(self, y):
        """Names of groups and lanes; where they end."""
        canvas, size = self.canvas, 11.5 if self.narrow else 14
        groups = self.groups()
        self.bands = []
        if any(name for name, _ in groups):
            lines_max = 1
            for name, lanes in groups:
                left = self.x[lanes[0]] - self.pitch / 2 + 3
                right = self.x[lanes[-1]] + self.pitch / 2 - 3
                bold = not self.narrow
                lines = wrap(name, (right - left - 10) / (1.06 if bold else 1), 11, bold)
                for count, line in enumerate(lines[:3] if name else []):
                    canvas.text(left + (8 if bold else 5), y + 14 + 14 * count, line, 11, "quiet",
                                bold=bold, spaced=0.4 if bold else 0)
                lines_max = max(lines_max, len(lines[:3]))
                if name:
                    self.bands.append((left, y - 2, right))
            y += 8 + 14 * lines_max
        wrapped = [wrap(self.say(self.lanes[lane]["name"]), self.pitch - 10, size, True)[:4]
                   for lane in self.ids]
        most = max(map(len, wrapped))
        for lane, lines in zip(self.ids, wrapped):
            hue = self.lanes[lane].get("hue")
            for count, line in enumerate(lines):
                canvas.text(self.x[lane], y + size + 2 + (count + most - len(lines)) * (size + 3),
                            line, size, "ink" if hue is None else f"h{hue}", "middle", bold=True)
        return y + most * (size + 3) + 6

    def groups(self):
        """Neighbours of one group: (name, lanes)."""
        groups = []
        for lane in self.ids:
            name = self.say(self.lanes[lane].get("group"))
            if groups and groups[-1][0] == name and name:
                groups[-1][1].append(lane)
            else:
                groups.append((name, [lane]))
        return groups

    def background(self, top, bottom):
        lines = []
        for left, begin, right in self.bands:
            lines.append((left, begin, right, bottom + 2))
        for box in reversed(lines):
            self.canvas.rect(*box, "band", 8)
        # Bands belong below the names that are there already.
        begin = len(self.canvas.parts) - len(lines)
        self.canvas.parts[:] = self.canvas.parts[begin:] + self.canvas.parts[:begin]
        for lane in self.ids:
            self.canvas.line(self.x[lane], top, self.x[lane], bottom, "line-line", 2)
            self.canvas.block_line(self.x[lane], top, self.x[lane], bottom)

    def axis(self, top, bottom):
        """The true times down the side."""
        if not self.unit:
            return
        x = self.begin - 12
        self.canvas.text(self.begin - 6, top - 4, self.unit, 11, "quiet", "end", bold=True)
        self.canvas.text(self.left, bottom + 18, self.words("not to scale"), 11, "quiet",
                         italic=True)
        for at in self.times:
            y = self.y[at]
            self.canvas.text(x + 4, y + 4, self.time(at), 11, "quiet", "end")
            self.canvas.line(x + 7, y, x + 12, y, "quiet-line")

    # Bars.

    def paint(self, box, state, strong):
        soft = strong.replace("h", "s") if strong.startswith("h") else "ask"
        radius = min(3.5, (box[3] - box[1]) / 2)
        if state == "runs":
            self.canvas.rect(*box, strong, radius)
        elif state == "waits":
            self.canvas.rect(*box, "rest line-line", radius)
        elif state == "bad":
            self.canvas.rect(*box, "fault bad-line", radius)
        else:
            self.canvas.rect(*box, soft, radius)
            if state == "ready":
                self.canvas.hatch(*box, int(strong[1:]) if strong.startswith("h") else 0)

    def bar_colour(self, bar):
        strong = self.hue(bar, bar["lane"])
        return {"runs": "on", "waits": "quiet", "bad": "bad"}.get(
            bar["state"], strong if strong.startswith("h") else "ink")

    def draw_bar(self, bar):
        box = self.bar_box(bar)
        thin = box[3] - box[1] < 8
        self.paint((*box[:3], box[3] - (0 if thin else 1.2)), bar["state"],
                   self.hue(bar, bar["lane"]))
        self.canvas.obstacles.append(box)

    def bar_texts(self, bar):
        left, top, right, bottom = self.bar_box(bar)
        text, size, classes = self.say(bar.get("text")), self.size, self.bar_colour(bar)
        middle = ((left + right) / 2, (top + bottom) / 2)
        if bar.get("step"):
            self.step(bar["step"], [(right + 13, min(middle[1], top + 14)),
                                    (left - 13, min(middle[1], top + 14)), middle], bar["from"])
        if not text:
            return
        italic, bold = bar["state"] == "waits", bar["state"] == "ready"
        if right - left > 40:
            lines = wrap(text, right - left - 8, size, bold)
            if (whole(text, lines) and len(lines) * self.leading <= bottom - top - 2
                    and self.canvas.fits(self.block(*middle, lines, "middle"), False)):
                box = self.block(*middle, lines, "middle", bold=bold)
                self.underlay(bar, (box[0] - 4, box[1], box[2] + 4, box[3]))
                self.write_block(*middle, lines, "middle", classes, bold=bold, italic=italic)
                return
            key = (bar["from"], text)
            if whole(text, lines) and self.letters is not None and key not in self.letters:
                self.crowded.add(key)
                return
        elif text_width(text, size, bold) <= bottom - top - 6 and self.canvas.fits(
                self.canvas.text_box(middle[0] + size * 0.36, middle[1], text, size, "middle",
                                     bold, True), False, 0):
            half = text_width(text, size, bold) / 2 + 3
            self.underlay(bar, (left + 1, middle[1] - half, right - 1, middle[1] + half))
            self.canvas.text(middle[0] + size * 0.36, middle[1], text, size, classes, "middle",
                             bold, italic, turned=True)
            return
        outside = "quiet" if bar["state"] == "waits" else self.hue(bar, bar["lane"])
        room = self.pitch - 2 * self.half - 14
        ys = [middle[1], top + 8, bottom - 8, top + 20]
        places = [(right + 5, y, "start", room) for y in ys]
        places += [(left - 5, y, "end", room) for y in ys]
        self.label(text, [each for each in places if self.inside(each)],
                   "ink" if outside == "busy" else outside, bar["from"],
                   told=bool(bar.get("step")), italic=italic)

    def underlay(self, bar, box):
        """No hatches below a text."""
        if bar["state"] == "ready":
            strong = self.hue(bar, bar["lane"])
            self.canvas.rect(*box, strong.replace("h", "s") if strong != "busy" else "ask", 3)

    def inside(self, place):
        x, _, anchor, _ = place
        return x < self.right - 12 if anchor == "start" else x > self.begin + 12

    # Arrows.

    def ends(self, arrow):
        (lane1, at1), (lane2, at2) = arrow["from"], arrow["to"]
        way = self.x[lane2] - self.x[lane1] or 1
        x1, x2 = self.edge(lane1, at1, way), self.edge(lane2, at2, -way)
        if lane1 == lane2:
            return x1, self.y[at1], self.edge(lane2, at2, 1), self.y[at2]
        return x1, self.y[at1], x2 - (1 if way > 0 else -1), self.y[at2]

    def seen(self, arrow):
        """The ends of what is drawn: a lost one does not arrive."""
        x1, y1, x2, y2 = self.ends(arrow)
        if arrow.get("fate") == "lost":
            return x1, y1, x1 + (x2 - x1) * 0.6, y1 + (y2 - y1) * 0.6
        return x1, y1, x2, y2

    def draw_arrow(self, arrow):
        x1, y1, x2, y2 = self.seen(arrow)
        hue, fate = self.hue(arrow, arrow["from"][0]), arrow.get("fate", "arrives")
        if arrow["from"][0] == arrow["to"][0]:
            out, y2 = max(x1, x2) + 16, max(y2, y1 + 8)
            self.canvas.path(f"M{x1:.1f} {y1:.1f}L{out:.1f} {y1:.1f}L{out:.1f} {y2:.1f}",
                             f"{hue}-line", 1.6)
            self.canvas.arrow(out, y2, x2 + 1, y2, hue)
            self.canvas.block_line(out, y1, out, y2)
        elif fate == "lost":
            self.canvas.line(x1, y1, x2, y2, f"{hue}-line", 1.6)
            self.canvas.cross(x2, y2, "bad-line")
            self.canvas.block_line(x1, y1, x2, y2)
            self.canvas.obstacles.append((x2 - 6, y2 - 6, x2 + 6, y2 + 6))
        else:
            self.canvas.arrow(x1, y1, x2, y2, hue, dashes="6 4" if fate == "copy" else "")
            if fate == "cut":
                x, y = x1 + (x2 - x1) * 0.75, y1 + (y2 - y1) * 0.75
                self.cut_sign(x, y)
                self.canvas.obstacles.append((x - 6, y - 8, x + 6, y + 8))

    def stretches(self, arrow):
        """The parts of an arrow between lanes, the first and the last before the others."""
        x1, y1, x2, y2 = self.seen(arrow)
        edges = sorted(self.x.values(), reverse=x2 < x1)
        cuts = [x1, *(x for x in edges if min(x1, x2) + self.half < x < max(x1, x2) - self.half),
                x2]
        parts = list(zip(cuts, cuts[1:]))
        side, slope = (1 if x2 > x1 else -1), (y2 - y1) / ((x2 - x1) or 1)
        for count, (begin, end) in enumerate(parts):
            begin += side * self.half * (count > 0)
            end -= side * self.half * (count + 1 < len(parts))
            yield begin, y1 + (begin - x1) * slope, end, y1 + (end - x1) * slope

    def arrow_step(self, arrow):
        if not arrow.get("step"):
            return
        if arrow["from"][0] == arrow["to"][0]:
            x1, y1, x2, y2 = self.ends(arrow)
            self.step(arrow["step"], [(max(x1, x2) + 28, (y1 + y2) / 2)], arrow["from"][1])
            return
        places = []
        for part in (0.5, 0.3, 0.7, 0.2, 0.8):
            for x1, y1, x2, y2 in self.stretches(arrow):
                places.append((x1 + (x2 - x1) * part, y1 + (y2 - y1) * part))
        self.step_on(arrow["step"], places, [self.bar_box(bar) for bar in self.bars])

    def arrow_label(self, arrow):
        text = self.say(arrow.get("text"))
        if not text:
            return
        classes = "bad" if arrow.get("fate") in ("lost", "cut") else self.hue(
            arrow, arrow["from"][0])
        classes = "ink" if classes == "busy" else classes
        self.label(text, self.arrow_places(arrow, text), classes, arrow["from"][1],
                   told=bool(arrow.get("step")))

    def arrow_places(self, arrow, text):
        """Above the line, below it, and beside a steep one."""
        if arrow["from"][0] == arrow["to"][0]:
            x1, y1, x2, y2 = self.ends(arrow)
            yield max(x1, x2) + 22, (y1 + y2) / 2, "start", self.pitch / 2
            return
        for x1, y1, x2, y2 in self.stretches(arrow):
            room = abs(x2 - x1) - 8
            lines = len(wrap(text, room, self.size))
            width = min(room, text_width(text, self.size))
            slope = abs(y2 - y1) / (abs(x2 - x1) or 1)
            for part in (0.5, 0.35, 0.65):
                x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
                x = min(max(x, min(x1, x2) + width / 2 + 3), max(x1, x2) - width / 2 - 3)
                y = y1 + (y2 - y1) * ((x - x1) / ((x2 - x1) or 1))
                off = self.leading * lines / 2 + 3 + slope * width / 2
                for near in (off, off * 0.75, off + 11):
                    yield x, y - near, "middle", room
                    yield x, y + near, "middle", room
            for part in (0.5, 0.25, 0.75) if slope > 0.4 else ():
                x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
                far = 6 + 8 / max(slope, 0.2)
                yield x + far, y, "start", room * 0.55
                yield x - far, y, "end", room * 0.55

    # Marks and lines.

    def mark_point(self, mark):
        """The dot of a mark: on the edge of a bar that is there, on the side of its text."""
        side = -1 if mark.get("side") == "left" else 1
        return self.edge(mark["lane"], mark["at"], side), self.y[mark["at"]], side

    def draw_marks(self):
        for mark in self.data.get("marks", []):
            x, y, side = self.mark_point(mark)
            if mark.get("dot", True):
                self.canvas.dot(x, y, 5, f"{self.hue(mark, mark['lane'])} page-line")
                self.canvas.obstacles.append((x - 5, y - 5, x + 5, y + 5))
            if mark.get("step"):
                self.step(mark["step"], [(x + side * 17, y), (x - side * 17, y),
                                         (x + side * 17, y - 10), (x + side * 17, y + 10)],
                          mark["at"])

    def mark_labels(self):
        for mark in self.data.get("marks", []):
            text = self.say(mark.get("text"))
            if not text:
                continue
            x, y, side = self.mark_point(mark)
            room = self.pitch - abs(x - self.x[mark["lane"]]) - self.half - 34
            room = max(room, self.pitch * 0.4)
            waits = self.letters is not None and (mark["at"], text) not in self.letters
            shifts = [0, -6, 6] if waits else [0, -8, 8, -14, 14, -22, 22]
            places = []
            for each in (side, -side):
                at = self.edge(mark["lane"], mark["at"], each)
                near = [31] if mark.get("step") and each == side else [8]
                for far in near + [8]:
                    places += [(at + each * far, y + shift, "start" if each > 0 else "end", room)
                               for shift in shifts]
            classes = self.hue(mark, mark["lane"])
            self.label(text, [each for each in places if self.inside(each)],
                       "ink" if classes == "busy" else classes, mark["at"],
                       told=bool(mark.get("step")), bold=True)

    def draw_line(self, line):
        y, text = self.y[line["at"]], self.say(line.get("text"))
        colour = f"h{line['hue']}" if "hue" in line else "ink"
        self.canvas.line(self.begin, y, self.right, y, f"{colour}-line", 1.3, "5 4")
        self.canvas.block_line(self.begin, y, self.right, y)
        x = self.right
        if line.get("step"):
            self.step(line["step"], [(x - 12, y)], line["at"])
            x -= 26
        if text:
            gap = self.pitch - 2 * self.half - 12
            middles = [self.x[lane] + self.pitch / 2 for lane in self.ids[:-1]]
            room = max(gap, 60)
            lines = len(wrap(text, room, self.size, True))
            off = self.leading * lines / 2 + 3
            places = [(middle, y + way * off, "middle", room) for middle in reversed(middles)
                      for way in (1, -1)]
            places += [(x, y + way * off, "end", self.pitch / 2 - self.half - 4)
                       for way in (-1, 1)]
            self.label(text, places, colour, line["at"], bold=True)

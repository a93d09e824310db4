# draw_chart.py: curves, steps, dots and histograms on linear or logarithmic axes.
# SPDX-License-Identifier: MIT
"""Panels beside each other, on a narrow picture below each other. Values outside the axes are not
drawn; a limit is a line across, a band a span of x."""

from math import ceil, floor, log10

from .drawing import text_width, wrap
from .picture import Picture
from .record import Trouble


class Axis:
    """One axis: from values to pixels, and where its ticks are."""

    def __init__(self, data, values, zero):
        self.log = data.get("log", False)
        if self.log:
            values = [value for value in values if value > 0] or [1]
        low, high = min(values, default=0), max(values, default=1)
        if zero and not self.log:
            low = min(0, low)
        if low == high:
            low, high = (low / 2, high * 2) if self.log else (low - 0.5, high + 0.5)
        if self.log and "from" not in data:
            low = 10 ** floor(log10(low))
        if self.log and "to" not in data:
            high = 10 ** ceil(log10(high))
        self.low, self.high = data.get("from", low), data.get("to", high)
        if self.high <= self.low:
            raise Trouble(f"an axis from {self.low:g} to {self.high:g} holds nothing")
        self.given = data.get("ticks")
        if "to" not in data and not self.log:
            step = self.interval(5)
            self.high = ceil(self.high / step - 1e-9) * step
        self.begin, self.end = 0.0, 1.0

    def interval(self, most):
        """A round distance of ticks, of which there are at most so many."""
        span = (self.high - self.low) / most
        unit = 10 ** floor(log10(span))
        return next(unit * each for each in (1, 2, 5, 10) if unit * each >= span * 0.999)

    def ticks(self, most):
        if self.given:
            return [each for each in self.given if self.low <= each <= self.high]
        if self.log:
            low, high = ceil(log10(self.low) - 1e-9), floor(log10(self.high) + 1e-9)
            step = max(1, ceil((high - low) / most))
            ticks = [10.0 ** each for each in range(low, high + 1, step)]
            return ticks if len(ticks) > 1 else [self.low, self.high]
        step = self.interval(most)
        first = ceil(self.low / step - 1e-9)
        last = floor(self.high / step + 1e-9)
        return [each * step for each in range(first, last + 1)]

    def has(self, value):
        return self.low <= value <= self.high

    def of(self, value):
        value = min(max(value, self.low), self.high)
        if self.log:
            part = (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.begin + part * (self.end - self.begin)


class Chart(Picture):
    def body(self, top):
        panels = self.data["panels"]
        across = 1 if self.narrow else min(3, len(panels)) if len(panels) != 4 else 2
        width = (self.right - self.left + 26) / across
        y = top + 6
        for begin in range(0, len(panels), across):
            row = panels[begin:begin + across]
            made = [Panel(self, panel, self.left + count * width,
                          self.left + (count + 1) * width - 26)
                    for count, panel in enumerate(row)]
            head = max(panel.head(y, draw=False) for panel in made)
            for panel in made:
                panel.head(y)
            height = 210 if self.narrow else 330 if across == 1 else 280
            y = max(panel.draw(head, head + height) for panel in made) + 16
        return y - 16


class Panel:
    """One panel between two edges."""

    def __init__(self, picture, data, left, right):
        self.picture, self.data, self.canvas = picture, data, picture.canvas
        self.left, self.right, self.size = left, right, picture.size
        points = [(series, point) for series in data["series"] for point in series["points"]]
        bars = any(series.get("type") == "bars" for series in data["series"])
        limits = {axis: [each["at"] for each in data.get("limits", []) if each["axis"] == axis]
                  for axis in "xy"}
        across = [each for series, point in points
                  for each in (point[:2] if series.get("type") == "bars" else point[:1])]
        self.x = Axis(data["x"], across + limits["x"], False)
        if "to" not in data["x"] and not self.x.log:
            self.x.high = max(across + limits["x"])
            if self.x.high == self.x.low:
                self.x.high += 1
        self.y = Axis(data["y"], [point[-1] for _, point in points] + limits["y"],
                      bars or "from" not in data["y"])
        if self.y.log and "from" not in data["y"] and bars:
            self.y.low = min(self.y.low, 0.8)

    def hue(self, series):
        if "hue" in series:
            return series["hue"]
        return self.data["series"].index(series) % 6

    def number(self, value):
        digits = 0
        while digits < 6 and abs(value - round(value, digits)) > abs(value) * 1e-6:
            digits += 1
        return self.picture.number(round(value, digits) + 0.0, digits)

    def axis_title(self, axis):
        say = self.picture.say
        label, unit = say(self.data[axis].get("label")), say(self.data[axis].get("unit"))
        return f"{label} ({unit})" if label and unit else label or unit

    # Above the axes.

    def head(self, y, draw=True):
        """Title, names of the series, title of the y axis; where it ends."""
        canvas, say = self.canvas, self.picture.say
        room = self.right - self.left
        if self.data.get("title"):
            size = 13 if self.picture.narrow else 14.5
            for line in wrap(say(self.data["title"]), room, size, True):
                y += size + 4
                if draw:
                    canvas.text(self.left, y - 3, line, size, bold=True)
        named = [series for series in self.data["series"] if series.get("name")]
        x = self.left
        y += 20 if named else 0
        for series in named:
            for count, line in enumerate(wrap(say(series["name"]), room - 24, self.size)):
                width = text_width(line, self.size) + 40
                if count or (x + width - 16 > self.right and x > self.left):
                    x, y = self.left, y + 18
                if draw and not count:
                    self.sample(series, x, y - 4)
                if draw:
                    canvas.text(x + 22, y, line, self.size, "ink")
                x += width
        for line in wrap(self.axis_title("y"), room, self.size) if self.axis_title("y") else ():
            y += self.leading() + 3
            if draw:
                canvas.text(self.left, y, line, self.size, "quiet")
        return y + 15

    def leading(self):
        return self.picture.leading

    def sample(self, series, x, y):
        hue, kind = self.hue(series), series.get("type", "line")
        if kind == "bars":
            self.canvas.rect(x, y - 6, x + 16, y + 6, f"s{hue} h{hue}-line", 2)
        elif kind == "dots":
            self.canvas.dot(x + 8, y, 4, f"h{hue}")
        else:
            self.canvas.line(x, y, x + 16, y, f"h{hue}-line", 2.4,
                             "5 4" if series.get("dashed") else "")

    # The axes.

    def draw(self, top, bottom):
        """All below the head; where it ends."""
        self.top, self.bottom = top, bottom
        y_ticks = self.y.ticks(4 if self.picture.narrow else 6)
        inset = max(text_width(self.number(each), 11) for each in y_ticks) if y_ticks else 0
        self.begin = self.left + inset + 10
        self.x.begin, self.x.end = self.begin, self.right
        self.y.begin, self.y.end = bottom, top
        self.bands()
        for each in y_ticks:
            y = self.y.of(each)
            self.canvas.line(self.begin, y, self.right, y, "line-line",
                             1.4 if y > bottom - 0.5 else 0.7)
            self.canvas.text(self.begin - 6, y + 4, self.number(each), 11, "quiet", "end")
        self.canvas.line(self.begin, bottom, self.right, bottom, "quiet-line", 1.4)
        self.x_ticks()
        for series in self.data["series"]:
            self.draw_series(series)
        end = bottom + 22
        for line in wrap(self.axis_title("x"), self.right - self.begin, self.size):
            if line:
                end += self.leading()
                self.canvas.text(self.right, end, line, self.size, "quiet", "end")
        self.limits()
        self.band_texts()
        self.marks()
        return end + 4

    def x_ticks(self):
        before = None
        most = max(2, int((self.right - self.begin) / 62))
        ticks = self.x.ticks(most)
        for each in ticks:
            x, text = self.x.of(each), self.number(each)
            half = text_width(text, 11) / 2
            at = min(max(x, self.left + half), self.canvas.width - half - 4)
            self.canvas.line(x, self.bottom, x, self.bottom + 5, "quiet-line")
            if before is None or at - half > before + 6:
                self.canvas.text(at, self.bottom + 18, text, 11, "quiet", "middle")
                before = at + half

    # What is drawn on them.

    def draw_series(self, series):
        kind, hue = series.get("type", "line"), self.hue(series)
        points = series["points"]
        if kind == "bars":
            for begin, end, height in points:
                if end < self.x.low or begin > self.x.high or height <= 0:
                    continue
                left, right = self.x.of(begin), self.x.of(end)
                gap = 0.5 if right - left > 4 else 0
                box = (left + gap, self.y.of(height), max(right - gap, left + 1), self.bottom)
                self.canvas.rect(*box, f"h{hue}")
                self.canvas.obstacles.append(box)
            return
        points = [point for point in points if self.x.has(point[0])]
        places = [(self.x.of(x), self.y.of(y)) for x, y in points]
        if kind == "dots":
            for x, y in places:
                self.canvas.dot(x, y, 3, f"h{hue}")
                self.canvas.obstacles.append((x - 4, y - 4, x + 4, y + 4))
            return
        if kind == "steps":
            places = self.stairs(places)
        for before, after in zip(places, places[1:]):
            self.canvas.block_line(*before, *after)
        if places:
            data = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in self.thin(places))
            self.canvas.path(data, f"h{hue}-line", 2.2, "6 4" if series.get("dashed") else "",
                             ' stroke-linejoin="round"')

    @staticmethod
    def stairs(places):
        """A value holds until the next one."""
        stairs = places[:1]
        for x, y in places[1:]:
            stairs += [(x, stairs[-1][1]), (x, y)]
        return stairs

    @staticmethod
    def thin(places):
        """Without points that no eye could tell from the one before."""
        kept = places[:1]
        for place in places[1:]:
            if abs(place[0] - kept[-1][0]) + abs(place[1] - kept[-1][1]) > 0.3:
                kept.append(place)
        return kept if len(kept) > 1 else places[:2]

    def limits(self):
        for limit in self.data.get("limits", []):
            across, text = limit["axis"] == "y", self.picture.say(limit.get("text"))
            colour = f"h{limit['hue']}" if "hue" in limit else "bad"
            at = (self.y if across else self.x).of(limit["at"])
            line = ((self.begin, at, self.right, at) if across
                    else (at, self.top, at, self.bottom))
            self.canvas.line(*line, f"{colour}-line", 1.6, "6 4")
            self.canvas.block_line(*line)
            if not text:
                continue
            room = (self.right - self.begin) * (0.7 if across else 0.42)
            size = self.picture.leading * len(wrap(text, room, self.size, True)) / 2
            places = []
            if across:
                for x, anchor in ((self.right - 4, "end"), (self.begin + 6, "start"),
                                  ((self.begin + self.right) / 2, "middle")):
                    places += [(x, at - size - 3, anchor, room), (x, at + size + 3, anchor, room)]
            else:
                for part in (0.06, 0.2, 0.35, 0.5, 0.65, 0.8):
                    y = self.top + (self.bottom - self.top) * part + size
                    places += [(at + 6, y, "start", room), (at - 6, y, "end", room)]
            self.picture.label(text, self.within(places), colour, None, bold=True)

    def within(self, places):
        """Those places that lie in this panel."""
        for x, y, anchor, room in places:
            left, right = x - self.begin - 2, self.right + 4 - x
            most = {"start": right, "end": left, "middle": 2 * min(left, right)}[anchor]
            if most > 20 and self.top - 16 < y < self.bottom - 4:
                yield x, y, anchor, min(room, most)

    def bands(self):
        for band in self.data.get("bands", []):
            left, right = self.x.of(band["from"]), self.x.of(band["to"])
            self.canvas.rect(left, self.top, max(right, left + 1), self.bottom, "fault")

    def band_texts(self):
        for band in self.data.get("bands", []):
            text = self.picture.say(band.get("text"))
            if not text:
                continue
            left, right = self.x.of(band["from"]), self.x.of(band["to"])
            wide = max(right - left - 8, 0)
            places = []
            for room, x, anchor in ((wide, (left + right) / 2, "middle"),
                                    (130, right + 6, "start"), (130, left - 6, "end")):
                high = self.picture.leading * len(wrap(text, max(room, 1), self.size)) / 2
                places += [(x, self.top + 4 + high + off, anchor, room)
                           for off in (0, 24, 50, 80, 120)]
            self.picture.label(text, self.within(places), "bad", None)

    def marks(self):
        for mark in self.data.get("marks", []):
            x, y = self.x.of(mark["at"][0]), self.y.of(mark["at"][1])
            colour = f"h{mark['hue']}" if "hue" in mark else "ink"
            self.canvas.dot(x, y, 4.5, colour)
            self.canvas.obstacles.append((x - 6, y - 6, x + 6, y + 6))
            around = [(1, -1), (-1, -1), (1, 1), (-1, 1), (1, 0), (-1, 0), (0, -1), (0, 1)]
            if mark.get("step"):
                self.picture.step(mark["step"], [(x + a * 15, y + b * 15) for a, b in around
                                                 if self.begin < x + a * 15 < self.right])
            text = self.picture.say(mark.get("text"))
            if not text:
                continue
            places = []
            for room in (150, 90):
                for far in (10, 20, 34, 50):
                    for a, b in around:
                        high = self.picture.leading * len(wrap(text, room, self.size, True)) / 2
                        places.append((x + a * far, y + b * (high + far * 0.6),
                                       {1: "start", 0: "middle", -1: "end"}[a], room))
            self.picture.label(text, self.within(places), colour, None,
                               told=bool(mark.get("step")), bold=True)

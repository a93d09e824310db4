# draw_states.py: boxes on a grid, and labelled arrows between them.
# SPDX-License-Identifier: MIT
"""A state machine, the lists of a loop, or parts and who calls whom. Rows and columns grow where
labels lack room."""

from math import fsum

from .drawing import text_width, wrap
from .picture import Picture
from .record import Trouble
from .route import pieces, route, spans, upright

ROOM = 10  # pixels that a crowded gap gets at a time


class States(Picture):
    def body(self, top):
        self.boxes = self.data["boxes"]
        self.arrows = self.data.get("arrows", [])
        self.groups = self.data.get("groups", [])
        self.at = self.places()
        self.columns = sorted({column for column, _ in self.at.values()})
        self.rows = sorted({row for _, row in self.at.values()})
        self.measure()
        room = 24 if self.extra.get("top") else 0  # for an arrow above all boxes
        bottom = self.place(top + (8 if self.narrow else 14) + room)
        titles = len(self.canvas.texts)
        self.draw_groups()
        self.lines = []
        # No arrow through the name of a group where another way is as good.
        taken = [(box[0], y, box[2], y) for box in self.canvas.texts[titles:]
                 for y in (box[1], box[3])]
        boxes = list(self.box.values())
        pairs = {(arrow["from"], arrow["to"]) for arrow in self.arrows}
        for arrow in self.arrows:
            double = (arrow["to"], arrow["from"]) in pairs
            line = route(self.box[arrow["from"]], self.box[arrow["to"]], boxes, self.lanes(),
                         taken, double)
            taken += map(spans, pieces(line))
            self.lines.append(line)
        above = min((y for line in self.lines for _, y in line), default=bottom)
        if above < self.row_ends[0][0] - 10 and not room and self.letters is not None:
            self.crowded.add(("top", ""))
        for box in self.boxes:
            self.draw_box(box)
        for arrow, line in zip(self.arrows, self.lines):
            self.draw_arrow(arrow, line)
        for arrow, line in zip(self.arrows, self.lines):
            self.arrow_step(arrow, line)
        for arrow, line in zip(self.arrows, self.lines):
            self.arrow_text(arrow, line)
        lines = max((y for line in self.lines for _, y in line), default=0)
        return max(bottom, lines + 8, max(each[3] for each in self.canvas.texts) + 4)

    # Where things are.

    def places(self):
        places = {box["id"]: tuple(box["at"]) for box in self.boxes}
        if not self.narrow:
            return places
        if self.data.get("narrow"):
            return {each: tuple(place) for each, place in self.data["narrow"].items()}
        if max(column for column, _ in places.values()) <= 1:
            return places
        order = sorted(places, key=lambda each: (self.first_of_group(each, places),
                                                 places[each][1], places[each][0]))
        return {each: (0, count) for count, each in enumerate(order)}

    def first_of_group(self, each, places):
        """What stands in one group stays together: the place of its first box."""
        mates = next((group["boxes"] for group in self.groups if each in group["boxes"]), [each])
        return min((places[mate][1], places[mate][0]) for mate in mates)

    def measure(self):
        """The width of boxes, and the height of each."""
        count = len(self.columns)
        cell = (self.right - self.left) / count
        named = max(text_width(self.say(box["name"]), self.name_size(), True)
                    for box in self.boxes) + 18
        least = 0.54 if count > 1 else 0.6
        most = 0.62 if not self.narrow else 0.66 if count > 1 else 0.72
        self.width = min(max(named, cell * least), cell * most, 250)
        self.contents = {}
        for box in self.boxes:
            room = self.width - 14
            lines = [(line, self.name_size(), "ink", True) for line in
                     wrap(self.say(box["name"]), room, self.name_size(), True)]
            if box.get("text"):
                lines += [(line, self.size, "quiet", False) for line in
                          wrap(self.say(box["text"]), room, self.size)]
            items = [self.say(item) for item in box.get("items", [])]
            height = 16 + fsum(size + 4 for _, size, _, _ in lines)
            cells = self.cells(items)
            if box.get("shape") == "list" or items:
                height += 6 + 28 * max(1, len(cells))
            self.contents[box["id"]] = (lines, cells, height)

    def name_size(self):
        return 12.5 if self.narrow else 13 if len(self.columns) > 3 else 14

    def cells(self, items):
        """The items of a list in rows: (left within the box, width, text)."""
        rows, x = [[]], 10.0
        for item in items:
            width = min(max(text_width(item, self.size) + 14, 26), self.width - 20)
            if x + width > self.width - 8 and rows[-1]:
                rows.append([])
                x = 10.0
            rows[-1].append((x, width, item))
            x += width + 3
        return rows

    def place(self, top):
        """The boxes; where the lowest ends."""
        cell = (self.right - self.left) / len(self.columns)
        self.box, y = {}, top
        named = {min(self.at[each][1] for each in group["boxes"]) for group in self.groups}
        self.row_ends, bottom = [], top
        for row in self.rows:
            ids = [each for each, place in self.at.items() if place[1] == row]
            height = max(self.contents[each][2] for each in ids)
            y += 26 if row in named else 0
            self.row_ends.append((y, y + height))
            for each in ids:
                middle = self.left + cell * (self.columns.index(self.at[each][0]) + 0.5)
                if self.narrow and len(self.columns) == 1:
                    middle = self.left + self.width / 2 + 34
                own = self.contents[each][2]
                self.box[each] = (middle - self.width / 2, y + (height - own) / 2,
                                  middle + self.width / 2, y + (height + own) / 2)
            bottom = y + height
            y = bottom + (44 if self.narrow else 54) + ROOM * self.extra.get(("row", row), 0)
        return bottom + (12 if self.groups else 0)

    def lanes(self):
        """Where ways may run: between the columns and beside them; between the rows."""
        lefts = sorted({box[0] for box in self.box.values()})
        across = []
        for before, after in zip(lefts, lefts[1:]):
            gap = after - before - self.width
            across += [before + self.width + gap * part for part in (0.5, 0.3, 0.7)]
        for out in (16, 28, 40):
            across += [lefts[0] - out, lefts[-1] + self.width + out]
        across = [x for x in across if 6 < x < self.canvas.width - 6]
        down = []
        for (_, before), (after, _) in zip(self.row_ends, self.row_ends[1:]):
            down += [before + (after - before) * part for part in (0.5, 0.3, 0.7)]
        down += [self.row_ends[0][0] - 18, self.row_ends[-1][1] + 18, self.row_ends[-1][1] + 34]
        return across, down

    # Drawing.

    def draw_groups(self):
        for group in self.groups:
            boxes = [self.box[each] for each in group["boxes"]]
            left, right = min(box[0] for box in boxes) - 14, max(box[2] for box in boxes) + 14
            top, bottom = min(box[1] for box in boxes) - 26, max(box[3] for box in boxes) + 14
            left, right = max(left, 4), min(right, self.canvas.width - 4)
            inside = [each for each, box in self.box.items() if each not in group["boxes"]
                      and box[0] < right and left < box[2] and box[1] < bottom and top < box[3]]
            if inside and not self.narrow:
                raise Trouble(f"groups: {inside[0]!r} stands among the boxes of "
                              f"{self.say(group['name'])!r}")
            if inside:
                continue
            self.canvas.rect(left, top, right, bottom, "band line-line", 10)
            name = wrap(self.say(group["name"]), right - left - 20, 11, True)[0]
            self.canvas.text(left + 10, top + 16, name, 11, "quiet", bold=True, spaced=0.4)

    def draw_box(self, box):
        canvas, (left, top, right, bottom) = self.canvas, self.box[box["id"]]
        lines, cells, _ = self.contents[box["id"]]
        shape = box.get("shape", "box")
        classes = f"s{box['hue']} h{box['hue']}-line" if "hue" in box else "rest quiet-line"
        radius = min((bottom - top) / 2, 24) if shape == "round" else 6
        canvas.rect(left, top, right, bottom, classes, radius)
        canvas.obstacles.append((left, top, right, bottom))
        is_list = shape == "list" or box.get("items")
        y = top + 6
        for text, size, ink, bold in lines:
            y += size + 4
            if is_list:
                canvas.text(left + 10, y - 2, text, size, ink, bold=bold)
            else:
                canvas.text((left + right) / 2, y - 2, text, size, ink, "middle", bold)
        if is_list:
            self.draw_items(box, cells, left, right, y + 8)
        if box.get("step"):
            canvas.number(left, top, box["step"])

    def draw_items(self, box, cells, left, right, y):
        for row in cells:
            self.canvas.rect(left + 8, y - 2, right - 8, y + 24, "page line-line", 4)
            for x, width, item in row:
                self.canvas.rect(left + x, y, left + x + width, y + 22,
                                 f"h{box['hue']}" if "hue" in box else "busy", 3)
                line = wrap(item, width - 4, self.size)[0]
                self.canvas.text(left + x + width / 2, y + 15, line, self.size, "on", "middle")
            y += 28

    def hue(self, arrow):
        return f"h{arrow['hue']}" if "hue" in arrow else "busy"

    def draw_arrow(self, arrow, line):
        """A line with round corners, and its head."""
        hue = self.hue(arrow)
        data = f"M{line[0][0]:.1f} {line[0][1]:.1f}"
        for before, corner, after in zip(line, line[1:], line[2:]):
            ends = []
            for other in (before, after):
                length = abs(other[0] - corner[0]) + abs(other[1] - corner[1]) or 1
                part = min(8.0, length / 2) / length
                ends.append((corner[0] + (other[0] - corner[0]) * part,
                             corner[1] + (other[1] - corner[1]) * part))
            data += (f"L{ends[0][0]:.1f} {ends[0][1]:.1f}Q{corner[0]:.1f} {corner[1]:.1f} "
                     f"{ends[1][0]:.1f} {ends[1][1]:.1f}")
        (x1, y1), (x2, y2) = line[-2:]
        length = abs(x2 - x1) + abs(y2 - y1) or 1
        near = ((x2 - (x2 - x1) / length * 9), (y2 - (y2 - y1) / length * 9))
        data += f"L{near[0]:.1f} {near[1]:.1f}"
        self.canvas.path(data, f"{hue}-line", 1.7, "5 4" if arrow.get("dashed") else "")
        self.canvas.arrow(*near, x2 - (x2 - x1) / length, y2 - (y2 - y1) / length, hue, 1.7,
                          head=8)
        for first, second in pieces(line):
            self.canvas.block_line(*first, *second)

    def long_first(self, line):
        return sorted(pieces(line), key=lambda piece: -fsum(
            abs(piece[1][each] - piece[0][each]) for each in (0, 1)))

    def arrow_step(self, arrow, line):
        if not arrow.get("step"):
            return
        places = []
        for piece in self.long_first(line):
            (x1, y1), (x2, y2) = piece
            places += [(x1 + (x2 - x1) * part, y1 + (y2 - y1) * part)
                       for part in (0.5, 0.35, 0.65, 0.25, 0.75)]
        others = [spans(piece) for other in self.lines if other is not line
                  for piece in pieces(other)]

        self.step_on(arrow["step"], places, others + list(self.box.values()))

    def arrow_text(self, arrow, line):
        text = self.say(arrow.get("text"))
        if not text:
            return
        row = max(self.at[arrow[end]][1] for end in ("from", "to"))
        before = [each for each in self.rows if each < row]
        where = ("row", before[-1] if before and not self.level(line) else row)
        classes = self.hue(arrow)
        self.label(text, self.text_places(text, line), "ink" if classes == "busy" else classes,
                   where, told=bool(arrow.get("step")))

    @staticmethod
    def level(line):
        return all(not upright(piece) for piece in pieces(line))

    def text_places(self, text, line):
        """Above and below level pieces, beside upright ones."""
        for piece in self.long_first(line):
            left, top, right, bottom = spans(piece)
            if upright(piece):
                for part in (0.5, 0.35, 0.65, 0.2, 0.8):
                    y = top + (bottom - top) * part
                    for room in (150, 100, 66) if not self.narrow else (120, 76, 54):
                        for off in (6, 16):
                            yield left + off, y, "start", min(room, self.right - left - off - 2)
                            yield left - off, y, "end", min(room, left - self.left - off + 4)
                continue
            room = right - left - 10
            if room < 30:
                continue
            half = self.leading * len(wrap(text, room, self.size)) / 2
            for part in (0.5, 0.35, 0.65):
                x = left + (right - left) * part
                for off in (half + 3, half + 14):
                    yield x, top - off, "middle", room * min(1, 2 * min(part, 1 - part) + 0.2)
                    yield x, top + off, "middle", room * min(1, 2 * min(part, 1 - part) + 0.2)

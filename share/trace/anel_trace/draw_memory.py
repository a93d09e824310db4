# draw_memory.py: structs and frames as rows of bytes, and what points to what.
# SPDX-License-Identifier: MIT
"""Columns of blocks on a wide picture, one below the other on a narrow one. A pointer to the right
crosses the gap between columns; any other runs through a gutter to the right of its block."""

from math import fsum, log2

from .drawing import text_width, wrap
from .picture import Picture

FACES = (13.5, 12)  # of a row's name, wide and narrow


class Memory(Picture):
    def body(self, top):
        self.name_size = FACES[self.narrow]
        self.blocks = self.data["blocks"]
        self.pointers = self.data.get("pointers", [])
        self.columns = sorted({block.get("column", 0) for block in self.blocks})
        if self.narrow:
            self.columns = [0]
        self.boxes, self.of_block = {}, {}
        self.place_columns()
        y = top + (6 if self.narrow else 12)
        bottoms = []
        for column in self.columns:
            at = y
            for block in self.blocks:
                if self.column(block) == column:
                    at = self.draw_block(block, at) + (22 if self.narrow else 28)
            bottoms.append(at)
        self.draw_pointers()
        return max(bottoms) - 22

    def column(self, block):
        return 0 if self.narrow else block.get("column", 0)

    def ends(self, pointer):
        """The blocks of both ends."""
        return [next(block for block in self.blocks if block["id"] == pointer[end].split(".")[0])
                for end in ("from", "to")]

    def in_gutter(self, pointer):
        source, target = map(self.column, self.ends(pointer))
        return source == target

    # Where things are.

    def place_columns(self):
        """Of each column: (left of the boxes, right of them, right of the meanings)."""
        self.places, count = {}, len(self.columns)
        self.offsets = {column: self.offset_width(column) for column in self.columns}
        self.gutters = {column: self.gutter(column) for column in self.columns}
        fixed = fsum(self.offsets.values()) + fsum(self.gutters.values())
        gaps = 0 if count == 1 else self.gap_width() * (count - 1)
        room = self.right - self.left - fixed - gaps
        last = self.columns[-1]
        self.aside = not self.narrow and count < 3 and any(
            row.get("text") for block in self.blocks if self.column(block) == last
            for row in block["rows"])
        if self.aside:
            meaning = min(330, room * (0.52 if count == 1 else 0.34))
        else:
            meaning = 0
        width = (room - meaning) / count
        if not self.narrow:
            width = min(width, 360)
        x = self.left
        for column in self.columns:
            begin = x + self.offsets[column]
            end = begin + width + self.gutters[column]
            self.places[column] = (begin, begin + width, end + (meaning if column == last else 0))
            x = end + self.gap_width()

    def gap_width(self):
        texts = [self.say(pointer.get("text")) for pointer in self.pointers
                 if not self.in_gutter(pointer)]
        return 90 + min(70, max((text_width(text, self.size) * 0.5 for text in texts), default=0))

    def offset_width(self, column):
        texts = [self.offset(row) for block in self.blocks if self.column(block) == column
                 for row in block["rows"]]
        wide = max((text_width(text, 11) for text in texts if text), default=0)
        return wide + 8 if wide else 0

    def offset(self, row):
        return f"+{row['offset']}" if "offset" in row else ""

    def gutter(self, column):
        """The width of the room for pointers that come back into a column."""
        mine = [pointer for pointer in self.pointers if self.in_gutter(pointer)
                and self.column(self.ends(pointer)[0]) == column]
        if not mine:
            return 18 if column == self.columns[-1] else 0
        said = max(text_width(self.say(pointer.get("text")), self.size) for pointer in mine)
        steps = 10 if any(pointer.get("step") for pointer in mine) else 0
        room = min(said + 8 if said else 0, 40 if self.narrow else 110)
        most = 110 if self.narrow else 220 / len(self.columns)
        return min(most, 20 + 15 * len(mine) + max(steps, room))

    def channel_pitch(self, column):
        """How far apart the ways in a gutter run."""
        count = sum(1 for pointer in self.pointers if self.in_gutter(pointer)
                    and self.column(self.ends(pointer)[0]) == column)
        return min(15.0, (self.gutters[column] - 30) / max(1, count))

    # Blocks.

    def draw_block(self, block, y):
        canvas = self.canvas
        left, right, end = self.places[self.column(block)]
        top = y
        size = 13 if self.narrow else 14
        y = canvas.lines(left, y + size, wrap(self.say(block["title"]), end - left, size, True),
                         size, size + 4, bold=True)
        if block.get("text"):
            y = canvas.lines(left, y, wrap(self.say(block["text"]), right - left, self.size),
                             self.size, self.leading, "quiet")
        y -= 5
        first, group = y, ""
        for row in block["rows"]:
            name = self.say(row.get("group"))
            if name and name != group:
                y = canvas.lines(left, y + 15, wrap(name, right - left, 11, True), 11, 14,
                                 "quiet", bold=True) - 8
            begin = y - (3 if name and name == group else 0)
            y = self.draw_row(block, row, y) + 3
            if name:
                self.canvas.rect(left - 3.5, begin, left - 1, y - 3, "quiet")
            group = name
        self.of_block[block["id"]] = (left, first, right, y - 3)
        self.boxes[block["id"]] = (left, top, right, y - 3)
        if block.get("foot"):
            y = canvas.lines(left, y + 13, wrap(self.say(block["foot"]), end - left, self.size),
                             self.size, self.leading, "quiet") - 8
        return y

    def row_lines(self, row, width):
        """What stands in a row: lists of (text, size, classes, bold, anchor)."""
        strong = "hue" in row
        hue = f"h{row['hue']}" if strong else "quiet"
        name = (self.say(row["name"]), self.name_size, "ink", strong)
        kind, value = self.say(row.get("type")), self.say(row.get("value"))
        room, lines = width - 20 - (26 if row.get("step") else 0), []
        wide = text_width(name[0], name[1], strong)
        for count, line in enumerate(wrap(name[0], room, name[1], strong)):
            lines.append([(line, *name[1:], "start")])
            wide = wide if count == 0 else room
        if value and wide + text_width(value, self.size, True) + 12 <= room:
            lines[0].append((value, self.size, hue, True, "end"))
            wide += text_width(value, self.size, True) + 12
            value = ""
        if kind and wide + text_width(kind, self.size) + 8 <= room:
            lines[0].append((kind, self.size, "quiet", False, "after"))
            kind = ""
        for text, classes, bold in ((kind, "quiet", False), (value, hue, True)):
            for line in wrap(text, room, self.size, bold) if text else ():
                lines.append([(line, self.size, classes, bold, "start")])
        return lines

    def draw_row(self, block, row, y):
        canvas, strong = self.canvas, "hue" in row
        left, right, end = self.places[self.column(block)]
        meaning = self.say(row.get("text"))
        aside = self.aside and self.column(block) == self.columns[-1]
        reserved = 26 if row.get("step") else 0
        room = right - left - 20 - reserved
        lines = self.row_lines(row, right - left)
        if meaning and not aside:
            lines += [[(line, self.size, "quiet", False, "start")]
                      for line in wrap(meaning, room, self.size)]
        beside = []
        if meaning and aside:
            beside = wrap(meaning, end - right - self.gutters[self.column(block)], self.size)
        height = max(13 + len(lines) * (self.leading + 1), 8 + len(beside) * self.leading)
        if row.get("size"):
            height += max(0.0, min(46.0, 5.5 * log2(row["size"] / 8)))
        if strong:
            canvas.rect(left, y, right, y + height, f"s{row['hue']} h{row['hue']}-line", 4)
        else:
            canvas.rect(left, y, right, y + height, "rest line-line", 4)
        middle = y + height / 2
        at = middle - (len(lines) - 1) * (self.leading + 1) / 2
        for line in lines:
            self.write_line(line, left, right - reserved, at)
            at += self.leading + 1
        if self.offset(row):
            canvas.text(left - 7, middle + 4, self.offset(row), 11, "quiet", "end")
        self.write_block(right + self.gutters[self.column(block)], middle, beside, "start",
                         "ink" if strong else "quiet")
        if row.get("id"):
            self.boxes[f"{block['id']}.{row['id']}"] = (left, y, right, y + height)
        if row.get("step"):
            canvas.number(right - 16, middle, row["step"])
        return y + height

    def write_line(self, line, left, right, y):
        after = left + 10
        for text, size, classes, bold, anchor in line:
            if anchor == "end":
                self.canvas.text(right - 10, y + size * 0.36, text, size, classes, "end", bold)
                continue
            at = after + 8 if anchor == "after" else left + 10
            self.canvas.text(at, y + size * 0.36, text, size, classes, "start", bold)
            after = at + text_width(text, size, bold)

    # Pointers.

    def draw_pointers(self):
        taken = []  # of the gutters: (column, channel, top, bottom)
        shares = {}
        for pointer in self.pointers:
            for end in ("from", "to"):
                shares[pointer[end]] = shares.get(pointer[end], 0) + 1
        met = {}

        def height(end):
            """Pointers that meet at one row stand a little apart."""
            box = self.boxes[end] if "." in end else self.of_block[end]
            count, all_of = met.get(end, 0), shares[end]
            met[end] = count + 1
            if "." not in end:
                return box[1] + min(14, (box[3] - box[1]) / 2) + 8 * count
            spread = min(10.0, (box[3] - box[1] - 8) / max(1, all_of - 1))
            return (box[1] + box[3]) / 2 + (count - (all_of - 1) / 2) * spread
        ways = []
        for pointer in self.pointers:
            ways.append((pointer, height(pointer["from"]), height(pointer["to"])))
        ways.sort(key=lambda way: (abs(way[1] - way[2]), way[1]))
        labels = []
        for pointer, y1, y2 in ways:
            if self.in_gutter(pointer):
                labels.append(self.come_back(pointer, y1, y2, taken))
            else:
                labels.append(self.cross_over(pointer, y1, y2))
        for pointer, places in labels:
            self.pointer_texts(pointer, places)

    def come_back(self, pointer, y1, y2, taken):
        """Through the gutter; the channel nearest to the block that is free there."""
        column = self.column(self.ends(pointer)[0])
        x = self.places[column][1]
        top, bottom = min(y1, y2), max(y1, y2)
        channel = 0
        while any(other[:2] == (column, channel) and top < other[3] + 4 and other[2] < bottom + 4
                  for other in taken):
            channel += 1
        taken.append((column, channel, top, bottom))
        out, hue = x + 18 + self.channel_pitch(column) * channel, self.hue(pointer)
        bend = min(9, (bottom - top) / 2)
        way = 1 if y2 > y1 else -1
        self.canvas.path(
            f"M{x:.1f} {y1:.1f}L{out - bend:.1f} {y1:.1f}Q{out:.1f} {y1:.1f} {out:.1f} "
            f"{y1 + way * bend:.1f}L{out:.1f} {y2 - way * bend:.1f}Q{out:.1f} {y2:.1f} "
            f"{out - bend:.1f} {y2:.1f}L{x + 7:.1f} {y2:.1f}", f"{hue}-line", 1.6,
            "5 4" if pointer.get("dashed") else "")
        self.canvas.arrow(x + 8, y2, x + 1, y2, hue)
        self.canvas.block_line(out, y1, out, y2)
        middle = (y1 + y2) / 2
        return pointer, [(out, middle), (out, middle - 18), (out, middle + 18),
                         (out, (middle + y1) / 2), (out, (middle + y2) / 2)]

    def hue(self, pointer):
        return f"h{pointer['hue']}" if "hue" in pointer else "busy"

    def cross_over(self, pointer, y1, y2):
        """A curve across the gap between two columns."""
        source, target = map(self.column, self.ends(pointer))
        if source < target:
            x1 = self.places[source][1]
            x2 = self.places[target][0] - self.offsets[target] - 2
        else:
            x1 = self.places[source][0] - self.offsets[source] - 2
            x2 = self.places[target][1]
        way = 1 if x2 > x1 else -1
        middle, hue = (x1 + x2) / 2, self.hue(pointer)
        self.canvas.path(f"M{x1 + way:.1f} {y1:.1f}C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} "
                         f"{x2 - way * 8:.1f} {y2:.1f}", f"{hue}-line", 2,
                         "5 4" if pointer.get("dashed") else "")
        self.canvas.arrow(x2 - way * 9, y2, x2 - way, y2, hue, 2, head=8)
        points = []
        for each in range(21):
            part, rest = each / 20, 1 - each / 20
            bow = 3 * rest * rest * part + 3 * rest * part * part
            points.append((x1 * rest ** 3 + middle * bow + x2 * part ** 3,
                           y1 * (rest ** 3 + 3 * rest * rest * part)
                           + y2 * (part ** 3 + 3 * rest * part * part)))
        for before, after in zip(points, points[1:]):
            self.canvas.block_line(*before, *after)
        return pointer, [points[each] for each in (10, 8, 12, 6, 14, 4, 16)]

    def pointer_texts(self, pointer, points):
        if pointer.get("step"):
            self.step_on(pointer["step"], points, [])
        text = self.say(pointer.get("text"))
        if not text:
            return
        places = []
        if self.in_gutter(pointer):
            x = points[0][0]
            room = self.places[self.column(self.ends(pointer)[0])][2] - x - 6
            places = [(x + 6, y, "start", max(room, 20)) for x, y in points]
            places += [(x, y, "middle", 14) for x, y in points]
        else:
            room = self.gap_width() - 6
            for off in (0, 14):
                for x, y in points:
                    lines = len(wrap(text, room, self.size)) * self.leading / 2
                    places += [(x, y - lines - 4 - off, "middle", room),
                               (x, y + lines + 4 + off, "middle", room)]
        classes = self.hue(pointer)
        self.label(text, places, "ink" if classes == "busy" else classes, "pointers",
                   told=bool(pointer.get("step")))

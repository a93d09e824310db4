# draw_ring.py: queues in shared memory as rings of slots, at several moments.
# SPDX-License-Identifier: MIT
"""Slot 0 is at the top, numbers grow clockwise. What lies between head and tail is in the
queue."""

from math import cos, fsum, pi, sin

from .drawing import text_width, wrap
from .picture import Picture


class Ring(Picture):
    def body(self, top):
        moments = self.data["moments"]
        across = 1 if self.narrow else min(len(moments), 4 if len(moments) != 5 else 3)
        if len(moments) == 6 and not self.narrow:
            across = 3
        width = (self.right - self.left + 12) / across
        most = max(len(moment["rings"]) for moment in moments)
        self.beside = self.narrow or across == 1  # the two rings of a moment
        self.cell = width / (most if self.beside else 1)
        before, after = self.side_room(-1), self.side_room(1)
        self.radius = min(78.0 if len(moments) > across and not self.narrow else 96.0,
                          (self.cell - 24 - before - after) / 2)
        self.aside = (before - after) / 2  # of the middle of a ring from that of its room
        y = top + 4
        for begin in range(0, len(moments), across):
            row = moments[begin:begin + across]
            heads = [self.head_lines(moment, width) for moment in row]
            head = max(fsum(leading for *_, leading in lines) for lines in heads)
            bottom = y
            for count, (moment, lines) in enumerate(zip(row, heads)):
                left = self.left + count * width
                place = len(self.canvas.parts)
                end = self.draw_moment(moment, lines, left, left + width - 12, y, y + head)
                bottom = max(bottom, end)
                row[count] = (place, left)
            for place, left in reversed(row):
                self.canvas.rect(left, y, left + width - 12, bottom, "band", 10)
                self.canvas.parts.insert(place, self.canvas.parts.pop())
            y = bottom + 12
        return y - 8

    def side_room(self, side):
        """The room that texts need on one side of every ring."""
        for moment in self.data["moments"]:
            for ring in moment["rings"]:
                for end in ("head", "tail"):
                    if side * sin(2 * pi * (ring[end] % ring["size"]) / ring["size"]) > 0.1:
                        return 50 if self.narrow else 60
        return 22

    def head_lines(self, moment, width):
        """Title and text of a moment: (line, size, classes, bold, leading)."""
        lines, room = [], width - 12 - 24 - (24 if moment.get("step") else 0)
        if moment.get("title"):
            size = 13 if self.narrow else 14
            lines += [(line, size, "ink", True, size + 4) for line in
                      wrap(self.say(moment["title"]), room, size, True)]
        if moment.get("text"):
            lines += [(line, self.size, "quiet", False, self.leading) for line in
                      wrap(self.say(moment["text"]), room, self.size)]
        return lines

    def draw_moment(self, moment, lines, left, right, top, below):
        """One moment; where it ends."""
        x, y = left + 12, top + 8
        if moment.get("step"):
            self.canvas.number(x + 9, y + 10, moment["step"])
            x += 26
        for line, size, classes, bold, leading in lines:
            self.canvas.text(x, y + size, line, size, classes, bold=bold)
            y += leading
        rings = moment["rings"]
        pitch = (right - left) / (len(rings) if self.beside else 1)
        y, ends = below + 12, []
        for count, ring in enumerate(rings):
            middle = left + pitch * (count + 0.5 if self.beside else 0.5) + self.aside
            above = max(self.reach(each)[0] for each in rings) if self.beside else max(
                self.reach(moment["rings"][min(count, len(moment["rings"]) - 1)])[0]
                for moment in self.data["moments"])
            end = self.draw_ring(ring, middle, y + self.radius + above)
            if not self.beside:  # rings of all moments stand at one height
                end = max(end, y + 2 * self.radius + above + max(
                    self.reach(moment["rings"][min(count, len(moment["rings"]) - 1)])[1]
                    for moment in self.data["moments"]))
            ends.append(end)
            if not self.beside:
                y = end + 10
        return max(ends) + 10

    def point(self, x, y, angle, radius):
        return x + radius * sin(angle), y - radius * cos(angle)

    def sector(self, x, y, begin, end, inner, outer, classes):
        (x1, y1), (x2, y2) = self.point(x, y, begin, outer), self.point(x, y, end, outer)
        (x3, y3), (x4, y4) = self.point(x, y, end, inner), self.point(x, y, begin, inner)
        large = int(end - begin > pi)
        self.canvas.add(
            f'<path class="{classes}" d="M{x1:.1f} {y1:.1f}A{outer:.1f} {outer:.1f} 0 {large} 1 '
            f'{x2:.1f} {y2:.1f}L{x3:.1f} {y3:.1f}A{inner:.1f} {inner:.1f} 0 {large} 0 '
            f'{x4:.1f} {y4:.1f}Z"/>')

    def draw_ring(self, ring, x, y):
        """Around a point; where its text ends."""
        size, head, tail, radius = ring["size"], ring["head"], ring["tail"], self.radius
        hue, inner = ring.get("hue", 0), self.radius * 0.55
        turn, gap = 2 * pi / size, min(0.07, 0.5 / size)
        held = {number % size: number for number in range(head, tail)}
        texts = {}
        for number, text in sorted(ring.get("slots", {}).items(), key=lambda each: int(each[0])):
            texts[int(number) % size] = (int(number), self.say(text))
        for slot in range(size):
            full = slot in held
            classes = f"h{hue}" if full else f"s{hue}" if slot in texts else "rest line-line"
            self.sector(x, y, slot * turn + gap / 2, (slot + 1) * turn - gap / 2, inner, radius,
                        classes)
        self.canvas.obstacles.append((x - radius * 0.7, y - radius * 0.7, x + radius * 0.7,
                                      y + radius * 0.7))
        texts_before = len(self.canvas.texts)
        self.middle(ring, x, y, inner)
        self.ends(ring, x, y, turn)
        found = [self.slot_text(text, x, y, (slot + 0.5) * turn, turn, inner,
                                held.get(slot) == number, hue)
                 for slot, (number, text) in texts.items()]
        below = max(y + radius + self.reach(ring)[1],
                    *(box[3] for box in self.canvas.texts[texts_before:]))
        told = [self.say(ring.get("text"))]
        if all(found) and self.apart([box for box, _ in found]):
            for _, drawn in found:
                self.canvas.text(*drawn[:-1], bold=drawn[-1])
                below = max(below, drawn[1] + 4)
        elif texts:  # they have no room: below the ring
            told.insert(0, " · ".join(f"{number}:\u00a0{text}" for number, text
                                      in sorted(texts.values())))
        for text in filter(None, told):
            for line in wrap(text, 2 * radius + 76, self.size):
                self.canvas.text(x, below + 12, line, self.size, "quiet", "middle")
                below += self.leading
        return below

    @staticmethod
    def apart(boxes):
        return not any(first[0] < second[2] and second[0] < first[2] and first[1] < second[3]
                       and second[1] < first[3]
                       for count, first in enumerate(boxes) for second in boxes[:count])

    def middle(self, ring, x, y, inner):
        """The name of a ring, and how much is in it."""
        words, count = self.words, ring["tail"] - ring["head"]
        key = "queue empty" if not count else (
            "queue full" if count == ring["size"] else "queue holds")
        size = 13 if self.narrow else 16
        self.canvas.text(x, y + 1, self.say(ring["name"]), size, "ink", "middle", bold=True)
        text = words(key, n=count)
        if text_width(text, self.size) < 1.8 * inner - 6:
            self.canvas.text(x, y + 17, text, self.size, "quiet", "middle", italic=True)

    def slot_text(self, text, x, y, angle, turn, inner, full, hue):
        """In its slot if it fits there, else outside: (its box, what to draw), or None."""
        middle = (inner + self.radius) / 2
        wide = min(2 * middle * sin(min(turn, pi) / 2), 1.3 * (self.radius - inner))
        # A sector that lies on its side is as wide as it is long.
        along = abs(sin(angle)) * (self.radius - inner) + abs(cos(angle)) * wide
        places = []
        if text_width(text, self.size, full) <= along - 3:
            places.append((*self.point(x, y, angle, middle), "middle", "on" if full else "quiet"))
        for away in (9, 20, 32):
            at_x, at_y = self.point(x, y, angle, self.radius + away)
            side = sin(angle)
            anchor = "middle" if abs(side) < 0.3 else "start" if side > 0 else "end"
            places.append((at_x, at_y - cos(angle) * 2, anchor, f"h{hue}" if full else "quiet"))
        for at_x, at_y, anchor, classes in places:
            drawn = (at_x, at_y + self.size * 0.36, text, self.size, classes, anchor, full)
            box = self.canvas.text_box(*drawn[:4], anchor, full)
            middle_of_room = x - self.aside
            if (self.canvas.fits(box, away=False, margin=0.5)
                    and middle_of_room - self.cell / 2 < box[0]
                    and box[2] < middle_of_room + self.cell / 2):
                return box, drawn
        return None

    def ends(self, ring, x, y, turn):
        """Where head and tail stand, as triangles outside the ring."""
        words, size = self.words, ring["size"]
        head, tail = ring["head"], ring["tail"]
        if head % size == tail % size:
            ends = [(head, [words("head", n=head), words("tail", n=tail)], 0)]
        else:
            near = min((tail - head) % size, (head - tail) % size) * turn < 0.75
            before = (tail - head) % size <= size / 2
            way = (-1 if before else 1) if near else 0
            ends = [(head, [words("head", n=head)], way), (tail, [words("tail", n=tail)], -way)]
        spread = 7 / self.radius
        for number, _, _ in ends:
            angle = (number % size) * turn
            points = [self.point(x, y, angle, self.radius + 2),
                      self.point(x, y, angle - spread, self.radius + 10),
                      self.point(x, y, angle + spread, self.radius + 10)]
            self.canvas.add('<path class="ink" d="M' + "L".join(
                f"{each[0]:.1f} {each[1]:.1f}" for each in points) + 'Z"/>')
        for number, lines, way in ends:
            self.end_text(lines, x, y, (number % size) * turn, way)

    def end_text(self, lines, x, y, angle, way):
        """Outside a triangle, pushed along the ring where the other one is near."""
        half = max(text_width(line, self.size, True) for line in lines) / 2
        high = self.leading * len(lines) / 2
        across = max(-1.0, min(1.0, 1.8 * sin(angle) + way * cos(angle)))
        down = max(-1.0, min(1.0, -1.8 * cos(angle) + way * 0.6 * sin(angle)))
        spots = []
        for away in (12, 18, 24, 32, 42, 54):
            at_x, at_y = self.point(x, y, angle, self.radius + away)
            at_x, at_y = at_x + across * half, at_y + down * high
            at_x = min(max(at_x, self.left + half - 6), self.right - half + 6)
            spots += [(at_x, at_y + shift) for shift in (0, 11, -11, 22, -22)]

        def box(spot):
            return (spot[0] - half, spot[1] - high, spot[0] + half, spot[1] + high)
        free = [spot for spot in spots if self.canvas.fits(box(spot), away=False, margin=0.5)]
        steady = [spot for spot in free if spot in spots[::5]]
        self.write_block(*(steady or free or spots)[0], lines, "middle", "ink", bold=True)

    def reach(self, ring):
        """How far above and below a ring its texts reach."""
        turn, size = 2 * pi / ring["size"], ring["size"]
        angles = [(ring[end] % size) * turn for end in ("head", "tail")]
        double = ring["head"] % size == ring["tail"] % size
        room = 14 + self.leading * (2 if double else 1)
        return (room if any(cos(angle) > 0.3 for angle in angles) else 8,
                room if any(cos(angle) < -0.3 for angle in angles) else 8)

# sequence.py: the sequence diagram of a simulated run: hosts, packets, faults, the failure.
# SPDX-License-Identifier: MIT
"""A label that finds no room asks for more above its packet, and the picture is laid out again."""

from .drawing import HUES, Canvas, clip, text_width, wrap
from .packets import choose
from .words import Words

TRIES_MAX = 60
PATIENCE = 36  # pixels
UNITS = ((10**10, 10**9, "s", 3), (10**7, 10**6, "ms", 2), (0, 10**6, "ms", 3))


class Chart:
    """One attempt at a layout."""

    def __init__(self, excerpt, words, width, extra):
        self.excerpt, self.words, self.extra = excerpt, words, extra
        self.canvas = Canvas(width, f"q{words.language}{width}")
        self.narrow = width < 600
        self.size = 11 if self.narrow else 11.5
        self.short_of_room = set()  # slots above which more room is needed
        self.left = 66 if self.narrow else 96
        gutter = (96 if self.narrow else 210) if excerpt.faults else 24
        self.right = width - gutter
        self.slots = excerpt.slots()
        self.connections = {}

    def x(self, host):
        pitch = (self.right - self.left) / len(self.excerpt.hosts)
        return self.left + pitch * (self.excerpt.hosts.index(host) + 0.5)

    def name(self, host):
        return self.excerpt.record.hosts[host]["name"] or str(host)

    def hue(self, packet):
        """Packets of one connection have one colour."""
        ports = sorted(part.strip() for part in packet["ports"].split(">"))
        key = (tuple(sorted((packet["from"], packet["to"]))), tuple(ports))
        self.connections.setdefault(key, packet["ports"])
        return list(self.connections).index(key) % HUES

    def slot(self, what, number):
        for place, slot in enumerate(self.slots):
            if slot.what == what and slot.number == number:
                return place, slot
        return None, None

    # The frame.

    def header(self, title):
        canvas, words = self.canvas, self.words
        margin = 12 if self.narrow else 16
        size = 18 if self.narrow else 22
        room = canvas.width - 2 * margin
        self.title = title or words("sequence", program=self.excerpt.record.program)
        y = canvas.lines(margin, size + 14, wrap(self.title, room, size, True)[:3], size,
                         size + 5, bold=True)
        lasted = words.duration(self.excerpt.end - self.excerpt.begin)
        seed = self.excerpt.record.seed
        kind = words("no seed" if seed is None else "seed", seed=seed, time=lasted)
        y = canvas.lines(margin, y - 3, wrap(kind, room, 13), 13, 17, "quiet")
        if self.excerpt.earlier:
            y = canvas.lines(margin, y, wrap(words("earlier", n=self.excerpt.earlier), room, 12),
                             12, 16, "quiet")
        return self.host_names(y + 8)

    def host_names(self, y):
        canvas, hosts = self.canvas, self.excerpt.record.hosts
        room = (self.right - self.left) / len(self.excerpt.hosts) - 8
        for host in self.excerpt.hosts:
            x, name, address = self.x(host), self.name(host), hosts[host]["address"]
            half = min(room, max(text_width(name, 13, True) + 20, 60)) / 2
            canvas.rect(x - half, y, x + half, y + 22, "rest line-line", 4)
            canvas.text(x, y + 15.5, clip(name, 2 * half - 6, 13, True), 13, "ink", "middle",
                        bold=True)
            canvas.text(x, y + 36, clip(address, room, 11), 11, "quiet", "middle")
        return y + 44

    def life_lines(self, top, bottom):
        """The lives of the hosts, dotted where nothing happens for long."""
        for x in map(self.x, self.excerpt.hosts):
            self.canvas.block_line(x, top, x, bottom)
            drawn = before = top
            for slot in self.slots:
                if slot.idle:
                    self.canvas.line(x, drawn, x, before + 6, "line-line", 1.5)
                    self.canvas.line(x, before + 8, x, slot.y - 6, "quiet-line", 1.5, "2 5")
                    drawn = slot.y - 6
                before = slot.y
            self.canvas.line(x, drawn, x, bottom, "line-line", 1.5)

    def times(self, top):
        """The virtual time down the side, where there is room, and how long nothing happens."""
        words, canvas = self.words, self.canvas
        lasted = self.excerpt.end - self.excerpt.begin
        _, size, unit, digits = next(each for each in UNITS if lasted >= each[0])
        x = self.left - 8
        canvas.text(x, top - 6, unit, 11, "quiet", "end", bold=True)
        before, shown = top, None
        for slot in self.slots:
            if slot.idle:
                text = words("idle", time=words.duration(slot.idle))
                if text_width(text, 11) > x - 2:
                    text = f"+{words.duration(slot.idle)}"
                canvas.text(x, (before + slot.y) / 2 + 4, text, 11, "quiet", "end", italic=True)
            before = slot.y
        for slot in self.slots:
            text = words.decimal(f"{slot.at / size:.{digits}f}")
            box = canvas.text_box(x, slot.y + 4, text, 11, "end")
            if text != shown and canvas.fits(box, away=False):
                canvas.text(x, slot.y + 4, text, 11, "quiet", "end")
                canvas.line(x + 3, slot.y, x + 8, slot.y, "line-line")
                shown = text

    # Faults and the failure.

    def fault_span(self, number, fault, top, bottom):
        _, begin = self.slot("fault", number)
        _, end = self.slot("fault end", number)
        first = begin.y if begin else top
        if self.excerpt.until(fault) is None:
            return first, None
        return first, end.y if end else bottom

    def fault_bands(self, top, bottom):
        """What lasts is a band: around a host, or over the way between hosts."""
        for number, fault in enumerate(self.excerpt.faults):
            first, last = self.fault_span(number, fault, top, bottom)
            if last is None:
                continue
            places = [self.x(host) for host in fault["hosts"]]
            if fault["kind"] in ("pause", "crash") or len(places) == 1:
                boxes = [(x - 15, first, x + 15, last) for x in places]
            else:
                boxes = [(min(places, default=self.left), first,
                          max(places, default=self.right), last)]
            for box in boxes:
                self.canvas.rect(*box, "fault")
                for y in (box[1], box[3]):
                    self.canvas.line(box[0], y, box[2], y, "bad-line", 1, "4 3")

    def fault_texts(self, top, bottom):
        reached = 0.0
        for number, fault in enumerate(self.excerpt.faults):
            words, canvas = self.words, self.canvas
            first, last = self.fault_span(number, fault, top, bottom)
            places = [self.x(host) for host in fault["hosts"]]
            if last is None:
                for x in places[:1]:
                    canvas.path(f"M{x:.1f} {first - 6:.1f}l6 6l-6 6l-6 -6z", "bad-line", 1.8)
            key = f"fault {fault['kind']}"
            kind = words(key) if words.has(key) else fault["kind"].replace("_", " ")
            names = ", ".join(map(self.name, fault["hosts"]))
            text = f"{kind}: {fault['text'] or names}".removesuffix(": ")
            x = self.right + 14
            lines = wrap(text, canvas.width - x - 6, self.size)
            lines = lines[:3] + ["…"] if len(lines) > 4 else lines
            y = max(first + 4, reached)
            if y > first + 30:
                self.short_of_room.add(self.slot("fault", number)[0])
            canvas.line(max(places, default=self.left) + (8 if last is None else 0), first,
                        self.right + 4, first, "bad-line", 0.8, "2 3")
            canvas.line(self.right + 4, first, self.right + 11, y - 4, "bad-line", 0.8, "2 3")
            reached = canvas.lines(x, y, lines, self.size, self.size + 3, "bad") + 4

    def draw_failure(self):
        """The line of the failure, and its text below; where they end."""
        _, slot = self.slot("failure", 0)
        canvas = self.canvas
        canvas.line(self.left, slot.y, self.right, slot.y, "bad-line", 2.2)
        canvas.cross(self.left, slot.y, "bad-line", 6)
        text = f"{self.words('failure')}: {self.excerpt.failure['text']}".removesuffix(": ")
        lines = wrap(text, self.right - self.left - 8, 13, True)
        return canvas.lines(self.left + 4, slot.y + 19, lines, 13, 17, "bad", bold=True)

    # Packets.

    def ends(self, number, packet):
        """Where the arrow of a packet begins and ends: one that does not arrive, half-way."""
        _, sent = self.slot("sent", number)
        x1, x2, y1 = self.x(packet["from"]), self.x(packet["to"]), sent.y
        if self.excerpt.arrives(packet):
            return x1, y1, x2, self.slot("arrives", number)[1].y
        return x1, y1, (x1 + x2) / 2, y1 + 6

    def draw_packet(self, number, packet):
        x1, y1, x2, y2 = self.ends(number, packet)
        hue, fate, canvas = f"h{self.hue(packet)}", packet["fate"], self.canvas
        if x1 == x2:  # a host that speaks to itself
            y2 = max(y1 + 6, y2)
            canvas.path(f"M{x1:.1f} {y1:.1f}h22v{y2 - y1:.1f}", f"{hue}-line", 1.6)
            canvas.arrow(x1 + 22, y2, x1, y2, hue)
            return
        if self.excerpt.arrives(packet):
            # What is told as doubled is the copy; the original has an arrow of its own.
            dashed = fate in ("late", "blocked", "doubled")
            canvas.arrow(x1, y1, x2, y2, hue, dashes="6 4" if dashed else "")
            return
        canvas.line(x1, y1, x2, y2, f"{hue}-line", 1.6, "6 4")
        canvas.block_line(x1, y1, x2, y2)
        if fate in ("lost", "blocked"):
            canvas.cross(x2, y2, "bad-line")
            canvas.obstacles.append((x2 - 6, y2 - 6, x2 + 6, y2 + 6))

    def packet_text(self, packet):
        """Long and short."""
        words = self.words
        kind = words.kind(packet["kind"])
        size = packet.get("bytes", 0)
        fate = packet["fate"]
        arrived = self.excerpt.arrives(packet)
        if not arrived and fate not in ("lost", "blocked"):
            fate = "on its way"
        note = f", {words(fate)}" if fate != "arrives" and words.has(fate) else ""
        bytes_sent = words.bytes(size)
        texts = [f"{kind}, {bytes_sent}{note}", f"{bytes_sent}{note}", bytes_sent]
        return (texts if size else [kind + note]) + [kind]

    def label_places(self, x1, y1, x2, y2, half, reach):
        """Where the middle of a label may stand: above its arrow, then beside a steep one."""
        if x1 == x2:
            yield x1 + 30 + half, y1 + 10
            return
        slope, side = (y2 - y1) / abs(x2 - x1), 1 if x2 > x1 else -1
        whole = abs(x2 - x1) > reach * 0.6
        for part in (0.5, 0.35, 0.65, 0.22, 0.78) if whole else (0.5, 0.9):
            x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
            x = side * max(side * x, side * x1 + half + 5)
            yield x, y - 7 - min(20, slope * half)
        if slope > 0.3 and whole:
            aside = half + 5 + 6 / slope
            for part in (0.5, 0.35, 0.65, 0.8, 0.2):
                x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
                yield x + side * aside, y + 4
                yield x - side * aside, y + 4

    def label(self, number, packet):
        """Above its arrow; what does not fit asks for room."""
        x1, y1, x2, y2 = self.ends(number, packet)
        canvas, size = self.canvas, self.size
        classes = "bad" if packet["fate"] in ("lost", "blocked") else f"h{self.hue(packet)}"
        reach = abs(self.x(packet["to"]) - x1) or 120
        place = self.slot("sent", number)[0]
        # What has been given much room and still touches a line may cover it.
        patient = self.extra.get(place, 0) < PATIENCE
        texts = [text for text in self.packet_text(packet)
                 if text_width(text, size) <= reach - 12]
        texts = texts or [clip(self.packet_text(packet)[-1], reach - 12, size)]
        within = sorted((x1, self.x(packet["to"]) if x1 != x2 else canvas.width))
        for text in texts[:2] if patient else texts:
            half = text_width(text, size) / 2
            for x, y in self.label_places(x1, y1, x2, y2, half, reach):
                box = canvas.text_box(x, y, text, size, "middle")
                if (within[0] <= box[0] and box[2] <= within[1]
                        and canvas.fits(box, away=patient, margin=0.5)):
                    if not patient:
                        canvas.rect(*box, "page")
                    canvas.text(x, y, text, size, classes, "middle")
                    return
        self.short_of_room.add(place)

    def legend(self, y):
        """The ports of the connections, by colour."""
        canvas = self.canvas
        x = left = 12 if self.narrow else 16
        named = [(place % HUES, ports) for place, ports in enumerate(self.connections.values())
                 if ports]
        for place, (hue, ports) in enumerate(named[:12]):
            more = place == 11 and len(named) > 12
            text = "…" if more else self.words("ports", ports=ports)
            width = text_width(text, 11.5) + 40
            if x + width > canvas.width and x > left:
                x, y = left, y + 18
            canvas.line(x, y - 4, x + 16, y - 4, f"h{hue}-line", 2.4)
            canvas.text(x + 22, y, clip(text, canvas.width - x - 26, 11.5), 11.5, "quiet")
            x += width
        return y + (22 if named else 0)

    def draw(self, title):
        """Draws all of it; the height."""
        top = self.header(title) + 6
        bottom = self.excerpt.place(self.slots, top, self.extra)
        bottom += 0 if self.excerpt.failure else 16
        self.fault_bands(top, bottom)
        self.life_lines(top, bottom)
        for number, packet in enumerate(self.excerpt.packets):
            self.draw_packet(number, packet)
        self.times(top)
        if self.excerpt.failure:
            bottom = max(bottom, self.draw_failure())
        self.fault_texts(top, bottom)
        for number, packet in enumerate(self.excerpt.packets):
            self.label(number, packet)
        y = max(bottom, max((box[3] for box in self.canvas.texts), default=0)) + 20
        margin = 12 if self.narrow else 16
        for key, count in (("later", self.excerpt.later),
                           ("faults left out", self.excerpt.faults_left_out)):
            if count:
                y = self.canvas.lines(margin, y, wrap(self.words(key, n=count),
                                      self.canvas.width - 2 * margin, 12), 12, 16, "quiet")
        return self.legend(y + 4)


def sequence(record, options, language, width, styled=True):
    """The SVG text of the diagram."""
    excerpt, words, extra = choose(record, options), Words(language), {}
    for _ in range(TRIES_MAX):
        chart = Chart(excerpt, words, width, extra)
        height = chart.draw(options.title)
        if not chart.short_of_room:
            break
        for place in chart.short_of_room:
            extra[place] = extra.get(place, 0) + 9
    names = [chart.name(host) for host in excerpt.hosts]
    told = words("sequence told", n=len(excerpt.packets), hosts=words.listed(names, len(names)))
    if excerpt.failure:
        told += f" {words('failure')}: {excerpt.failure['text']}"
    return chart.canvas.svg(round(height), chart.title, told, language, styled)

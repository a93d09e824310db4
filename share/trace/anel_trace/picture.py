# picture.py: what all drawn pictures have: title, legend, labels that find a place, steps below.
# SPDX-License-Identifier: MIT
"""A kind of picture is a `Picture` with a `body`. Where labels lack room, `body` notes it in
`crowded` and is drawn once more with more `extra`; what fits nowhere becomes a letter."""

import re
from math import fsum

from .drawing import Canvas, text_width, wrap

NARROW = 720
TRIES_MAX = 40
PATIENCE = 5  # how often a label asks for more room before it becomes a letter
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def glued(text):
    """A text in which no line ends between a number and its unit."""
    text = re.sub(r"(\d) (?=(?:ns|µs|ms|s|bytes?|KiB|MiB|GiB|%)(?!\w))", "\\1\u00a0", text)
    return re.sub(r"([=+×]) (?=\d)", "\\1\u00a0", text)


def whole(text, lines):
    """Whether lines hold all of a text: no word was cut."""
    return "".join(lines).replace(" ", "") == "".join(re.split(r"[\t\n ]+", text))


class Picture:
    """The picture in the making, at one width and in one language."""

    def __init__(self, data, words, width, extra, letters):
        self.data, self.words = data, words
        self.extra, self.letters = extra, letters  # where -> how much; (where, text)
        self.narrow = width < NARROW
        self.canvas = Canvas(width, f"d{words.language}{width}")
        self.left = 12 if self.narrow else 16
        self.right = width - self.left
        self.size = 11 if self.narrow else 12  # of labels
        self.leading = self.size + 3.5
        self.crowded = set()  # where more room is needed
        self.keyed = {}  # text -> its letter
        self.lowest = 0.0

    def say(self, value):
        """A text in the language of this picture."""
        return value if isinstance(value, str) else (value or {}).get(self.words.language, "")

    def number(self, value, digits=None):
        """A number as the language writes it."""
        text = f"{value:,.{digits}f}" if digits is not None else f"{value:,.10g}"
        text = text.replace("-", "\u2212")
        if self.words.language == "pt":
            text = text.translate(str.maketrans(",.", ".,"))
        return text

    # Above the picture.

    def header(self):
        canvas, size = self.canvas, 18 if self.narrow else 22
        room = self.right - self.left
        y = canvas.lines(self.left, size + 14, wrap(self.say(self.data["title"]), room, size,
                                                    True), size, size + 5, bold=True)
        small = 12 if self.narrow else 14
        if self.data.get("subtitle"):
            lines = wrap(glued(self.say(self.data["subtitle"])), room, small)
            return canvas.lines(self.left, y - 2, lines, small, small + 4, "quiet")
        return y - 8

    def legend(self, y, entries):
        """Samples with words: on the right of the last line where there is room, else below it.
        An entry is (draw(left, top, right, bottom), text)."""
        canvas = self.canvas
        widths = [text_width(text, self.size) + 38 for _, text in entries]
        if not entries:
            return y
        reached = max((box[2] for box in canvas.texts if box[3] > y - 22), default=self.left)
        x = self.left
        if not self.narrow and self.right - fsum(widths) + 18 > reached + 24:
            x, y = self.right - fsum(widths) + 18, y - 18
        elif not self.narrow:
            y += 4
        for (draw, text), width in zip(entries, widths):
            if x + width - 18.5 > self.right and x > self.left:
                x, y = self.left, y + 18
            draw(x, y - 10, x + 14, y + 2)
            canvas.text(x + 20, y, text, self.size, "quiet")
            x += width
        return y + 18

    # Labels.

    def letter(self, text):
        """The letter that stands for a text; a text has one, however often it is needed."""
        if text not in self.keyed:
            count = len(self.keyed)
            self.keyed[text] = LETTERS[count % 26] * (count // 26 + 1)
        return self.keyed[text]

    def draw_letter(self, x, y, letter):
        """Around a point."""
        half = 8 if len(letter) == 1 else 12
        self.canvas.rect(x - half, y - 8, x + half, y + 8, "page quiet-line", 4)
        self.canvas.text(x, y + 4, letter, 11, "ink", "middle", bold=True)
        self.canvas.obstacles.append((x - half, y - 8, x + half, y + 8))

    def block(self, x, y, lines, anchor, size=None, bold=False):
        """The box of lines around the height y."""
        size = size or self.size
        leading = size + 3.5
        width = max(text_width(line, size, bold) for line in lines)
        before = {"start": 0, "middle": width / 2, "end": width}[anchor]
        top = y - leading * len(lines) / 2
        return (x - before, top, x - before + width, top + leading * len(lines))

    def write_block(self, x, y, lines, anchor, classes, size=None, bold=False, italic=False):
        size = size or self.size
        leading = size + 3.5
        top = y - leading * len(lines) / 2
        for count, line in enumerate(lines):
            self.canvas.text(x, top + leading * (count + 0.5) + size * 0.36, line, size, classes,
                             anchor, bold, italic)

    def label(self, text, places, classes, where=None, told=False, **how):
        """Writes a text at the first of the places (x, y, anchor, width) where it fits. Where none
        does, `where` becomes crowded; at last a letter stands there, or nothing on a narrow
        picture if a step has `told` what it is."""
        places = list(places)
        for x, y, anchor, width in places:
            lines = wrap(text, width, self.size, how.get("bold", False))
            if not whole(text, lines):
                continue
            box = self.block(x, y, lines, anchor, bold=how.get("bold", False))
            if (len(lines) <= 4 and box[2] <= self.right + 6 and self.canvas.fits(box, margin=0.5)
                    and self.canvas.fits(box, away=False, margin=2.5)):
                self.write_block(x, y, lines, anchor, classes, **how)
                return
        if self.letters is not None and (where, text) not in self.letters:
            self.crowded.add((where, text))
            return
        if told and self.narrow:
            return
        letter = self.letter(text)
        for away in (True, False):
            for x, y, anchor, _ in places:
                x += {"start": 9, "middle": 0, "end": -9}[anchor]
                if self.free(x, y, 8, away):
                    self.draw_letter(x, y, letter)
                    return
        self.draw_letter(*self.near(*places[0][:2], 8), letter)

    def free(self, x, y, half, away, margin=0.5):
        """Whether a sign of a size may stand at a point."""
        box = (x - half, y - half, x + half, y + half)
        return box[2] < self.canvas.width - 2 and self.canvas.fits(box, away, margin)

    def near(self, x, y, half):
        """The nearest point at which a sign touches no text, where no better place is free."""
        x = min(max(x, half + 3), self.canvas.width - half - 3)
        for far in range(0, 320, 8):
            for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)):
                if self.free(x + a * far, y + b * far, half, False):
                    return x + a * far, y + b * far
        return x, y

    def step(self, number, places, where=None):
        """The circle of a step at the first of the places (x, y) where it fits."""
        places = list(places)
        for away in (True, False):
            for x, y in places:
                if self.free(x, y, 10, away, 2):
                    self.canvas.number(x, y, number)
                    self.canvas.texts[-1] = (x - 10, y - 10, x + 10, y + 10)
                    return
            if away and self.letters is not None and (where, number) not in self.letters:
                self.crowded.add((where, number))
                break
        x, y = self.near(*places[0], 10)
        self.canvas.number(x, y, number)
        self.canvas.texts[-1] = (x - 10, y - 10, x + 10, y + 10)

    def step_on(self, number, places, avoid):
        """The circle of a step on its line: at the first place that is free of texts and of the
        boxes to avoid."""
        places = list(places)

        def clear(place):
            box = (place[0] - 10, place[1] - 10, place[0] + 10, place[1] + 10)
            return self.free(*place, 10, False, 2) and not any(
                box[0] < other[2] + 9 and other[0] < box[2] + 9 and box[1] < other[3] + 9
                and other[1] < box[3] + 9 for other in avoid)
        x, y = next(filter(clear, places), None) or self.near(*places[0], 10)
        self.canvas.number(x, y, number)
        self.canvas.texts[-1] = (x - 10, y - 10, x + 10, y + 10)

    # Below the picture.

    def tell(self, y):
        """The steps, then what the letters stand for, in two columns on a wide picture."""
        size, canvas = 13 if self.narrow else 13.5, self.canvas
        told = [(str(count), self.say(text)) for count, text in
                enumerate(self.data.get("steps", []), 1)]
        told += [(letter, text) for text, letter in self.keyed.items()]
        columns = 1 if self.narrow or len(told) < 2 else 2
        width = (self.right - self.left) / columns
        wrapped = [wrap(glued(text), width - 44, size) for _, text in told]
        heights = [len(lines) * (size + 4.5) + 8 for lines in wrapped]
        split = len(wrapped)
        if columns == 2:
            split = min(range(1, split + 1), default=0,
                        key=lambda place: (max(fsum(heights[:place]),
                                                fsum(heights[place:])), -place))
        x, top, lowest = self.left, y, y - (0 if told else 6)
        for count, ((sign, _), lines, height) in enumerate(zip(told, wrapped, heights)):
            if count == split:
                x, y = self.left + width, top
            if sign.isdecimal():
                canvas.number(x + 10, y, int(sign))
            else:
                self.draw_letter(x + 10, y, sign)
            canvas.lines(x + 28, y + size * 0.36, lines, size, size + 4.5)
            y += height
            lowest = max(lowest, y)
        for key, size, classes, bold in (("note", self.size, "quiet", False),
                                         ("footer", 13.5, "ink", True)):
            if self.data.get(key):
                lines = wrap(glued(self.say(self.data[key])), self.right - self.left, size, bold)
                lowest = canvas.lines(self.left, lowest + 8, lines, size, size + 4.5, classes,
                                      bold=bold) + 2
        return lowest

    def draw(self):
        """Draws all of it; the height."""
        y = self.body(self.header())
        return self.tell(y + 24) + 2

    def body(self, top):
        """Draws what the kind is about below `top`; where it ends."""
        raise NotImplementedError


def drawn(kind, data, words, width, styled=True):
    """The SVG text of a picture, drawn as often as its labels ask for more room."""
    extra, letters = {}, set()
    for attempt in range(TRIES_MAX):
        picture = kind(data, words, width, extra, letters if attempt < TRIES_MAX - 1 else None)
        height = picture.draw()
        if not picture.crowded:
            break
        for where in {where for where, _ in picture.crowded}:
            extra[where] = extra.get(where, 0) + 1
            if extra[where] > PATIENCE:
                extra[where] = 0
                letters |= {each for each in picture.crowded if each[0] == where}
    told = picture.say(data.get("alt")) or " ".join(
        [picture.say(data.get("subtitle")), *(f"{count}. {picture.say(text)}" for count, text in
                                              enumerate(data.get("steps", []), 1))]).strip()
    return picture.canvas.svg(round(height), picture.say(data["title"]), told, words.language,
                              styled)

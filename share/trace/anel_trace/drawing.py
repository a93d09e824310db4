# drawing.py: an SVG picture in the making, which knows where its texts are.
# SPDX-License-Identifier: MIT
"""Colours are classes, so that one file serves a light and a dark page. The width of a text is
estimated as DejaVu Sans sets it, which is wider than the other faces of the list."""

import re
from math import fsum
from xml.sax.saxutils import escape as escape_markup

from .record import UNPRINTABLE

FACES = "Inter, 'DejaVu Sans', system-ui, sans-serif"
HUES = 6

# Widths in em, rounded up; all other letters are at most as wide as the last of them.
EMS = {
    0.3: "'IJijlí", 0.35: " \u00a0,-./:;\\f|·’", 0.4: "!()[]rt", 0.5: '"*_`', 0.55: "?Lcsz“”ç",
    0.6: "FPTYakovxyáâãàóôõ", 0.65: "$0123456789EKSbdeghnpqu{}µéêúÉ", 0.7: "ABCRVXZÁÇ",
    0.75: "HNU", 0.8: "&DGOQ", 0.85: "#+<=>M^w~×→←±", 1.0: "%@Wm…",
}
EM_OF = {letter: em for em, letters in EMS.items() for letter in letters}
BOLD = 1.13  # by how much bold letters are wider, on average

# Each colour as (light page, dark page); a hue has a strong and a soft one.
COLOURS = {
    "page": ("#ffffff", "#0f1623"), "band": ("#f5f6f8", "#182132"), "ink": ("#0f172a", "#e6ebf4"),
    "quiet": ("#5b6b82", "#9aa8bd"), "line": ("#cbd5e1", "#3d4b61"),
    "rest": ("#eef1f5", "#1e293b"), "busy": ("#334155", "#b3c0d3"), "on": ("#ffffff", "#0f1623"),
    "ask": ("#a3b1c6", "#5a6b85"), "bad": ("#c92a2a", "#ff8787"), "fault": ("#fdecec", "#3a1c22"),
}
STRONG = (("#2563eb", "#7aa7ff"), ("#d9480f", "#ff9d66"), ("#15803d", "#5fd08a"),
          ("#7c3aed", "#b79cff"), ("#0e7490", "#5cc8dc"), ("#be185d", "#ff8ac0"))
SOFT = (("#dbe7fd", "#1d3461"), ("#fde4d3", "#4a2a16"), ("#d8f3e0", "#163f28"),
        ("#ebe2fd", "#35265e"), ("#d3f0f5", "#12404a"), ("#fbdcea", "#4b1f38"))


def style():
    """One rule a class: `x` fills with the colour x, `x-line` draws with it."""
    colours = dict(COLOURS)
    for hue in range(HUES):
        colours[f"h{hue}"], colours[f"s{hue}"] = STRONG[hue], SOFT[hue]
    pages = []
    for page in (0, 1):
        pages.append("".join(f".{name}{{fill:{pair[page]}}}.{name}-line{{stroke:{pair[page]}}}"
                             for name, pair in colours.items()))
    return (pages[0] + "@media (prefers-color-scheme:dark){" + pages[1] + "}"
            + ".open{fill:none}")


def text_width(text, size, bold=False):
    # sum() rounds otherwise since Python 3.12, and a picture must not depend on that.
    width = fsum(EM_OF.get(letter, 0.7 if letter.isalpha() and ord(letter) < 0x250 else 1.0)
                 for letter in text)
    return width * size * (BOLD if bold else 1)


def clean(text):
    """Markup that stands for a text; the `--title` may hold what XML may not."""
    return escape_markup(UNPRINTABLE.sub("·", text), {'"': "&quot;"})


def clip(text, width, size, bold=False):
    """The beginning of a text that fits into a width; "" if nothing does."""
    if text_width(text, size, bold) <= width:
        return text
    while text and text_width(text + "…", size, bold) > width:
        text = text[:-1]
    return text.rstrip() + "…" if text else ""


def wrap(text, width, size, bold=False):
    """The lines of a text; a word that is too long for a line is cut."""
    lines = [""]
    for word in re.sub(r"[\t\n ]+", " ", text).strip().split(" "):  # not at "fd\u00a07"
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, size, bold) <= width:
            lines[-1] = longer
        elif lines[-1]:
            lines.append(clip(word, width, size, bold))
        else:
            lines[-1] = clip(word, width, size, bold)
    return lines


def short(number):
    return f"{number:.1f}".removesuffix(".0")


class Canvas:
    """A picture of a fixed width; what is drawn later lies above."""

    def __init__(self, width, ident):
        self.width, self.ident = width, ident
        self.parts, self.hatched = [], set()
        self.texts = []  # boxes (left, top, right, bottom)
        self.obstacles = []  # what a text that can choose its place keeps away from

    def add(self, part):
        self.parts.append(part)

    def rect(self, left, top, right, bottom, classes, radius=0.0):
        rounded = f' rx="{short(radius)}"' if radius else ""
        self.add(f'<rect class="{classes}" x="{short(left)}" y="{short(top)}" '
                 f'width="{short(max(0, right - left))}" '
                 f'height="{short(max(0, bottom - top))}"{rounded}/>')

    def path(self, data, classes, width=1.0, dashes="", more=""):
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.add(f'<path class="open {classes}" d="{data}" stroke-width="{short(width)}"'
                 f'{dashed}{more}/>')

    def line(self, x1, y1, x2, y2, classes, width=1.0, dashes=""):
        self.path(f"M{short(x1)} {short(y1)}L{short(x2)} {short(y2)}", classes, width, dashes)

    def hatch(self, left, top, right, bottom, hue, radius=3):
        self.hatched.add(hue)
        self.add(f'<rect fill="url(#{self.ident}-hatch{hue})" x="{short(left)}" '
                 f'y="{short(top)}" width="{short(right - left)}" '
                 f'height="{short(bottom - top)}" rx="{radius}"/>')

    def dot(self, x, y, radius, classes):
        self.add(f'<circle class="{classes}" cx="{short(x)}" cy="{short(y)}" r="{radius}"/>')

    def cross(self, x, y, classes, half=5.0):
        self.path(f"M{short(x - half)} {short(y - half)}L{short(x + half)} {short(y + half)}"
                  f"M{short(x - half)} {short(y + half)}L{short(x + half)} {short(y - half)}",
                  classes, 2.2)

    def arrow(self, x1, y1, x2, y2, hue, width=1.6, dashes="", head=7.0):
        """From the first point to the second, with a head there."""
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5 or 1.0
        dx, dy = (x2 - x1) / length * head, (y2 - y1) / length * head
        base_x, base_y = x2 - dx, y2 - dy
        self.line(x1, y1, base_x, base_y, f"{hue}-line", width, dashes)
        self.add(f'<path class="{hue}" d="M{short(x2)} {short(y2)}'
                 f'L{short(base_x - dy / 2)} {short(base_y + dx / 2)}'
                 f'L{short(base_x + dy / 2)} {short(base_y - dx / 2)}Z"/>')
        self.block_line(x1, y1, x2, y2)

    def block_line(self, x1, y1, x2, y2):
        """Keeps texts away from a line: as small boxes along it."""
        pieces = max(1, int(max(abs(x2 - x1), abs(y2 - y1)) / 8))
        for piece in range(pieces):
            ends = [((x1 + (x2 - x1) * part / pieces), (y1 + (y2 - y1) * part / pieces))
                    for part in (piece, piece + 1)]
            self.obstacles.append((min(x for x, _ in ends) - 2, min(y for _, y in ends) - 2,
                                   max(x for x, _ in ends) + 2, max(y for _, y in ends) + 2))

    def text_box(self, x, y, text, size, anchor="start", bold=False, turned=False, spaced=0.0):
        """Where a text will be: `y` is its base line, or `x` if it is turned to read upwards."""
        length = text_width(text, size, bold) + spaced * len(text)
        before = {"start": 0, "middle": length / 2, "end": length}[anchor]
        if turned:
            return (x - size * 0.8, y + before - length, x + size * 0.25, y + before)
        return (x - before, y - size * 0.8, x - before + length, y + size * 0.25)

    def fits(self, box, away=True, margin=2.0):
        """Whether a box is inside the picture and touches no text, nor, if `away`, an obstacle."""
        left, top, right, bottom = (box[0] - margin, box[1] - margin,
                                    box[2] + margin, box[3] + margin)
        if left < 0 or right > self.width or top < 0:
            return False
        return not any(left < other[2] and other[0] < right and top < other[3]
                       and other[1] < bottom
                       for other in self.texts + (self.obstacles if away else []))

    def text(self, x, y, text, size, classes="ink", anchor="start", bold=False, italic=False,
             turned=False, spaced=0.0):
        if not text:
            return
        self.texts.append(self.text_box(x, y, text, size, anchor, bold, turned, spaced))
        attributes = f' font-size="{short(size)}"'
        attributes += f' text-anchor="{anchor}"' if anchor != "start" else ""
        attributes += ' font-weight="700"' if bold else ""
        attributes += ' font-style="italic"' if italic else ""
        attributes += f' letter-spacing="{spaced}"' if spaced else ""
        place = f'x="{short(x)}" y="{short(y)}"'
        if turned:
            place = f'transform="translate({short(x)},{short(y)}) rotate(-90)"'
        self.add(f'<text class="{classes}" {place}{attributes}>{clean(text)}</text>')

    def lines(self, x, y, lines, size, leading, classes="ink", bold=False):
        """Lines below each other, the first with its base line at y; the base line that follows."""
        for line in lines:
            self.text(x, y, line, size, classes, bold=bold)
            y += leading
        return y

    def number(self, x, y, number, radius=9.5):
        """The number of a step, in a circle."""
        self.add(f'<circle class="page ink-line" cx="{short(x)}" cy="{short(y)}" r="{radius}" '
                 'stroke-width="1.6"/>')
        size = max(11, radius * (1.3 if number < 10 else 1.1))
        self.text(x, y + radius * 0.46, str(number), size, "ink", "middle", bold=True)
        self.obstacles.append((x - radius, y - radius, x + radius, y + radius))

    def hatches(self):
        return "".join(
            f'<pattern id="{self.ident}-hatch{hue}" width="6" height="6" '
            'patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
            f'<path class="h{hue}-line" d="M0 0V6" stroke-width="2.4" opacity=".45"/></pattern>'
            for hue in sorted(self.hatched))

    def svg(self, height, title, what, language, styled=True):
        """The whole picture."""
        rules = f"<style>{style()}</style>" if styled else ""
        size = f'{self.width} {short(height)}'
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" '
                f'width="{self.width}" height="{short(height)}" font-family="{FACES}" '
                f'role="img" lang="{language}">\n'
                f'<title>{clean(title)}</title><desc>{clean(what)}</desc>\n{rules}'
                f'<defs>{self.hatches()}</defs>\n'
                f'<rect class="page" width="{self.width}" height="{short(height)}" rx="10"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")

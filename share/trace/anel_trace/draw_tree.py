# draw_tree.py: which task belongs to which scope, and what state each is in.
# SPDX-License-Identifier: MIT
"""One moment is a tree from left to right where it fits; several, and narrow pictures, are
outlines in which a child is indented."""

from dataclasses import dataclass, field
from math import fsum

from .drawing import text_width, wrap
from .picture import Picture

INDENT = 22
# state -> (classes of the box, classes of its words)
LOOKS = {
    "running": ("s2 h2-line", "h2"), "waiting": ("rest line-line", "quiet"),
    "ready": ("s0 h0-line", "h0"), "done": ("band line-line", "quiet"),
    "failed": ("fault bad-line", "bad"), "cancelled": ("page quiet-line", "quiet"),
    "": ("rest line-line", "quiet"),
}


@dataclass
class Box:
    """A node with its place."""
    node: dict
    depth: int
    children: list
    lines: list = field(default_factory=list)
    left: float = 0
    top: float = 0
    width: float = 0
    height: float = 0


class Tree(Picture):
    def body(self, top):
        moments = self.data["moments"]
        across = 1 if self.narrow else len(moments)
        width = (self.right - self.left + 14) / across
        y, bottom = top + 8, top
        for count, moment in enumerate(moments):
            left = self.left + (count % across) * width
            if count and across == 1:
                y = bottom + 18
            bottom = max(bottom, self.draw_moment(moment, left, left + width - 14, y))
        return bottom

    def draw_moment(self, moment, left, right, y):
        for key, size, classes, bold in (("title", self.size + 2, "ink", True),
                                         ("text", self.size, "quiet", False)):
            if moment.get(key):
                lines = wrap(self.say(moment[key]), right - left, size, bold)
                y = self.canvas.lines(left, y + size, lines, size, size + 4, classes,
                                      bold=bold) - size + 4
        root = self.box(moment["root"], 0)
        depth = self.depth(root)
        wide = (right - left - 34 * (depth - 1)) / depth
        if not self.narrow and len(self.data["moments"]) == 1 and wide >= 150:
            self.place_across(root, left, y + 6, min(wide, 290))
        else:
            self.place_outline(root, left, right, y + 6)
        self.draw_lines(root)
        self.draw_box(root)
        return max(box.top + box.height for box in self.all_of(root))

    def box(self, node, depth):
        return Box(node, depth, [self.box(child, depth + 1) for child in node.get("children", [])])

    def depth(self, box):
        return 1 + max(map(self.depth, box.children), default=0)

    def all_of(self, box):
        yield box
        for child in box.children:
            yield from self.all_of(child)

    # What stands in a box.

    def measure(self, box, width):
        """The lines of a box of a width: (text, size, classes, bold, struck out)."""
        node, box.width = box.node, width
        state = node.get("state", "")
        size = 12.5 if self.narrow else 13.5
        kind = node.get("type", "task")
        name = self.say(node["name"])
        if kind != "task":
            name = f"{self.words(f'type {kind}')} {name}"
        room = width - 20 - (24 if node.get("step") else 0)
        box.lines = [(line, size, "quiet" if state == "cancelled" else "ink", True)
                     for line in wrap(name, room, size, True)]
        if state:
            key = f"scope {state}"  # in Portuguese a task and a scope differ in gender
            key = key if kind != "task" and self.words.has(key) else f"task {state}"
            word = self.say(self.data.get("legend", {}).get(state)) or self.words(key)
            box.lines.append((word, self.size, LOOKS[state][1], False))
        if node.get("text"):
            box.lines += [(line, self.size, "ink", False)
                          for line in wrap(self.say(node["text"]), width - 20, self.size)]
        box.height = 11 + fsum(each[1] + 4 for each in box.lines)

    def place_across(self, root, left, top, width):
        """Leaves below each other, parents in the middle of their children."""
        for box in self.all_of(root):
            self.measure(box, width)
            box.left = left + box.depth * (width + 34)

        def place(box, y):
            if not box.children:
                box.top = y
                return y + box.height + 12
            end = y
            for child in box.children:
                end = place(child, end)
            first, last = box.children[0], box.children[-1]
            middle = (first.top + first.height / 2 + last.top + last.height / 2) / 2
            box.top = middle - box.height / 2
            if box.top < y:  # higher than its children
                for each in box.children:
                    self.shift(each, y - box.top)
                end, box.top = end + y - box.top, y
            return max(end, box.top + box.height + 12)
        place(root, top)
        self.outline = False

    def shift(self, box, down):
        for each in self.all_of(box):
            each.top += down

    def place_outline(self, root, left, right, top):
        for box in self.all_of(root):
            box.left = left + box.depth * INDENT
            self.measure(box, right - box.left)
            box.top = top
            top += box.height + 9
        self.outline = True

    # Drawing.

    def draw_lines(self, box):
        canvas = self.canvas
        for child in box.children:
            y = child.top + child.height / 2
            failed = child.node.get("state") == "failed"
            if self.outline:
                x, begin = box.left + 11, box.top + box.height
            else:
                begin = box.top + box.height / 2
                x = box.left + box.width + 17
                canvas.line(box.left + box.width, begin, x, begin, "quiet-line", 1.4)
            canvas.line(x, begin, x, y, "quiet-line", 1.4)
            canvas.line(x, y, child.left, y, "bad-line" if failed else "quiet-line",
                        2 if failed else 1.4)
            self.draw_lines(child)

    def draw_box(self, box):
        canvas, node = self.canvas, box.node
        state = node.get("state", "")
        classes, _ = LOOKS[state]
        right, bottom = box.left + box.width, box.top + box.height
        radius = 4 if node.get("type", "task") == "task" else 12
        canvas.rect(box.left, box.top, right, bottom, classes, radius)
        if node.get("type", "task") != "task":  # a second edge: it holds others
            canvas.path(f"M{box.left + 4:.1f} {box.top + 12:.1f}L{box.left + 4:.1f} "
                        f"{bottom - 12:.1f}", "quiet-line", 2)
        if node.get("step"):
            canvas.number(right - 15, box.top + 15, node["step"])
        y = box.top + 5
        for count, (text, size, ink, bold) in enumerate(box.lines):
            y += size + 4
            x = box.left + 11
            named = [each for each in box.lines if each[3]]
            if state and count == len(named):
                self.sign(state, x + 5, y - 4)
                x += 17
            canvas.text(x, y - 3, text, size, ink, bold=bold)
            if state == "cancelled" and bold:
                canvas.line(x, y - 3 - size * 0.32, x + text_width(text, size, True) * 0.96,
                            y - 3 - size * 0.32, "quiet-line", 1.2)
        for child in box.children:
            self.draw_box(child)

    def sign(self, state, x, y):
        """A small sign before the word of a state."""
        canvas, colour = self.canvas, LOOKS[state][1]
        y -= 3
        if state == "running":
            canvas.add(f'<path class="{colour}" d="M{x - 4:.1f} {y - 5:.1f}L{x + 5:.1f} {y:.1f}'
                       f'L{x - 4:.1f} {y + 5:.1f}Z"/>')
        elif state == "waiting":
            canvas.rect(x - 4, y - 4.5, x - 1, y + 4.5, colour)
            canvas.rect(x + 1.5, y - 4.5, x + 4.5, y + 4.5, colour)
        elif state == "failed":
            canvas.cross(x, y, f"{colour}-line", 4)
        elif state == "done":
            canvas.path(f"M{x - 4:.1f} {y:.1f}L{x - 1:.1f} {y + 4:.1f}L{x + 5:.1f} {y - 4:.1f}",
                        f"{colour}-line", 2)
        elif state == "ready":
            canvas.dot(x, y, 4.5, colour)
        else:
            canvas.add(f'<circle class="page {colour}-line" cx="{x:.1f}" cy="{y:.1f}" r="4.5" '
                       'stroke-width="1.6"/>')
            canvas.line(x - 3, y + 3, x + 3, y - 3, f"{colour}-line", 1.6)

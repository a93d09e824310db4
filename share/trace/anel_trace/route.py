# route.py: ways of arrows between boxes, along straight lines with corners.
# SPDX-License-Identifier: MIT
"""Of a handful of ways between two boxes the cheapest is taken: short, with few corners, through
no box, and neither on nor across another way. Ways that are there already are boxes without
width or height."""

from math import fsum

SIDES = {"right": (1, 0), "left": (-1, 0), "bottom": (0, 1), "top": (0, -1)}
CORNER, CROSSING, ON_ANOTHER, THROUGH = 26.0, 70.0, 400.0, 4000.0


def port(box, side, part):
    """A point of the edge of a box."""
    left, top, right, bottom = box
    if side in ("left", "right"):
        return (left if side == "left" else right, top + (bottom - top) * part)
    return (left + (right - left) * part, top if side == "top" else bottom)


def parts_of(box, side, double):
    """Where ways may end on a side: the middle, then left and right of it; off the middle where
    a way goes back."""
    if double:
        return (0.28, 0.72)
    length = box[3] - box[1] if side in ("left", "right") else box[2] - box[0]
    if length < 44:
        return (0.5, 0.25, 0.75)
    return (0.5, 0.32, 0.68, 0.16, 0.84)


def ways(start, way1, end, way2, lanes):
    """Polylines from a point that leave it and reach the other in these directions."""
    (x1, y1), (x2, y2) = start, end
    if way1[0] and way2[0]:  # both lie on upright edges
        if way1[0] != way2[0] and y1 == y2 and (x2 - x1) * way1[0] > 0:
            yield [start, end]
        for x in lanes[0]:
            if (x - x1) * way1[0] > 6 and (x - x2) * way2[0] > 6:
                yield [start, (x, y1), (x, y2), end]
    elif way1[1] and way2[1]:
        if way1[1] != way2[1] and x1 == x2 and (y2 - y1) * way1[1] > 0:
            yield [start, end]
        for y in lanes[1]:
            if (y - y1) * way1[1] > 6 and (y - y2) * way2[1] > 6:
                yield [start, (x1, y), (x2, y), end]
    elif way1[0]:
        if (x2 - x1) * way1[0] > 6 and (y1 - y2) * way2[1] > 6:
            yield [start, (x2, y1), end]
    elif (y2 - y1) * way1[1] > 6 and (x1 - x2) * way2[0] > 6:
        yield [start, (x1, y2), end]


def pieces(line):
    return list(zip(line, line[1:]))


def spans(piece):
    """The box of a piece: (left, top, right, bottom)."""
    (x1, y1), (x2, y2) = piece
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def meets(first, second, margin):
    return (first[0] < second[2] + margin and second[0] < first[2] + margin
            and first[1] < second[3] + margin and second[1] < first[3] + margin)


def upright(piece):
    return piece[0][0] == piece[1][0]


def length(line):
    """What the length and the corners of a way cost."""
    return CORNER * (len(line) - 2) + fsum(
        abs(x2 - x1) + abs(y2 - y1) for (x1, y1), (x2, y2) in pieces(line))


def trouble(line, boxes, own, taken, limit):
    """What a way costs for what it meets; `own` are the boxes at its ends. More than the limit
    is not counted."""
    total = 0.0
    for piece in pieces(line):
        box, stands = spans(piece), upright(piece)
        for other in boxes:
            if other in own:
                # The end of a way touches its box; it may not go through it.
                inner = (other[0] + 2, other[1] + 2, other[2] - 2, other[3] - 2)
                total += THROUGH * meets(box, inner, 0)
            else:
                total += THROUGH * meets(box, other, 7)
        for other in taken:
            same = stands == (other[0] == other[2])
            if meets(box, other, 14 if same else 6):
                total += ON_ANOTHER if same else CROSSING
        if total > limit:
            break
    return total


def loop_of(box, taken):
    """From a box to itself: a small way at one of its corners."""
    left, top, right, bottom = box
    out = 20
    high = min(18, (bottom - top) * 0.4)
    choices = [[(right - 26, top), (right - 26, top - out), (right + out, top - out),
                (right + out, top + high), (right, top + high)],
               [(right - 26, bottom), (right - 26, bottom + out), (right + out, bottom + out),
                (right + out, bottom - high), (right, bottom - high)],
               [(left + 26, top), (left + 26, top - out), (left - out, top - out),
                (left - out, top + high), (left, top + high)]]
    return min(choices, key=lambda line: trouble(line, [], [], taken, 1e9))


def route(source, target, boxes, lanes, taken, double=False):
    """The cheapest way from one box to another; `double` if there is one back."""
    if source == target:
        return loop_of(source, taken)
    choices = []
    for side1, way1 in SIDES.items():
        for side2, way2 in SIDES.items():
            for part1 in parts_of(source, side1, double):
                for part2 in parts_of(target, side2, double):
                    start, end = port(source, side1, part1), port(target, side2, part2)
                    start, end = aligned(start, way1, end, way2, source, target)
                    off = 12 * (abs(part1 - 0.5) + abs(part2 - 0.5)) + 1e-3 * (part1 + part2)
                    choices += [(length(line) + off, line)
                                for line in ways(start, way1, end, way2, lanes)]
    choices.sort(key=lambda choice: choice[0])
    best, least = [port(source, "bottom", 0.5), port(target, "top", 0.5)], 1e9
    for price, line in choices:
        if price >= least:
            break
        price += trouble(line, boxes, (source, target), taken, least - price)
        if price < least:
            best, least = line, price
    return best


def aligned(start, way1, end, way2, source, target):
    """Moves an end a little where that makes the way straight."""
    if way1[0] and way2[0] and way1 != way2:
        if max(source[1], target[1]) + 6 < start[1] < min(source[3], target[3]) - 6:
            return start, (end[0], start[1])
        if max(source[1], target[1]) + 6 < end[1] < min(source[3], target[3]) - 6:
            return (start[0], end[1]), end
    if way1[1] and way2[1] and way1 != way2:
        if max(source[0], target[0]) + 6 < start[0] < min(source[2], target[2]) - 6:
            return start, (start[0], end[1])
        if max(source[0], target[0]) + 6 < end[0] < min(source[2], target[2]) - 6:
            return (end[0], start[1]), end
    return start, end

# axis.py: an elastic axis of time: where each event stands.
# SPDX-License-Identifier: MIT
"""Every event has a place of its own, also where many share one instant. A gap has a width that
what is drawn in it needs, and of the rest a share that grows with the logarithm of its time."""

from bisect import bisect_left, bisect_right
from math import fsum, log2

from .drawing import text_width

GRAIN_NS = 200  # shorter gaps look alike


def at_once_width(call):
    """Of the bar of an operation that did not wait."""
    return min(90, text_width(call, 11, True) + 8)


def least_gap(story, number):
    """The room that what begins with an event needs, in pixels."""
    event = story.events[number]
    if event["kind"] == "enter":
        return 62
    if event["kind"] == "submit":
        return at_once_width(event["call"]) / 2 + 4 if "result" in event else 10
    return {"resume": 22, "suspend": 9, "leave": 9, "complete": 9, "mark": 14}.get(
        event["kind"], 10)


def before(story, number):
    """The room that an event needs on the side of what came before it."""
    event = story.events[number]
    at_once = event["kind"] == "submit" and "result" in event
    return at_once_width(event["call"]) / 2 - 8 if at_once else 0


class Axis:
    """Places of the events of a view between two ends."""

    def __init__(self, view, begin, end, margin=14):
        self.view, self.begin, self.end = view, begin, end
        self.scale = 1.0  # less where a picture is crowded
        story, points = view.story, view.points
        gaps = [least_gap(story, first) + before(story, second)
                for first, second in zip(points, points[1:])]
        stretch = [log2(1 + (story.at(second) - story.at(first)) / GRAIN_NS)
                   * (3 if story.events[first]["kind"] == "enter" else 1)
                   for first, second in zip(points, points[1:])]
        margin += before(story, points[0])
        tail = max(margin, least_gap(story, points[-1]))
        room = end - begin - margin - tail
        spare = room - fsum(gaps)
        if spare > 0 and fsum(stretch) > 0:
            gaps = [gap + spare * part / fsum(stretch) for gap, part in zip(gaps, stretch)]
        elif fsum(gaps) > 0:
            self.scale = room / fsum(gaps)
            gaps = [gap * self.scale for gap in gaps]
        self.places = [begin + margin]
        for gap in gaps:
            self.places.append(self.places[-1] + gap)

    @staticmethod
    def wish(view):
        """The length that is comfortable for a view whose axis may have any."""
        gaps = fsum(least_gap(view.story, number) for number in view.points)
        return max(360, gaps * 1.25 + 80)

    def of(self, number):
        """The place of an event; of one that has no lane, that of the last one before it."""
        points = self.view.points
        if number is None or number < points[0]:
            return self.begin
        if number > points[-1]:
            return self.end
        return self.places[bisect_right(points, number) - 1]

    def at_time(self, when, side):
        """The place of a moment: of what comes in, before the events of its instant."""
        times = [self.view.story.at(number) for number in self.view.points]
        place = (bisect_left if side == "to" else bisect_right)(times, when)
        if place in (0, len(times)):
            return self.places[0 if place == 0 else -1]
        begin, end = times[place - 1], times[place]
        part = (when - begin) / (end - begin) if end > begin else 0
        return self.places[place - 1] + part * (self.places[place] - self.places[place - 1])

    def span(self, begin, end):
        """From one event to another, either of which may be missing."""
        return self.of(begin), self.end if end is None else self.of(end)

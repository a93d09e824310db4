# packets.py: which part of a simulated run a sequence diagram shows, and how high it is.
# SPDX-License-Identifier: MIT
"""All that happens has a slot of its own on the way down, also where many share one instant."""

from dataclasses import dataclass
from math import log2

from .record import Trouble
from .view import moment

PACKETS_MAX = 60
FAULTS_MAX = 40
LASTING = {"partition", "one_way_partition", "clog", "pause", "crash"}
GRAIN_NS = 10_000
IDLE_FACTOR = 20  # a gap that exceeds the usual one by so much says how long it is

# In the order in which things of one instant are drawn, with the room that each needs above it.
ROOM = {"fault end": 8, "fault": 16, "arrives": 7, "sent": 16, "failure": 22}
ORDER = {what: place for place, what in enumerate(ROOM)}


@dataclass
class Slot:
    at: int
    what: str
    number: int  # of the packet or fault
    y: float = 0.0
    idle: int = 0  # nanoseconds of an idle gap above it


class Excerpt:
    """The packets, faults and hosts that are shown."""

    def __init__(self, record, begin, end):
        self.record, self.failure = record, record.failure
        inside = [packet for packet in record.network if begin <= packet["at"] <= end]
        cut = inside[-PACKETS_MAX:] if self.failure else inside[:PACKETS_MAX]
        if not cut:
            raise Trouble("nothing goes over the network in this span")
        self.packets = cut
        self.earlier = sum(1 for packet in record.network if packet["at"] < cut[0]["at"])
        self.later = len(record.network) - len(cut) - self.earlier
        self.begin = cut[0]["at"]
        arrivals = [packet.get("arrives", 0) for packet in cut]
        self.end = min(end, max(cut[-1]["at"], *arrivals, 0))
        if self.failure and begin <= self.failure["at"] <= end:
            self.end = self.failure["at"]
        elif self.failure:
            self.failure = None
        self.faults, self.faults_left_out = self.choose_faults()
        self.hosts = sorted({packet[side] for packet in cut for side in ("from", "to")}
                            | {host for fault in self.faults for host in fault["hosts"]})

    def until(self, fault):
        """When a fault ends; None where it is of one instant."""
        if "until" in fault or fault["kind"] not in LASTING:
            return fault.get("until")
        if fault["kind"] == "crash":
            for other in self.record.faults:
                if (other["kind"] == "restart" and other["at"] >= fault["at"]
                        and other["hosts"] == fault["hosts"]):
                    return other["at"]
        return self.end + 1

    def choose_faults(self):
        here = [fault for fault in self.record.faults if fault["at"] <= self.end
                and max(fault["at"], self.until(fault) or 0) >= self.begin]
        kept = sorted(here, key=lambda fault: (self.until(fault) is None, -fault["at"]))
        kept = sorted(kept[:FAULTS_MAX], key=lambda fault: (fault["at"], fault["kind"]))
        return kept, len(here) - len(kept)

    def arrives(self, packet):
        """Whether the picture shows that it arrives."""
        return (packet["fate"] != "lost" and "arrives" in packet
                and packet["arrives"] <= self.end)

    def slots(self):
        found = []
        for number, packet in enumerate(self.packets):
            found.append(Slot(packet["at"], "sent", number))
            if self.arrives(packet):
                found.append(Slot(packet["arrives"], "arrives", number))
        for number, fault in enumerate(self.faults):
            if fault["at"] >= self.begin:
                found.append(Slot(fault["at"], "fault", number))
            until = self.until(fault)
            if until is not None and until <= self.end:
                found.append(Slot(until, "fault end", number))
        if self.failure:
            found.append(Slot(self.failure["at"], "failure", 0))
        return sorted(found, key=lambda slot: (slot.at, ORDER[slot.what], slot.number))

    def place(self, slots, top, extra):
        """Gives each slot its height; `extra` is room that the texts have asked for."""
        gaps = [second.at - first.at for first, second in zip(slots, slots[1:])]
        usual = sorted(gap for gap in gaps if gap > 0) or [1]
        usual = usual[len(usual) // 2]
        y = top
        for number, slot in enumerate(slots):
            gap = gaps[number - 1] if number else 0
            room = ROOM[slot.what] + min(26, 4 * log2(1 + gap / GRAIN_NS))
            slot.idle = gap if gap > IDLE_FACTOR * usual and gap >= 1_000_000 else 0
            y += max(room, 40 if slot.idle else 0) + extra.get(number, 0)
            slot.y = y
        return y


def choose(record, options):
    """What the options ask for; their milliseconds are those of the virtual clock."""
    if not record.network:
        raise Trouble("nothing went over a simulated network in this run")
    begin = 0 if options.begin is None else moment(record.events, options.begin, origin=0)
    last = max(packet.get("arrives", packet["at"]) for packet in record.network)
    last = max(last, record.network[-1]["at"])
    if record.failure:
        last = max(record.failure["at"], begin)
    end = last if options.end is None else moment(record.events, options.end, begin, origin=0)
    if end < begin:
        raise Trouble("--to lies before --from")
    return Excerpt(record, begin, end)

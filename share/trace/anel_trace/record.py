# record.py: reads the record of a run, and says what is wrong with one.
# SPDX-License-Identifier: MIT
"""The record as the runtime wrote it: lists of plain dictionaries, checked and in order."""

import json
import re

VERSION = 1

# What an event must have besides `at`, `loop` and `kind`; an event of another kind is left out,
# so that a later runtime may write more.
NUMBERS = {
    "begin": ("task",), "end": ("task",), "resume": ("task",), "suspend": ("task",),
    "submit": ("task", "op"), "enter": (), "leave": (), "complete": ("task", "op"),
    "timer": (), "cancel": ("task",), "grant": ("task", "by"), "wake": (),
    "mark": ("task",),
}
OTHER_NUMBERS = ("task", "by", "op", "fd", "bytes", "result", "until", "done", "late")
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
TEXTS = ("name", "place", "how", "wait", "call", "text")


class Trouble(Exception):
    """What is wrong with an input, in words for the user."""


class Record:
    """A run: its loops, the events of each, and what the simulated network did."""

    def __init__(self, data):
        self.program = text_in(data, "program", "the record") or "a program"
        self.virtual = data.get("virtual") is True
        self.overwritten = number_in(data, "overwritten", "the record", 0)
        self.seed = number_in(data, "seed", "the record")
        self.loops = list_in(data, "loops")
        self.events = sorted(self.checked_events(data), key=lambda event: event["at"])
        self.hosts = list_in(data, "hosts")
        self.kernel = sorted((self.kernel_event(each, f"kernel event {number}") for number, each
                              in enumerate(list_in(data, "kernel"), 1)),
                             key=lambda event: event["at"])
        self.kernel_lost = number_in(data, "kernel_lost", "the record", 0)
        self.processor = list_in(data, "processor")
        for each in self.processor:
            required(each, ("at", "until"), "a span on a processor")
        for each in self.loops + self.hosts:
            for name in ("backend", "name", "address"):
                text_in(each, name, "a loop or host")
        self.network = sorted((self.packet(each, f"network {number}") for number, each
                               in enumerate(list_in(data, "network"), 1)),
                              key=lambda packet: packet["at"])
        self.faults = sorted((self.fault(each, f"fault {number}") for number, each
                              in enumerate(list_in(data, "faults"), 1)),
                             key=lambda fault: fault["at"])
        self.failure = data.get("failure")
        if self.failure is not None:
            required(self.failure, ("at",), "the failure")
            text_in(self.failure, "text", "the failure")

    def checked_events(self, data):
        for number, event in enumerate(list_in(data, "events"), 1):
            where = f"event {number}"
            required(event, ("at", "loop"), where)
            kind = text_in(event, "kind", where)
            if event["loop"] >= len(self.loops):
                raise Trouble(f"{where}: loop {event['loop']} of {len(self.loops)}")
            if kind not in NUMBERS:
                continue
            required(event, NUMBERS[kind], where)
            for name in OTHER_NUMBERS:
                number_in(event, name, where, least=None)
            for name in TEXTS:
                text_in(event, name, where)
            yield event

    def kernel_event(self, event, where):
        required(event, ("at",), where)
        for name in ("op", "fd", "result"):
            number_in(event, name, where, least=None)
        for name in ("what", "opcode"):
            text_in(event, name, where)
        return event

    def host(self, value, where):
        if not is_number(value) or not 0 <= value < len(self.hosts):
            raise Trouble(f"{where}: there is no host {value!r}")

    def packet(self, packet, where):
        required(packet, ("at",), where)
        number_in(packet, "arrives", where)
        number_in(packet, "bytes", where)
        for name in ("from", "to"):
            self.host(packet.get(name), where)
        for name in ("kind", "ports", "fate"):
            text_in(packet, name, where)
        return packet

    def fault(self, fault, where):
        required(fault, ("at",), where)
        number_in(fault, "until", where)
        fault.setdefault("hosts", [])
        if not isinstance(fault["hosts"], list):
            raise Trouble(f"{where}: `hosts` is no list")
        for each in fault["hosts"]:
            self.host(each, where)
        for name in ("kind", "text"):
            text_in(fault, name, where)
        return fault


def is_number(value):
    return isinstance(value, int) and not isinstance(value, bool)


def number_in(table, name, where, otherwise=None, least=0):
    value = table.get(name, otherwise)
    if name in table and (not is_number(value) or (least is not None and value < least)):
        kind = "whole number" if least is None else f"whole number from {least}"
        raise Trouble(f"{where}: `{name}` is no {kind}: {value!r:.40}")
    return value


def text_in(table, name, where):
    """A text, which becomes "" where there is none, without what a terminal or XML cannot take."""
    value = table.get(name, "")
    if not isinstance(value, str):
        raise Trouble(f"{where}: `{name}` is no text: {value!r:.40}")
    table[name] = UNPRINTABLE.sub("·", value)
    return table[name]


def list_in(table, name):
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Trouble(f"`{name}` is no list of objects")
    return value


def required(table, names, where):
    if not isinstance(table, dict):
        raise Trouble(f"{where}: is no object")
    for name in names:
        if name not in table:
            raise Trouble(f"{where}: has no `{name}`")
        number_in(table, name, where)


def read(path):
    """The record in a file; raises Trouble."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise Trouble((error.strerror or str(error)).lower()) from None
    except UnicodeDecodeError:
        raise Trouble("is no record: not UTF-8") from None
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip())
        what = "is cut off: it ends in the middle" if cut else f"is no JSON: {error.msg}"
        raise Trouble(f"{what} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise Trouble("is no record: nested too deep") from None
    if not isinstance(data, dict) or "anel_record" not in data:
        raise Trouble("is no record: it has no `anel_record`")
    if data["anel_record"] != VERSION:
        raise Trouble(f"version {data['anel_record']!r:.20} of a record; "
                      f"this tool reads version {VERSION}")
    record = Record(data)
    if not record.events and not record.network:
        raise Trouble("the record is empty: no event, and nothing on a network")
    return record

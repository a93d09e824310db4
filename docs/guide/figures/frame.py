#!/usr/bin/env python3
"""Reads the layout of a coroutine's frame from the debug information that clang writes at -O0.

    frame.py SOURCE FUNCTION [-- FLAG…]             prints a new picture, of kind `memory`
    frame.py SOURCE FUNCTION --update PICTURE       writes offset, size and type of its rows
    frame.py SOURCE FUNCTION --check PICTURE        exit code 1, with the rows that differ, if any
    frame.py SOURCE TYPE --struct                   prints the members of a struct instead

A picture keeps its texts. A row belongs to the member of the frame whose name is the row's `id`:
resume_fn, destroy_fn, promise, coro_index (where to go on), then parameters and locals under their
names, and what a co_await needs under the name of its type and a number. `--block` names the block
of rows, default `frame`. The compiler is clang++-19 or what ANEL_FRAME_CXX says; g++ describes no
frame, and clang only at -O0.
"""
# SPDX-License-Identifier: MIT

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

COMPILER = os.environ.get("ANEL_FRAME_CXX", "clang++-19")
ENTRY = re.compile(r"^ *<([0-9a-f]+)><([0-9a-f]+)>: Abbrev Number: \d+(?: \((DW_TAG_\w+)\))?")
ATTRIBUTE = re.compile(r"^ *<[0-9a-f]+> +DW_AT_(\w+) *: (.*)$")
NUMBER = re.compile(r"(?:^|[ )])(0x[0-9a-f]+|\d+)$")
STRING = re.compile(r"^\((?:indexed|indirect)[^)]*\): ?")


class Unknown(Exception):
    """The debug information does not say it."""


class Entry:
    def __init__(self, tag, parent):
        self.tag = tag
        self.children = []
        self.values = {}
        if parent:
            parent.children.append(self)

    def number(self, name):
        found = NUMBER.search(self.values.get(name, ""))
        return int(found[1], 0) if found else None


class DebugInformation:
    """The entries of one object file, as `readelf` lists them."""

    def __init__(self, listing):
        self.at = {}
        above = []
        entry = None
        for line in listing.splitlines():
            if found := ENTRY.match(line):
                depth, offset, tag = int(found[1], 16), int(found[2], 16), found[3]
                del above[depth:]
                entry = Entry(tag, above[-1] if above else None) if tag else None
                if entry:
                    above.append(entry)
                    self.at[offset] = entry
            elif entry and (found := ATTRIBUTE.match(line)):
                entry.values[found[1]] = STRING.sub("", found[2]).rstrip()

    def structs(self):
        return [entry for entry in self.at.values()
                if entry.tag in ("DW_TAG_structure_type", "DW_TAG_class_type")
                and "name" in entry.values and entry.children]

    def type_of(self, entry):
        found = re.match(r"<(0x[0-9a-f]+)>", entry.values.get("type", ""))
        return self.at.get(int(found[1], 16)) if found else None

    def size(self, entry):
        """Bytes of a type; None when it does not say."""
        if entry is None:
            return None
        if (size := entry.number("byte_size")) is not None:
            return size
        if entry.tag in ("DW_TAG_pointer_type", "DW_TAG_reference_type"):
            return 8
        inner = self.size(self.type_of(entry))
        if entry.tag == "DW_TAG_array_type" and inner is not None:
            for part in entry.children:
                count = part.number("count")
                inner *= count if count is not None else (part.number("upper_bound") or 0) + 1
        return inner

    def name(self, entry):
        """A type as one would write it, for the column of types."""
        if entry is None:
            return "void"
        inner = self.type_of(entry)
        if entry.tag in ("DW_TAG_pointer_type", "DW_TAG_reference_type"):
            if inner is not None and inner.tag == "DW_TAG_subroutine_type":
                return "code"
            return self.name(inner) + ("*" if entry.tag == "DW_TAG_pointer_type" else "&")
        if entry.tag == "DW_TAG_array_type":
            count = (self.size(entry) or 0) // (self.size(inner) or 1)
            return f"{self.name(inner)}[{count}]"
        return entry.values.get("name") or self.name(inner)

    def members(self, struct):
        """[{id, offset, size, type}], in order of their offsets."""
        rows = []
        for child in struct.children:
            offset = child.number("data_member_location")
            if child.tag not in ("DW_TAG_member", "DW_TAG_inheritance") or offset is None:
                continue
            kind = self.type_of(child)
            name = child.values.get("name") or self.name(kind)
            rows.append({"id": short(name), "offset": offset, "size": self.size(kind),
                         "type": short(self.name(kind))})
        rows.sort(key=lambda row: row["offset"])
        ends = [row["offset"] for row in rows[1:]] + [struct.number("byte_size")]
        for row, end in zip(rows, ends):
            if row["size"] is None:
                row["size"] = end - row["offset"]
        return rows


def short(name):
    """Without the marks of an internal name: struct_std____n4861__suspend_always_0 and the like."""
    return re.sub(r"^(?:(?:struct|class)_)?(?:\w*__)?(?=\w)", "", name)


def read(source, flags=()):
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.o"
        subprocess.run([COMPILER, "-std=c++20", "-O0", "-g", *flags, "-c", source, "-o", made],
                       check=True)
        listing = subprocess.run(["readelf", "--debug-dump=info", made], check=True,
                                 text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return DebugInformation(listing.stdout)


def frame_of(source, function, flags=()):
    """(bytes, rows) of the frame of a coroutine. Unknown when there is no such coroutine."""
    known = read(source, flags)
    part = f"{len(function)}{function}"  # as in a mangled name
    for struct in known.structs():
        name = struct.values["name"]
        if name.endswith("coro_frame_ty") and part in name:
            return struct.number("byte_size"), known.members(struct)
    raise Unknown(f"no frame of {function} in {source}")


def struct_of(source, name, flags=()):
    known = read(source, flags)
    for struct in known.structs():
        if struct.values["name"] == name and struct.number("byte_size"):
            return struct.number("byte_size"), known.members(struct)
    raise Unknown(f"no struct {name} in {source}")


def rows_of(picture, block):
    for candidate in picture["blocks"]:
        if candidate["id"] == block:
            return candidate["rows"]
    raise Unknown(f"no block {block} in the picture")


def compare(rows, layout):
    """What the rows of a picture say otherwise than the layout, as lines of text."""
    members = {row["id"]: row for row in layout}
    for row in rows:
        found = members.get(row["id"])
        if found is None:
            yield f"{row['id']}: the frame has no such member"
            continue
        for key in ("offset", "size"):
            if row.get(key) != found[key]:
                yield f"{row['id']}: {key} is {found[key]}, the picture says {row.get(key)}"


def update(rows, layout):
    members = {row["id"]: row for row in layout}
    for row in rows:
        row["offset"], row["size"] = members[row["id"]]["offset"], members[row["id"]]["size"]


def new_picture(function, size, layout):
    rows = [{**row, "name": row["id"]} for row in layout]
    block = {"id": "frame", "title": f"the frame of {function}(), {size:,} bytes", "column": 0,
             "rows": rows}
    return {"anel_picture": 1, "kind": "memory", "title": f"The frame of {function}()",
            "blocks": [block], "pointers": []}


def show(picture):
    return json.dumps(picture, indent=1, ensure_ascii=False) + "\n"


def main(arguments):
    flags = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, flags = arguments[:at], arguments[at + 1:]
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("function")
    parser.add_argument("--block", default="frame")
    parser.add_argument("--check", type=Path)
    parser.add_argument("--update", type=Path)
    parser.add_argument("--struct", action="store_true")
    chosen = parser.parse_args(arguments)
    read_layout = struct_of if chosen.struct else frame_of
    size, layout = read_layout(chosen.source, chosen.function, flags)
    picture_file = chosen.check or chosen.update
    if not picture_file:
        sys.stdout.write(show(new_picture(chosen.function, size, layout)))
        return 0
    picture = json.loads(picture_file.read_text(encoding="utf-8"))
    rows = rows_of(picture, chosen.block)
    if chosen.update:
        update(rows, layout)
        picture_file.write_text(show(picture), encoding="utf-8")
        return 0
    differences = list(compare(rows, layout))
    print("\n".join(differences) or f"{picture_file.name}: as the compiler lays it out")
    return 1 if differences else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Unknown, subprocess.CalledProcessError) as error:
        sys.exit(f"frame.py: {error}")

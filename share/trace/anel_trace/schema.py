# schema.py: what the JSON of a drawn picture may say, and what is wrong with one.
# SPDX-License-Identifier: MIT
"""A table of keys a kind of object; a key that ends in `!` must be there. What is checked here
need not be checked where it is drawn."""

import json
import math

from .record import Trouble
from .words import LANGUAGES

VERSION = 1
ITEMS_MAX = 4000  # of a list, so that a picture can be drawn in a moment


def text(value, where):
    """One string for both languages, or one for each."""
    if isinstance(value, str):
        return
    if not isinstance(value, dict) or sorted(value) != sorted(LANGUAGES):
        raise Trouble(f"{where}: is no text: a string, or one for en and one for pt")
    if not all(isinstance(each, str) for each in value.values()):
        raise Trouble(f"{where}: is no text: en or pt is no string")


def name(value, where):
    if not isinstance(value, str) or not value or "." in value:
        raise Trouble(f"{where}: is no name without a dot: {value!r:.40}")


def string(value, where):
    if not isinstance(value, str):
        raise Trouble(f"{where}: is no string: {value!r:.40}")


def flag(value, where):
    if not isinstance(value, bool):
        raise Trouble(f"{where}: is neither true nor false: {value!r:.40}")


def number(value, where):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise Trouble(f"{where}: is no number: {value!r:.40}")
    if abs(value) > 1e15 or 0 < abs(value) < 1e-15:
        raise Trouble(f"{where}: is too large or too small: {value!r:.40}")


def whole(least, most):
    def check(value, where):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Trouble(f"{where}: is no whole number from {least} to {most}: {value!r:.40}")
    return check


def pair(value, where):
    numbers(value, where, 2)


def numbers(value, where, least=1):
    if not isinstance(value, list) or len(value) < least:
        raise Trouble(f"{where}: is no list of numbers: {value!r:.40}")
    for each in value:
        number(each, where)


def place(value, where):
    """[column, row] of a grid."""
    if not isinstance(value, list) or len(value) != 2:
        raise Trouble(f"{where}: is no [column, row]: {value!r:.40}")
    whole(0, 3)(value[0], f"{where}: the column")
    whole(0, 11)(value[1], f"{where}: the row")


def moment(value, where):
    """[lane, time]."""
    if not isinstance(value, list) or len(value) != 2:
        raise Trouble(f"{where}: is no [lane, time]: {value!r:.40}")
    name(value[0], where)
    number(value[1], where)


def points(value, where):
    if not isinstance(value, list) or not value:
        raise Trouble(f"{where}: is no list of points")
    for each in value:
        numbers(each, where, 2)
        if len(each) > 3:
            raise Trouble(f"{where}: a point has more than three numbers")


def by_name(spec):
    """A table whose keys are names of the author's."""
    def check(value, where):
        if not isinstance(value, dict):
            raise Trouble(f"{where}: is no object: {value!r:.40}")
        for key, each in value.items():
            checked(each, spec, f"{where}: {key}")
    return check


def slots(value, where):
    by_name(text)(value, where)
    for key in value:
        if not key.isdecimal():
            raise Trouble(f"{where}: `{key}` is no number of a slot")


HUE, STEP = whole(0, 5), whole(1, 40)
STATES = ("runs", "waits", "kernel", "ready", "bad")
TASK_STATES = ("running", "waiting", "cancelled", "failed", "done", "ready")

NODE = {"name!": text, "type": ("task", "scope", "group"), "state": TASK_STATES, "text": text,
        "step": STEP}
NODE["children"] = [NODE]

AXIS = {"label": text, "unit": text, "from": number, "to": number, "log": flag, "ticks": numbers}

KINDS = {
    "lanes": {
        "unit": ("ns", "µs", "ms", "s", ""),
        "lanes!": [{"id!": name, "name!": text, "group": text, "hue": HUE}],
        "bars": [{"lane!": name, "from!": number, "to!": number, "state": STATES, "text": text,
                  "hue": HUE, "step": STEP}],
        "arrows": [{"from!": moment, "to!": moment, "text": text, "step": STEP, "hue": HUE,
                    "fate": ("arrives", "lost", "cut", "copy")}],
        "marks": [{"lane!": name, "at!": number, "text": text, "step": STEP, "hue": HUE,
                   "side": ("left", "right"), "dot": flag}],
        "lines": [{"at!": number, "text": text, "step": STEP, "hue": HUE}],
        "legend": by_name(text),
    },
    "memory": {
        "blocks!": [{"id!": name, "title!": text, "text": text, "foot": text,
                     "column": whole(0, 2),
                     "rows!": [{"id": name, "name!": text, "offset": whole(0, 10**9),
                                "size": whole(0, 10**9), "type": text, "value": text,
                                "text": text, "group": text, "hue": HUE, "step": STEP}]}],
        "pointers": [{"from!": string, "to!": string, "text": text, "step": STEP, "hue": HUE,
                      "dashed": flag}],
    },
    "ring": {
        "moments!": [{"title": text, "text": text, "step": STEP,
                      "rings!": [{"name!": text, "size!": whole(2, 32),
                                  "head!": whole(0, 10**9), "tail!": whole(0, 10**9),
                                  "slots": slots, "hue": HUE, "text": text}]}],
    },
    "tree": {"moments!": [{"title": text, "text": text, "root!": NODE}], "legend": by_name(text)},
    "chart": {
        "panels!": [{"title": text, "x!": AXIS, "y!": AXIS,
                     "series!": [{"name": text, "type": ("line", "steps", "dots", "bars"),
                                  "points!": points, "hue": HUE, "dashed": flag}],
                     "limits": [{"axis!": ("x", "y"), "at!": number, "text": text, "hue": HUE}],
                     "bands": [{"from!": number, "to!": number, "text": text}],
                     "marks": [{"at!": pair, "text": text, "step": STEP, "hue": HUE}]}],
    },
    "states": {
        "boxes!": [{"id!": name, "at!": place, "name!": text, "text": text, "hue": HUE,
                    "items": [text], "shape": ("box", "round", "list"), "step": STEP}],
        "arrows": [{"from!": name, "to!": name, "text": text, "step": STEP, "hue": HUE,
                    "dashed": flag}],
        "groups": [{"name!": text, "boxes!": [name]}],
        "narrow": by_name(place),
    },
}
COMMON = {"anel_picture!": whole(VERSION, VERSION), "kind!": tuple(KINDS), "title!": text,
          "subtitle": text, "steps": [text], "footer": text, "alt": text, "note": text}

# How many there may be: (kind, key) -> (least, most).
COUNTS = {("lanes", "lanes"): (1, 6), ("memory", "blocks"): (1, 9), ("ring", "moments"): (1, 6),
          ("tree", "moments"): (1, 4), ("chart", "panels"): (1, 4), ("states", "boxes"): (1, 24)}


def checked(value, spec, where):
    """Raises Trouble unless a value is as a table says."""
    if isinstance(spec, dict):
        checked_object(value, spec, where)
    elif isinstance(spec, list):
        if not isinstance(value, list) or len(value) > ITEMS_MAX:
            raise Trouble(f"{where}: is no list of at most {ITEMS_MAX}")
        for count, each in enumerate(value, 1):
            checked(each, spec[0], f"{where} {count}")
    elif isinstance(spec, tuple):
        if value not in spec or isinstance(value, bool):
            raise Trouble(f"{where}: {value!r:.40} is none of "
                          + ", ".join(repr(each) for each in spec))
    else:
        spec(value, where)


def checked_object(value, spec, where):
    if not isinstance(value, dict):
        raise Trouble(f"{where}: is no object: {value!r:.40}")
    known = {key.rstrip("!") for key in spec}
    for key in value:
        if key not in known:
            raise Trouble(f"{where}: unknown key `{key}` (known: {', '.join(sorted(known))})")
    for key, each in spec.items():
        bare = key.rstrip("!")
        if bare in value:
            checked(value[bare], each, f"{where}: {bare}" if where else bare)
        elif key.endswith("!"):
            raise Trouble(f"{where}: has no `{bare}`".removeprefix(": "))


def known(ids, value, where):
    if value not in ids:
        raise Trouble(f"{where}: there is no {value!r} (but {', '.join(ids)})")


def once(values, where):
    """Names that must differ."""
    values = list(values)
    for value in values:
        if values.count(value) > 1:
            raise Trouble(f"{where}: {value!r} is there twice")
    return values


def check_lanes(data):
    ids = once((lane["id"] for lane in data["lanes"]), "lanes")
    for count, bar in enumerate(data.get("bars", []), 1):
        known(ids, bar["lane"], f"bars {count}")
        if bar["to"] < bar["from"]:
            raise Trouble(f"bars {count}: ends before it begins")
    for count, mark in enumerate(data.get("marks", []), 1):
        known(ids, mark["lane"], f"marks {count}")
    for count, arrow in enumerate(data.get("arrows", []), 1):
        for end in ("from", "to"):
            known(ids, arrow[end][0], f"arrows {count}: {end}")
        if arrow["to"][1] < arrow["from"][1]:
            raise Trouble(f"arrows {count}: arrives before it leaves")
    for state in data.get("legend", {}):
        known(STATES, state, "legend")


def check_memory(data):
    once((block["id"] for block in data["blocks"]), "blocks")
    ends = []
    for count, block in enumerate(data["blocks"], 1):
        rows = once((row["id"] for row in block["rows"] if "id" in row), f"blocks {count}")
        ends += [block["id"], *(f"{block['id']}.{row}" for row in rows)]
        if not block["rows"]:
            raise Trouble(f"blocks {count}: has no row")
    for count, pointer in enumerate(data.get("pointers", []), 1):
        for end in ("from", "to"):
            known(ends, pointer[end], f"pointers {count}: {end}")


def check_ring(data):
    for count, each in enumerate(data["moments"], 1):
        where = f"moments {count}: rings"
        if not 1 <= len(each["rings"]) <= 2:
            raise Trouble(f"{where}: are neither one nor two")
        for place_of, ring in enumerate(each["rings"], 1):
            if not 0 <= ring["tail"] - ring["head"] <= ring["size"]:
                raise Trouble(f"{where} {place_of}: from head {ring['head']} to tail "
                              f"{ring['tail']} are not 0 to {ring['size']} slots")


def check_tree(data):
    def depth(node):
        return 1 + max(map(depth, node.get("children", [])), default=0)
    for count, each in enumerate(data["moments"], 1):
        if depth(each["root"]) > 8:
            raise Trouble(f"moments {count}: is deeper than 8")
    for state in data.get("legend", {}):
        known(TASK_STATES, state, "legend")


def check_chart(data):
    for count, panel in enumerate(data["panels"], 1):
        for place_of, series in enumerate(panel["series"], 1):
            where = f"panels {count}: series {place_of}"
            bars = series.get("type") == "bars"
            for point in series["points"]:
                if len(point) != (3 if bars else 2):
                    raise Trouble(f"{where}: a point is {point!r}, not "
                                  + ("[from, to, height]" if bars else "[x, y]"))
        for key in ("x", "y"):
            axis = panel[key]
            if axis.get("from", -math.inf) >= axis.get("to", math.inf):
                raise Trouble(f"panels {count}: {key}: from is not below to")
            if axis.get("log") and axis.get("from", 1) <= 0:
                raise Trouble(f"panels {count}: {key}: a log axis begins above 0")


def check_states(data):
    ids = once((box["id"] for box in data["boxes"]), "boxes")
    once((tuple(box["at"]) for box in data["boxes"]), "boxes: at")
    for key in ("from", "to"):
        for count, arrow in enumerate(data.get("arrows", []), 1):
            known(ids, arrow[key], f"arrows {count}: {key}")
    for count, group in enumerate(data.get("groups", []), 1):
        for each in group["boxes"]:
            known(ids, each, f"groups {count}")
        if not group["boxes"]:
            raise Trouble(f"groups {count}: has no box")
    for each in data.get("narrow", {}):
        known(ids, each, "narrow")
    places = data.get("narrow", {})
    if places:
        for each in ids:
            known(places, each, "narrow")
        once(map(tuple, places.values()), "narrow")
        if max(column for column, _ in places.values()) > 1:
            raise Trouble("narrow: has more than two columns")


CHECKS = {"lanes": check_lanes, "memory": check_memory, "ring": check_ring, "tree": check_tree,
          "chart": check_chart, "states": check_states}


def read_picture(path):
    """The data of a picture in a file; raises Trouble."""
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except OSError as error:
        raise Trouble((error.strerror or str(error)).lower()) from None
    except UnicodeDecodeError:
        raise Trouble("is no picture: not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Trouble(f"is no JSON: {error.msg} (line {error.lineno}, column {error.colno})"
                      ) from None
    except ValueError:  # an integer of thousands of digits
        raise Trouble("is no picture: a number is too large") from None
    except RecursionError:
        raise Trouble("is no picture: nested too deep") from None
    if not isinstance(data, dict) or "anel_picture" not in data:
        raise Trouble("is no picture: it has no `anel_picture`")
    try:
        check_all(data)
    except RecursionError:
        raise Trouble("is no picture: nested too deep") from None
    return data


def check_all(data):
    checked(data.get("kind"), tuple(KINDS), "kind")
    checked(data, {**COMMON, **KINDS[data["kind"]]}, "")
    for (kind, key), (least, most) in COUNTS.items():
        if kind == data["kind"] and not least <= len(data[key]) <= most:
            raise Trouble(f"{key}: are {len(data[key])}, not {least} to {most}")
    CHECKS[data["kind"]](data)

#!/usr/bin/env python3
# build.py: draws the pictures of the guide from the JSON beside this file.
# SPDX-License-Identifier: MIT
"""build.py [--check] [NN_name...]

Every NN_name.json becomes NN_name_en.svg, _pt.svg, _en_narrow.svg and _pt_narrow.svg. A described
picture is drawn as it says; the record of a run is drawn with what NN_name.options says in one
line: `timeline` or `sequence` and options of anel-trace, and --title-en and --title-pt.
With --check nothing is written: exits with 1 and names what is not as it would be drawn."""

import argparse
import json
import os
import shlex
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../../share/trace"))
from anel_trace.main import answer, parse  # noqa: E402
from anel_trace.record import Trouble  # noqa: E402
from anel_trace.words import LANGUAGES  # noqa: E402

WIDTHS = {"": "960", "_narrow": "390"}


def options_of(path, language):
    """The command of a picture with its options."""
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except ValueError as error:
        raise Trouble(f"is no JSON: {error}") from None
    if "anel_record" not in data:
        return ["draw"]
    options = path.removesuffix(".json") + ".options"
    if not os.path.exists(options):
        raise Trouble(f"is a record and has no {os.path.basename(options)}")
    with open(options, encoding="utf-8") as file:
        words = shlex.split(file.read(), comments=True)
    if not words or words[0] not in ("timeline", "sequence"):
        raise Trouble(f"{os.path.basename(options)} begins with neither timeline nor sequence")
    chosen, skip = [], False
    for place, word in enumerate(words):
        if skip:
            skip = False
        elif word in (f"--title-{each}" for each in LANGUAGES):
            skip = True
            if word.endswith(language) and place + 1 < len(words):
                chosen += ["--title", words[place + 1]]
        else:
            chosen.append(word)
    return chosen


def pictures(path):
    """The names and texts of the pictures of one JSON."""
    stem = path.removesuffix(".json")
    for language in LANGUAGES:
        command, *more = options_of(path, language)
        for suffix, width in WIDTHS.items():
            out = f"{stem}_{language}{suffix}.svg"
            parsed = parse([command, path, "-o", out, *more, "--lang", language, "--width", width])
            yield out, "".join(answer(*parsed))


def content(path):
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


def chosen_files(names):
    """The JSON files, all or those named."""
    if not names:
        return [os.path.join(HERE, name) for name in sorted(os.listdir(HERE))
                if name.endswith(".json")]
    return [os.path.join(HERE, os.path.basename(name).removesuffix(".json") + ".json")
            for name in names]


def problems(arguments):
    """Draws or checks; what is wrong, a line each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args(arguments)
    wrong, drawn = [], set()
    for path in chosen_files(options.names):
        try:
            for out, text in pictures(path):
                drawn.add(os.path.basename(out))
                before = content(out)
                if options.check and before != text:
                    what = "is missing" if before is None else "differs from what is drawn"
                    wrong.append(f"{os.path.basename(out)}: {what}")
                elif before != text:
                    with open(out, "w", encoding="utf-8", newline="\n") as file:
                        file.write(text)
        except Trouble as trouble:
            wrong.append(f"{os.path.basename(path)}: {trouble}")
        except OSError as error:
            wrong.append(f"{os.path.basename(path)}: {(error.strerror or str(error)).lower()}")
    if options.check and not options.names:
        wrong += [f"{name}: there is no JSON of it" for name in sorted(os.listdir(HERE))
                  if name.endswith(".svg") and name not in drawn]
    return wrong


def main():
    wrong = problems(sys.argv[1:])
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

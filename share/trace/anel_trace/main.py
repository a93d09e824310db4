# main.py: the command line of anel-trace.
# SPDX-License-Identifier: MIT
"""One line says what is wrong: exit code 1 for an input, 2 for the command line."""

import argparse
import os
import sys

from .draw import draw, text_of
from .kernel import record as record_kernel
from .page import html
from .perfetto import perfetto
from .ps import ps
from .record import Trouble, read
from .schema import read_picture
from .sequence import sequence
from .summary import summary
from .timeline import timeline
from .words import LANGUAGES

USAGE = """anel-trace FILE                       where the time of a run went; --top N sites
       anel-trace perfetto FILE -o OUT.json  a trace for ui.perfetto.dev
       anel-trace timeline FILE -o OUT       a picture, OUT.svg or OUT.html
       anel-trace sequence FILE -o OUT       a simulated run: what went over the network
       anel-trace draw PICTURE -o OUT        a described picture, OUT.svg or OUT.html
       anel-trace ps PID...                  what the tasks of a process wait for
       anel-trace record [-o FILE] -- PROGRAM [ARG...]
                                             runs it with a record, run.json; as root with what
                                             the kernel's tracepoints say

options of a picture:
  --from T, --to T   milliseconds from the first event, or the text of a mark
  --lang en|pt       language (both in an .html)
  --width N          960 and 390 are meant (both in an .html)
  --html             a page, whatever the name of OUT
  --title TEXT
options of a timeline:
  --tasks 2,3        these tasks
  --loop N           this loop
"""
COMMANDS = ("summary", "perfetto", "timeline", "sequence", "draw", "ps", "record")
PICTURES = {"timeline": timeline, "sequence": sequence, "draw": draw}


class Parser(argparse.ArgumentParser):
    def error(self, message):
        sys.stderr.write(f"{self.prog}: {message} (see anel-trace --help)\n")
        sys.exit(2)


def whole(least, most=None):
    """A type of argument: a number within limits."""
    def number(text):
        if not text.isdecimal() or int(text) < least or (most and int(text) > most):
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {least}"
                                             + (f" to {most}" if most else ""))
        return int(text)
    return number


def numbers(text):
    return [whole(0)(part) for part in text.split(",")]


def parse(arguments):
    command, *rest = arguments if arguments[0] in COMMANDS else ("summary", *arguments)
    parser = Parser(prog=f"anel-trace: {command}", allow_abbrev=False, add_help=False)
    if command == "record":
        parser.add_argument("-o", dest="file", default="run.json")
        parser.add_argument("program", nargs="+", metavar="PROGRAM")
    elif command == "ps":
        parser.add_argument("pids", type=whole(1), nargs="+", metavar="PID")
    else:
        parser.add_argument("file", metavar="FILE")
    if command == "summary":
        parser.add_argument("--top", type=whole(1), default=20)
    if command == "perfetto" or command in PICTURES:
        parser.add_argument("-o", dest="out", required=True)
    if command in ("timeline", "sequence"):
        parser.add_argument("--from", dest="begin")
        parser.add_argument("--to", dest="end")
        parser.add_argument("--title", default="")
    if command in PICTURES:
        parser.add_argument("--html", action="store_true")
        parser.add_argument("--lang", choices=LANGUAGES, default="en")
        parser.add_argument("--width", type=whole(320, 4000), default=960)
    if command == "timeline":
        parser.add_argument("--tasks", type=numbers, default=[])
        parser.add_argument("--loop", type=whole(0))
    options = parser.parse_args(rest)
    if command in PICTURES and not (options.html or options.out.endswith((".svg", ".html"))):
        parser.error(f"-o {options.out}: the name must end in .svg or .html")
    return command, options


def picture(command, options):
    """The text of an .svg or .html file."""
    data = (read_picture if command == "draw" else read)(options.file)
    make = PICTURES[command]
    if not options.html and options.out.endswith(".svg"):
        return make(data, options, options.lang, options.width)
    title = (text_of(data["title"], options.lang) if command == "draw"
             else options.title or data.program)
    return html(lambda language, width: make(data, options, language, width, styled=False),
                title, options.lang)


def answer(command, options):
    """The text that a command makes, in parts."""
    if command == "ps":
        for pid in options.pids:
            if len(options.pids) > 1:
                yield f"process {pid}:\n"
            yield from ps(pid)
        return
    if command in PICTURES:
        yield picture(command, options)
        return
    record = read(options.file)
    if command == "summary":
        yield from (line + "\n" for line in summary(record, options.top))
    else:
        yield perfetto(record)


def write(path, text):
    try:
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise Trouble(f"cannot write {path}: {error.strerror}") from None


def main(arguments):
    """Runs a command; its exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        (sys.stdout if arguments else sys.stderr).write(f"usage: {USAGE}")
        return 0 if arguments else 2
    command, options = parse(arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal may not know every letter
    try:
        if command == "record":
            return record_kernel(options.program, options.file)
        if getattr(options, "out", None):
            write(options.out, "".join(answer(command, options)))
        else:
            for part in answer(command, options):
                sys.stdout.write(part)
            sys.stdout.flush()
    except Trouble as trouble:
        place = f"{options.file}: " if command != "ps" else ""
        sys.stderr.write(f"anel-trace: {command}: {place}{trouble}\n")
        return 1
    except BrokenPipeError:  # as of `anel-trace FILE | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0

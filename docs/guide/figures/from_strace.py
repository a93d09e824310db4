#!/usr/bin/env python3
# from_strace.py: makes a `lanes` picture of the system calls of a real run.
# SPDX-License-Identifier: MIT
"""strace -f -ttt -T -yy -o LOG PROGRAM...  then  from_strace.py LOG > NN_name.json

A process or thread is a lane, a call a bar, and bytes that one sends and another receives over
TCP are an arrow; so are a connect with its accept, and the end of a stream with the recv that
returns 0. The texts and titles are the author's to edit. Two processes: give both logs."""

import argparse
import json
import os
import re
import sys

LINE = re.compile(r"^(?:\[pid +)?(\d+)?\]? *(\d+\.\d+) (.*)$")
CALL = re.compile(r"^(\w+)\((.*)$", re.DOTALL)
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$", re.DOTALL)
RESULT = re.compile(r"^(.*)\) += (-?\d+|\?)(?:<((?:[^>]|(?<=-)>)*)>)? ?(E[A-Z]+)?"
                    r"[^<]*(?:<([\d.]+)>)?$", re.DOTALL)
FD = re.compile(r"^(\d+)<((?:TCP|UDP|TCPv6|UDPv6|UNIX)[^\]]*\]?)")
ENDS = re.compile(r"TCP(?:v6)?:\[(.+)->(.+?)\]")
SHOWN = set("socket bind listen accept accept4 connect send sendto sendmsg recv recvfrom recvmsg "
            "read write readv writev poll ppoll select pselect6 epoll_wait epoll_pwait "
            "epoll_pwait2 shutdown close io_uring_enter".split())
ON_SOCKETS = {"read", "write", "readv", "writev", "close"}
NAMES = {"sendto": "send", "recvfrom": "recv", "accept4": "accept", "ppoll": "poll",
         "pselect6": "select", "epoll_pwait": "epoll_wait", "epoll_pwait2": "epoll_wait"}
SENDS = {"send", "sendmsg", "write", "writev"}
RECVS = {"recv", "recvmsg", "read", "readv"}


class Call:
    """One system call; times are seconds."""

    def __init__(self, pid, begin, name, arguments):
        self.pid, self.begin, self.end = pid, begin, None
        self.call, self.name, self.arguments = name, NAMES.get(name, name), arguments
        if name == "sendto" and "sin_port" in arguments:
            self.name = "sendto"
        if name == "recvfrom" and "sin_port" in arguments:
            self.name = "recvfrom"
        self.result, self.error, self.made = None, "", ""

    @property
    def fd(self):
        found = FD.match(self.arguments)
        return (int(found[1]), found[2]) if found else (None, "")

    @property
    def ends(self):
        """Of a connection: (own end, the peer's)."""
        found = ENDS.search(self.fd[1])
        return found.groups() if found else None

    def finish(self, rest, end):
        found = RESULT.match(rest)
        self.end = end
        if found:
            self.result = None if found[2] == "?" else int(found[2])
            self.made, self.error = found[3] or "", found[4] or ""
            if found[5]:
                self.end = self.begin + float(found[5])

    def text(self):
        if self.error:
            return f"{self.name}: {self.error}"
        if self.name in SENDS | RECVS | {"sendto", "recvfrom"}:
            return f"{self.name} = {self.result}"
        return self.name


def lines_of(paths):
    """All lines of the logs in order of time: (pid, time, rest)."""
    lines = []
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                found = LINE.match(line.rstrip("\n"))
                if found:
                    lines.append((int(found[1] or 0), float(found[2]), found[3]))
    return sorted(lines, key=lambda line: line[1])


def calls_of(lines):
    """The calls, and the names of the processes."""
    calls, open_calls, names = [], {}, {}
    for place, (pid, at, rest) in enumerate(lines):
        resumed, begun = RESUMED.match(rest), CALL.match(rest)
        if resumed:
            call = open_calls.pop((pid, resumed[1]), None)
            if call:
                call.arguments += resumed[2]
                call.finish(call.arguments, at)
        elif begun:
            call = Call(pid, at, begun[1], begun[2].removesuffix("<unfinished ...>"))
            calls.append(call)
            if rest.endswith("<unfinished ...>"):
                open_calls[(pid, begun[1])] = call
            else:  # without -T it ended before the next line of anybody
                after = lines[place + 1][1] if place + 1 < len(lines) else at
                call.finish(begun[2], after)
            program = re.match(r'"([^"]+)"', begun[2])
            if begun[1] == "execve" and program:
                names[pid] = os.path.basename(program[1])
    return calls, names


def connected(calls, place):
    """The ends of the socket of a connect, which a later call of the process tells."""
    number = calls[place].fd[0]
    for call in calls[place + 1:]:
        if call.pid == calls[place].pid and call.fd[0] == number and call.ends:
            return call.ends
    return None


def arrows_of(calls, lane, time):
    """What went from one to the other."""
    arrows, streams, ended, connects = [], {}, {}, {}

    def add(source, target, text):
        arrows.append({"from": [lane(source.pid), time(source.begin)],
                       "to": [lane(target.pid), time(target.end)], "text": text})
    for place, call in enumerate(calls):
        if call.name == "connect" and connected(calls, place):
            connects[connected(calls, place)] = call
    # A call takes part when it returns; one that sends, when it begins.
    order = [(call.begin if call.name in SENDS | {"shutdown", "close"} else call.end, place)
             for place, call in enumerate(calls) if call.end is not None]
    for _, place in sorted(order):
        call = calls[place]
        ends, result = call.ends, call.result or 0
        if call.name == "accept" and ENDS.search(call.made + "]"):
            own, peer = ENDS.search(call.made + "]").groups()
            if (peer, own) in connects:
                add(connects[(peer, own)], call, "connect")
        elif ends and call.name in SENDS and result > 0:
            streams.setdefault(ends, []).append([call, result])
        elif ends and call.name in ("shutdown", "close"):
            ended.setdefault(ends, call)
        elif ends and call.name in RECVS and not call.error:
            sent, left = streams.get(ends[::-1], []), result
            while left and sent:
                take = min(left, sent[0][1])
                add(sent[0][0], call, {"en": f"{take} bytes" if take > 1 else "1 byte",
                                       "pt": f"{take} bytes" if take > 1 else "1 byte"})
                left, sent[0][1] = left - take, sent[0][1] - take
                if not sent[0][1]:
                    sent.pop(0)
            if result == 0 and ends[::-1] in ended:
                add(ended.pop(ends[::-1]), call, "FIN")
    for arrow in arrows:
        arrow["to"][1] = max(arrow["to"][1], arrow["from"][1])
    return arrows


def wanted(call, shown):
    if call.call not in shown or call.end is None:
        return False
    return call.call not in ON_SOCKETS or bool(call.fd[1])


def picture(options):
    calls, names = calls_of(lines_of(options.log))
    names.update((int(pid), name) for pid, name in (each.split("=", 1) for each in options.name))
    shown = {name for name in SHOWN if not options.calls or name in options.calls
             or NAMES.get(name, name) in options.calls}
    calls = [call for call in calls if wanted(call, shown)]
    if not calls:
        raise SystemExit("from_strace.py: the log has no call on a socket; was it strace -f -ttt "
                         "-T -yy -o LOG?")
    begin = calls[0].begin
    first, last = options.begin, options.end

    def time(at):
        return round((at - begin) * 1e6, 1)

    def lane(pid):
        return f"p{pid}"
    calls = [call for call in calls if first <= time(call.begin) <= last]
    pids = list(dict.fromkeys(call.pid for call in calls))
    bars = [{"lane": lane(call.pid), "from": time(call.begin), "to": time(call.end),
             "state": "waits" if time(call.end) - time(call.begin) >= options.waits else "runs",
             "text": call.text()} for call in calls]
    return {"anel_picture": 1, "kind": "lanes",
            "title": {"en": "…", "pt": "…"},
            "subtitle": {"en": "A real run, recorded with strace, which makes calls slower",
                         "pt": "Uma execução real, gravada com strace, que atrasa as chamadas"},
            "unit": "µs",
            "lanes": [{"id": lane(pid), "name": names.get(pid, f"process {pid}"), "hue": count % 6}
                      for count, pid in enumerate(pids)],
            "bars": bars, "arrows": arrows_of(calls, lane, time), "marks": [], "steps": []}


def text_of(data):
    """JSON with an item of a list a line, for an author to edit."""
    parts = []
    for key, value in data.items():
        if isinstance(value, list) and value:
            inner = ",\n".join("    " + json.dumps(each, ensure_ascii=False) for each in value)
            parts.append(f'  "{key}": [\n{inner}]')
        else:
            parts.append(f'  "{key}": {json.dumps(value, ensure_ascii=False)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("log", nargs="+")
    parser.add_argument("--name", nargs="*", default=[], metavar="PID=NAME")
    parser.add_argument("--calls", type=lambda text: text.split(","), default=[])
    parser.add_argument("--from", dest="begin", type=float, default=0.0, help="µs")
    parser.add_argument("--to", dest="end", type=float, default=1e15, help="µs")
    parser.add_argument("--waits", type=float, default=150.0,
                        help="a call that takes so many µs waits")
    sys.stdout.write(text_of(picture(parser.parse_args())))


if __name__ == "__main__":
    main()

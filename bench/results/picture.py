#!/usr/bin/env python3
"""picture.py: draws docs/pictures/cpu_per_request.svg from the newest full run in this folder.

    picture.py            writes the picture
    picture.py --table    prints the table of all workloads in docs/performance.md instead

Knows the format of data.json (docs/benchmark_data.md), and which workloads and servers the picture
has. What counts as a tie is in the data, and the title is counted from it. Measures nothing and
needs Python 3 alone. The same data give the same bytes.
"""
# SPDX-License-Identifier: MIT
import argparse
import json
import sys
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
PICTURE = HERE.parents[1] / "docs/pictures/cpu_per_request.svg"
CLAIM = ("anel against hand-written io_uring: less CPU in {} of {} workloads, a tie in {}, "
         "more in {}")
SCHEMA = 5

WORKLOADS = (  # workload, two lines of text
    ("one-connection", "1 connection", "64 B messages"),
    ("ping-pong", "64 connections", "64 B messages"),
    ("idle-mass", "100 connections,", "10,000 more idle"),
    ("echo-64k", "64 connections", "64 KiB messages"),
    ("churn", "a new connection", "for each request"),
    ("udp", "UDP, 64 clients", "64 B datagrams"),
)
SERVERS = (  # server, its name in the legend, its colour; the reference first
    ("uring", "hand-written io_uring (= 1)", "#57606a"),
    ("anel-io_uring", "anel, io_uring", "#0550ae"),
    ("anel-epoll", "anel, epoll", "#54aeff"),
    ("epoll", "hand-written epoll", "#afb8c1"),
    ("asio", "Asio", "#e16f24"),
    ("libuv", "libuv", "#8250df"),
    ("threads", "blocking threads", "#a40e26"),
)


# --- the data -------------------------------------------------------------------------------------

def newest_full_run():
    """The newest complete run with every workload of the picture, and its folder."""
    runs = []
    for file in sorted(HERE.glob("linux-6.18-*2cpu*/data.json")):
        data = json.loads(file.read_text(encoding="utf-8"))
        names = {cell["workload"] for cell in data["cells"]}
        if (data["complete"] and data["schema"] == SCHEMA
                and all(one[0] in names for one in WORKLOADS)):
            runs.append((data["started"], file.parent.name, data))
    if not runs:
        sys.exit(f"picture.py: no complete run of schema {SCHEMA} here has every workload of the "
                 "picture")
    return max(runs, key=lambda run: run[:2])[1:]


def servers_of(cell):
    """Name -> what was measured, of the servers that took part; the reference once."""
    return {server["server"]: server for server in cell["servers"]
            if "cpu_ns_per_request" in server and not server["reference_again"]}


ITSELF = {"ratio": 1, "low": 1, "high": 1, "cpu_is": "tie"}


def ratio_of(server):
    """CPU time against the reference, which is not compared with itself."""
    found = server.get("cpu_against_reference", ITSELF)
    return found if found["ratio"] is not None else None


def differs(server):
    return ratio_of(server)["cpu_is"] != "tie"


# --- the picture ----------------------------------------------------------------------------------

WIDTH, HEIGHT = 900, 600
LEFT, RIGHT, TOP, BOTTOM = 56, 884, 132, 428  # of the plot
HIGHEST = 2.4  # of the axis
BAR, STEP = 14, 16
TOLD = 0.2  # a difference so large has its figure
GREY, INK, LINE, NOISE = "#57606a", "#1f2328", "#d0d7de", "#9a6700"
EDGE = ' paint-order="stroke" stroke="#ffffff" stroke-width="3"'  # to be read on a bar
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


def y_of(ratio):
    return BOTTOM - ratio / HIGHEST * (BOTTOM - TOP)


def text(x, y, words, size=12, colour=INK, anchor="start", weight="normal", more=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" '
            f'text-anchor="{anchor}" font-weight="{weight}"{more}>{escape(words)}</text>')


def line(x1, y1, x2, y2, colour, width=1.0, dashes=""):
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{dash}/>')


def box(x, y, width, height, fill, more=""):
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{fill}"{more}/>')


def legend():
    x, y = 24, 86
    for place, (_, name, colour) in enumerate(SERVERS):
        if place == 4:
            x, y = 24, 108
        yield box(x, y - 10, 12, 12, colour, ' rx="2"')
        yield text(x + 18, y, name, 12.5)
        x += 210


def axis():
    for ratio in (0, 0.5, 1, 1.5, 2):
        yield line(LEFT, y_of(ratio), RIGHT, y_of(ratio), LINE)
        yield text(LEFT - 8, y_of(ratio) + 4, f"{ratio:g}×", 12, GREY, "end")


def whisker(x, low, high):
    """With a white edge, to be seen on a dark bar."""
    for colour, width, wing in (("#ffffff", 3.2, 4), (INK, 1.2, 3)):
        yield line(x, y_of(low), x, y_of(high), colour, width)
        for end in (low, high):
            yield line(x - wing, y_of(end), x + wing, y_of(end), colour, width)


def bars(middle, cell):
    """The bars of one workload, their whiskers, and a figure where it is a difference."""
    servers, floor = servers_of(cell), cell["noise_floor"] or 0
    shown = [(name, colour) for name, _, colour in SERVERS
             if name in servers and ratio_of(servers[name])]
    width = len(shown) * STEP - (STEP - BAR)
    left, right = middle - width / 2, middle + width / 2
    for place, (name, colour) in enumerate(shown):
        ratio = min(ratio_of(servers[name])["ratio"], HIGHEST)
        yield box(left + place * STEP, y_of(ratio), BAR, BOTTOM - y_of(ratio), colour)
    top, bottom = y_of(1 + floor), y_of(1 - floor)
    yield box(left - 4, top, width + 8, bottom - top, "#d4a72c", ' fill-opacity="0.22"')
    for edge in (top, bottom):
        yield line(left - 4, edge, right + 4, edge, NOISE, 1.2, "4 3")
    before = (0.0, 0.0)  # where the last figure stands: the next to it goes above
    for place, (name, colour) in enumerate(shown):
        found = ratio_of(servers[name])
        centre = left + place * STEP + BAR / 2
        high = min(found["high"] or found["ratio"], HIGHEST)
        if found["low"] is not None and name != "uring":
            yield from whisker(centre, min(found["low"], HIGHEST), high)
        if differs(servers[name]) and abs(found["ratio"] - 1) >= TOLD:
            words, y = f"{found['ratio']:.2f}×", y_of(high) - 7
            if centre - before[0] < 2.5 * STEP and abs(y - before[1]) < 13:
                y = before[1] - 13
            before = (centre, y)
            yield text(centre, y, words, 12, colour, "middle", "bold", EDGE)


def group(place, cell, first, second):
    middle = LEFT + (place + 0.5) * (RIGHT - LEFT) / len(WORKLOADS)
    micros = servers_of(cell)["uring"]["cpu_ns_per_request"] / 1000
    floor = cell["noise_floor"]
    noise = f"noise ±{100 * floor:.1f} %" if floor is not None else "noise unknown"
    yield f"<g><title>{escape(cell['title'])}</title>"
    yield from bars(middle, cell)
    yield text(middle, BOTTOM + 20, first, 13, INK, "middle", "bold")
    yield text(middle, BOTTOM + 37, second, 13, INK, "middle", "bold")
    yield text(middle, BOTTOM + 56, f"1× = {micros:.1f} µs", 12, GREY, "middle")
    yield text(middle, BOTTOM + 72, noise, 12, NOISE, "middle")
    yield "</g>"


def claim(data):
    found = [ratio_of(servers_of(cell)["anel-io_uring"])["cpu_is"] for cell in data["cells"]]
    return CLAIM.format(found.count("lower"), len(found), found.count("tie"),
                        found.count("higher"))


def notes(folder, data):
    build = data["environment"]["build"]
    return (
        f"Whiskers: 95 % interval of the ratio, from pairs of slices over {data['starts']} starts. "
        "Yellow band: noise floor, the reference against itself.",
        "A figure above a bar: it differs from the reference by a fifth or more, and beyond the "
        "noise.",
        "The libuv server has no UDP.",
        f"{data['machine'].replace('hypervisor: ', '').strip()}, {data['topology']}; "
        f"{data['started'][:10]}, commit {build['revision'][:7]}. "
        f"Data: bench/results/{folder}",
    )


def picture(folder, data):
    cells = {cell["workload"]: cell for cell in data["cells"]}
    title = claim(data)
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
           f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{FONT}" role="img" '
           f'aria-label="{escape(title)}. CPU time of the server for a request, six workloads.">')
    yield box(0.5, 0.5, WIDTH - 1, HEIGHT - 1, "#ffffff", f' stroke="{LINE}" rx="8"')
    yield text(24, 37, title, 20, INK, weight="bold")
    yield text(24, 60, "Six of them: CPU time of the server for one request, relative to "
               "hand-written io_uring. Less is better.", 13.5, GREY)
    yield from legend()
    yield from axis()
    for place, (workload, first, second) in enumerate(WORKLOADS):
        yield from group(place, cells[workload], first, second)
    yield line(LEFT, BOTTOM, RIGHT, BOTTOM, GREY, 1.2)
    yield line(LEFT, y_of(1), RIGHT, y_of(1), INK, 1.2, "2 3")
    for row, words in enumerate(notes(folder, data)):
        yield text(24, HEIGHT - 62 + 16 * row, words, 11, GREY)
    yield "</svg>"


# --- the table ------------------------------------------------------------------------------------

COLUMNS = ("uring-adaptive", "epoll", "poll", "threads", "anel-io_uring", "anel-epoll", "asio",
           "asio-io_uring", "libuv", "tokio", "go")


def table(data):
    """Markdown: CPU time relative to `uring`, bold where it is no tie."""
    columns = [name for name in COLUMNS if any(name in servers_of(c) for c in data["cells"])]
    yield "| workload | `uring`, ns | noise | " + " | ".join(f"`{name}`" for name in columns) + " |"
    yield "|---|" + "---:|" * (len(columns) + 2)
    for cell in data["cells"]:
        servers = servers_of(cell)
        one = servers["uring"]["cpu_ns_per_request"]
        floor = cell["noise_floor"]
        row = [f"`{cell['workload']}`", f"{one:,.0f}",
               f"±{100 * floor:.1f} %" if floor is not None else "?"]
        for name in columns:
            if name not in servers or not ratio_of(servers[name]):
                row.append("–")
                continue
            ratio = f"{ratio_of(servers[name])['ratio']:.2f}"
            row.append(f"**{ratio}**" if differs(servers[name]) else ratio)
        yield "| " + " | ".join(row) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--table", action="store_true", help="print the table of all workloads")
    folder, data = newest_full_run()
    if parser.parse_args().table:
        print("\n".join(table(data)))
        return
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text("\n".join(picture(folder, data)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

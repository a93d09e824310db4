# described.py: what is drawn of a description, and that nothing overlaps at any width.
# SPDX-License-Identifier: MIT
"""Part of test_trace.py. described.json has pictures of every kind; `crowded` makes others with
more and longer labels than there is room for."""

import copy
import importlib.util
import json
import os
import random
import re
import xml.etree.ElementTree as ElementTree

from pictures import SVG, faults_of, words_of
from support import ECHO, HERE, WithFolder, load, run

from anel_trace.draw import KINDS, draw
from anel_trace.schema import KINDS as SPECS, STATES, TASK_STATES
from anel_trace.words import LANGUAGES

DESCRIBED = load(os.path.join(HERE, "described.json"))
FIGURES = os.path.join(HERE, "../../docs/guide/figures")
SIZE_MIN = 11
SOME = ("recv", "send", "o kernel guarda", "uma sessão", "io_uring_enter", "ECONNREFUSED", "x",
        "1,024 bytes", "waits for its turn")


def of_kind(kind):
    return copy.deepcopy(next(each for each in DESCRIBED if each["kind"] == kind))


def words(chance):
    def some():
        return " ".join(chance.choice(SOME) for _ in range(chance.randint(1, 4)))
    return some() if chance.random() < 0.5 else {"en": some(), "pt": some()}


def crowded_lanes(chance):
    lanes = "abcde"[:chance.randint(2, 5)]

    def two():
        return sorted(chance.choice((chance.randint(0, 40), chance.randint(0, 10**6)))
                      for _ in range(2))

    def thing(**more):
        return {"text": words(chance), **more, **({"step": chance.randint(1, 9)}
                                                  if chance.random() < 0.4 else {})}
    picture = {"lanes": [{"id": lane, "name": words(chance), "hue": hue, "group": lane < "c" and
                          "KERNEL" or words(chance)} for hue, lane in enumerate(lanes)],
               "bars": [], "arrows": [], "lines": [thing(at=7)],
               "marks": [thing(lane=chance.choice(lanes), at=two()[0]) for _ in range(4)]}
    for _ in range(7):
        (begin, end), (leaves, arrives) = two(), two()
        picture["bars"].append(thing(**{"lane": chance.choice(lanes), "from": begin, "to": end,
                                        "state": chance.choice(STATES)}))
        picture["arrows"].append(thing(**{
            "from": [chance.choice(lanes), leaves], "to": [chance.choice(lanes), arrives],
            "fate": chance.choice(("arrives", "lost", "cut", "copy"))}))
    return picture


def crowded_memory(chance):
    ends = [f"b{block}.r{row}" for block in range(4) for row in range(4)]
    return {"blocks": [{"id": f"b{block}", "title": words(chance), "text": words(chance),
                        "column": block % 3, "foot": words(chance),
                        "rows": [{"id": f"r{row}", "name": words(chance), "offset": 10 ** row,
                                  "size": 8 ** row, "value": words(chance), "hue": row,
                                  "text": words(chance), "group": words(chance), "step": row + 1}
                                 for row in range(4)]} for block in range(4)],
            "pointers": [{"from": chance.choice(ends), "to": chance.choice(ends), "step": 3,
                          "text": words(chance)} for _ in range(6)]}


def crowded_ring(chance):
    def ring():
        size, head = chance.choice((2, 8, 32)), chance.randint(0, 40)
        tail = head + chance.randint(0, size)
        return {"name": "SQ", "size": size, "head": head, "tail": tail, "text": words(chance),
                "slots": {str(each): chance.choice(("A", "recv")) for each in range(head, tail)}}
    return {"moments": [{"title": words(chance), "text": words(chance), "step": each + 1,
                         "rings": [ring(), ring()]} for each in range(chance.randint(1, 6))]}


def crowded_tree(chance):
    def node(depth):
        return {"name": words(chance), "text": words(chance), "step": depth,
                "state": chance.choice(TASK_STATES), "type": "group" if depth > 1 else "task",
                "children": [node(depth - 1) for _ in range(chance.randint(1, 3))]
                if depth > 1 else []}
    return {"moments": [{"title": words(chance), "root": node(chance.randint(2, 4))}
                        for _ in range(chance.randint(1, 4))]}


def crowded_chart(chance):
    def panel():
        points = sorted([chance.uniform(0.1, 90), chance.uniform(1, 9000)] for _ in range(20))
        return {"x": {"label": words(chance), "unit": "ms"}, "title": words(chance),
                "y": {"label": words(chance), "log": chance.random() < 0.5},
                "series": [{"name": words(chance), "type": kind, "points": points}
                           for kind in ("line", "steps", "dots")],
                "limits": [{"axis": axis, "at": 40, "text": words(chance)} for axis in "xy"],
                "bands": [{"from": 20, "to": 30, "text": words(chance)}],
                "marks": [{"at": point, "text": words(chance), "step": 2}
                          for point in points[::6]]}
    return {"panels": [panel() for _ in range(chance.randint(1, 3))]}


def crowded_states(chance):
    ids = [f"{column}{row}" for column in range(4) for row in range(3)]
    return {"boxes": [{"id": each, "at": [int(each[0]), int(each[1])], "name": words(chance),
                       "text": words(chance), "items": [words(chance)] * (each > "2")}
                      for each in ids],
            "groups": [{"name": words(chance), "boxes": [each for each in ids if each < "1"]}],
            "arrows": [{"from": chance.choice(ids), "to": chance.choice(ids),
                        "text": words(chance), "step": each + 1} for each in range(7)]}


CROWDED = {"lanes": crowded_lanes, "memory": crowded_memory, "ring": crowded_ring,
           "tree": crowded_tree, "chart": crowded_chart, "states": crowded_states}


def crowded(kind, seed):
    chance = random.Random(f"{kind} {seed}")
    return {"anel_picture": 1, "kind": kind, "title": words(chance), "subtitle": words(chance),
            "steps": [words(chance) for _ in range(9)], "footer": words(chance),
            **CROWDED[kind](chance)}


class Described(WithFolder):
    def drawn(self, picture):
        """Every variant of a picture."""
        path = self.record(picture)
        for language in LANGUAGES:
            for width in ("960", "390"):
                yield width, self.made("draw", path, "--lang", language, "--width", width)

    def check(self, picture):
        for width, svg in self.drawn(picture):
            with self.subTest(kind=picture["kind"], width=width):
                self.assertEqual(list(faults_of(svg)), [])
                sizes = map(float, re.findall(r'font-size="([\d.]+)"', svg))
                self.assertGreaterEqual(min(sizes), SIZE_MIN)
                self.assertIn(f'viewBox="0 0 {width} ', svg)

    def test_every_kind_has_a_picture_and_a_drawing(self):
        self.assertEqual(set(KINDS), set(SPECS))
        self.assertEqual({each["kind"] for each in DESCRIBED}, set(KINDS))

    def test_no_text_overlaps_is_small_or_leaves_the_picture(self):
        for picture in DESCRIBED:
            self.check(picture)

    def test_no_text_overlaps_where_there_is_no_room(self):
        for kind in KINDS:
            for seed in range(2):
                self.check(crowded(kind, seed))

    def test_what_fits_nowhere_is_explained_below(self):
        picture = of_kind("lanes")
        picture["marks"] = [{"lane": "s", "at": 5, "text": "a text that is far too long here"}]
        svg = dict(self.drawn(picture))["390"]
        root = ElementTree.fromstring(svg)
        texts = [text.text for text in root.iter(SVG + "text")]
        self.assertEqual(texts.count("a"), 2)
        self.assertIn("a text that is far too long here", words_of(svg))

    def test_two_runs_give_the_same_bytes(self):
        for kind in KINDS:
            path, texts = self.record(of_kind(kind)), set()
            for seed in ("1", "2"):
                out = self.path(f"{seed}.html")
                run("draw", path, "-o", out, environment={"PYTHONHASHSEED": seed})
                with open(out, "rb") as file:
                    texts.add(file.read())
            self.assertEqual(len(texts), 1, kind)

    def test_both_languages_are_drawn_and_told(self):
        for picture in DESCRIBED:
            for language in LANGUAGES:
                root = ElementTree.fromstring(draw(picture, None, language, 960))
                title, told = (root.find(SVG + name).text for name in ("title", "desc"))
                self.assertEqual(title, picture["title"][language])
                self.assertEqual(root.get("lang"), language)
                for step in picture.get("steps", []):
                    step = step if isinstance(step, str) else step[language]
                    self.assertIn(step, told)

    def test_an_alt_text_is_told_instead(self):
        picture = {**of_kind("tree"), "alt": {"en": "what is seen", "pt": "o que se vê"}}
        self.assertIn("<desc>o que se vê</desc>", draw(picture, None, "pt", 390))

    def test_a_picture_serves_light_and_dark_and_loads_nothing(self):
        for picture in DESCRIBED:
            svg = draw(picture, None, "en", 960)
            self.assertIn("@media (prefers-color-scheme:dark)", svg)
            self.assertEqual(set(re.findall(r"https?://[^\"' ]+", svg)), {SVG[1:-1]})
            used = {name for names in re.findall(r'class="([^"]+)"', svg)
                    for name in names.split()}
            for name in used - {"open"}:
                self.assertEqual(len(re.findall(rf"\.{name}\{{", svg)), 2, name)
            self.assertNotRegex(svg, r'(?:fill|stroke)="#')

    def test_a_page_is_made_by_name_or_by_option(self):
        path = self.record(of_kind("ring"))
        page = self.made("draw", path, end="html")
        self.assertEqual(page.count("<svg "), 4)
        self.assertEqual(self.made("draw", path, "--html", end="page"), page)

    def test_times_stand_as_they_are_told(self):
        shown = words_of(dict(self.drawn(of_kind("lanes")))["390"])
        for part in ("11,5", "12,4", "48.010", "µs", "fora de escala"):
            self.assertIn(part, shown)

    def test_order_alone_needs_no_axis(self):
        picture = {**of_kind("lanes"), "unit": ""}
        shown = words_of(draw(picture, None, "en", 960))
        self.assertNotIn("47,900", shown)
        self.assertNotIn("not to scale", shown)

    def test_a_ring_shows_what_lies_between_head_and_tail(self):
        picture = of_kind("ring")
        shown = words_of(draw(picture, None, "en", 960))
        for part in ("head 0", "tail 2", "2 in it", "empty"):
            self.assertIn(part, shown)
        picture["moments"][0]["rings"][0].update(head=5, tail=13, slots={})
        self.assertIn("full", words_of(draw(picture, None, "en", 960)))

    def test_a_wrong_picture_is_refused_in_one_line(self):
        def wrong(base, what, **more):
            said = run("draw", self.record({**of_kind(base), **more}), "-o", self.path("x.svg"),
                       code=1)
            self.assertEqual(said.count("\n"), 1, said)
            self.assertIn(what, said)
            self.assertFalse(os.path.exists(self.path("x.svg")))
        bar = {"lane": "c", "from": 1, "to": 2}
        wrong("lanes", "unknown key `colour`", colour="red")
        wrong("lanes", "title: is no text", title={"en": "one language"})
        wrong("lanes", "bars 2: has no `lane`", bars=[bar, {"from": 1, "to": 2}])
        wrong("lanes", "bars 1: there is no 'x'", bars=[{**bar, "lane": "x"}])
        wrong("lanes", "bars 1: ends before it begins", bars=[{**bar, "to": 0}])
        wrong("lanes", "bars 1: state: 'odd' is none of", bars=[{**bar, "state": "odd"}])
        wrong("lanes", "bars 1: from: is no number", bars=[{**bar, "from": True}])
        wrong("lanes", "arrows 1: arrives before", arrows=[{"from": ["c", 2], "to": ["s", 1]}])
        wrong("lanes", "lanes: are 0, not 1 to 6", lanes=[])
        wrong("memory", "pointers 1: to: there is no", pointers=[{"from": "cqe", "to": "q.w"}])
        wrong("ring", "are not 0 to 8 slots",
              moments=[{"rings": [{"name": "SQ", "size": 8, "head": 0, "tail": 9}]}])
        wrong("chart", "a point is [1, 2, 3]", panels=[
            {"x": {}, "y": {}, "series": [{"points": [[1, 2, 3]]}]}])
        wrong("chart", "begins above 0", panels=[
            {"x": {"log": True, "from": 0}, "y": {}, "series": [{"points": [[1, 2]]}]}])
        wrong("states", "narrow: there is no 'nobody'", narrow={"nobody": [0, 0]})
        wrong("states", "'run' stands among the boxes",
              groups=[{"name": "x", "boxes": ["ready", "wait"]}])
        wrong("tree", "kind: 'pie' is none of", kind="pie")
        wrong("tree", "anel_picture: is no whole number from 1 to 1: 2", anel_picture=2)
        for text, what in (("{}", "has no `anel_picture`"), ("{", "is no JSON"),
                           (json.dumps(load(ECHO)), "has no `anel_picture`")):
            said = run("draw", self.record(text), "-o", self.path("x.svg"), code=1)
            self.assertIn(what, said)


def script(name):
    """A program of the folder of the guide's figures."""
    spec = importlib.util.spec_from_file_location(name, os.path.join(FIGURES, f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# A client and a server; the server's recv is interrupted by lines of the client.
STRACE = """\
7 100.000000 execve("/usr/bin/server", ["server"], 0x7ffe /* 20 vars */) = 0 <0.000300>
8 100.000100 execve("/usr/bin/client", ["client"], 0x7ffe /* 20 vars */) = 0 <0.000300>
7 100.001000 accept4(3<TCP:[127.0.0.1:7777]>,  <unfinished ...>
8 100.002000 connect(3<TCP:[4711]>, {sa_family=AF_INET, sin_port=htons(7777), \
sin_addr=inet_addr("127.0.0.1")}, 16) = 0 <0.000080>
7 100.002100 <... accept4 resumed>{sa_family=AF_INET, sin_port=htons(5000), \
sin_addr=inet_addr("127.0.0.1")}, [16], 0) = 4<TCP:[127.0.0.1:7777->127.0.0.1:5000]> <0.001100>
8 100.003000 sendto(3<TCP:[127.0.0.1:5000->127.0.0.1:7777]>, "oi", 2, 0, NULL, 0) = 2 <0.000010>
7 100.003500 recvfrom(4<TCP:[127.0.0.1:7777->127.0.0.1:5000]>, "o", 1, 0, NULL, NULL) = 1 <0.000004>
7 100.003600 recvfrom(4<TCP:[127.0.0.1:7777->127.0.0.1:5000]>, "i", 9, 0, NULL, NULL) = 1 <0.000004>
7 100.003700 recvfrom(4<TCP:[127.0.0.1:7777->127.0.0.1:5000]>, 0x55, 9, MSG_DONTWAIT, NULL, NULL) \
= -1 EAGAIN (Resource temporarily unavailable) <0.000003>
7 100.003800 write(1</dev/pts/0>, "x", 1) = 1 <0.000009>
8 100.004000 close(3<TCP:[127.0.0.1:5000->127.0.0.1:7777]>) = 0 <0.000020>
7 100.004100 recvfrom(4<TCP:[127.0.0.1:7777->127.0.0.1:5000]>, "", 9, 0, NULL, NULL) = 0 <0.000005>
"""


class Figures(WithFolder):
    def test_a_log_of_strace_becomes_lanes(self):
        tool = script("from_strace")
        with open(self.path("log"), "w", encoding="utf-8") as file:
            file.write(STRACE)
        out = self.path("lanes.json")
        data = self.picture_of(tool, self.path("log"))
        with open(out, "w", encoding="utf-8") as file:
            file.write(tool.text_of(data))
        self.assertEqual(load(out), data)
        self.assertEqual([lane["name"] for lane in data["lanes"]], ["server", "client"])
        bars = [(bar["lane"], bar["text"], bar["state"], bar["to"]) for bar in data["bars"]]
        self.assertEqual(bars[0], ("p7", "accept", "waits", 1100.0))
        self.assertEqual([text for _, text, _, _ in bars],
                         ["accept", "connect", "send = 2", "recv = 1", "recv = 1",
                          "recv: EAGAIN", "close", "recv = 0"])
        arrows = [(arrow["from"][0], arrow["to"][1], arrow["text"]) for arrow in data["arrows"]]
        one = {"en": "1 byte", "pt": "1 byte"}
        self.assertEqual(arrows, [("p8", 1100.0, "connect"), ("p8", 2504.0, one),
                                  ("p8", 2604.0, one), ("p8", 3105.0, "FIN")])
        self.made("draw", out)

    @staticmethod
    def picture_of(tool, log):
        class Options:
            log, name, calls, begin, end, waits = [], [], [], 0, 1e15, 150
        Options.log = [log]
        return tool.picture(Options)

    def test_build_draws_and_checks_the_pictures(self):
        tool = script("build")
        tool.HERE = self.folder
        for name, text in (("01_lanes.json", json.dumps(of_kind("lanes"))),
                           ("02_run.json", json.dumps(load(ECHO))),
                           ("02_run.options", "timeline --tasks 3 --title-en 'One & two' "
                                              "--title-pt 'Um e dois'\n")):
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write(text)
        self.assertEqual(len(self.wrong(tool, "--check")), 8)
        self.assertEqual(self.wrong(tool), [])
        self.assertEqual(self.wrong(tool, "--check"), [])
        with open(self.path("02_run_pt_narrow.svg"), encoding="utf-8") as file:
            self.assertIn("<title>Um e dois</title>", file.read())
        with open(self.path("01_lanes_en.svg"), "a", encoding="utf-8") as file:
            file.write("\n")
        with open(self.path("09_old_en.svg"), "w", encoding="utf-8"):
            pass
        self.assertEqual(self.wrong(tool, "--check"), [
            "01_lanes_en.svg: differs from what is drawn", "09_old_en.svg: there is no JSON of it"])
        self.assertEqual(self.wrong(tool, "--check", "02_run"), [])

    def test_build_tells_what_is_wrong(self):
        tool = script("build")
        tool.HERE = self.folder
        for name, text in (("01_a.json", "{"), ("02_b.json", json.dumps(load(ECHO))),
                           ("03_c.json", "{}")):
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write(text)
        said = self.wrong(tool)
        self.assertEqual(len(said), 3)
        for line, what in zip(said, ("01_a.json: is no JSON", "is a record and has no 02_b.options",
                                     "03_c.json: is no picture")):
            self.assertIn(what, line)

    @staticmethod
    def wrong(tool, *arguments):
        return tool.problems(list(arguments))

# pictures.py: what the timeline and the sequence diagram show, and that nothing overlaps.
# SPDX-License-Identifier: MIT
"""Part of test_trace.py. Texts are measured as the tool estimates them."""

import re
import xml.etree.ElementTree as ElementTree

from support import ECHO, SIMULATED, WithFolder, load, run, small

from anel_trace.drawing import text_width
from anel_trace.words import LANGUAGES

SVG = "{http://www.w3.org/2000/svg}"


def text_boxes(root):
    """Where each text of a picture is: (left, top, right, bottom, text)."""
    for text in root.iter(SVG + "text"):
        size = float(text.get("font-size"))
        width = text_width(text.text, size, text.get("font-weight") == "700")
        width += float(text.get("letter-spacing", 0)) * len(text.text)
        before = {"start": 0, "middle": width / 2, "end": width}[text.get("text-anchor", "start")]
        turned = text.get("transform")
        if turned:
            x, y = map(float, re.match(r"translate\(([-\d.]+),([-\d.]+)\) rotate\(-90\)",
                                       turned).groups())
            yield x - size * 0.8, y + before - width, x + size * 0.25, y + before, text.text
        else:
            x, y = float(text.get("x")), float(text.get("y"))
            yield x - before, y - size * 0.8, x - before + width, y + size * 0.25, text.text


def numbers_of(element):
    """The box of a rectangle, circle or path."""
    if element.tag == SVG + "rect":
        x, y, width, height = (float(element.get(name, 0)) for name in
                               ("x", "y", "width", "height"))
        return x, y, x + width, y + height
    if element.tag == SVG + "circle":
        x, y, radius = (float(element.get(name)) for name in ("cx", "cy", "r"))
        return x - radius, y - radius, x + radius, y + radius
    if not re.fullmatch(r"[MLQC\d. Z-]+", element.get("d")):
        return None  # relative: a sign beside what is checked
    points = [float(number) for number in re.findall(r"-?[\d.]+", element.get("d"))]
    return min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])


def faults_of(svg):
    """Texts that overlap, and what leaves the picture."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.get("viewBox").split())
    boxes = list(text_boxes(root))
    for number, (left, top, right, bottom, text) in enumerate(boxes):
        if left < 0 or top < 0 or right > width + 0.1 or bottom > height:
            yield f"outside: {text}"
        for left2, top2, right2, bottom2, other in boxes[:number]:
            if (left + 0.2 < right2 and left2 + 0.2 < right and top + 0.2 < bottom2
                    and top2 + 0.2 < bottom):
                yield f"overlap: {text!r} and {other!r}"
    patterns = {path for pattern in root.iter(SVG + "pattern") for path in pattern}
    for element in root.iter():
        if element.tag in (SVG + "rect", SVG + "circle", SVG + "path") and element not in patterns:
            box = numbers_of(element)
            if box and (box[0] < 0 or box[1] < 0 or box[2] > width + 0.1
                        or box[3] > height + 0.1):
                yield f"outside: {element.attrib}"


def words_of(svg):
    return " ".join(text.text for text in ElementTree.fromstring(svg).iter(SVG + "text")).replace(
        "\u00a0", " ")


def crowded():
    """Six tasks that mark, grant, cancel and wait for all kinds, with names of all lengths."""
    events, at = [], 0
    for turn in range(3):
        for task in range(1, 7):
            at += 1 + turn * 300
            name = ("sessão de um cliente com nome comprido", "<&>\"", "", "m")[task % 4]
            events += [(at, "begin", {"task": task, "by": 1, "name": name, "place": "a.cpp:1"}),
                       (at, "resume", {"task": task, "place": "a_long_file_name.cpp:1234"}),
                       (at, "mark", {"task": task, "text": "a mark \x01 with " + "text " * task}),
                       (at, "grant", {"task": task % 6 + 1, "by": task}),
                       (at + 1, "submit", {"task": task, "op": task, "call": "recvfrom",
                                           "fd": 1000 + task, "bytes": 9, "result": -104}),
                       (at + 1, "cancel", {"task": task}),
                       (at + 2, "suspend", {"task": task, "place": "b.cpp:2",
                                            "wait": ("mutex", "turn", "join")[turn]})]
        events += [(at + 3, "enter", {"until": 0 if turn else 5}), (at + 4, "wake", {}),
                   (at + 5, "leave", {"done": 0}), (at + 6, "timer", {"task": 3, "late": 5}),
                   (at + 7, "enter", {}), (at + 19, "leave", {"done": 0}), (at + 21, "enter", {}),
                   (at + 23, "leave", {"done": 0})]
    return small(events)


class Pictures(WithFolder):
    def variants(self):
        """Every picture of the two records and of a crowded one."""
        for command, record, more in (
                ("timeline", ECHO, ()), ("timeline", ECHO, ("--from", "0", "--to", "9999")),
                ("timeline", self.record(crowded()), ("--from", "0", "--to", "9999")),
                ("sequence", SIMULATED, ()), ("sequence", SIMULATED, ("--from", "2000"))):
            for language in LANGUAGES:
                for width in ("960", "390"):
                    yield command, record, ("--lang", language, "--width", width, *more)

    def test_no_text_overlaps_another_and_nothing_leaves_the_picture(self):
        for command, record, options in self.variants():
            with self.subTest(command=command, record=record, options=options):
                self.assertEqual(list(faults_of(self.made(command, record, *options))), [])

    def test_the_check_of_overlaps_sees_one(self):
        text = '<text x="{}" y="20" font-size="12">some words</text>'
        picture = ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 40">{}</svg>').format
        self.assertEqual(list(faults_of(picture(text.format(10)))), [])
        self.assertEqual(len(list(faults_of(picture(text.format(10) + text.format(40))))), 1)
        self.assertEqual(len(list(faults_of(picture(text.format(180))))), 1)
        self.assertEqual(len(list(faults_of(picture('<path d="M1 1L300 2"/>')))), 1)

    def test_two_runs_give_the_same_bytes(self):
        """Also where Python orders its sets otherwise."""
        for end, command, record in (("html", "timeline", ECHO), ("html", "sequence", SIMULATED),
                                     ("json", "perfetto", ECHO), ("json", "perfetto", SIMULATED)):
            texts = set()
            for seed in ("1", "2"):
                path = self.path(f"{seed}.{end}")
                run(command, record, "-o", path, environment={"PYTHONHASHSEED": seed})
                with open(path, "rb") as file:
                    texts.add(file.read())
            self.assertEqual(len(texts), 1, command)

    def test_a_picture_serves_light_and_dark(self):
        svg = self.made("timeline", ECHO)
        self.assertIn("@media (prefers-color-scheme:dark)", svg)
        used = {name for classes in re.findall(r'class="([^"]+)"', svg) for name in classes.split()}
        for name in used - {"open"}:
            self.assertEqual(len(re.findall(rf"\.{name}\{{", svg)), 2, name)

    def test_a_page_has_both_languages_and_widths_and_loads_nothing(self):
        for command, record in (("timeline", ECHO), ("sequence", SIMULATED)):
            page = self.made(command, record, "--lang", "pt", end="html")
            self.assertEqual(page.count("<svg "), 4)
            self.assertIn('id="pt" checked', page)
            addresses = set(re.findall(r"https?://[^\"' ]+", page))
            self.assertEqual(addresses, {"http://www.w3.org/2000/svg"})
            self.assertNotRegex(page, r"<script|<link|@import|\bsrc=")
            marks = re.findall(r'\bid="([^"]+)"', page)
            self.assertEqual(len(marks), len(set(marks)))
            self.assertLessEqual(set(re.findall(r"url\(#([^)]+)\)", page)), set(marks))


class Timeline(WithFolder):
    def test_the_steps_tell_what_happens(self):
        words = words_of(self.made("timeline", ECHO))
        for part in ("The loop sleeps; the kernel holds accept on fd 7.",
                     "The call returns with two results: send on", "echo 3 gets 2 bytes",
                     "One call hands over two", "spawns echo 4", "request", "913 µs"):
            self.assertIn(part, words)
        circles = self.made("timeline", ECHO).count('class="page ink-line"')
        self.assertEqual(circles, 16)  # eight steps: in the picture and below it
        words = words_of(self.made("timeline", ECHO, "--lang", "pt"))
        for part in ("O laço dorme; o kernel guarda accept no fd 7.", "dois resultados",
                     "tcp_echo: um laço, três tarefas", "11,5 µs"):
            self.assertIn(part, words)

    def test_an_operation_is_a_bar_until_its_result(self):
        root = ElementTree.fromstring(self.made("timeline", ECHO, "--tasks", "3", "--from", "0.8",
                                                "--to", "0.93"))
        soft = [bar for bar in root.iter(SVG + "rect") if bar.get("class") == "s0"
                and float(bar.get("height")) == 26]
        self.assertEqual(len(soft), 3)  # recv, send, recv
        self.assertEqual(sum(1 for bar in root.iter(SVG + "rect") if bar.get("class") == "h0"
                             and float(bar.get("height")) == 26), 3)  # its runs

    def test_a_span_may_be_given_by_marks(self):
        words = words_of(self.made("timeline", ECHO, "--from", "request"))
        self.assertIn("learns that the peer has finished", words)
        self.assertNotIn("accept on", words.split("KERNEL")[0])

    def test_chosen_tasks_alone_have_lanes(self):
        words = words_of(self.made("timeline", ECHO, "--tasks", "4"))
        self.assertIn("echo 4", words)
        self.assertNotIn("echo 3", words)

    def test_a_title_may_be_given(self):
        svg = self.made("timeline", ECHO, "--title", "Two <clients>\x01")
        self.assertIn("<title>Two &lt;clients&gt;·</title>", svg)

    def test_few_steps_are_told_one_by_one(self):
        svg = self.made("timeline", ECHO, "--from", "0.89", "--to", "0.905")
        # It wakes, echo 3 runs, it hands over and sleeps.
        self.assertEqual(svg.count('class="page ink-line"'), 6)

    def test_the_earliest_of_equal_spans_is_chosen(self):
        data = load(ECHO)
        later = [{**event, "at": event["at"] + 10**9} for event in data["events"]]
        first = words_of(self.made("timeline", ECHO))
        data["events"] += later
        self.assertEqual(words_of(self.made("timeline", self.record(data))), first)

    def test_two_tasks_at_one_descriptor_have_a_row_each(self):
        events = [(0, "suspend", {"task": 1, "place": "a.cpp:1", "wait": "join"})]
        for task, call in ((2, "recv"), (3, "send")):
            events += [(task, "resume", {"task": task, "place": "a.cpp:1"}),
                       (task, "submit", {"task": task, "op": task, "call": call, "fd": 7}),
                       (task, "suspend", {"task": task, "place": "a.cpp:2", "wait": call})]
        svg = self.made("timeline", self.record(small(events)), "--from", "0")
        self.assertEqual(svg.count(">fd 7</text>"), 2)

    def test_a_deadline_that_has_passed_is_no_sleep(self):
        for until, word in ((99_000, "asleep"), (9_000, "asks")):
            events = [(0, "resume", {"task": 2, "place": "a.cpp:1"}),
                      (5, "suspend", {"task": 2, "place": "a.cpp:1", "wait": "sleep"}),
                      (10, "enter", {"until": until}), (90, "leave", {"done": 0}),
                      (90, "timer", {"late": 5})]  # the loop did not know whose
            words = words_of(self.made("timeline", self.record(small(events)), "--from", "0"))
            self.assertEqual([each for each in ("asleep", "asks") if each in words.split()],
                             [word])

    def test_what_was_sent_is_told_where_the_result_is_zero(self):
        data = load(ECHO)
        for event in data["events"]:
            if event["kind"] == "complete" and event["call"] == "send":
                event["result"] = 0
        self.assertIn("echo 3 has sent 2 bytes", words_of(self.made("timeline",
                                                                    self.record(data))))

    def test_what_happens_last_has_room(self):
        events = [(0, "resume", {"task": 2, "place": "a.cpp:1"}),
                  (9, "submit", {"task": 2, "op": 1, "call": "recvfrom", "fd": 7, "result": 1})]
        for width in ("960", "390"):
            svg = self.made("timeline", self.record(small(events)), "--from", "0", "--width", width)
            self.assertEqual(list(faults_of(svg)), [])

    def test_readiness_is_not_told_as_completion(self):
        data = load(ECHO)
        data["loops"][0]["backend"] = "epoll"
        words = words_of(self.made("timeline", self.record(data)))
        self.assertIn("waits until ready", words)
        self.assertIn("The loop wakes with one result", words)
        self.assertNotIn("hands over", words)

    def test_what_was_overwritten_leaves_no_gap(self):
        data = load(ECHO)
        for first in range(1, len(data["events"])):
            cut = {**data, "overwritten": first, "events": data["events"][first:]}
            if first % 6 == 0:
                record = self.record(cut)
                self.assertEqual(list(faults_of(self.made("timeline", record))), [])
                self.made("perfetto", record, end="json")
                self.assertIn("overwritten", run(record))

    def test_no_more_events_are_drawn_than_fit(self):
        events = []
        for at in range(0, 3000, 10):
            events += [(at, "resume", {"task": 2, "place": "a.cpp:1"}),
                       (at + 2, "suspend", {"task": 2, "place": "a.cpp:1", "wait": "turn"})]
        words = words_of(self.made("timeline", self.record(small(events)), "--from", "0", "--to",
                                   "3"))
        self.assertIn("The first 90 of 600 events", words)


class Sequence(WithFolder):
    def test_each_packet_has_its_arrow_and_its_words(self):
        root = ElementTree.fromstring(self.made("sequence", SIMULATED))
        heads = [path for path in root.iter(SVG + "path") if path.get("d").endswith("Z")]
        # 18 arrive, one of them a copy; 4 are lost or blocked, one is still on its way.
        self.assertEqual(len(heads), 18)
        crosses = [path for path in root.iter(SVG + "path") if "bad-line" in path.get("class")
                   and path.get("d").count("M") == 2]
        self.assertEqual(len(crosses), 4 + 1)  # and the failure
        words = words_of(self.made("sequence", SIMULATED))
        for part in ("SYN-ACK", "data, 12 bytes, blocked", "lost", "datagram, 40 bytes, late",
                     "a copy", "on its way", "RST", "FIN"):
            self.assertIn(part, words)

    def test_faults_and_the_failure_are_told(self):
        words = words_of(self.made("sequence", SIMULATED))
        for part in ("partition: server, client", "crash: other", "restart: other",
                     "failure: always: each request is done once", "1.99 s later", "Seed 42"):
            self.assertIn(part, words)
        words = words_of(self.made("sequence", SIMULATED, "--lang", "pt"))
        for part in ("partição: server, client", "bloqueado", "1,99 s depois", "Semente 42"):
            self.assertIn(part, words)

    def test_a_lost_packet_never_arrives_and_a_blocked_one_may(self):
        data = load(SIMULATED)
        for fate, heads in (("lost", 0), ("blocked", 1)):
            data["network"] = [{**data["network"][0], "fate": fate}]
            data["faults"], data["failure"] = [], None
            svg = self.made("sequence", self.record(data))
            self.assertEqual(len(re.findall(r'd="[^"]+Z"', svg)), heads, fate)
            self.assertIn(fate, words_of(svg))

    def test_faults_of_one_instant_are_told_below_each_other(self):
        data = load(SIMULATED)
        data["faults"] = [{"at": 10**6, "kind": "slow_segment", "hosts": [each % 3],
                           "text": "of the number " + str(each)} for each in range(9)]
        for width in ("960", "390"):
            svg = self.made("sequence", self.record(data), "--width", width)
            self.assertEqual(list(faults_of(svg)), [])
            self.assertEqual(words_of(svg).count("slow segment:"), 9)

    def test_arrows_go_down_from_sender_to_receiver(self):
        data = load(SIMULATED)
        data["network"] = data["network"][:1]
        data["faults"], data["failure"] = [], None
        root = ElementTree.fromstring(self.made("sequence", self.record(data)))
        line = next(path for path in root.iter(SVG + "path") if "h0-line" in path.get("class")
                    and "L" in path.get("d"))
        x1, y1, x2, y2 = map(float, re.findall(r"[\d.]+", line.get("d")))
        self.assertGreater(x1, x2)  # from the client, at the right, to the server
        self.assertGreater(y2, y1)

    def test_a_long_run_shows_what_led_to_the_failure(self):
        data = load(SIMULATED)
        many = [{**data["network"][2], "at": 10**6 * each, "arrives": 10**6 * each + 400_000,
                 "bytes": each} for each in range(1, 101)]
        data.update(network=many, faults=[], failure={"at": 101 * 10**6, "text": "late"})
        words = words_of(self.made("sequence", self.record(data)))
        self.assertIn("Above: 40 earlier packets, left out.", words)
        self.assertIn("data, 100 bytes", words)
        self.assertNotIn("data, 40 bytes", words)
        words = words_of(self.made("sequence", self.record(data), "--from", "3", "--to", "5"))
        self.assertIn("Below: 95 later packets, left out.", words)
        self.assertIn("data, 3 bytes", words)

    def test_a_mark_may_begin_the_span(self):
        words = words_of(self.made("sequence", SIMULATED, "--from", "asks again"))
        self.assertIn("Above: 13 earlier packets", words)

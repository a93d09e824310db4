# test_17.py: what chapter 17 says about the source is there: its questions, files and notes.
# SPDX-License-Identifier: MIT

import json
import re
import tempfile
import unittest
from pathlib import Path

import exercise_17
import support

REPOSITORY = exercise_17.REPOSITORY
PROGRAMS = REPOSITORY / "examples/guide"
PAGES = [REPOSITORY / "docs/guide/17_reading.md", REPOSITORY / "docs/guide/pt/17_reading.md"]


class Questions(unittest.TestCase):
    def test_each_has_one_answer_in_the_source(self):
        keys = exercise_17.keys()
        self.assertEqual(list(keys), list(range(1, 9)))
        for file, symbol in keys.values():
            self.assertTrue((REPOSITORY / file).is_file(), file)
            self.assertTrue(symbol)

    def test_the_starter_and_the_answer_ask_the_same(self):
        starter = (PROGRAMS / "17_exercise.txt").read_text().splitlines()[1:]
        answer = (PROGRAMS / "17_answer.txt").read_text().splitlines()[1:]
        self.assertEqual([re.sub(r"^(\d) .*", r"\1", line) for line in answer], starter)

    def judge(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(text)
            file.flush()
            exercise_17.check(file.name)

    def test_a_short_name_is_enough(self):
        right = (PROGRAMS / "17_answer.txt").read_text()
        self.judge(right)
        self.judge(re.sub(r"(?m)^(\d .* )\w+::(\w+)$", r"\1anel::detail::\2()", right))

    def test_it_says_what_is_wrong(self):
        right = (PROGRAMS / "17_answer.txt").read_text()
        for wrong, why in [("runtime/core/loop.cpp loop::wait", "is not"),
                           ("net/socket.cpp", "two words"),
                           ("net/sockets.cpp claim", "no file"),
                           ("net/socket.cpp claims", "not in"),
                           ("net/socket.cpp uring::claim", "is not"),
                           ("", "no answer")]:
            with self.subTest(wrong), self.assertRaises(support.NotYet) as said:
                self.judge(re.sub(r"(?m)^2 .*", f"2 {wrong}", right))
            self.assertIn("7 of 8 are right. Question 2 ", said.exception.text["en"])
            self.assertIn(why, said.exception.text["en"])


class Pages(unittest.TestCase):
    """What is copied from the source into the text by hand."""

    def fences(self, kind):
        for page in PAGES:
            found = re.findall(rf"(?ms)^```{kind}\n(.*?)^```", page.read_text(encoding="utf-8"))
            self.assertTrue(found, f"{page}: {kind}")
            yield from ((page, text) for text in found)

    def test_each_piece_of_code_stands_in_the_file_that_it_names(self):
        for page, text in self.fences("cpp"):
            file, _, code = text.partition("\n")
            source = (REPOSITORY / file.removeprefix("// ")).read_text(encoding="utf-8")
            for part in code.split("…\n"):  # lines in sequence, whatever their indentation
                with self.subTest(page=page.parent.name, file=file, part=part):
                    self.assertIn(self.squeezed(part), self.squeezed(source))

    @staticmethod
    def squeezed(text):
        return "\n".join(line.strip() for line in text.strip().splitlines())

    def test_each_function_of_the_stack_is_in_the_source(self):
        source = "".join(code for _, code in exercise_17.sources())
        for page, text in self.fences("text"):
            names = re.findall(r"anel::(?:\w+(?:<.*>)?::)*(\w+)(?:<\w+>)? \(", text)
            self.assertGreater(len(names), 8, page)
            for name in names:
                self.assertRegex(source, rf"\b{name}\(", page)

    def test_each_file_of_the_picture_says_what_it_must_not_know(self):
        picture = json.loads((REPOSITORY / "docs/guide/figures/17_map.json").read_text())
        names = [box["name"] for box in picture["boxes"] if str(box["name"]).endswith(".hpp")]
        self.assertEqual(len(names), 4)
        for name in names:
            (path,) = [path for path, _ in exercise_17.sources() if path.name == name]
            self.assertIn("Must not know: ", path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()

# test_check_guide.py: plants each fault that docs/check_guide.py knows, and sees it named.
# SPDX-License-Identifier: MIT

import contextlib
import io
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "docs/check_guide.py"

PROGRAM = """// 06_by_hand.cpp: a program.
// SPDX-License-Identifier: MIT
int main() {
    // #region body
    int i = 1;

    // #region inner
    return i;
    // #endregion inner
    // #endregion body
}
"""

FIGURE = """<picture>
<source media="(max-width: 720px)" srcset="{up}figures/06_frame_{l}_narrow.svg">
<img src="{up}figures/06_frame_{l}.svg" alt="{alt}"></picture>"""

ENGLISH = """# 6. A coroutine by hand

**You will be able to** call it. **You need** a compiler.

## Run it {#run}

It prints 1,200 lines in 7.8 s on Linux 5.11. The call is `resume()`.

```console
$ ./by_hand
```

## The picture {#picture}

FIGURE

## The code {#code}

```cpp file=examples/guide/06_by_hand.cpp region=body
```

> [!NOTE]
> The frame is small.

## A common belief {#belief}

"It starts at once." It does not, and `i` stays as it was before the first call came.

## Exercise {#exercise}

Change `06_exercise.cpp`; `06_answer.cpp` is the answer to it, and the check says so.

## Read in anel {#read}

[the program](../../examples/guide/06_by_hand.cpp) and [the exercise](#exercise).

## In Python {#python}

A generator does the same.
"""

PORTUGUESE = """# 6. Uma corrotina à mão

**Você vai conseguir** chamar. **Você precisa de** um compilador.

## Rode primeiro {#run}

O programa mostra 1.200 linhas em 7,8 s no Linux 5.11. A chamada é `resume()`.

```console
$ ./by_hand
```

## A figura {#picture}

FIGURE

## O código {#code}

```cpp file=examples/guide/06_by_hand.cpp region=body
```

> [!NOTE]
> O quadro (*frame*) é pequeno.

## Uma crença comum {#belief}

"Ela começa logo." Não começa, e `i` fica como estava antes da primeira chamada.

## Exercício {#exercise}

Mude `06_exercise.cpp`; `06_answer.cpp` é a resposta, e a verificação diz isso.

## Para ler no anel {#read}

[o programa](../../../examples/guide/06_by_hand.cpp) e [o exercício](#exercise).

## Em Python {#python}

Um gerador faz o mesmo.
"""

EN, PT = "docs/guide/06_by_hand.md", "docs/guide/pt/06_by_hand.md"
CPP = "examples/guide/06_by_hand.cpp"


class CheckGuide(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write(EN, ENGLISH.replace("FIGURE", FIGURE.format(up="", l="en", alt="A frame")))
        self.write(PT, PORTUGUESE.replace("FIGURE", FIGURE.format(up="../", l="pt", alt="x")))
        self.write(CPP, PROGRAM)
        self.write("examples/guide/06_exercise.cpp", "int main() {}\n")
        self.write("examples/guide/06_answer.cpp", "int main() {}\n")
        for ending in ("en", "pt", "en_narrow", "pt_narrow"):
            self.write(f"docs/guide/figures/06_frame_{ending}.svg", "<svg/>\n")
        self.run_tool("--sync")
        self.run_tool("--stamp")

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def read(self, path):
        return (self.root / path).read_text(encoding="utf-8")

    def run_tool(self, *options, spelling=False):
        options += () if spelling else ("--no-spelling",)
        done = subprocess.run([sys.executable, "-B", TOOL, "--root", self.root, *options],
                              capture_output=True, text=True, check=False, encoding="utf-8")
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def planted(self, path, old, new, *expected, stamp=True):
        """With `old` changed to `new` in `path`, the tool names what is wrong, and where."""
        before = self.read(path)
        self.assertIn(old, before)
        self.write(path, before.replace(old, new, 1))
        if stamp:
            self.run_tool("--stamp")
        code, said = self.run_tool()
        self.assertEqual(code, 1, said)
        for text in expected:
            self.assertRegex(said, text)

    def test_a_clean_pair_passes(self):
        code, said = self.run_tool()
        self.assertEqual(code, 0, said)
        self.assertIn("2 pages, 0 problems", said)

    def test_sync_copies_regions_without_markers_and_dedented(self):
        for path in (EN, PT):
            self.assertIn("region=body\nint i = 1;\n\nreturn i;\n```\n", self.read(path))
        before = self.read(EN)
        self.assertEqual(self.run_tool("--sync"), (0, ""))
        self.assertEqual(self.read(EN), before)

    def test_a_fence_without_region_holds_the_file_less_markers(self):
        for path in (EN, PT):
            self.write(path, self.read(path).replace(" region=body", ""))
        self.run_tool("--sync")
        self.run_tool("--stamp")
        self.assertIn("```cpp file=examples/guide/06_by_hand.cpp\n// 06_by_hand.cpp: a program.\n",
                      self.read(EN))
        self.assertNotIn("#region", self.read(EN))
        self.assertEqual(self.run_tool()[0], 0)

    def test_a_changed_program_makes_both_fences_stale(self):
        self.planted(CPP, "int i = 1", "int i = 2", f"{EN}:21: differs from {CPP} body",
                     f"{PT}:\\d+: differs")

    def test_sync_leaves_the_hash_as_it_is(self):
        self.write(CPP, PROGRAM.replace("int i = 1", "int i = 2"))
        self.run_tool("--sync")
        code, said = self.run_tool()
        self.assertEqual(code, 0, said)

    def test_faults_of_regions(self):
        self.planted(CPP, "#region body", "#region other", "has no region body")
        self.planted(CPP, "    // #endregion body\n", "", "has no region body")

    def test_a_region_without_end(self):
        self.planted(CPP, "    // #endregion body\n", "", "does not end the region body")

    def test_a_file_that_is_not_there(self):
        self.planted(EN, "06_by_hand.cpp region", "06_none.cpp region", "there is no file",
                     f"{CPP}:1: no page shows it|code fence")

    def test_a_program_that_no_page_shows(self):
        self.write("examples/guide/06_more.cpp", "int main() {}\n")
        self.write("examples/guide/07_exercise.cpp", "int main() {}\n")
        said = self.run_tool()[1]
        self.assertIn("examples/guide/06_more.cpp:1: no page shows it", said)
        self.assertIn("examples/guide/07_exercise.cpp:1: no page names it", said)

    def test_a_wide_program(self):
        self.planted(CPP, "int i = 1;", "int i = 1;" + " " * 70 + "// x", f"{CPP}:5: 88 columns")

    def test_a_changed_english_sentence_makes_the_pair_stale(self):
        self.planted(EN, "does the same", "does this", f"{PT}:1: {EN} has changed", stamp=False)

    def test_a_missing_page(self):
        (self.root / PT).unlink()
        self.assertIn(f"{EN}:1: there is no {PT}", self.run_tool()[1])

    def test_headings(self):
        self.planted(PT, "## Em Python {#python}\n", "", "heading '## {#python}' of the English",
                     "no heading `## Em Python")
        self.planted(EN, "{#exercise}", "{#exercises}", "`## Exercise` is none of the headings")

    def test_a_heading_without_id(self):
        self.planted(EN, " {#belief}", "", "'A common belief' has no {#id}")

    def test_headings_in_another_order(self):
        for path, run, figure in ((EN, "## Run it {#run}", "## The picture {#picture}"),
                                  (PT, "## Rode primeiro {#run}", "## A figura {#picture}")):
            text = self.read(path).replace(run, "X").replace(figure, run).replace("X", figure)
            self.write(path, text)
        self.assertIn(f"{EN}:1: the headings stand in another order", self.run_tool()[1])

    def test_the_title_and_the_opening(self):
        self.planted(EN, "# 6. A", "# A", "the title is not one `# 6")
        self.planted(PT, "**Você precisa de**", "Você precisa de", r"no \*\*Você precisa\*\*")

    def test_another_region_in_portuguese(self):
        self.planted(PT, "region=body", "region=inner", f"{PT}:\\d+: code fence .*inner")

    def test_another_transcript_in_portuguese(self):
        self.planted(PT, "$ ./by_hand", "$ ./na_mao", f"{PT}:\\d+: code fence .*na_mao")

    def test_figures(self):
        self.planted(PT, "figures/06_frame_pt.svg", "figures/06_other_pt.svg",
                     f"{PT}:\\d+: figure 'figures/06_other'",
                     "there is no figure docs/guide/figures/06_other_en_narrow.svg")

    def test_a_figure_of_the_other_language(self):
        self.planted(PT, "06_frame_pt.svg", "06_frame_en.svg", "the figure of the other language")

    def test_a_figure_without_text_or_narrow_version(self):
        self.planted(EN, 'alt="A frame"', 'alt=""', "no alternative text")
        self.planted(EN, "06_frame_en_narrow.svg", "06_frame_en.svg", "only the <source>")
        (self.root / "docs/guide/figures/06_frame_pt_narrow.svg").unlink()
        self.assertIn("no figure docs/guide/figures/06_frame_pt_narrow", self.run_tool()[1])

    def test_links(self):
        self.planted(PT, "(#exercise)", "(#picture)", "link '#picture': 1 here, 0 in English")
        self.planted(EN, "(../../examples/guide/06_by_hand.cpp)", "(../none.cpp)",
                     f"{EN}:\\d+: the link ../none.cpp leads nowhere")
        self.planted(EN, "(#exercise)", "(#none)", "has no heading #none")

    def test_a_link_to_the_english_page(self):
        for path in (EN.replace("06_by", "07_by"), PT.replace("06_by", "07_by")):
            self.write(path, "# 7. x\n")
        self.planted(PT, "(#exercise)", "(../07_by_hand.md)", "07_by_hand.md is the English page")

    def test_boxes(self):
        self.planted(PT, "[!NOTE]", "[!TIP]", f"{PT}:\\d+: box 'tip'")
        self.planted(PT, "> [!TIP]\n> O quadro", "O quadro", "box 'note' of the English page")

    def test_code_words(self):
        self.planted(PT, "`resume()`", "`retomar()`", r"code word 'retomar\(\)': 1 here",
                     r"code word 'resume\(\)': 1 in English \(line 7\), 0 here")

    def test_numbers(self):
        self.planted(PT, "7,8", "7,9", "number '7.9': 1 here, 0 in English", "number '7.8': 1 in E")
        self.planted(PT, "1.200", "1,200", "number '1.200': 1 here", "number '1200': 1 in English")

    def test_many_more_words(self):
        self.planted(PT, "o mesmo", "muito " * 70 + "o mesmo", "times the words of the English")

    def test_a_long_chapter(self):
        self.planted(EN, "the same.", "the same. " + "More of it. " * 400, "words without code")

    def test_forbidden_terms(self):
        self.planted(PT, "Um gerador", "O loop de um gerador", f"{PT}:\\d+: loop: say laço")
        self.planted(PT, "O loop", "O *loop* que resume", f"{PT}:\\d+: resume: say retomar")
        self.assertNotIn("say laço", self.run_tool()[1])

    def test_an_unclosed_fence(self):
        self.planted(EN, "return i;\n```", "return i;\n", "a code fence that nothing closes")

    def test_front_matter(self):
        self.planted(PT, "translation-of: ../06", "translation-of: ../07",
                     "no `translation-of: ../06_by_hand.md`", stamp=False)

    def test_spelling(self):
        if not shutil.which("hunspell") or "left out" in self.run_tool(spelling=True)[1]:
            self.skipTest("no hunspell with en_US and pt_BR")
        shutil.copy(ROOT / "docs/guide/words.txt", self.root / "docs/guide")
        self.assertEqual(self.run_tool(spelling=True)[0], 0)
        for path, old, new in ((EN, "the same", "the saime"), (PT, "o mesmo", "o mezmo")):
            self.write(path, self.read(path).replace(old, new))
        said = self.run_tool(spelling=True)[1]
        self.assertRegex(said, f"{EN}:\\d+: spelling: saime")
        self.assertRegex(said, f"{PT}:\\d+: spelling: mezmo")
        self.write("docs/guide/words.txt", self.read("docs/guide/words.txt") + "saime\nmezmo\n")
        self.run_tool("--stamp")
        self.assertEqual(self.run_tool(spelling=True)[0], 0)

    def test_only_the_pages_asked_for(self):
        self.planted(EN, "{#exercise}", "{#exercises}", "none of the headings")
        self.assertEqual(self.run_tool("07")[0], 0)


class Numbers(unittest.TestCase):
    def test_the_same_number_in_both_languages(self):
        with contextlib.redirect_stdout(io.StringIO()):
            sys.path.insert(0, str(ROOT / "docs"))
            from guide_pages import plain_number
        for english, portuguese in (("7.8", "7,8"), ("1,200", "1.200"), ("12", "12"),
                                    ("1,234.5", "1.234,5"), ("5.11", "5.11"),
                                    ("5.10.162", "5.10.162"), ("0.001", "0,001"),
                                    ("1,000,000", "1.000.000"), ("127.0.0.1", "127.0.0.1")):
            self.assertEqual(plain_number(english, False), plain_number(portuguese, True), english)
        self.assertFalse(re.match("1200", plain_number("1.200", False)))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# check_guide.py: copies programs into the guide, and checks that its two languages say the same.
# SPDX-License-Identifier: MIT
"""Checks docs/guide (English) and docs/guide/pt (Portuguese), and the programs they show.

    check_guide.py [PAGE...]          prints `file:line: what is wrong`; exits with 1 if any
    check_guide.py --sync [PAGE...]   writes the programs' regions into the code fences
    check_guide.py --stamp [PAGE...]  says that the Portuguese page follows the English one

PAGE is a part of a file name: 06, or by_hand. Without one, every page.

A fence ```cpp file=examples/guide/06_by_hand.cpp region=body holds a copy of what stands between
`#region body` and `#endregion body` in that file. English is the source: a Portuguese page holds
the hash of the English page that it was translated from, so a changed sentence is noticed.
"""

import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from guide_pages import GUIDE, Page, blank, line_of, numbers, plain_figure, region_of, slug

PROGRAMS = "examples/guide"
WORDS_MAX = 1200  # of an English chapter, code left out
COLUMNS_MAX = 76  # of a program: a column of the page is 624 px wide
WORD = r"(?<![\w@.-])[^\W\d_]+(?:['’-][^\W\d_]+)*(?![\w@])"  # a digit or _ makes a name
RATIO = (0.75, 1.45)  # Portuguese words to English words

HEADINGS = {  # of a chapter, below its title
    "run": ("Run it", "Rode primeiro"),
    "picture": ("The picture", "A figura"),
    "code": ("The code", "O código"),
    "belief": ("A common belief", "Uma crença comum"),
    "exercise": ("Exercise", "Exercício"),
    "read": ("Read in anel", "Para ler no anel"),
    "python": ("In Python", "Em Python"),
}
OPENING = (("You will be able to", "You need"), ("Você vai conseguir", "Você precisa"))

# What Portuguese prose says with another word, unless it stands in *italics*, as a quotation.
TERMS = {
    r"frames?": "quadro",
    r"resumes?|resum(?:ir|iu|ido|ida|idos|idas|indo|em|imos)": "retomar",
    r"(?:event )?loops?": "laço",
    r"completions?": "resultado",
    r"submissions?": "pedido",
    r"sessions?": "sessão",
    r"tasks?": "tarefa",
    r"ready": "pronto",
    r"descriptors?|descriptor(?:es)": "descritor",
    r"(?:byte )?streams?": "fluxo de bytes",
    r"system calls?|syscalls?": "chamada de sistema",
    r"soquetes?": "socket",
    r"memórias? temporárias?|bufers?": "buffer",
    r"temporizações|tempo limite": "timeout",
    r"coroutines?": "corrotina",
}


def copy_of(guide, fence):
    path = guide.root / fence.file
    if not path.is_file():
        return None, f"there is no file {fence.file}"
    lines, wrong = region_of(path.read_text(encoding="utf-8"), fence.region)
    return lines, wrong and f"{fence.file} {wrong}"


class Guide:
    def __init__(self, root):
        self.root = root
        paths = sorted(path.relative_to(root).as_posix() for folder in (GUIDE, f"{GUIDE}/pt")
                       for path in (root / folder).glob("*.md"))
        self.pages = {path: Page(root, path) for path in paths}
        self.ids = {}

    def pairs(self):
        for path, page in self.pages.items():
            other = self.pages.get(f"{GUIDE}/pt/{page.name}")
            if not page.portuguese and other:
                yield page, other

    def ids_of(self, path):
        """The ids of a Markdown file, explicit ones and those that a forge gives."""
        if path not in self.ids:
            page = self.pages.get(path) or Page(self.root, path)
            html = re.findall(r'<a (?:id|name)="([^"]+)"', page.text)
            self.ids[path] = {h[3] or "" for h in page.headings} | {
                slug(h[2]) for h in page.headings} | set(html)
        return self.ids[path]


# The checks of one page: each yields (file, line, what is wrong).

def check_fences(guide, page):
    if page.unclosed:
        yield page.path, page.unclosed, "a code fence that nothing closes"
    for fence in page.fences:
        if fence.region and not fence.file:
            yield page.path, fence.line, "a region without a file"
        if fence.file:
            lines, wrong = copy_of(guide, fence)
            if wrong:
                yield page.path, fence.line, wrong
            elif lines != fence.lines:
                yield page.path, fence.line, f"differs from {fence.name()}: run --sync"


def check_figures(guide, page):
    base = os.path.dirname(page.path)
    mine = "pt" if page.portuguese else "en"
    narrow = {plain_figure(file) for _, file, _, is_narrow in page.figures if is_narrow}
    for line, file, alt, is_narrow in page.figures:
        if not file or re.match(r"\w+:", file):
            yield page.path, line, f"a figure from elsewhere: {file or 'no file'}"
            continue
        path = os.path.normpath(f"{base}/{file}")
        name = re.fullmatch(r"(.*)_(en|pt)(_narrow)?\.svg", path)
        if not is_narrow and not (alt or "").strip():
            yield page.path, line, f"{file}: no alternative text"
        if not path.startswith(f"{GUIDE}/figures/"):
            if not (guide.root / path).is_file():
                yield page.path, line, f"there is no figure {path}"
            continue
        if not name:
            yield page.path, line, f"{file}: a figure is called NAME_{mine}.svg"
            continue
        if name[2] != mine:
            yield page.path, line, f"{file}: the figure of the other language"
        if bool(name[3]) != is_narrow:
            yield page.path, line, f"{file}: only the <source> is _narrow"
        if is_narrow:
            continue
        if plain_figure(file) not in narrow:
            yield page.path, line, f"{file}: no <source> for narrow screens"
        for ending in ("_en", "_pt", "_en_narrow", "_pt_narrow"):
            if not (guide.root / f"{name[1]}{ending}.svg").is_file():
                yield page.path, line, f"there is no figure {name[1]}{ending}.svg"


def check_links(guide, page):
    base = os.path.dirname(page.path)
    for line, target in page.links:
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = os.path.normpath(f"{base}/{file}") if file else page.path
        where = guide.root / path
        if path.startswith("..") or target.startswith("/") or not where.exists():
            yield page.path, line, f"the link {target} leads nowhere"
        elif anchor and path.endswith(".md"):
            if anchor not in guide.ids_of(path):
                yield page.path, line, f"{path} has no heading #{anchor}"
        elif anchor:
            last = re.fullmatch(r"L(\d+)(?:-L(\d+))?", anchor)
            if not last or int(last[2] or last[1]) > where.read_text().count("\n"):
                yield page.path, line, f"{path} has no line #{anchor}"
        if page.portuguese and path in guide.pages and not path.startswith(f"{GUIDE}/pt/"):
            if path != f"{GUIDE}/{page.name}" and f"{GUIDE}/pt/{path.split('/')[-1]}" \
                    in guide.pages:
                yield page.path, line, f"{target} is the English page"


def check_chapter(_, page):
    for line, level, title, anchor in page.headings:
        if level > 1 and not anchor:
            yield page.path, line, f"the heading '{title}' has no {{#id}}"
    number = re.match(r"(\d\d)_", page.name)
    if not number:
        return
    language = int(page.portuguese)
    titles = [h for h in page.headings if h[1] == 1]
    if len(titles) != 1 or not titles[0][2].startswith(f"{int(number[1])}. "):
        yield page.path, 1, f"the title is not one `# {int(number[1])}. …`"
    for text in OPENING[language]:
        if f"**{text}" not in page.text:
            yield page.path, titles[0][0] if titles else 1, f"no **{text}**"
    expected = [(anchor, names[language]) for anchor, names in HEADINGS.items()]
    second = [(h[3], h[2], h[0]) for h in page.headings if h[1] == 2]
    for anchor, text in expected:
        if (anchor, text) not in [h[:2] for h in second]:
            yield page.path, 1, f"no heading `## {text} {{#{anchor}}}`"
    for anchor, text, line in second:
        if (anchor, text) not in expected:
            yield page.path, line, f"`## {text}` is none of the headings of a chapter"
    order = [h[0] for h in second if h[0] in HEADINGS]
    if order != [anchor for anchor in HEADINGS if anchor in order]:
        yield page.path, 1, "the headings stand in another order"
    if not page.portuguese and page.words() > WORDS_MAX:
        yield page.path, 1, f"{page.words()} words without code, at most {WORDS_MAX}"


def check_terms(_, page):
    if not page.portuguese:
        return
    text = page.without_italics()
    for term, word in TERMS.items():
        for match in re.finditer(rf"(?<![\w-])(?:{term})(?![\w-])", text, re.IGNORECASE):
            yield page.path, line_of(text, match.start()), f"{match[0]}: say {word}"


# The checks of a pair.

def check_pair(_, page, other):
    if other.matter.get("translation-of") != f"../{page.name}":
        yield other.path, 1, f"no `translation-of: ../{page.name}` at its top"
    if other.matter.get("source-hash") != page.hash:
        yield other.path, 1, f"{page.path} has changed: translate, then --stamp {page.name}"
    yield from in_order(other, "heading", [(h[0], f"{'#' * h[1]} {{#{h[3]}}}")
                                           for h in page.headings],
                        [(h[0], f"{'#' * h[1]} {{#{h[3]}}}") for h in other.headings])
    yield from in_order(other, "code fence", [(f.line, fence_key(f)) for f in page.fences],
                        [(f.line, fence_key(f)) for f in other.fences])
    yield from in_order(other, "figure", figure_keys(page), figure_keys(other))
    yield from in_order(other, "box", page.boxes, other.boxes)
    yield from as_often(other, "link", link_keys(page), link_keys(other))
    yield from as_often(other, "code word", page.code, other.code)
    yield from as_often(other, "number", numbers(page), numbers(other))
    ratio = other.words() / max(page.words(), 1)
    if page.words() >= 40 and not RATIO[0] <= ratio <= RATIO[1]:
        yield other.path, 1, f"{ratio:.2f} times the words of the English page, not {RATIO[0]} " \
                             f"to {RATIO[1]}"


def fence_key(fence):
    return f"{fence.lang} {fence.name()}" if fence.file else "\n".join([fence.info, *fence.lines])


def figure_keys(page):
    return [(line, plain_figure(file) + (" (narrow)" if narrow else ""))
            for line, file, _, narrow in page.figures]


def link_keys(page):
    """Where links lead, as seen from the English page. A link to the other language is left out."""
    base = os.path.dirname(page.path)
    for line, target in page.links:
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            yield line, target
            continue
        file, hash_sign, anchor = target.partition("#")
        path = os.path.normpath(f"{base}/{file}")
        twin = f"{GUIDE}/{page.name}" if page.portuguese else f"{GUIDE}/pt/{page.name}"
        if path != twin:
            yield line, path.replace(f"{GUIDE}/pt/", f"{GUIDE}/") + hash_sign + anchor


def shown(text):
    return repr(text) if len(text) < 60 and "\n" not in text else repr(text[:50]) + "…"


def in_order(other, what, english, portuguese):
    english, portuguese = list(english), list(portuguese)
    for (at, left), (line, right) in zip(english, portuguese):
        if left != right:
            yield other.path, line, f"{what} {shown(right)}; in English (line {at}) {shown(left)}"
            return
    if len(english) > len(portuguese):
        at, left = english[len(portuguese)]
        yield other.path, 1, f"{what} {shown(left)} of the English page (line {at}) is missing"
    elif len(english) < len(portuguese):
        line, right = portuguese[len(english)]
        yield other.path, line, f"{what} {shown(right)} is not in the English page"


def as_often(other, what, english, portuguese):
    english, portuguese = list(english), list(portuguese)
    left = collections.Counter(key for _, key in english)
    right = collections.Counter(key for _, key in portuguese)
    for key in left - right:
        at = ", ".join(str(line) for line, found in english if found == key)
        yield other.path, 1, f"{what} {shown(key)}: {left[key]} in English (line {at}), " \
                             f"{right[key]} here"
    for key in right - left:
        line = [line for line, found in portuguese if found == key][-1]
        yield other.path, line, f"{what} {shown(key)}: {right[key]} here, {left[key]} in English"


# The checks of the whole.

def check_whole(guide):
    for path, page in guide.pages.items():
        twin = f"{GUIDE}/{page.name}" if page.portuguese else f"{GUIDE}/pt/{page.name}"
        if twin not in guide.pages:
            yield path, 1, f"there is no {twin}"
    fences = {fence.file for page in guide.pages.values() for fence in page.fences}
    text = "\n".join(page.text for page in guide.pages.values())
    for program in sorted((guide.root / PROGRAMS).glob("*")):
        path = f"{PROGRAMS}/{program.name}"
        if program.suffix not in (".cpp", ".hpp", ".py", ".txt") or \
                program.name == "CMakeLists.txt":
            continue
        only_named = re.search(r"_(?:exercise|answers?)\b", program.name)
        if only_named and program.name not in text:
            yield path, 1, "no page names it"
        elif not only_named and path not in fences:
            yield path, 1, "no page shows it"
        for number, line in enumerate(program.read_text(encoding="utf-8").split("\n"), 1):
            if len(line) > COLUMNS_MAX and program.suffix != ".txt":
                yield path, number, f"{len(line)} columns, at most {COLUMNS_MAX}"


def check_spelling(guide, pages):
    """Words that neither hunspell nor docs/guide/words.txt knows."""
    if not all(has_dictionary(name) for name in ("en_US", "pt_BR")):
        print("spelling left out: apt-get install hunspell hunspell-en-us hunspell-pt-br")
        return
    path = guide.root / GUIDE / "words.txt"
    ours = set(path.read_text(encoding="utf-8").lower().split()) if path.exists() else set()
    for page in pages:
        found = {}
        # One in capitals is a name.
        text = page.without_italics() if page.portuguese else page.prose
        for match in re.finditer(WORD, text):
            if not match[0].isupper() and match[0].lower() not in ours:
                found.setdefault(match[0].replace("’", "'"), line_of(text, match.start()))
        for word in misspelt(list(found), "pt_BR" if page.portuguese else "en_US", ours):
            yield page.path, found[word], f"spelling: {word} (or add it to {GUIDE}/words.txt)"


def has_dictionary(name):
    if not shutil.which("hunspell"):
        return False
    return subprocess.run(["hunspell", "-d", name, "-l"], input="", text=True, check=False,
                          capture_output=True).returncode == 0


def misspelt(words, dictionary, ours):
    """Those of the words that are wrong as a whole and in one of their parts."""
    asked = {word: [part for part in word.split("-") if part.lower() not in ours]
             for word in words}
    lines = [line for word, parts in asked.items() for line in (word, *parts)]
    wrong = set(subprocess.run(["hunspell", "-d", dictionary, "-i", "utf-8", "-l"], check=True,
                               input="\n".join(lines), capture_output=True,
                               encoding="utf-8").stdout.split("\n"))
    return [word for word, parts in asked.items()
            if not wrong.isdisjoint([word, *word.split("-")]) and not wrong.isdisjoint(parts)]


PAGE_CHECKS = (check_fences, check_figures, check_links, check_chapter, check_terms)


def check(guide, wanted, spelling):
    problems = list(check_whole(guide))
    for page in guide.pages.values():
        for one in PAGE_CHECKS:
            problems += one(guide, page)
    for page, other in guide.pairs():
        problems += check_pair(guide, page, other)
    if spelling:
        problems += check_spelling(guide, [page for page in guide.pages.values()
                                           if wanted(page.path)])
    problems = sorted({problem for problem in problems if wanted(problem[0])})
    for path, line, message in problems:
        print(f"{path}:{line}: {message}")
    print(f"{len(guide.pages)} pages, {len(problems)} problems")
    return 1 if problems else 0


def sync(guide, wanted):
    for page in filter(lambda page: wanted(page.path), guide.pages.values()):
        lines = page.text.split("\n")
        for fence in reversed(page.fences):
            copied = copy_of(guide, fence)[0] if fence.file else None
            if copied is not None:
                lines[fence.line:fence.end - 1] = [(fence.indent + text).rstrip()
                                                   for text in copied]
        write_if_changed(guide, page, "\n".join(lines))
    return 0


def stamp(guide, wanted):
    for page, other in guide.pairs():
        if wanted(page.path):
            lines = other.text.split("\n")
            lines[:other.matter_end] = [
                "---", f"translation-of: ../{page.name}", f"source-hash: {page.hash}",
                *[f"{key}: {value}" for key, value in other.matter.items()
                  if key not in ("translation-of", "source-hash")], "---"]
            write_if_changed(guide, other, "\n".join(lines))
    return 0


def write_if_changed(guide, page, text):
    if text != page.text:
        (guide.root / page.path).write_text(text, encoding="utf-8")
        print(f"wrote {page.path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--sync", action="store_true")
    parser.add_argument("--stamp", action="store_true")
    parser.add_argument("--no-spelling", action="store_true")
    parser.add_argument("pages", nargs="*", metavar="PAGE")
    asked = parser.parse_args()
    guide = Guide(asked.root.resolve())

    def wanted(path):
        return not asked.pages or any(part in path.split("/")[-1] for part in asked.pages)

    if asked.sync:
        return sync(guide, wanted)
    if asked.stamp:
        return stamp(guide, wanted)
    return check(guide, wanted, not asked.no_spelling)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# pages.py: lays out the Markdown of the repository as the site wants it; the source stays as it is.
# SPDX-License-Identifier: MIT
"""pages.py FOLDER writes there what VitePress builds: the pages, their figures and navigation.json.

README.md becomes the home; docs/x.md becomes x.md, docs/guide/pt/x.md becomes pt/guide/x.md, and a
page elsewhere keeps its path. A link to a file that is no page leads to source/PATH.html, which
shows that file. An English page without a Portuguese twin gets one that says so, because the
language menu leads there.
"""

import html
import json
import os
import re
import shutil
import sys
from pathlib import Path

import api
import slides

ROOT = Path(__file__).resolve().parents[2]
FIGURE = re.compile(r"\.(?:svg|png|jpg|gif)$")

PARTS = ((1, 5), (6, 9), (10, 14), (15, 17))  # chapters of the guide's four parts
BESIDE = ("Beside the chapters", "Além dos capítulos")
EXTRAS = ("questions", "appendix", "for_teachers")
# The pages of docs/ in the order of reading; a page that is not here comes last.
ORDER = ("common_mistakes", "cancel_safety", "seeing_inside", "other_descriptors", "simulation",
         "performance", "benchmarks", "benchmark_data", "experiments", "design", "platforms",
         "glossary")

STUB = """# {title}

Esta página existe somente em inglês: [{title}]({link}).
"""

SOURCE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{path}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ margin: 0 auto; max-width: 60rem; padding: 1rem }}
pre {{ font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }}
pre span {{ counter-increment: line; display: block; min-height: 1.5em; padding-left: 3.5em }}
pre span::before {{ content: counter(line); margin-left: -3.5em; width: 3em; opacity: .75;
    display: inline-block }}
:target {{ background: #ffd54f55 }}
</style></head><body><p><a href="{home}">anel</a> / {path}</p>{body}</body></html>
"""


def page_of(path):
    """Where a Markdown file of the repository stands in the site."""
    folder, name = os.path.split(path)
    name = "index.md" if name == "README.md" else name
    for before, after in (("docs/guide/pt", "pt/guide"), ("docs/guide", "guide"), ("docs", "")):
        if folder == before or folder.startswith(before + "/"):
            folder = (after + folder[len(before):]).lstrip("/")
            break
    return os.path.normpath(os.path.join(folder, name))


class Site:
    def __init__(self, out):
        self.out = out
        self.pages = {}  # path in the repository -> path in the site
        self.texts = {}  # path in the site -> text
        self.sources = set()  # files and folders that source/ shows
        self.figures = set()
        self.missing = []

    def add(self, path):
        """Takes a page in, and the pages that it links to."""
        if path in self.pages:
            return
        self.pages[path] = page_of(path)
        text = (ROOT / path).read_text(encoding="utf-8")
        self.texts[self.pages[path]] = self.rewrite(path, text)

    def rewrite(self, path, text):
        out, fence = [], None
        for line in text.split("\n"):
            ticks = re.match(r"\s*(```+)", line)
            if ticks and fence is None:
                fence = ticks[1]
                line = re.sub(r"\s+(?:file|region)=\S+", "", line)  # 06_x would mark line 6
            elif fence and line.strip() == fence:
                fence = None
            elif fence is None:
                line = self.rewrite_line(path, line)
            out.append(line)
        return "\n".join(out)

    def rewrite_line(self, path, line):
        code = []

        def hide(match):
            code.append(match[0])
            return f"\0{len(code) - 1}\0"
        line = re.sub(r"(`+)[^`]+\1(?!`)", hide, line)
        line = re.sub(r"<(img|source)\b[^>]*>", lambda tag: self.figure_tag(path, tag), line)
        line = re.sub(r"(\]\()([^)\s]+)", lambda m: m[1] + self.target(path, m[2]), line)
        line = re.sub(r"^(\[[^\]]+\]:\s*)(\S+)", lambda m: m[1] + self.target(path, m[2]), line)
        return re.sub("\0(\\d+)\0", lambda m: code[int(m[1])], line)

    def figure_tag(self, path, tag):
        def moved(match):
            return match[1] + self.target(path, match[2]) + '"'
        found = re.search(r'\b(?:src|srcset)="([^"]+)"', tag[0])
        if found and not (ROOT / os.path.dirname(path) / found[1]).is_file():
            self.missing.append(f"{path}: {found[1]}")
            alt = re.search(r'\balt="([^"]*)"', tag[0])
            return f"<em>{alt[1]}</em>" if alt else ""
        return re.sub(r'(\b(?:src|srcset)=")([^"]+)"', moved, tag[0])

    def target(self, path, target):
        """A link of the page `path`, as the site has it."""
        if re.match(r"[a-z]+:|#", target):
            return target
        file, hash_sign, anchor = target.partition("#")
        file = os.path.normpath(os.path.join(os.path.dirname(path), file))
        if not (ROOT / file).exists() or file.startswith(".."):
            self.missing.append(f"{path}: {target}")
            return "#"
        if FIGURE.search(file):
            self.figures.add(file)
            return "/" + page_of(file)
        if file.endswith(".md") or (ROOT / file / "README.md").is_file():
            file = file if file.endswith(".md") else f"{file}/README.md"
            self.add(file)
            return "/" + self.pages[file] + hash_sign + anchor
        return self.source_url(file) + hash_sign + anchor

    def source_url(self, file):
        self.sources.add(file)
        if (ROOT / file / "index.html").is_file():
            return f"/source/{file}/index.html"
        return f"/source/{file}.html"

    def write(self):
        for page, text in self.texts.items():
            put(self.out / page, text)
        for figure in self.figures:
            copy(ROOT / figure, self.out / "public" / page_of(figure))
        public = self.out / "public/source"
        for file in sorted(self.sources):
            where = ROOT / file
            if where.is_dir() and (where / "index.html").is_file():
                shutil.copytree(where, public / file, dirs_exist_ok=True)
            else:
                self.write_source(file, public / f"{file}.html")

    def write_source(self, file, to):
        where = ROOT / file
        if where.is_dir():
            names = sorted(p.name + "/" * p.is_dir() for p in where.iterdir())
            body = f"<ul>{''.join(f'<li>{html.escape(name)}</li>' for name in names)}</ul>"
        else:
            lines = where.read_text(encoding="utf-8").rstrip("\n").split("\n")
            spans = (f'<span id="L{n}">{html.escape(text)}</span>'
                     for n, text in enumerate(lines, 1))
            body = f"<pre>{''.join(spans)}</pre>"
        home = "../" * (file.count("/") + 1) + "index.html"
        put(to, SOURCE.format(path=html.escape(file), body=body, home=home))


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def copy(path, to):
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


def title_of(text):
    found = re.search(r"^# (.+?)\s*(?:\{#[\w-]+\})?$", text, re.MULTILINE)
    return found[1].replace("`", "") if found else "?"


def settings(page, text, is_stub):
    """The front matter of a page of the site, in the place of its own."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    lines = []
    if is_stub:
        lines = ["search: false", "aside: false", "prev: false", "next: false"]
    elif page == "pt/index.md":
        lines = ["aside: false", "pageClass: wide", "search: false"]  # pt/guide/ once more
    elif "guide/" in page or page == "index.md":
        lines = ["aside: false", "pageClass: wide"]  # its figures are 960 px wide
    title = title_of(text).replace('"', "")
    return "\n".join(["---", f'title: "{title}"', *lines, "---", "", text])


def navigation(site, reference, printed):
    """What the side bar holds, in both languages."""
    def entry(page, text=None):
        text = text or title_of(site.texts[page])
        return {"text": text, "link": "/" + re.sub(r"(?:(?<=/)|^)index\.md$|\.md$", "", page)}

    def group(text, pages, collapsed=False):
        items = [entry(page) for page in pages if page in site.texts]
        return [{"text": text, "items": items, "collapsed": collapsed}] if items else []

    def chapters(folder, first, last):
        return sorted(page for page in site.texts
                      if re.fullmatch(rf"{folder}/\d\d_\w+\.md", page)
                      and first <= int(page.split("/")[-1][:2]) <= last)

    result = {}
    for language, folder in enumerate(("guide", "pt/guide")):
        index = f"{folder}/index.md"
        bar = [entry(index)] if index in site.texts else []
        names = re.findall(r"^\*\*(Parte? \d: .+?)\.?\*\*", site.texts.get(index, ""), re.MULTILINE)
        for number, (first, last) in enumerate(PARTS):
            name = names[number] if number < len(names) else f"{first}–{last}"
            bar += group(name, chapters(folder, first, last))
        bar += group(BESIDE[language],
                     [f"{folder}/{name}.md" for name in EXTRAS])
        pdf = f"slides_{('en', 'pt')[language]}.pdf"
        if pdf in printed:
            slide = {"text": "Slides (PDF)", "link": f"/{pdf}", "target": "_self"}
            (bar[-1]["items"] if bar[-1].get("text") in BESIDE else bar).append(slide)
        docs = [page for page in site.texts if "/" not in page and page != "index.md"
                and site_is_doc(site, page)]
        docs.sort(key=lambda page: (ORDER + (page[:-3],)).index(page[:-3]))
        docs = ["index.md", *docs] if language else docs
        bar += group(("Documentation", "Documentação (em inglês)")[language], docs)
        bar += [{"text": ("API reference", "Referência da API (em inglês)")[language],
                 "collapsed": True, "items": [entry(page, name) for page, name in reference]}] \
            if reference else []
        bar += group(("Project", "Projeto (em inglês)")[language],
                     [page for page in site.texts if page in site.project], True)
        result["pt" if language else "en"] = bar
    return result


def site_is_doc(site, page):
    return site.pages.get(f"docs/{page}") == page


def main():
    out = Path(sys.argv[1])
    site = Site(out)
    site.add("README.md")
    for folder in ("docs", "docs/guide", "docs/guide/pt"):
        for path in sorted((ROOT / folder).glob("*.md")):
            site.add(path.relative_to(ROOT).as_posix())
    reference = []
    for page, (name, text) in api.reference(ROOT, out.parent / "doxygen").items():
        site.texts[page] = text
        reference.append((page, name))
        site.sources.update(re.findall(r"\(/source/([^)#]+)\.html", text))
    site.project = [page for path, page in sorted(site.pages.items())
                    if path != "README.md" and not path.startswith("docs/")]
    if "pt/guide/index.md" in site.texts:
        site.texts["pt/index.md"] = site.texts["pt/guide/index.md"]
    bars = navigation(site, reference, slides.write(out / "public"))
    stubs = {f"pt/{page}": STUB.format(title=title_of(text), link=f"/{page}")
             for page, text in site.texts.items()
             if not page.startswith("pt/") and f"pt/{page}" not in site.texts}
    site.texts = {page: settings(page, text, page in stubs)
                  for page, text in {**site.texts, **stubs}.items()}
    site.write()
    put(out / "navigation.json", json.dumps(bars, ensure_ascii=False, indent=1))
    for line in site.missing:
        print(f"not there yet: {line}")
    print(f"{len(site.texts)} pages, {len(site.sources)} files of source")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# slides.py: the figures of the guide as PDF for teachers, a slide each.
# SPDX-License-Identifier: MIT
"""slides.py FOLDER writes FOLDER/slides_en.pdf and FOLDER/slides_pt.pdf.

A slide holds the title of its chapter, the figure, and its alternative text. Chromium prints them;
without it rsvg-convert makes a PDF of the bare figures; without either it says so.
"""

import html
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import browser

ROOT = Path(__file__).resolve().parents[2]
PAGE = """<!doctype html><html lang="{language}"><meta charset="utf-8"><title>anel</title><style>
@page {{ size: 13.33in 7.5in; margin: 0 }}
body {{ margin: 0; font: 18px system-ui, sans-serif }}
section {{ break-after: page; break-inside: avoid; box-sizing: border-box; height: 7.48in;
    padding: .4in .6in; display: flex; flex-direction: column; gap: .15in }}
section:last-child {{ break-after: auto }}
h1 {{ font-size: 30px; margin: 0 }}
img {{ flex: 1; min-height: 0; object-fit: contain; object-position: center }}
p {{ margin: 0; color: #444; font-size: 16px }}
</style>{slides}</html>"""
SLIDE = '<section><h1>{title}</h1><img src="{file}"><p>{text}</p></section>'


def slides_of(folder, language):
    """(title of the chapter, file of the figure, its text), in the order of the guide."""
    for page in sorted((ROOT / "docs/guide" / folder).glob("[0-9][0-9]_*.md")):
        text = page.read_text(encoding="utf-8")
        title = re.search(r"^# (.+?)\s*(?:\{#.*\})?$", text, re.MULTILINE)
        for tag in re.findall(r"<img\b[^>]*>", text):
            given = dict(re.findall(r'(\w+)="([^"]*)"', tag))
            file = (page.parent / given.get("src", "")).resolve()
            if file.is_file() and file.name.endswith(f"_{language}.svg"):
                yield title[1] if title else "", file, given.get("alt", "")


def write(out):
    """Returns the names of what was written."""
    written = []
    for language, folder in (("en", "."), ("pt", "pt")):
        slides = list(slides_of(folder, language))
        to = out / f"slides_{language}.pdf"
        if slides and print_to(to, slides, language):
            written.append(to.name)
    return written


def print_to(to, slides, language):
    to.parent.mkdir(parents=True, exist_ok=True)
    if browser.find():
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "slides.html"
            page.write_text(PAGE.format(language=language, slides="".join(
                SLIDE.format(title=html.escape(title), file=file.as_uri(), text=text)
                for title, file, text in slides)), encoding="utf-8")
            subprocess.run(
                [browser.find(), "--headless", "--no-sandbox", "--disable-gpu",
                 "--allow-file-access-from-files", f"--user-data-dir={folder}/profile",
                 "--no-pdf-header-footer", f"--print-to-pdf={to}", page.as_uri()],
                check=True, capture_output=True, timeout=300)
    elif shutil.which("rsvg-convert"):
        subprocess.run(["rsvg-convert", "-f", "pdf", "-o", to, *(file for _, file, _ in slides)],
                       check=True)
    else:
        print("slides left out: apt-get install chromium (or librsvg2-bin)")
        return False
    return True


def main():
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/docs"
    for name in write(out):
        print(f"wrote {out / name}")


if __name__ == "__main__":
    main()

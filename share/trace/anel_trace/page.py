# page.py: one HTML page that holds a picture in both languages and both widths.
# SPDX-License-Identifier: MIT
"""Nothing is loaded and no script runs: two buttons choose the language, the width of the window
chooses the picture."""

from .drawing import COLOURS, FACES, clean, style
from .words import LANGUAGES, NAMES

WIDE, NARROW = 960, 390

RULES = """
body{margin:0 auto;padding:12px;max-width:%dpx;font-family:%s;background:%s;color:%s}
svg{display:block;max-width:100%%;height:auto}
.wide,.narrow{display:none}
input{margin:0 6px 0 0}label{margin-right:18px}
%s
@media (prefers-color-scheme:dark){body{background:%s;color:%s}}
"""


def rules():
    """Of four pictures one is shown."""
    shown = []
    for size, width in (("wide", f"min-width:{WIDE + 1}px"), ("narrow", f"max-width:{WIDE}px")):
        each = ",".join(f"#{language}:checked~.{language}.{size}" for language in LANGUAGES)
        shown.append(f"@media ({width}){{{each}{{display:block}}}}")
    page, ink = COLOURS["page"], COLOURS["ink"]
    return RULES % (WIDE, FACES, page[0], ink[0], "\n".join(shown), page[1], ink[1])


def html(draw, title, language):
    """The page; `draw(language, width)` makes a picture without its style."""
    parts = ['<!doctype html>', f'<html lang="{language}"><head><meta charset="utf-8">',
             '<meta name="viewport" content="width=device-width">',
             '<meta name="color-scheme" content="light dark">',
             f'<title>{clean(title)}</title><style>{rules()}{style()}</style></head><body>']
    for each, name in zip(LANGUAGES, NAMES):
        checked = " checked" if each == language else ""
        parts.append(f'<input type="radio" name="language" id="{each}"{checked}>'
                     f'<label for="{each}" lang="{each}">{name}</label>')
    for each in LANGUAGES:
        for size, width in (("wide", WIDE), ("narrow", NARROW)):
            parts.append(f'<div class="{each} {size}">\n{draw(each, width)}</div>')
    return "\n".join(parts) + "\n</body></html>\n"

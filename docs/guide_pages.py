# guide_pages.py: takes the pages of the guide apart: prose, code, figures, links, regions.
# SPDX-License-Identifier: MIT
"""What check_guide.py and the site know of a page. A line of a page is counted from 1."""

import hashlib
import re
import textwrap

GUIDE = "docs/guide"


class Fence:
    def __init__(self, line, indent, info):
        self.line, self.indent, self.info = line, indent, info
        self.lines = []
        self.end = 0  # the line that closes it
        self.lang = info.split()[0] if info.split() else ""
        found = dict(re.findall(r"\b(file|region)=(\S+)", info))
        self.file, self.region = found.get("file"), found.get("region")

    def name(self):
        return f"{self.file} {self.region or '(all)'}" if self.file else f"```{self.info}"


class Page:
    """A page, taken apart. Lines count from 1; what is no prose is blanked in `prose`."""

    def __init__(self, root, path):
        self.path = path
        self.text = (root / path).read_text(encoding="utf-8")
        self.portuguese = path.startswith(f"{GUIDE}/pt/")
        self.name = path.split("/")[-1]
        self.matter, self.fences, self.headings = {}, [], []
        self.unclosed = None
        lines = self.text.split("\n")
        begin = 0
        if lines[0] == "---" and "---" in lines[1:]:
            begin = lines.index("---", 1) + 1
            self.matter = dict(re.findall(r"^([\w-]+):\s*(\S.*?)\s*$",
                                          "\n".join(lines[1:begin - 1]), re.MULTILINE))
        self.matter_end = begin
        self.lines = ["" if n < begin else text for n, text in enumerate(lines)]
        self.blank_fences()
        whole = "\n".join(self.lines)
        self.hash = hashlib.sha256(self.hashed().encode()).hexdigest()[:12]
        whole = re.sub(r"<!--.*?-->", blank, whole, flags=re.DOTALL)
        self.code = [(line_of(whole, m.start()), m[2].strip())
                     for m in re.finditer(r"(`+)([^`\n]+?)\1(?!`)", whole)]
        self.with_code = whole
        whole = re.sub(r"(`+)([^`\n]+?)\1(?!`)", blank, whole)
        for match in re.finditer(r"^(#{1,6})\s+(.*?)(?:\s*\{#([\w-]+)\})?\s*$", self.with_code,
                                 re.MULTILINE):
            self.headings.append((line_of(self.with_code, match.start()), len(match[1]),
                                  match[2], match[3]))
        self.figures = list(figures(whole))
        self.links = [(line_of(whole, m.start()), m[1] or m[2]) for m in re.finditer(
            r"(?<!\!)\[[^\]]*\]\(\s*([^)\s]+)[^)]*\)|^\[[^\]]+\]:\s*(\S+)", whole, re.MULTILINE)]
        self.boxes = list(boxes(self.lines))
        self.prose = prose(whole)
        self.prose_with_code = prose(self.with_code)

    def blank_fences(self):
        fence = None
        for number, text in enumerate(self.lines, 1):
            ticks = re.match(r"(\s*)(```+)\s*(.*)$", text)
            if fence is None and ticks:
                fence = Fence(number, ticks[1], ticks[3].strip())
                fence.ticks = ticks[2]
            elif fence and ticks and len(ticks[2]) >= len(fence.ticks) and not ticks[3]:
                fence.end = number
                self.fences.append(fence)
                fence = None
            elif fence:
                fence.lines.append(text.removeprefix(fence.indent))
            else:
                continue
            self.lines[number - 1] = ""
        self.unclosed = fence and fence.line

    def hashed(self):
        """The text, less what --sync writes: a changed program does not change the prose."""
        out = [text for text in self.lines if text.strip()]
        for fence in self.fences:
            out += [fence.info] if fence.file else [fence.info, *fence.lines]
        return "\n".join(out)

    def words(self):
        return len(self.prose_with_code.split())

    def without_italics(self):
        """Words of the other language stand in italics."""
        return re.sub(r"(?<![*\w])([*_])(?![*_\s])[^*_\n]+\1(?![*\w])", blank, self.prose)


def blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def prose(text):
    """Less tags, link targets, images and ids of headings; lines stay where they are."""
    text = re.sub(r"<[a-zA-Z/][^>]*>|!\[[^\]]*\]\([^)]*\)|\{#[\w-]+\}", blank, text)
    text = re.sub(r"\]\([^)\n]*\)|^\[[^\]]+\]:.*$", blank, text, flags=re.MULTILINE)
    return re.sub(r"https?://\S+", blank, text)


def figures(text):
    """(line, file, alternative text or None, whether it is the source for narrow screens)."""
    for tag in re.finditer(r"<(img|source)\b[^>]*>", text):
        given = dict(re.findall(r'(\w+)="([^"]*)"', tag[0]))
        file = given.get("src" if tag[1] == "img" else "srcset", "")
        yield line_of(text, tag.start()), file, given.get("alt"), tag[1] == "source"
    for image in re.finditer(r"!\[([^\]]*)\]\(\s*([^)\s]+)[^)]*\)", text):
        yield line_of(text, image.start()), image[2], image[1], False


def boxes(lines):
    inside = False
    for number, text in enumerate(lines, 1):
        quoted = re.match(r"\s*>\s?(?:\[!(\w+)\])?", text)
        if quoted and not inside:
            yield number, (quoted[1] or "quotation").lower()
        inside = bool(quoted)
        container = re.match(r":::\s*(\w+)", text)
        if container:
            yield number, container[1]


def plain_figure(file):
    """A figure's name in every language and width."""
    return re.sub(r"_(?:en|pt)(?:_narrow)?\.svg$", "", re.sub(r"^(?:\.\./)+", "", file))


def numbers(page):
    for match in re.finditer(r"\d+(?:[.,]\d+)*", page.prose):
        yield line_of(page.prose, match.start()), plain_number(match[0], page.portuguese)


def plain_number(text, portuguese):
    """1,200 and 7.8 in English, 1.200 and 7,8 in Portuguese; 5.10.162 is the same in both."""
    group, point = (".", ",") if portuguese else (",", ".")
    if re.fullmatch(rf"\d{{1,3}}(?:\{group}\d{{3}})+(?:\{point}\d+)?", text):
        return text.replace(group, "").replace(point, ".")
    if re.fullmatch(rf"\d+\{point}\d+", text):
        return text.replace(point, ".")
    return text


def slug(title):
    """The id that a forge gives to a heading."""
    title = re.sub(r"[`*]|\]\([^)]*\)|\[", "", title).strip().lower()
    return re.sub(r"[^\w\- ]", "", title).replace(" ", "-")


def region_of(text, name):
    """The lines of a region (of all, when `name` is None), less markers; or what is wrong."""
    marker = re.compile(r"\s*(?://|#|/\*|--)\s*#(region|endregion)\b\s*([\w-]*)")
    inside, found, open_at = name is None, [], name is None
    seen = 0
    for text_line in text.rstrip("\n").split("\n"):
        mark = marker.match(text_line)
        if not mark:
            if inside:
                found.append(text_line)
        elif name is not None and mark[2] == name:
            inside = open_at = mark[1] == "region"
            seen += inside
    if not seen and name is not None:
        return None, f"has no region {name}"
    if seen > 1:
        return None, f"has the region {name} {seen} times"
    if name is not None and open_at:
        return None, f"does not end the region {name}"
    return textwrap.dedent("\n".join(found)).strip("\n").split("\n"), None

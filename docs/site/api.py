#!/usr/bin/env python3
# api.py: pages of the API reference, from the docstrings of the public headers.
# SPDX-License-Identifier: MIT
"""Reads what Doxygen (XML) finds in runtime/anel and net/anel; a page for each public header.

    api.py FOLDER          writes the pages to FOLDER/api
    api.py --gate          names public functions and types without a docstring; exits with 1 if any

A function that is awaited is shown as `co_await recv(mutable_buffer buffer) -> std::size_t`: the
type behind the arrow is what finish() or value() of its awaiter returns, or the T of a task<T>.
"""

import html
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEDUCED = {  # what `co_await` gives where the return type is auto
    "as_result": "result<awaited_t<A>>", "with_timeout": "awaited_t<A>",
    "shielded": "awaited_t<A>", "offload": "std::invoke_result_t<Function>",
}
TYPES = ("class", "struct")
FIELDS = ("Returns", "Errors", "Lifetime", "Thread", "Cost", "Source")

# Line numbers stay. Attributes and friends confuse Doxygen 1.9; a field becomes a paragraph.
FILTER = (r"sed -E 's/\[\[[^]]*\]\]//g; s,^( *)friend [^({]*;,\1,; "
          rf"s,^( *)/// (({'|'.join(FIELDS)}) |Lifetime) +,\1/// @field{{\2}} ,'")
SETTINGS = """
INPUT={root}/runtime/anel {root}/net/anel
RECURSIVE=YES
FILE_PATTERNS=*.hpp
OUTPUT_DIRECTORY={out}
GENERATE_HTML=NO
GENERATE_LATEX=NO
GENERATE_XML=YES
XML_PROGRAMLISTING=NO
EXTRACT_ALL=YES
WARN_IF_UNDOCUMENTED=NO
QUIET=YES
INPUT_FILTER="{filter}"
ALIASES="field{{1}}=@par \\1^^"
"""

GROUPS = (
    ("Sockets", "tcp udp datagram_batch socket endpoint hostname resolve buffer recv_buffer "
                "byte_stream any_stream memory_stream buffered_reader framing lingering_close "
                "detached_stream serve"),
    ("Tasks", "task task_group when timeout sleep time event mutex channel generator stop_request "
              "stop_token error"),
    ("Starting, threads, the system", "run per_core backend signal standard_input post "
                                      "thread_channel offload file"),
    ("Seeing inside", "metrics task_tree trace version"),
    ("Simulation", "sim sim_explore"),
)


class Entry:
    """What a header declares: a function, a type, a variable."""

    def __init__(self, node, scope):
        self.node, self.scope = node, scope
        self.kind = node.get("kind")
        self.id = node.get("id")
        self.name = node.findtext("name") or node.findtext("compoundname").split("::")[-1]
        place = node.find("location")
        self.file = place.get("declfile") or place.get("file")
        self.line = int(place.get("declline") or place.get("line"))
        self.header = "/".join(self.file.split("/")[-2:]) if "/detail/" not in self.file else ""
        self.text = described(node)

    def type(self):
        return spelled(self.node.find("type"))


class Reference:
    def __init__(self, folder):
        self.compounds = {}
        for path in folder.glob("*.xml"):
            for node in ElementTree.parse(path).getroot().iter("compounddef"):
                self.compounds[node.get("id")] = node
        self.anchors = {}  # id of Doxygen -> page#anchor

    def public(self, node):
        name = node.findtext("compoundname")
        return name.startswith("anel::") and "detail" not in name.split("::") and \
            node.get("prot") == "public"

    def bases(self, node):
        for base in node.findall("basecompoundref"):
            known = self.compounds.get(base.get("refid"))
            if known is not None:
                yield known

    def members(self, node, *sections):
        for section in node.findall("sectiondef"):
            if section.get("kind") in sections:
                yield from section.findall("memberdef")

    def awaited(self, node):
        """What `co_await` gives for a class of this reference; None when it is no awaitable."""
        starts = gives = None
        for each in self.lineage(node):
            for member in self.members(each, "public-func", "public-static-func"):
                name = member.findtext("name")
                starts = starts or name == "start"
                type_of = spelled(member.find("type"))
                if name in ("finish", "value") and "auto" not in type_of:
                    if name == "value" or not gives:
                        gives = gives or type_of
        for base in node.findall("basecompoundref"):
            starts = starts or (base.text or "").startswith(("io<", "io ", "detail::io<"))
        return gives if starts or gives and "wait" in node.findtext("compoundname") else None

    def lineage(self, node):
        yield node
        for base in self.bases(node):
            yield from self.lineage(base)

    def yields(self, entry):
        """What `co_await f()` gives for a function; None when it is not awaited."""
        type_of = entry.node.find("type")
        text = entry.type()
        task = re.fullmatch(r"task(?:<(.*)>)?", text)
        if task:
            return (task[1] or "void").strip()
        if text in ("", "auto"):
            return DEDUCED.get(entry.name)
        reference = type_of.find("ref")
        if reference is not None and text.split("<")[0].split("::")[-1] == reference.text.split(
                "::")[-1]:
            node = self.compounds.get(reference.get("refid"))
            if node is not None and not re.search(r"[&*]$", text):
                return self.awaited(node)
        return None


def spelled(node):
    """A type as one writes it."""
    text = "".join(node.itertext()) if node is not None else ""
    text = re.sub(r"\b(?:static|constexpr|inline|explicit|friend)\s+", "", text).strip()
    text = re.sub(r"<\s+", "<", re.sub(r"\s+>", ">", text))
    return re.sub(r"\s+([&*]+)", r"\1", re.sub(r"\s*([<,])\s*", lambda m: m[1] + (
        " " if m[1] == "," else ""), text))


def described(node):
    found = [node.find("briefdescription"), node.find("detaileddescription")]
    return [d for d in found if d is not None and "".join(d.itertext()).strip()]


def special(entry, node):
    """A member that needs no word: made by the compiler, or known to every C++ programmer."""
    arguments = entry.node.findtext("argsstring") or ""
    own = node is not None and entry.name == node.findtext("compoundname").split("::")[-1]
    copied = own and re.match(rf"\((?:const )?{re.escape(entry.name)}\s*&&?\s*\w*\)", arguments)
    traps = [" ".join(p.itertext()) for p in entry.node.findall("templateparamlist/param")]
    if "Forgotten" in " ".join(traps):  # refuses, with a static_assert, what would be a mistake
        return True
    if node is not None and node.findtext("compoundname").endswith("::iterator"):
        return True
    if own and arguments.startswith("(detail::"):  # made by the library itself
        return True
    return (arguments.endswith(("=default", "=delete", "= default", "= delete")) or bool(copied)
            or entry.name.startswith("~")
            or re.match(r"operator\s*(?:==|<=>|!=|=$|=\b)", entry.name)
            or entry.name in ("start", "finish", "try_finish", "finish_with_error"))


def doxygen(out):
    out.mkdir(parents=True, exist_ok=True)
    settings = SETTINGS.format(root=ROOT, out=out, filter=FILTER)
    done = subprocess.run(["doxygen", "-"], input=settings, capture_output=True, text=True,
                          check=True)
    # Two specialisations of std, and addresses that look like names: known and harmless.
    for line in done.stderr.split("\n"):
        if line and not re.search(r"Internal inconsistency: scope for class std::|'ffff'", line):
            print(line, file=sys.stderr)
    return out / "xml"


class Pages:
    def __init__(self, reference):
        self.reference = reference
        self.headers = {}  # anel/tcp.hpp -> its entries, in the order of the file
        self.bare = []  # functions without a word
        for node in reference.compounds.values():
            kind, name = node.get("kind"), node.findtext("compoundname")
            if kind == "namespace" and name in ("anel", "anel::sim"):
                for member in reference.members(node, "func", "enum", "typedef", "var"):
                    self.take(Entry(member, None))
            elif kind in ("class", "struct", "concept") and reference.public(node):
                entry = Entry(node, None)
                if not self.is_awaiter(node):
                    self.take(entry)
        for entries in self.headers.values():
            entries.sort(key=lambda entry: entry.line)

    def is_awaiter(self, node):
        """A class inside another that is only awaited, like event::wait_type, or a promise."""
        inside = node.findtext("compoundname").removeprefix("anel::sim").count("::") > 1
        return inside and (node.findtext("compoundname").endswith("promise_type")
                           or self.reference.awaited(node) is not None)

    def take(self, entry):
        if entry.kind == "variable" and entry.node.findtext("argsstring"):
            return  # a function that Doxygen took for a variable: it refuses a mistake
        if re.fullmatch(r"anel/\w+\.hpp", entry.header) and "<" not in entry.name:
            self.headers.setdefault(entry.header, []).append(entry)

    def members_of(self, node):
        kinds = ("public-func", "public-static-func", "public-attrib", "public-static-attrib",
                 "public-type", "user-defined")
        members = [Entry(m, node) for m in self.reference.members(node, *kinds)]
        made = self.reference.awaited(node) is not None and node.findtext(
            "compoundname").split("::")[-1]  # what is awaited shows how it is made itself
        members = [m for m in members if m.name != made and not (
            m.kind == "function" and special(m, node) and not m.text)]
        return sorted(members, key=lambda entry: entry.line)

    def grouped(self, entries):
        """Overloads below one docstring stand together, as in the header."""
        groups = []
        for entry in entries:
            before = groups[-1] if groups else []
            unnamed = entry.node.find("param") is not None and not entry.node.findtext(
                "param/declname")
            if entry.kind == "function" and unnamed and not entry.text and not special(
                    entry, entry.scope):
                continue  # an overload that refuses, with a static_assert, a mistake
            if before and entry.kind == "function" and not entry.text and \
                    before[0].kind == "function" and before[0].name == entry.name:
                before.append(entry)
            else:
                groups.append([entry])
        return groups

    def name_anchors(self):
        for header, entries in self.headers.items():
            page, seen = page_of(header), {}
            for entry in entries:
                for each in [entry, *(self.members_of(entry.node) if is_type(entry) else [])]:
                    name = each.name if each is entry else f"{entry.name}-{each.name}"
                    name = re.sub(r"\W+", "-", name).strip("-").lower()
                    seen[name] = seen.get(name, 0) + 1
                    anchor = name + (f"-{seen[name]}" if seen[name] > 1 else "")
                    self.reference.anchors[each.id] = f"{page}#{anchor}"

    def write(self, header):
        title, intro = introduction(ROOT / folder_of(header) / header)
        out = [f"# {header.removeprefix('anel/')}", "", escaped(title), ""]
        out += [intro, ""] if intro else []
        out += [f"`#include <{header}>` · [the source](/source/{folder_of(header)}/{header}.html)",
                ""]
        for group in self.grouped(self.headers[header]):
            entry = group[0]
            out += self.entry(group, 2)
            if is_type(entry):
                for members in self.grouped(self.members_of(entry.node)):
                    out += self.entry(members, 3)
        return "\n".join(out)

    def entry(self, group, level):
        first = group[0]
        if first.kind in ("function", *TYPES, "enum", "concept") and not any(
                e.text for e in group) and not special(first, first.scope):
            self.bare.append(first)
        anchor = self.reference.anchors[first.id].split("#")[1]
        place = f"/source/{folder_of(first.header)}/{first.header}.html#L{first.line}"
        name = f"`{first.name}`" + (" (concept)" if first.kind == "concept" else "")
        if first.kind == "function":
            given = [p.findtext("declname") or "…" for p in first.node.findall("param")]
            name = f"`{first.name}({', '.join(given)})`"
        out = [f"{'#' * level} {name} {{#{anchor}}}", ""]
        for other in group[1:]:
            out.append(f'<a id="{self.reference.anchors[other.id].split("#")[1]}"></a>')
        shown = [self.declaration(entry) for entry in group]
        out += ["```cpp", *[text for text in shown if text], "```", ""] if any(shown) else []
        for entry in group:
            out += self.prose(entry)
        if first.kind == "enum":
            rows = [(v.findtext("name"), "".join(self.inline(d).strip() for d in described(v)))
                    for v in first.node.findall("enumvalue")]
            out += table((f"<code>{html.escape(name)}</code>", text) for name, text in rows)
        out += [f"[source, line {first.line}]({place})", ""] if level == 2 else []
        return out

    def declaration(self, entry):
        node = entry.node
        templates = [spelled(p.find("type")) + (f" {p.findtext('declname')}" if p.findtext(
            "declname") else "") for p in node.findall("templateparamlist/param")]
        head = f"template <{', '.join(templates)}>\n" if templates else ""
        if entry.kind in ("class", "struct"):
            gives = self.reference.awaited(node)
            if gives is not None and entry.name != "task":
                made = [m.findtext("argsstring") for m in self.reference.members(
                    node, "public-func") if m.findtext("name") == entry.name
                    and m.findtext("param/type")]
                arguments = neat(re.sub(r"\s*noexcept$", "", made[0])) if made else "()"
                return f"{head}co_await {entry.name}{arguments}" + arrow(gives) + ";"
            bases = [spelled(b).removeprefix("anel::") for b in node.findall("basecompoundref")
                     if b.get("prot") == "public" and "detail::" not in (b.text or "")]
            return head + f"{entry.kind} {entry.name}" + (
                f" : {', '.join(bases)}" if bases else "") + ";"
        if entry.kind == "concept":
            return re.sub(r"\s*\n\s*", "\n    ", (node.findtext("initializer") or "").strip())
        if entry.kind == "enum":
            return f"enum class {entry.name};"
        if entry.kind == "typedef":
            return head + f"using {entry.name} = {entry.type()};"
        if entry.kind == "variable":
            value = spelled(node.find("initializer"))
            value = f" {value}" if value.startswith("=") else value
            return f"{entry.type()} {entry.name}{value if len(value) < 60 else ''};"
        arguments = node.findtext("argsstring") or "()"
        given = [" ".join(filter(None, (
            spelled(p.find("type")), p.findtext("declname"),
            p.find("defval") is not None and f"= {''.join(p.find('defval').itertext())}"
        ))) for p in node.findall("param") if spelled(p.find("type"))]
        arguments = neat(f"({', '.join(given)})" + arguments[arguments.rindex(")") + 1:])
        static = "static " if node.get("static") == "yes" and entry.scope is not None else ""
        gives = self.reference.yields(entry)
        if gives is not None:
            called = f"{entry.scope.findtext('compoundname').split('::')[-1]}::" if static else ""
            arguments = re.sub(r"\s*(?:const|noexcept)\b", "", arguments[arguments.rindex(")"):])\
                .join((arguments[:arguments.rindex(")")], ""))
            return f"{head}co_await {called}{entry.name}{arguments}" + arrow(gives) + ";"
        type_of = entry.type().replace("detail::", "")
        return head + f"{static}{type_of} {entry.name}{arguments};".lstrip()

    def prose(self, entry):
        out, rows = [], []
        for description in entry.text:
            for para in description.findall("para"):
                text = self.inline(para, rows).strip()
                out += [f"<p>{text}</p>", ""] if text else []
        order = {name: place for place, name in enumerate(FIELDS)}
        rows.sort(key=lambda row: order.get(row[0], 99))
        return out + table(rows)

    def inline(self, node, rows=None):
        """The words of a docstring as HTML; its fields go to `rows`."""
        out = html.escape(node.text or "", quote=False)
        for child in node:
            if child.tag == "simplesect":
                title = (child.findtext("title") or "").strip()
                text = " ".join(self.inline(p).strip() for p in child.findall("para"))
                if rows is not None:
                    rows.append((title, text))
            elif child.tag == "computeroutput":
                out += f"<code>{html.escape(''.join(child.itertext()), quote=False)}</code>"
            elif child.tag == "ref" and child.get("refid") in self.reference.anchors:
                page, anchor = self.reference.anchors[child.get("refid")].split("#")
                out += f'<a href="./{page}.html#{anchor}">{self.inline(child)}</a>'
            elif child.tag in ("itemizedlist", "orderedlist"):
                items = "".join(f"<li>{self.inline(item)}</li>" for item in child)
                out += f"<ul>{items}</ul>"
            elif child.tag in ("emphasis", "bold"):
                out += f"<em>{self.inline(child)}</em>"
            else:
                out += self.inline(child)
            out += html.escape(child.tail or "", quote=False)
        return out.replace("{{", "&#123;&#123;")


def neat(arguments):
    """Parameters as the headers write them."""
    arguments = re.sub(r"\s*([&*]+)(\w)", r"\1 \2", arguments).replace("< ", "<").replace(
        " >", ">").replace("=default", " = default")
    return re.sub(r"(\w)=(?=[\w{\"])", r"\1 = ", arguments)


def arrow(gives):
    return "" if gives == "void" else " -> " + gives.replace("detail::", "")


def is_type(entry):
    return entry.kind in TYPES


def table(rows):
    cells = [f'<tr><th scope="row">{name}</th><td>{text}</td></tr>' for name, text in rows]
    return ["<table><tbody>", *cells, "</tbody></table>", ""] if cells else []


def escaped(text):
    """Prose of a header's comment, as Markdown."""
    return re.sub(r"(?<!`)<(?=\w)(?![^`]*`)", "&lt;", text).replace("{{", "&#123;&#123;")


def page_of(header):
    return header.removeprefix("anel/").removesuffix(".hpp")


def folder_of(header):
    return "runtime" if (ROOT / "runtime" / header).exists() else "net"


def introduction(path):
    """The sentence that a header begins with, and what follows until `Knows:`."""
    comment = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if not line.startswith("//") or line.startswith(("// Knows:", "// SPDX")):
            break
        comment.append(line[2:].rstrip())
    title, _, rest = "\n".join(comment).partition("\n\n")
    title = " ".join(title.split()).partition(": ")[2]
    if re.match(r"[a-z]+\b(?![_(:])", title):
        title = title[:1].upper() + title[1:]
    # What is set in is code, with the blank lines between its own.
    parts = re.split(r"((?:^ {5}.*\n+)+)", rest + "\n", flags=re.MULTILINE)
    return title, "\n\n".join(code(part) if part.startswith(" " * 5) else prose(part)
                             for part in parts if part.strip())


def code(lines):
    return "\n".join(["```cpp", *(line[5:] for line in lines.rstrip().split("\n")), "```"])


def prose(lines):
    return "\n\n".join(escaped(" ".join(p.split())) for p in lines.strip().split("\n\n"))


def built(out):
    pages = Pages(Reference(doxygen(out)))
    pages.name_anchors()
    return pages, {header: pages.write(header) for header in sorted(pages.headers)}


def reference(_, out):
    """page of the site -> (name, text); nothing without Doxygen."""
    if not shutil.which("doxygen"):
        print("API reference left out: apt-get install doxygen")
        return {}
    _, texts = built(out)
    result = {"api/index.md": ("Overview", "")}
    index = ["# API reference", "", "One page for each public header. `#include <anel/anel.hpp>` "
             "includes them all except `sim.hpp` and `sim_explore.hpp`.", ""]
    left = {page_of(header) for header in texts}
    for title, names in (*GROUPS, ("More", " ".join(sorted(left - set(" ".join(
            names for _, names in GROUPS).split()))))):
        rows = []
        for name in names.split():
            header = f"anel/{name}.hpp"
            if header in texts:
                says = introduction(ROOT / folder_of(header) / header)[0]
                rows.append(f"| [{name}.hpp](./{name}.md) | {escaped(says).replace('|', '/')} |")
                result[f"api/{name}.md"] = (f"{name}.hpp", texts[header])
        index += [f"## {title}", "", "| header | what it is |", "|---|---|", *rows, ""] \
            if rows else []
    result["api/index.md"] = ("Overview", "\n".join(index))
    return result


def main():
    if sys.argv[1:] == ["--gate"]:
        if not shutil.which("doxygen"):
            print("skipped: no doxygen")
            return 0
        with tempfile.TemporaryDirectory() as folder:
            pages, _ = built(Path(folder))
        for entry in sorted(pages.bare, key=lambda e: (e.header, e.line)):
            print(f"{folder_of(entry.header)}/{entry.header}:{entry.line}: "
                  f"{entry.name} has no docstring")
        print(f"{len(pages.headers)} headers, {len(pages.bare)} public functions and types without "
              "a word")
        return 1 if pages.bare else 0
    with tempfile.TemporaryDirectory() as folder:
        for page, (_, text) in reference(ROOT, Path(folder)).items():
            path = Path(sys.argv[1]) / page
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Checks by machine the rules of this repository that no compiler knows (docs/design.md).

    check.py [--root DIRECTORY]   prints `file:line: [rule] what is wrong`; exits with 1 if any

A rule is a function below that yields violations; check_self_test.py plants one of each. Rules
look at text, not at meaning; they are simple, and the code is such that simple rules suffice.
"""

import argparse
import fnmatch
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from source import Source, captures, matching, namespace_scope_statements, statements

LINES_MAX = 500
COLUMNS_MAX = 100
PARAGRAPH_MAX = 80  # words

# Files that may be longer than LINES_MAX: path -> (maximum, reason).
LONG_FILES = {}

# Programs of the guide do by hand what the library does, each in its chapter: they resume
# coroutines, use liburing, read the clock, and let threads go as a first lecture does.
BY_HAND = "examples/guide/*"

RULES = {}


def rule(function):
    RULES[function.__name__] = function
    return function


class Tree:
    """The source files of one repository, by path relative to its root."""

    def __init__(self, root):
        self.root = root
        self.files = {}
        self.pages = {}  # of prose: path -> text
        for path in list_files(root):
            if path.as_posix().startswith("bench/results/"):
                continue  # Written by a program.
            if path.suffix == ".md":
                self.pages[path.as_posix()] = (root / path).read_text(
                    encoding="utf-8", errors="replace")
            if path.suffix in (".hpp", ".cpp", ".py", ".sh", ".cmake") or path.name in (
                    "CMakeLists.txt", "dev"):
                text = (root / path).read_text(encoding="utf-8", errors="replace")
                self.files[path.as_posix()] = Source(path.as_posix(), text)

    def cpp(self, *folders):
        for path, source in self.files.items():
            if path.endswith((".hpp", ".cpp")) and path.split("/")[0] in folders:
                yield source

    def match(self, *patterns):
        for path, source in self.files.items():
            if matches(path, patterns):
                yield source


def matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def list_files(root):
    """What git tracks or would track; every file where there is no git (an unpacked archive)."""
    if (root / ".git").exists() and shutil.which("git"):
        output = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z", "-co",
             "--exclude-standard"], check=True, capture_output=True, text=True).stdout
        paths = [Path(name) for name in output.split("\0") if name]
        return sorted(path for path in set(paths) if (root / path).is_file())
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in (".git", "build", "__pycache__")]
        found += [(Path(folder) / name).relative_to(root) for name in names]
    return sorted(found)


def forbid(sources, pattern, message, except_in=()):
    """Every place where `pattern` stands in the code (not in comments or strings) of `sources`."""
    for source in sources:
        if not matches(source.path, except_in):
            for line, text in source.find(pattern):
                yield source.path, line, message.format(text.strip())


def only_one(sources, pattern, home, message, exactly=False):
    """`pattern` may stand once, in the file `home`, and nowhere else."""
    for source in sources:
        found = source.find(pattern)
        if source.path != home:
            extra = found
        else:
            extra = found[1:]
            if exactly and not found:
                yield source.path, 1, message + " (missing here)"
        for line, _ in extra:
            yield source.path, line, message


OS_HEADERS = (r"sys/.*|linux/.*|netinet/.*|arpa/.*|net/if\.h|unistd\.h|fcntl\.h|poll\.h|signal\.h"
              r"|netdb\.h|pthread\.h|sched\.h|liburing.*")


# Folder -> the folders whose files it may include, beside its own: what design.md calls below.
PUBLIC = ("runtime/anel", "runtime/anel/detail")
WINGS = {
    "runtime/anel": ("runtime/anel/detail",),
    "runtime/anel/detail": ("runtime/anel",),
    "runtime/system": PUBLIC,
    "runtime/backend": ("runtime/system", *PUBLIC),
    "runtime/uring": ("runtime/backend", "runtime/system", *PUBLIC),
    "runtime/readiness": ("runtime/backend", "runtime/system", *PUBLIC),
    "runtime/core": ("runtime/system", *PUBLIC),
    "runtime/start": ("runtime/core", "runtime/system", *PUBLIC),
    "net/anel": ("net/anel/detail", *PUBLIC),
    "net/anel/detail": ("net/anel", *PUBLIC),
    "net": ("net/anel", "net/anel/detail", "runtime/system", *PUBLIC),
    "net/tls/anel": ("net/tls/anel/detail", "net/anel", *PUBLIC),
    "net/tls/anel/detail": ("net/tls/anel", "net/anel", "net/anel/detail", *PUBLIC),
    "net/tls": ("net/tls/anel", "net/tls/anel/detail", "net/anel", *PUBLIC),
    "net/sim": ("net", "net/anel", "net/anel/detail", "runtime/core", "runtime/backend",
                "runtime/system", *PUBLIC),
}


@rule
def wings_include_what_is_below(tree):
    """A folder of runtime/ or net/ includes only what WINGS lets it."""
    for source in tree.cpp("runtime", "net"):
        folder = os.path.dirname(source.path)
        for line, header in source.includes():
            found = [path for path in (header, f"runtime/{header}", f"net/{header}",
                                       f"net/tls/{header}") if path in tree.files]
            if folder not in WINGS:
                yield source.path, line, f"{folder}/ is no wing that the rules know"
            elif found and os.path.dirname(found[0]) not in (folder, *WINGS[folder]):
                yield source.path, line, f"{folder}/ includes <{header}>"


@rule
def net_names_no_backend(tree):
    yield from forbid(tree.cpp("net"), r"\bepoll_\w*|\bio_uring\w*", "net names a backend: {}")


@rule
def net_makes_no_system_call(tree):
    """Control calls are operations too, so that net runs unchanged on the simulated network."""
    calls = ("socket|socketpair|bind|listen|accept4?|connect|recv|recvfrom|recvmsg|recvmmsg|send"
             "|sendto|sendmsg|sendmmsg|read|readv|write|writev|close|shutdown|getsockname"
             "|getpeername|getsockopt|setsockopt|fcntl|ioctl|poll|ppoll|pipe2?|dup[23]?|unlink")
    yield from forbid(tree.cpp("net"), rf"(?<![\w>])::(?:{calls})\s*\(",
                      "net calls the system: {}")
    yield from forbid(tree.cpp("net"), r"\bsyscall\s*\(", "net calls the system: {}")
    # Layouts of addresses in one file; the name service, a library call, in another.
    allowed = {"net/endpoint.cpp": ("sys/socket.h", "netinet/in.h", "sys/un.h", "arpa/inet.h",
                                    "net/if.h"),
               "net/resolve.cpp": ("netdb.h", "sys/socket.h"),
               "net/sim/names.cpp": ("netdb.h",)}
    for source in tree.cpp("net"):
        for line, header in source.includes():
            if re.fullmatch(OS_HEADERS, header) and header not in allowed.get(source.path, ()):
                yield source.path, line, f"net includes <{header}>"


@rule
def liburing_in_one_wing(tree):
    # bench/servers/ holds programs written by hand, which anel is measured against.
    allowed = ("runtime/uring/*", "bench/servers/*", BY_HAND)
    for source in tree.files.values():
        for line, header in source.includes():
            if header.startswith("liburing") and not matches(source.path, allowed):
                yield source.path, line, "only runtime/uring/ includes liburing"


@rule
def openssl_in_one_wing(tree):
    """And not in its public headers: who uses them needs no header of OpenSSL. A WebSocket's
    greeting needs SHA-1, which is the example's own affair; the load that measures TLS shares no
    code with it."""
    allowed = ("net/tls", "examples/http", "bench/load")
    for source in tree.cpp("runtime", "net", "examples", "bench"):
        for line, header in source.includes():
            if header.startswith("openssl/") and os.path.dirname(source.path) not in allowed:
                yield source.path, line, "only net/tls/ includes OpenSSL"


@rule
def resume_in_one_place(tree):
    sources = [s for s in tree.cpp("runtime", "net", "examples", "bench", "tests")
               if not matches(s.path, ("tests/compilers/*", BY_HAND))]
    yield from only_one(sources, r"(?:\.|->)\s*resume\s*\(\s*\)", "runtime/core/loop.cpp",
                        "coroutines are resumed in one place, the driver in runtime/core/loop.cpp",
                        exactly=True)


@rule
def no_thread_local(tree):
    yield from only_one(tree.cpp("runtime", "net", "examples", "bench", "tests"),
                        r"\bthread_local\b", "runtime/core/frame_pool.cpp",
                        "thread_local: state belongs to a loop or to a task")


@rule
def no_mutable_globals(tree):
    # A signal handler can reach nothing else.
    allowed = {"runtime/start/signals.cpp": 1, "runtime/start/glimpse.cpp": 1}
    for source in tree.cpp("runtime", "net", "examples"):
        found = []
        for line, text in namespace_scope_statements(source.code):
            if is_mutable_variable(text):
                found.append(line)
        local = r"\bstatic\s+(?:inline\s+)?(?!inline\b|const\b|constexpr\b|consteval\b)" \
                r"[\w:]+(?:\s*<[^;(){}=]*>)?[\s*&]+\w+\s*(?:\[\w*\]\s*)?[=;{]"
        found += [line for line, _ in source.find(local) if line not in found]
        for line in sorted(found)[allowed.get(source.path, 0):]:
            yield source.path, line, "a mutable global or static variable"


def is_mutable_variable(text):
    """Whether a statement at namespace scope (up to its `;`, `=` or `{`) defines a variable."""
    text = re.sub(r"\[\[.*?\]\]|\balignas\s*\([^)]*\)", " ", text).strip()
    if re.match(r"(using|typedef|template|class|struct|enum|union|friend|static_assert|concept"
                r"|extern\s+template|asm|public|private|protected|return|constexpr|consteval)\b",
                text) or re.search(r"\b(?:constexpr|operator|thread_local)\b", text):
        return False
    if re.match(r"(?:\w+\s+)*std::(?:\w*atomic\w*|\w*mutex|once_flag)\b", text):
        return "(" not in text or re.search(r">\s*\w+\s*\(", text) is not None
    if "(" in text:
        return False  # A function, or a variable that looks like one.
    if not re.fullmatch(r"(?:[\w:]+(?:\s*<.*>)?[\s*&]+)+\w+(?:\s*\[[^\]]*\])*", text, re.DOTALL):
        return False
    # `const char* x` can be pointed elsewhere; `const char* const x` and `const int x` cannot.
    outer = re.sub(r"<.*>", "", text, flags=re.DOTALL)
    return re.search(r"\bconst\b", outer.rsplit("*", 1)[-1]) is None


@rule
def no_singletons(tree):
    yield from forbid(tree.cpp("runtime", "net", "examples", "bench"),
                      r"\bstatic\s[^;{}()=]*\b(?:get_)?(?:instance|singleton)\s*\(",
                      "a singleton: {}")


@rule
def no_os_header_in_public_headers(tree):
    for source in tree.match("runtime/anel/*", "net/anel/*", "net/tls/anel/*"):
        for line, header in source.includes():
            if re.fullmatch(OS_HEADERS, header):
                yield source.path, line, f"a public header includes <{header}>"


@rule
def nothing_shared_on_an_operations_path(tree):
    path = ("runtime/anel/detail/*", "runtime/core/loop.cpp", "runtime/uring/*",
            "runtime/readiness/*", "runtime/backend/backend.cpp",
            "runtime/backend/kernel_backend.hpp", "net/anel/socket.hpp", "net/socket.cpp",
            "net/anel/detail/*", "net/anel/tcp.hpp", "net/anel/udp.hpp")
    # Mailbox and gate may outlive their loop: other threads hold them. They are made once, for no
    # operation.
    yield from forbid(tree.match(*path),
                      r"\b(?:shared_ptr|make_shared)\b(?!<(?:detail::)?(?:mailbox|loop_gate)>)"
                      r"|\bstd::function\b",
                      "{} allocates on the path of an operation")


@rule
def clock_belongs_to_the_backend(tree):
    yield from forbid(
        tree.cpp("runtime", "net", "examples"),
        r"\b\w*clock\w*::now\s*\(|\bclock_gettime\s*\(|\bgettimeofday\s*\(|\btime\s*\(\s*nullptr",
        "{} reads a clock outside a backend: virtual time would not reach it",
        except_in=("runtime/uring/*", "runtime/readiness/*", "runtime/system/*", "net/sim/*",
                   BY_HAND))


@rule
def randomness_belongs_to_the_loop(tree):
    yield from forbid(
        tree.cpp("runtime", "net", "examples"),
        r"\brandom_device\b|(?<![\w.>])s?rand\s*\(|\bgetrandom\s*\(|\barc4random\w*\s*\(",
        "{}: a simulated run could not be repeated",
        except_in=("runtime/core/loop.cpp", "runtime/anel/detail/loop.hpp"))


@rule
def no_sleep_in_tests(tree):
    yield from forbid(tree.cpp("tests"),
                      r"this_thread::sleep_\w+|\b(?:u|nano)sleep\s*\(|(?<![\w.>])sleep\s*\(",
                      "{}: wait for an event or use virtual time")
    for source in tree.match("tests/e2e/*.py"):
        for number, text in enumerate(source.text.split("\n"), 1):
            if re.search(r"\btime\.sleep\(|from time import .*\bsleep\b", text):
                if not re.search(r"# polls: \S", text):
                    yield source.path, number, "a sleep without `# polls: what`"


@rule
def cancel_safety_table_is_swept(tree):
    """Each row of docs/cancel_safety.md names its sweeps, and each sweep has a row."""
    page = tree.root / "docs/cancel_safety.md"
    lines = page.read_text(encoding="utf-8").split("\n") if page.exists() else []
    rows = {}  # scenario -> line of its row
    for number, text in enumerate(lines, 1):
        cells = text.split("|")
        if len(cells) == 5 and "`" in cells[1]:
            named = re.findall(r"`(\w+)`", cells[3])
            rows.update((name, number) for name in named)
            if not named:
                yield "docs/cancel_safety.md", number, "a row without a test"
    swept = set()
    for source in tree.match("tests/sweeps/*_test.cpp"):
        for line, text in source.find(r"\bANEL_SWEEP\(\w+\)"):
            name = re.search(r"\((\w+)\)", text)[1]
            swept.add(name)
            if name not in rows:
                yield source.path, line, f"{name} has no row in docs/cancel_safety.md"
    for name, number in rows.items():
        if name not in swept:
            yield "docs/cancel_safety.md", number, f"no sweep is called {name}"


@rule
def no_detached_threads(tree):
    yield from forbid(tree.cpp("runtime", "net", "examples", "bench", "tests"),
                      r"(?:\.|->)\s*detach\s*\(", "detached work: every task has a scope",
                      except_in=("runtime/backend/helpers.cpp", BY_HAND,
                                 "bench/servers/condy.cpp"))  # condy's tasks


@rule
def file_starts_with_its_name(tree):
    for source in tree.cpp("runtime", "net", "examples", "bench", "tests"):
        lines = source.text.split("\n")
        name = Path(source.path).name
        if not re.match(rf"// {re.escape(name)}: \S", lines[0]):
            yield source.path, 1, f"the first line is not `// {name}: what it is`"
        if "// SPDX-License-Identifier: MIT" not in lines[:30]:
            yield source.path, 1, "no `// SPDX-License-Identifier: MIT` in the first 30 lines"


@rule
def size_of_files_and_lines(tree):
    for source in tree.files.values():
        lines = source.text.split("\n")
        maximum = LONG_FILES.get(source.path, (LINES_MAX, ""))[0]
        if len(lines) - 1 > maximum:
            yield source.path, maximum + 1, f"{len(lines) - 1} lines, at most {maximum}: two ideas?"
        for number, text in enumerate(lines, 1):
            if len(text) > COLUMNS_MAX:
                yield source.path, number, f"{len(text)} columns, at most {COLUMNS_MAX}"


@rule
def readme_shows_the_example(tree):
    """README.md shows the very text of examples/tcp_echo.cpp."""
    example = tree.files.get("examples/tcp_echo.cpp")
    readme = tree.root / "README.md"
    if example and (not readme.exists() or example.text not in readme.read_text()):
        yield example.path, 1, "README.md shows another text"


# Words that were in use for what has another name: pattern -> that name. See docs/glossary.md.
WORDS = {
    r"(?:\.|->)waiter\s*\(|\bbackend\b[\s&*>]+waiter\b": "backend (a waiter is a coroutine)",
    r"\bcancel_scope&\s+in\b": "scope",
    r"\bframe&\s+(?:who|waiter)\b": "caller",
    r"\b\w*inbox\w*\b": "mailbox, unread bytes or received datagrams",
    r"\b(?:hungry|starving)_?\b|\b\w+_(?:hungry|starving)_?\b|\bfeed_\w+":
        "starved (no submission entry) or chunkless (no chunk)",
    r"\buring::serve\b|\bbool\s+serve\s*\(": "give_unread (serve is the loop of a server)",
}


@rule
def one_word_a_thing(tree):
    """The code and the comments of the library use the words of docs/glossary.md."""
    for source in tree.cpp("runtime", "net"):
        for pattern, word in WORDS.items():
            for found in re.finditer(pattern, source.text):
                yield source.path, source.line_at(found.start()), f"{found[0]}: say {word}"


def paragraphs(text):
    """Each paragraph of prose as (line, text): no code, table, list, heading or definition."""
    lines = re.sub(r"^```.*?^```", lambda m: re.sub(r"[^\n]", "", m[0]), text,
                   flags=re.DOTALL | re.MULTILINE).split("\n")
    found, begin, in_list = [], 0, False
    for number, line in enumerate([*lines, ""], 1):
        in_list = bool(re.match(r"\s*(?:[*+-]|\d+\.)\s", line) or (
            in_list and (lines[number - 2].strip() or line.startswith(" "))))
        prose = line.strip() and not in_list and not re.match(r"\s*(?:[#|<]|\[[^\]]+\]:)", line)
        if prose:
            begin = begin or number
            found.append(line)
        elif found:
            yield begin, " ".join(found)
            found, begin = [], 0


@rule
def paragraphs_are_short(tree):
    """Prose that people read: a paragraph is one idea."""
    for path, text in tree.pages.items():
        if path == "docs/platforms.md":
            continue  # A list of what was run.
        if matches(path, ("CONTRIBUTING.md", "docs/*.md", "README.md", "*/README.md")):
            for line, paragraph in paragraphs(text):
                words = len(paragraph.split())
                if words > PARAGRAPH_MAX:
                    yield path, line, f"{words} words, at most {PARAGRAPH_MAX}: two ideas?"


@rule
def virtual_only_in_backend(tree):
    yield from forbid(tree.cpp("runtime", "net", "examples", "bench"), r"\bvirtual\b",
                      "only runtime/anel/detail/backend.hpp declares virtual functions",
                      except_in=("runtime/anel/detail/backend.hpp",))
    head = re.compile(r"\b(?:class|struct)\s+(?:\[\[.*?\]\]\s*)?(\w+)(\s+final)?\s*:(?!:)"
                      r"([^;{]*)\{")
    for source in tree.cpp("runtime", "net", "examples", "bench"):
        for found in head.finditer(source.code):
            body = source.code[found.end():matching(source.code, found.end() - 1)]
            overrides = re.search(r"\boverride\b", body) or re.search(r"\bbackend\b", found[3])
            shared = found[1] == "kernel_backend"  # what backends over a kernel have in common
            if overrides and not found[2] and not shared:
                yield source.path, source.line_at(found.start()), f"{found[1]} must be final"


@rule
def await_is_safe_on_every_compiler(tree):
    """g++ 12.2 miscompiles these forms without a warning; see docs/common_mistakes.md."""
    while_form = r"(const\s+)?auto\s*[&*]*\s*\w+\s*=\s*co_await\b((?!\bco_await\b|&&|\|\||\?).)*"
    for source in tree.cpp("runtime", "net", "examples", "bench", "tests"):
        if source.path.startswith("tests/compilers/"):
            continue
        for position, text in statements(source.code):
            if "co_await" not in text:
                continue
            line = source.line_at(position + text.index("co_await"))
            for found in re.finditer(r"\b(if|switch|for|while)\s*(?:constexpr\s*)?\(", text):
                condition = text[found.end():matching(text, found.end() - 1)].strip()
                if "co_await" not in condition:
                    continue
                if found[1] == "while" and re.fullmatch(while_form, condition, re.DOTALL):
                    continue
                yield source.path, line, f"co_await in the condition of {found[1]}: name the result"
            for capture in captures(text):
                if not capture.startswith("&") and capture != "this":
                    yield (source.path, line,
                           f"lambda with [{capture}] beside co_await: name the lambda first")
            if re.search(r"[(,]\s*\{|\{\s*\.", text):
                yield source.path, line, "braces beside co_await: build a named value first"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    tree = Tree(parser.parse_args().root.resolve())
    count = 0
    for name, check in RULES.items():
        for path, line, message in check(tree):
            print(f"{path}:{line}: [{name}] {message}")
            count += 1
    print(f"{len(RULES)} rules, {len(tree.files)} files, {count} violations")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())

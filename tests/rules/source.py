"""Reads a C++ file as far as the rules need: comments and strings blanked, statements split."""

import bisect
import re

# Comments, raw strings, strings and characters; a digit separator (1'000) is not a character.
_BLANK = re.compile(
    r"""//(?:[^\n\\]|\\.)*|/\*.*?\*/|R"([^()\s\\]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"
        |(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'""", re.DOTALL | re.VERBOSE)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.MULTILINE)
_PAIRS = {"(": ")", "[": "]", "{": "}"}


class Source:
    def __init__(self, path, text):
        self.path = path
        self.text = text
        self._newlines = [m.start() for m in re.finditer("\n", text)]
        # Same length and same lines as the text, so that positions are those of the file.
        self.code = _BLANK.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)

    def line_at(self, position):
        return bisect.bisect_left(self._newlines, position) + 1

    def find(self, pattern):
        return [(self.line_at(m.start()), m[0]) for m in re.finditer(pattern, self.code)]

    def includes(self):
        for found in _INCLUDE.finditer(self.text):
            # One that is commented out is blank in the code.
            if self.code[found.start():found.end()].strip():
                yield self.line_at(found.start(1)), found[1]


def matching(text, opening):
    """The position of the bracket that closes the one at `opening`; the end if none does."""
    depth = 0
    for position in range(opening, len(text)):
        if text[position] in "([{":
            depth += 1
        elif text[position] in ")]}":
            depth -= 1
            if depth == 0:
                return position
    return len(text)


def captures(text):
    """The captures of every lambda in `text`."""
    for found in re.finditer(r"\[", text):
        before = text[:found.start()].rstrip()
        closing = matching(text, found.start())
        if before and not _may_precede_lambda(before):
            continue  # A subscript or an attribute.
        if re.match(r"\s*(?:[({<]|mutable\b|noexcept\b|->|$)", text[closing + 1:]):
            yield from filter(None, map(str.strip, text[found.end():closing].split(",")))


def _may_precede_lambda(before):
    return before[-1] in "(,={;}&|?:<>!" or \
        re.search(r"\b(?:return|co_return|co_await|co_yield)$", before) is not None


def _without_preprocessor(code):
    return re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: re.sub(r"[^\n]", " ", m[0]), code,
                  flags=re.MULTILINE)


def namespace_scope_statements(code):
    """Yields (line, text up to the first `;`, `=` or `{`) of what stands at namespace scope."""
    code = _without_preprocessor(code)
    position = start = 0
    while position < len(code):
        character = code[position]
        if character in "([":
            position = matching(code, position)
        elif character in ";={}":
            text = code[start:position]
            line = code.count("\n", 0, start + len(text) - len(text.lstrip())) + 1
            if character == "{" and re.search(r"\bnamespace\b[\w\s:]*$|\bextern\s*$", text):
                pass  # What follows is at namespace scope still.
            elif character != "}":
                yield line, text.strip()
                if character == "{":
                    position = matching(code, position)
                    # `struct x {...};` and `int x{1};`: the `;` belongs to this statement.
                elif character == "=":
                    while position < len(code) and code[position] != ";":
                        position = (matching(code, position) if code[position] in "([{"
                                    else position) + 1
            start = position + 1
        position += 1


def _opens_block(text):
    """Whether a `{` after `text` opens a block or body, not a braced initialiser or a lambda."""
    text = text.rstrip()
    if not text or text[-1] in ";{}:)":
        return True
    ending = r"\b(?:else|do|try|const|noexcept|override|final|mutable)$" \
             r"|\)[\w\s]*->[\w\s:<>,*&]+$|\brequires\b[^;]*$"
    beginning = r"\s*(?:template\b.*|inline\s+)?(?:class|struct|union|enum|namespace|extern)\b"
    return re.search(ending, text) is not None or \
        re.match(beginning, text, re.DOTALL) is not None


def _opens_lambda(text):
    """Whether a `{` after `text` opens the body of a lambda."""
    text = re.sub(r"->[\w\s:<>,*&]+$", "", text.rstrip()).rstrip()
    text = re.sub(r"(?:\s*\b(?:mutable|noexcept|constexpr|static))+$", "", text).rstrip()
    if text.endswith(")"):
        text = text[:_opening(text)].rstrip()
    if text.endswith(">"):
        text = text[:text.rfind("<")].rstrip()
    if not text.endswith("]"):
        return False
    before = text[:_opening(text)].rstrip()
    return not before or _may_precede_lambda(before)


def _opening(text):
    """The position of the bracket that the last character of `text` closes."""
    depth = 0
    for position in range(len(text) - 1, -1, -1):
        if text[position] in ")]}":
            depth += 1
        elif text[position] in "([{":
            depth -= 1
            if depth == 0:
                return position
    return 0


def statements(code):
    """Yields (position, text) of every statement and every head of a block.

    A lambda's body is cut out of the statement around it (blanked), for it is another function; its
    own statements are yielded too. A braced initialiser stays part of its statement.
    """
    code = _without_preprocessor(code)
    yield from _statements(code, 0, len(code))


def _statements(code, start, end):
    text = []  # The statement so far, one character for each of the code.
    depth = 0
    position = start
    while position < end:
        character = code[position]
        if character == "{":
            so_far = "".join(text)
            if _opens_lambda(so_far):
                closing = matching(code, position)
                yield from _statements(code, position + 1, closing)
                text += "{" + " " * (closing - position - 1) + "}"
                position = closing + 1
                continue
            if depth == 0 and _opens_block(so_far):
                yield start, so_far
                closing = min(matching(code, position), end)
                yield from _statements(code, position + 1, closing)
                text, start, position = [], closing + 1, closing + 1
                continue
        if character in _PAIRS:
            depth += 1
        elif character in ")]}":
            depth -= 1
        text.append(character)
        position += 1
        if character == ";" and depth == 0:
            yield start, "".join(text)
            text, start = [], position
    if "".join(text).strip():
        yield start, "".join(text)

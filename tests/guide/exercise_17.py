# exercise_17.py: judges `file symbol` answers about the path of one recv. Each key is looked up in
# the source: a piece of code that stands there once, and the function around it.
# SPDX-License-Identifier: MIT

import re
from pathlib import Path

import support

TASK = {
    "en": "Answer the 8 questions in 17_exercise.txt, each with the path of a file and the name "
          "of the function that stands there.",
    "pt": "Responda às 8 perguntas de 17_exercise.txt, cada uma com o caminho de um arquivo e o "
          "nome da função que está nele.",
}
REPOSITORY = Path(__file__).resolve().parents[2]

# Question -> the code whose surroundings are the answer, and where the reader may look.
EVIDENCE = {
    1: (r"\bline = at_line;", "the builtins __builtin_FILE and __builtin_LINE",
        "as funções embutidas __builtin_FILE e __builtin_LINE"),
    2: (r"\bpending = &op;", "what fills in `pending_`", "quem preenche `pending_`"),
    3: (r"io_uring_prep_recv\(sqe, op\.fd", "the call of io_uring_prep_recv that takes op.fd",
        "a chamada de io_uring_prep_recv que recebe op.fd"),
    4: (r"io_uring_submit_and_wait_timeout\(", "io_uring_submit_and_wait_timeout",
        "io_uring_submit_and_wait_timeout"),
    5: (r"case tag::own: completed\(", "io_uring_for_each_cqe", "io_uring_for_each_cqe"),
    6: (r"\bdone\.push\(op\)", "what pushes into `done`", "quem põe algo em `done`"),
    7: (r"== -ECANCELED && this->wait_scope->cancelled\(\)", "ECANCELED in io.hpp",
        "ECANCELED em io.hpp"),
    8: (r"answer\(::recv\(op\.fd", "the system call itself, `::recv(`",
        "a própria chamada de sistema, `::recv(`"),
}
BLANKED = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.S)
# What looks like a function and is none. A macro of liburing is a loop.
CONTROL = re.compile(r"\b(?:if|else|for|while|do|switch|try|catch|case|io_uring_for_each_cqe)\b")


def code_of(path):
    """The text of a file, comments and strings blanked, every offset kept."""
    return BLANKED.sub(lambda found: " " * len(found[0]), path.read_text(encoding="utf-8"))


def surroundings(code, at):
    """What encloses the offset: `class::function`, or the class alone."""
    function, scopes, depth = None, [], 0
    for i in range(at - 1, -1, -1):
        if code[i] == "}":
            depth += 1
        elif code[i] == "{" and depth > 0:
            depth -= 1
        elif code[i] == "{":
            head = re.split(r"[;{}]|\b(?:public|protected|private):", code[:i])[-1]
            kind = re.search(r"\b(?:class|struct)\s+(\w+)\s*(?::(?!:)|$)", head)
            name = re.search(r"([\w:~]+)\s*\(", head)
            if kind:
                scopes.insert(0, kind[1])
            elif name and not CONTROL.search(head):
                function = name[1]  # the outermost that looks like one: lambdas are within
    return "::".join([*scopes, function] if function else scopes)


def sources():
    for folder in ("runtime", "net"):
        for path in sorted((REPOSITORY / folder).rglob("*.[ch]pp")):
            yield path, code_of(path)


def keys():
    """Question -> (file, symbol), as the source is now, where each piece of code stands once."""
    files = list(sources())

    def find(pattern):
        return [(path, code, found) for path, code in files for found in re.finditer(pattern, code)]

    answers = {}
    for number, (pattern, *_) in EVIDENCE.items():
        hits = find(pattern)
        if len(hits) != 1:
            places = [str(path.relative_to(REPOSITORY)) for path, *_ in hits]
            raise LookupError(f"question {number}: {pattern} stands in {places}")
        path, code, found = hits[0]
        answers[number] = str(path.relative_to(REPOSITORY)), surroundings(code, found.start())
    return answers


def plain(symbol):
    return re.sub(r"\(.*|<.*?>", "", symbol).split("::")


def same_symbol(given, key):
    """Whether `loop::drive()`, `drive` or `anel::detail::loop::drive` names `loop::drive`."""
    wanted = ["anel", "detail", *plain(key)]
    given = [part for part in plain(given) if part]
    return bool(given) and given[-1] == wanted[-1] and set(given) <= set(wanted)


def read_answers(path):
    given = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\s*(\d+)\s*[:.)]?\s*(.*)", line):
            given[int(found[1])] = found[2].split()
    return given


def fault(number, given, key):
    """What is wrong with one answer, in both languages; None when it is right."""
    if not given:
        return "has no answer", "está sem resposta"
    if len(given) != 2:
        return "wants two words, `file symbol`", "pede duas palavras, `arquivo símbolo`"
    file, symbol = given[0].removeprefix("./"), given[1]
    if not (REPOSITORY / file).is_file():
        return f"names {file}, which is no file", f"cita {file}, que não é um arquivo"
    if not re.search(rf"\b{re.escape(plain(symbol)[-1] or '?')}\b", code_of(REPOSITORY / file)):
        return f"names {symbol}, which is not in {file}", f"cita {symbol}, que não está em {file}"
    if file != key[0] or not same_symbol(symbol, key[1]):
        _, en, pt = EVIDENCE[number]
        return f"is not {file} {symbol}. Look for {en}", f"não é {file} {symbol}. Procure {pt}"
    return None


def check(program):
    given = read_answers(program)
    key_of = keys()
    faults = {n: fault(n, given.get(n, []), key) for n, key in key_of.items()}
    wrong = [n for n in key_of if faults[n]]
    if wrong:
        right = len(key_of) - len(wrong)
        en, pt = faults[wrong[0]]
        raise support.NotYet(f"{right} of {len(key_of)} are right. Question {wrong[0]} {en}.",
                             f"{right} de {len(key_of)} estão certas. A pergunta {wrong[0]} {pt}.")

# exercise_08.py: judges chapter 8: two requests and one system call.
# SPDX-License-Identifier: MIT

import re
import shutil
import subprocess
import tempfile

import support
from support import NotYet

TASK = {
    "en": "One call of io_uring_enter submits both requests and waits for both results.",
    "pt": "Uma só chamada de io_uring_enter entrega os dois pedidos e espera os dois resultados.",
}
REFUSED = 77


def counted_by_strace(program):
    """How often the kernel was entered for the ring; None where strace cannot say."""
    if not shutil.which("strace"):
        return None
    with tempfile.NamedTemporaryFile(mode="r", encoding="utf-8") as log:
        ran = subprocess.run(
            ["strace", "-f", "-e", "trace=io_uring_enter", "-o", log.name, program],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=support.DEADLINE, check=False)
        text = log.read()
    if ran.returncode != 0 or "exited with 0" not in text:
        return None
    return len(re.findall(r"io_uring_enter\(", text))


def check(program):
    code, said = support.run([program])
    if code == REFUSED:
        raise NotYet(f"This machine refuses io_uring, so nothing can be judged: {said.strip()}",
                     f"Esta máquina recusa io_uring, e não há o que julgar: {said.strip()}")
    if code != 0:
        raise NotYet(f"The program ended with {code}.", f"O programa terminou com {code}.")
    lines = said.splitlines()
    for wanted in ("A: oi", "B: ola"):
        if lines.count(wanted) != 1:
            raise NotYet(f"The line `{wanted}` should come once; it said: {said}",
                         f"A linha `{wanted}` devia vir uma vez; ele disse: {said}")
    found = re.search(r"^enter: (\d+)$", said, re.MULTILINE)
    if not found:
        raise NotYet("The line `enter: …` is missing.", "Falta a linha `enter: …`.")
    calls = counted_by_strace(program)
    if calls is None:
        calls = int(found.group(1))
    if calls != 1:
        raise NotYet(f"Two requests took {calls} calls of io_uring_enter; one is enough.",
                     f"Dois pedidos usaram {calls} chamadas de io_uring_enter; uma basta.")

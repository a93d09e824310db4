# exercise_09.py: judges chapter 9: a frame may go only when the kernel writes there no more.
# SPDX-License-Identifier: MIT

import support
from support import NotYet

TASK = {
    "en": "drop() frees the frame only after the result of its operation.",
    "pt": "drop() só libera o quadro depois do resultado da sua operação.",
}
REFUSED = 77


def check(program):
    code, said = support.run([program])
    if code == REFUSED:
        raise NotYet(f"This machine refuses io_uring, so nothing can be judged: {said.strip()}",
                     f"Esta máquina recusa io_uring, e não há o que julgar: {said.strip()}")
    lines = said.splitlines()
    if "second has: 2211" in lines or "heap-use-after-free" in said:
        raise NotYet("The result of the first operation came to a frame that was gone: the second "
                     "coroutine had got its memory.",
                     "O resultado da primeira operação chegou a um quadro que já não existia: a "
                     "segunda corrotina tinha recebido a memória dele.")
    if any(line.startswith("first has") for line in lines):
        raise NotYet("The first coroutine was dropped and went on all the same.",
                     "A primeira corrotina foi encerrada e mesmo assim continuou.")
    if "second has: 22" not in lines:
        raise NotYet(f"`second has: 22` is missing (exit code {code}). It said: {said}",
                     f"Falta `second has: 22` (código de saída {code}). Ele disse: {said}")
    if "frames: 0" not in lines:
        raise NotYet("A frame is still there at the end: drop() must destroy it.",
                     "No fim ainda há um quadro: drop() precisa destruí-lo.")
    if code != 0:
        raise NotYet(f"The program ended with {code}. It said: {said}",
                     f"O programa terminou com {code}. Ele disse: {said}")

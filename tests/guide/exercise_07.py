# exercise_07.py: judges chapter 7: who waits has a deadline, on the loop's own clock.
# SPDX-License-Identifier: MIT

import support
from support import NotYet

TASK = {
    "en": "A session that has had nothing until its deadline is dropped; poll waits no longer.",
    "pt": "Uma sessão que não recebeu nada até o seu prazo é encerrada; poll não espera mais.",
}
WANTED = [
    "0 ms: talker has 2 bytes",
    "50 ms: silent is dropped",
    "60 ms: slow has 2 bytes",
    "100 ms: patient is dropped",
]


def check(program):
    code, said = support.run([program])
    lines = said.splitlines()
    if "poll would wait for ever" in lines:
        raise NotYet("poll is told to wait for ever, though four deadlines are to come.",
                     "poll recebe a ordem de esperar para sempre, mas ainda há quatro prazos.")
    for number, wanted in enumerate(WANTED):
        got = lines[number] if number < len(lines) else ""
        if got != wanted:
            raise NotYet(f"Line {number + 1} should be `{wanted}` and is `{got}`.",
                         f"A linha {number + 1} devia ser `{wanted}` e é `{got}`.")
    if len(lines) > len(WANTED):
        raise NotYet(f"After the last session it says `{lines[len(WANTED)]}`.",
                     f"Depois da última sessão ele diz `{lines[len(WANTED)]}`.")
    if code != 0:
        raise NotYet(f"It ended with {code}; run() should return when nobody waits.",
                     f"Ele terminou com {code}; run() devia voltar quando ninguém espera.")

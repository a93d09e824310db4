# exercise_06.py: judges chapter 6's coroutine: eager, and its variable lies in its frame.
# SPDX-License-Identifier: MIT

import re

import support
from support import NotYet

TASK = {
    "en": "count() begins when it is called, and prints the address of i each time.",
    "pt": "count() começa ao ser chamada e imprime o endereço de i a cada vez.",
}
GOLDEN = """\
main: calls count(7, 9)
a frame of SIZE bytes at ADDRESS
    count: begins
    count: i is 7, at ADDRESS
main: has a series
main: resumes it
    count: i is 8, at ADDRESS
main: resumes it
    count: i is 9, at ADDRESS
main: resumes it
    count: ends
the frame is gone
"""


def check(program):
    code, said = support.run([program])
    if code != 0:
        raise NotYet(f"The program ended with code {code}. Only initial_suspend changes: main() "
                     "still needs the frame after the last line of count().",
                     f"O programa terminou com o código {code}. Só initial_suspend muda: main() "
                     "ainda precisa do quadro depois da última linha de count().")
    if "main: has a series" not in said or "count: begins" not in said:
        raise NotYet("main() and count() must still print their lines.",
                     "main() e count() ainda precisam imprimir suas linhas.")
    if said.index("main: has a series") < said.index("count: begins"):
        raise NotYet("It is still lazy: main() has the series before count() begins.",
                     "Ela ainda é preguiçosa: main() já tem a series antes de count() começar.")
    found = re.search(r"a frame of (\d+) bytes at 0x([0-9a-f]+)", said)
    if not found:
        raise NotYet("operator new must still print size and address of the frame.",
                     "operator new ainda precisa imprimir tamanho e endereço do quadro.")
    size, frame = int(found[1]), int(found[2], 16)
    places = [int(place, 16) for place in re.findall(r"i is \d+, at 0x([0-9a-f]+)", said)]
    if len(places) != 3:
        raise NotYet("It is eager. Now print the address of i: `count: i is 7, at 0x…`.",
                     "Ela já é imediata. Agora imprima o endereço de i: `count: i is 7, at 0x…`.")
    if len(set(places)) != 1:
        raise NotYet("i has more than one address.", "i tem mais de um endereço.")
    if not frame <= places[0] < frame + size:
        raise NotYet(f"This is not the i of the frame: {places[0] - frame} bytes from its start.",
                     f"Este não é o i do quadro: fica a {places[0] - frame} bytes do início dele.")
    shape = re.sub(r"0x[0-9a-f]+", "ADDRESS", re.sub(r"of \d+ bytes", "of SIZE bytes", said))
    if shape != GOLDEN:
        line = next(number for number, (one, other) in enumerate(
            zip(shape.splitlines() + [""], GOLDEN.splitlines() + [""]), 1) if one != other)
        raise NotYet(f"Line {line} is not what it should be:\n{said}",
                     f"A linha {line} não é o que deveria ser:\n{said}")

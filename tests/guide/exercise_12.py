# exercise_12.py: is each byte accounted for in 1,000 simulated runs of races?
# SPDX-License-Identifier: MIT

import re

import support
from support import NotYet

TASK = {
    "en": "Change the receiver so that sent = received + left in every one of the 1,000 seeds. "
          "The timeout of 1 ms stays.",
    "pt": "Mude o receptor para que sent = received + left em cada uma das 1.000 sementes. O "
          "timeout de 1 ms fica.",
}
SAID = re.compile(r"1000 seeds, (\d+) timeouts: sent (\d+), received (\d+), left (\d+); "
                  r"wrong in (\d+) seeds")


def check(program):
    code, said = support.run([program])
    found = SAID.search(said)
    if not found:
        raise NotYet(f"The program should print its ledger. It said: {said}",
                     f"O programa deve imprimir a sua contabilidade. Ele disse: {said}")
    timeouts, sent, received, left, wrong = map(int, found.groups())
    if wrong or code or sent != received + left:
        raise NotYet(f"{sent - received - left} of {sent} bytes are missing, in {wrong} of 1000 "
                     f"seeds. Which call takes bytes and then says that it has failed?",
                     f"Faltam {sent - received - left} de {sent} bytes, em {wrong} de 1000 "
                     f"sementes. Que chamada pega bytes e depois diz que falhou?")
    if sent != 80000 or timeouts < 500 or received < 8000:
        raise NotYet(f"The balance is right, but too little happened: {said.strip()} The sender "
                     f"and the timeout of 1 ms must stay.",
                     f"A conta fecha, mas aconteceu pouco: {said.strip()} O transmissor e o "
                     f"timeout de 1 ms devem ficar.")

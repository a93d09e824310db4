# exercise_14.py: judges the retries over UDP: 200 seeds of a network that loses one in five.
# SPDX-License-Identifier: MIT

from simulated import require_seeds

TASK = {
    "en": "Give each request a number, and ask again after 200 ms without its answer. In 200 seeds "
          "every request is answered, and none is done twice.",
    "pt": "Dê um número a cada pedido e pergunte de novo após 200 ms sem a resposta dele. Em 200 "
          "sementes todo pedido é respondido, e nenhum é feito duas vezes.",
}


def check(program):
    require_seeds(program, 200, "datagram_lost", 400)

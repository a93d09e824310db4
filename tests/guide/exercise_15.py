# exercise_15.py: judges the client that retries over TCP: 500 seeds with late segments.
# SPDX-License-Identifier: MIT

from simulated import require_seeds

TASK = {
    "en": "Find a seed that breaks this client, understand it, mend the client: 500 seeds pass.",
    "pt": "Ache uma semente que quebra este cliente, entenda-a e conserte o cliente: 500 sementes "
          "passam.",
}


def check(program):
    require_seeds(program, 500, "slow_segment", 3, tell=False)

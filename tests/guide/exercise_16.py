# exercise_16.py: judges the predicted and the measured p99 of a server that stops, by counting.
# SPDX-License-Identifier: MIT

import re

import support

TASK = {
    "en": "Measure each latency from the moment at which the question was due, and predict the p99 "
          "of the open loop from `run` and `stop`, within 10 %.",
    "pt": "Meça cada latência a partir do instante em que a pergunta devia sair, e preveja o p99 "
          "do laço aberto a partir de `run` e `stop`, com erro de até 10 %.",
}
SAID = re.compile(r"predicted p99 (-?[\d.]+) ms, measured (-?[\d.]+) ms")
CASES = [(4000, 1000), (10000, 1000), (50000, 1000), (30000, 600), (200000, 1000)]


def counted(run, stop):
    """The p99 of one question a millisecond when each takes 0.01 ms, in whole microseconds."""
    latencies = []
    answered = 0
    begins, ends = run * 250, run * 250 + stop * 1000
    for due in range(0, run * 1000, 1000):
        sent = max(due, answered)
        answered = (ends if begins <= sent < ends else sent) + 10
        latencies.append(answered - due)
    latencies.sort()
    return latencies[len(latencies) * 99 // 100] / 1000


def near(value, right):
    return abs(value - right) <= max(right / 10, 1)


def check(program):
    for run, stop in CASES:
        right = counted(run, stop)
        _, text = support.run([program, run, stop])
        found = SAID.search(text)
        if not found:
            raise support.NotYet(f"I looked for `predicted p99 … ms, measured … ms` in: {text}",
                                 f"Procurei `predicted p99 … ms, measured … ms` em: {text}")
        predicted, measured = map(float, found.groups())
        where = f"run {run} ms, stop {stop} ms"
        if not near(measured, right):
            raise support.NotYet(
                f"{where}: the program measures a p99 of {measured} ms. {stop} questions were due "
                "while the server stood still. From which moment on does each of them wait?",
                f"{where}: o programa mede um p99 de {measured} ms. {stop} perguntas deviam sair "
                "enquanto o servidor estava parado. A partir de que instante cada uma espera?")
        if not near(predicted, right):
            raise support.NotYet(
                f"{where}: the program predicts {predicted} ms, and the p99 is {right} ms. How "
                f"many of the {run} questions may be slower than the p99? How many were late?",
                f"{where}: o programa prevê {predicted} ms, e o p99 é {right} ms. Quantas das "
                f"{run} perguntas podem ser mais lentas que o p99? Quantas atrasaram?")

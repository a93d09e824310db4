#!/usr/bin/env python3
"""Simulated runs of the guide's programs: running seeds, and the records that are drawn.

    simulated.py NAME...    records docs/guide/figures/NAME.json again, from its seed
"""
# SPDX-License-Identifier: MIT

import json
import os
import re
import subprocess
import sys
import tempfile

from support import DEADLINE, NotYet

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIGURES = os.path.join(ROOT, "docs", "guide", "figures")
RECORDS = {"14_lost": ("14_answer", 20), "15_late": ("15_sim", 0x12)}  # a figure's program and seed


def run(program, *options, seed=None):
    """Exit code and output of a simulation."""
    environment = {key: value for key, value in os.environ.items() if key != "ANEL_SIM_SEED"}
    if seed is not None:
        environment["ANEL_SIM_SEED"] = hex(seed)
    try:
        done = subprocess.run([program, *options], env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=3 * DEADLINE, check=False)
    except subprocess.TimeoutExpired:
        raise NotYet("The simulation does not end: does a loop turn without waiting?",
                     "A simulação não termina: há um laço que gira sem esperar?") from None
    return done.returncode, done.stdout


def times(said, fault):
    """How often a fault happened in a batch of seeds, as the simulation says."""
    found = re.search(rf"{fault}: (\d+) times", said)
    return int(found.group(1)) if found else 0


def require_seeds(program, seeds, fault, least, tell=True):
    """All seeds pass, in a network that is as bad as it was. `tell`: say which one does not."""
    code, said = run(program, f"--seeds={seeds}", "--jobs=1")
    if code != 0 and "FAILED" in said and not tell:
        command = f"{os.path.basename(program)} --seeds={seeds}"
        raise NotYet(f"A seed fails. `{command}` finds it.",
                     f"Uma semente falha. `{command}` a encontra.")
    if code != 0:
        reason = "FAILED" + said.split("FAILED")[-1] if "FAILED" in said else said
        raise NotYet(f"A seed fails, or the program does:\n{reason}",
                     f"Uma semente falha, ou o próprio programa:\n{reason}")
    if f" {seeds} seeds," not in said:
        raise NotYet(f"The program did not run {seeds} seeds. It said:\n{said}",
                     f"O programa não rodou {seeds} sementes. Ele disse:\n{said}")
    if times(said, fault) < least:
        raise NotYet(f"`{fault}` hardly happens any more: leave the faults as they were.",
                     f"`{fault}` quase não acontece mais: deixe as falhas como estavam.")


def record(program, seed):
    """What went over the network, as JSON text without what differs from run to run."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "run.json")
        run(program, f"--record={path}", seed=seed)
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    data["events"] = []  # of the loops; operations have the addresses of one process
    lines = [f'"{key}": ' + listed(value) for key, value in data.items()]
    return "{" + ",\n".join(lines) + "}\n"


def listed(value):
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(map(json.dumps, value)) + "]"


def main(names):
    binaries = os.environ["ANEL_GUIDE_BIN"]
    for name in names:
        program, seed = RECORDS[name]
        with open(os.path.join(FIGURES, name + ".json"), "w", encoding="utf-8") as file:
            file.write(record(os.path.join(binaries, program), seed))


if __name__ == "__main__":
    main(sys.argv[1:])

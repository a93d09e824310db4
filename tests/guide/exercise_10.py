# exercise_10.py: does the server count the system calls of 16 echoes, on each backend?
# SPDX-License-Identifier: MIT

import os
import re

import support
from support import NotYet
from asleep import echoes

TASK = {
    "en": "Let system_calls() return how many system calls the loop has made: metrics has them. "
          "First guess: what do 16 echoes cost on io_uring, epoll and poll?",
    "pt": "Faça system_calls() devolver quantas chamadas de sistema o laço já fez: metrics as "
          "conta. Antes, adivinhe: quanto custam 16 ecos em io_uring, epoll e poll?",
}
COUNT = re.compile(r"16 echoes: (\d+) system calls")
# An echo needs a receive and a send. io_uring waits and sends in the same calls; the others wait
# with a call of its own. A few more or less are made at the beginning and the end.
BOUNDS = {"io_uring": (16, 36), "epoll": (44, 60), "poll": (44, 60)}


def check(program):
    for backend in BOUNDS:
        environment = os.environ | {"ANEL_BACKEND": backend}
        with support.Program([program, "127.0.0.1:0"], env=environment) as server:
            try:
                address = server.address()
            except NotYet as trouble:
                if backend == "io_uring" and "io_uring" in str(trouble):
                    continue  # It is refused here.
                raise
            runs_on = re.search(r"\((\w+)\)", server.lines[0])
            runs_on = runs_on.group(1) if runs_on else backend
            echoes(server, address, 16)
            said = server.finish()
        found = COUNT.search(said)
        if not found:
            raise NotYet(f"After 16 echoes the program should say how many system calls they "
                         f"cost. It said: {said}",
                         f"Depois de 16 ecos o programa deve dizer quantas chamadas de sistema "
                         f"eles custaram. Ele disse: {said}")
        least, most = BOUNDS.get(runs_on, BOUNDS["epoll"])
        count = int(found.group(1))
        if not least <= count <= most:
            raise NotYet(f"On {runs_on} it said {count} system calls for 16 echoes; between "
                         f"{least} and {most} is right. Do you add `calls` and `waits`?",
                         f"Em {runs_on} ele disse {count} chamadas de sistema para 16 ecos; o "
                         f"certo fica entre {least} e {most}. Você soma `calls` e `waits`?")

# exercise_11.py: are three servers asked at once, and does the first error end the others?
# SPDX-License-Identifier: MIT

import json
import os
import select
import socket
import tempfile

import support
from asleep import sleeps
from support import NotYet

TASK = {
    "en": "Ask all servers at once, each in a child of one group. The first error must end the "
          "others.",
    "pt": "Pergunte a todos os servidores ao mesmo tempo, cada um em uma filha de um grupo. O "
          "primeiro erro deve terminar as outras.",
}


def listener():
    made = socket.create_server(("127.0.0.1", 0))
    made.settimeout(support.DEADLINE)
    return made


def accept_all(servers, program):
    """A connection from each server; nothing answers until all have come."""
    asked, quiet = {}, 0
    while len(asked) < len(servers):
        ready, _, _ = select.select([each for each in servers if each not in asked], [], [], 0.005)
        quiet = 0 if ready or not sleeps(program.process.pid) else quiet + 1
        if quiet == 100:  # it sleeps, and has slept at each look: it waits for an answer
            raise NotYet(f"Only {len(asked)} of 3 servers were asked while none had answered.",
                         f"Só {len(asked)} de 3 servidores receberam um pedido enquanto nenhum "
                         f"tinha respondido.")
        for each in ready:
            asked[each] = each.accept()[0]
    return [asked[each] for each in servers]


def close(sockets):
    for each in sockets:
        each.close()


def answers(command):
    """All answer, the last one first."""
    servers = [listener() for _ in range(3)]
    names = ["127.0.0.1:%d" % each.getsockname()[1] for each in servers]
    try:
        with support.Program([*command, *names]) as program:
            asked = accept_all(servers, program)
            for number in (2, 0, 1):
                asked[number].sendall(b"oi" + str(number).encode())
                said = program.line()
                wanted = f"{names[number]}: oi{number}"
                if said != wanted:
                    raise NotYet(f"Server {number + 1} answered; the program should print "
                                 f"`{wanted}`, and printed `{said}`.",
                                 f"O servidor {number + 1} respondeu; o programa deve imprimir "
                                 f"`{wanted}`, e imprimiu `{said}`.")
            program.finish()
            close(asked)
            if program.process.returncode != 0:
                raise NotYet("All 3 servers answered, and the program ended with an error.",
                             "Os 3 servidores responderam, e o programa terminou com erro.")
    finally:
        close(servers)


def ends_of(record):
    """How the tasks that have connected ended: those that were cancelled, those still there."""
    with open(record, encoding="utf-8") as file:
        events = json.load(file)["events"]
    asked = {event["task"] for event in events if event.get("call") == "connect"}
    ends = {event["task"]: event["how"] for event in events if event["kind"] == "end"}
    cancelled = [task for task in asked if ends.get(task) == "cancelled"]
    return len(cancelled), len(asked - set(ends))


def first_error(command, folder):
    """The last one hangs up, and the others stay silent."""
    servers = [listener() for _ in range(3)]
    record = os.path.join(folder, "run.json")
    environment = os.environ | {"ANEL_TRACE": record}
    try:
        with support.Program(
                [*command, *("127.0.0.1:%d" % each.getsockname()[1] for each in servers)],
                env=environment) as program:
            asked = accept_all(servers, program)
            asked[2].close()
            program.finish()
            for each in asked[:2]:
                each.settimeout(support.DEADLINE)
                if each.recv(1) != b"":
                    raise NotYet("A fetch that was cancelled did not close its connection.",
                                 "Uma busca cancelada não fechou a sua conexão.")
            close(asked)
            if program.process.returncode != 1:
                raise NotYet("One server hung up; the program should end with the exit code 1.",
                             "Um servidor desligou; o programa deve terminar com o código 1.")
    finally:
        close(servers)
    cancelled, alive = ends_of(record)
    if (cancelled, alive) != (2, 0):
        raise NotYet(f"The record of the run shows {cancelled} cancelled fetches and {alive} that "
                     f"did not end; it should be 2 and 0.",
                     f"O registro da execução mostra {cancelled} buscas canceladas e {alive} que "
                     f"não terminaram; deviam ser 2 e 0.")


def check(program):
    answers([program])
    with tempfile.TemporaryDirectory() as folder:
        first_error([program], folder)

# exercise_04.py: judges chapter 4's server: two clients at once, then 20.
# SPDX-License-Identifier: MIT

import quiet
import support
from support import NotYet

TASK = {
    "en": "A client gets its answers while other clients are connected.",
    "pt": "Um cliente recebe as respostas enquanto outros clientes estão conectados.",
}
CROWD = 20


def ask(conversation, text, name):
    conversation.sendall(text.encode())
    answer = b""
    while len(answer) < len(text):
        part = conversation.recv(1024)
        if not part:
            raise NotYet(f"The server hung up on {name} before it had answered.",
                         f"O servidor encerrou a conversa com {name} antes de responder.")
        answer += part
    if answer.decode() != text.upper():
        raise NotYet(f"{name} sent {text!r} and got {answer.decode()!r}.",
                     f"{name} enviou {text!r} e recebeu {answer.decode()!r}.")


def check(program):
    with support.Program([program, "0"]) as server:
        address = server.address()
        try:
            with support.connect(address) as a, support.connect(address) as b:
                two(a, b, server.process.pid)
        except ConnectionError:
            server.process.wait(support.DEADLINE)
            raise NotYet("The server ended when B came. A std::thread must be detached or kept "
                         "before it is destroyed.",
                         "O servidor terminou quando B chegou. Uma std::thread precisa ser solta "
                         "(detach) ou guardada antes de ser destruída.") from None
        crowd = [support.connect(address) for _ in range(CROWD)]
        try:
            for number in reversed(range(CROWD)):
                ask(crowd[number], f"client {number}", f"client {number}")
        finally:
            for conversation in crowd:
                conversation.close()


def two(a, b, pid):
    ask(a, "oi", "A")
    b.sendall(b"x")
    if not quiet.answers_before_it_sleeps(b, pid):
        raise NotYet("B has asked and gets no answer while A is connected: every thread of the "
                     "server sleeps, and none of them sleeps in a recv for B.",
                     "B pediu e não recebe resposta enquanto A está conectado: todas as threads do "
                     "servidor dormem, e nenhuma dorme num recv de B.")
    if b.recv(1) != b"X":
        raise NotYet("B sent 'x' and did not get 'X'.", "B enviou 'x' e não recebeu 'X'.")
    ask(a, "still here", "A")
    b.shutdown(support.socket.SHUT_WR)
    if not quiet.answers_before_it_sleeps(b, pid):
        raise NotYet("B has finished, and the server does not close its descriptor. After a fork "
                     "two processes hold it.",
                     "B terminou, e o servidor não fecha o descritor dele. Depois de um fork, dois "
                     "processos o seguram.")
    rest = b.recv(1024)
    if rest:
        raise NotYet(f"B got more than it had asked for: {rest!r}.",
                     f"B recebeu mais do que pediu: {rest!r}.")

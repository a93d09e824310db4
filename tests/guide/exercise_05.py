# exercise_05.py: judges chapter 5: 1 MiB to a client that reads late, and to one in a hurry.
# SPDX-License-Identifier: MIT

import quiet
import support
from support import NotYet

TASK = {
    "en": "A client that reads slowly gets all of the 1 MiB and keeps nobody waiting.",
    "pt": "Um cliente que lê devagar recebe todo o 1 MiB e não faz ninguém esperar.",
}
FILE = bytes(ord("a") + i % 23 for i in range(1 << 20))


def slow_client(address):
    """Its buffer is small: the server cannot get rid of everything at once."""
    conversation = support.socket.socket()
    conversation.setsockopt(support.socket.SOL_SOCKET, support.socket.SO_RCVBUF, 4096)
    conversation.settimeout(support.DEADLINE)
    conversation.connect(address)
    return conversation


def whole(conversation, name, nome):
    text = bytearray()
    try:
        while part := conversation.recv(65536):
            text += part
    except TimeoutError:
        raise NotYet(f"{name} got {len(text)} of {len(FILE)} bytes, and then nothing more came.",
                     f"{nome} recebeu {len(text)} de {len(FILE)} bytes, e não veio mais nada.") \
            from None
    except ConnectionError as error:
        raise NotYet(f"{name} got {len(text)} of {len(FILE)} bytes, and then: {error}.",
                     f"{nome} recebeu {len(text)} de {len(FILE)} bytes, e então: {error}.") \
            from None
    if text == FILE:
        return
    if len(text) != len(FILE):
        raise NotYet(f"{name} got {len(text)} of {len(FILE)} bytes. One send takes what fits into "
                     "the buffer in the kernel; the rest has to be sent later.",
                     f"{nome} recebeu {len(text)} de {len(FILE)} bytes. Um send leva o que cabe no "
                     "buffer do kernel; o resto precisa ser enviado depois.")
    at = next(i for i, byte in enumerate(FILE) if text[i] != byte)
    raise NotYet(f"{name} got {len(text)} bytes; the first wrong one is number {at}.",
                 f"{nome} recebeu {len(text)} bytes; o primeiro errado é o número {at}.")


def check(program):
    with support.Program([program, "0"]) as server:
        address = server.address()
        with slow_client(address) as slow, slow_client(address) as quick, \
                support.connect(address):  # and one that never asks
            slow.sendall(b"please\n")
            quick.sendall(b"please\n")
            if not quiet.answers_before_it_sleeps(quick, server.process.pid):
                raise NotYet("The slow client does not read, and another one gets nothing.",
                             "O cliente lento não lê, e outro não recebe nada.")
            whole(quick, "A client", "Um cliente")
            quiet.wait_until_it_sleeps(
                server.process.pid,
                "The slow client does not read, and the server does not sleep: poll is asked for "
                "something that is always ready.",
                "O cliente lento não lê, e o servidor não dorme: poll recebe um pedido de algo que "
                "está sempre pronto.")
            whole(slow, "The slow client", "O cliente lento")
        with slow_client(address) as rude:
            rude.sendall(b"please\n")
        with support.connect(address) as last:
            last.sendall(b"please\n")
            whole(last, "A client after one that hung up", "Um cliente depois de um que desligou")

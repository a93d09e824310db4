# exercise_02.py: are lines read well, however the stream was cut?
# SPDX-License-Identifier: MIT

import socket

import sockets_of
import support

TASK = {
    "en": "Make `read_line` return exactly one line, whether it comes byte by byte "
          "or together with the next ones.",
    "pt": "Faça `read_line` devolver exatamente uma linha, venha ela byte a byte "
          "ou junto com as próximas.",
}


def check(program):
    with support.Program([program, 0]) as server:
        address = server.address()
        for feed in (whole_lines, together, byte_by_byte, cut_badly):
            with support.connect(address) as conversation:
                feed(conversation)


def expect(conversation, lines, en, pt):
    for line in lines:
        want = str(len(line.encode()))
        try:
            got = support.receive_line(conversation)
        except socket.timeout:
            got = None
        if got != want:
            raise support.NotYet(
                f"{en} The reply to \"{line}\" should be {want}; it was {got}.",
                f"{pt} A resposta a \"{line}\" deve ser {want}; foi {got}.")


def whole_lines(conversation):
    for line in ("oi", "", "bom dia"):
        conversation.sendall(line.encode() + b"\n")
        expect(conversation, [line], "One line at a time.", "Uma linha por vez.")


def together(conversation):
    lines = ["oi", "bom dia", "até", "", "fim"]
    conversation.sendall("".join(line + "\n" for line in lines).encode())
    conversation.shutdown(socket.SHUT_WR)
    expect(conversation, lines, "Five lines in one send.", "Cinco linhas em um só send.")
    if rest := support.receive_all(conversation):
        raise support.NotYet(
            f"Five lines in one send, and after five replies came {rest}.",
            f"Cinco linhas em um só send, e depois de cinco respostas veio {rest}.")


def byte_by_byte(conversation):
    look = sockets_of.can_look(conversation)
    for byte in "até logo\n".encode():
        conversation.sendall(bytes([byte]))
        if look:
            support.wait_until(lambda: sockets_of.peer_has_taken_all(conversation),
                               "The server does not receive what came byte by byte.",
                               "O servidor não recebe o que veio byte a byte.")
    expect(conversation, ["até logo"], "A line byte by byte.", "Uma linha byte a byte.")


def cut_badly(conversation):
    for piece in (b"um\ndo", b"is\n\ntr\xc3", b"\xaas\n"):
        conversation.sendall(piece)
    conversation.shutdown(socket.SHUT_WR)
    expect(conversation, ["um", "dois", "", "três"],
           "A cut in the middle of a line.", "Um corte no meio de uma linha.")

# exercise_03.py: does a client that has finished sending still get its answer?
# SPDX-License-Identifier: MIT

import shutil
import socket
import struct
import subprocess

import support

TASK = {
    "en": "Answer with the sum when the client has finished sending, as `nc -N` does. "
          "A client that has reset the connection gets no answer and does no harm.",
    "pt": "Responda com a soma quando o cliente terminar de enviar, como faz `nc -N`. "
          "Um cliente que abortou a conexão não recebe resposta e não causa dano.",
}


def check(program):
    with support.Program([program, 0]) as server:
        address = server.address()
        half_close(address, "40\n2\n", "42")
        reset(address)
        half_close(address, "1\n2\n3\n", "6")
        half_close(address, "", "0")
        half_close(address, "\n".join(str(n) for n in range(1, 2001)) + "\n", "2001000")
        if "-N" in netcat_help():
            said = subprocess.run(["nc", "-N", address[0], str(address[1])], input="40\n2\n",
                                  stdout=subprocess.PIPE, text=True, timeout=support.DEADLINE,
                                  check=False).stdout
            if said != "42\n":
                raise support.NotYet(f"`nc -N` should get 42; it got \"{said.strip()}\".",
                                     f"`nc -N` deve receber 42; recebeu \"{said.strip()}\".")


def netcat_help():
    if not shutil.which("nc"):
        return ""
    return subprocess.run(["nc", "-h"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False).stdout


def half_close(address, numbers, want):
    with support.connect(address) as conversation:
        conversation.sendall(numbers.encode())
        conversation.shutdown(socket.SHUT_WR)
        got = support.receive_line(conversation)
        if got != want:
            en = f"it got \"{got}\"" if got is not None else "the server closed without an answer"
            pt = f"recebeu \"{got}\"" if got is not None else "o servidor fechou sem responder"
            shown = numbers if len(numbers) < 20 else "1 … 2000"
            shown = " ".join(shown.split())
            raise support.NotYet(
                f"A client sent [{shown}] and closed its sending side. It should get {want}; {en}.",
                f"Um cliente enviou [{shown}] e fechou seu lado de envio. "
                f"Devia receber {want}; {pt}.")


def reset(address):
    conversation = support.connect(address)
    conversation.sendall(b"7\n")
    conversation.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conversation.close()

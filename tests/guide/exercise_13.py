# exercise_13.py: judges the chat: a client that stops reading, and 64 MiB that are said to it.
# SPDX-License-Identifier: MIT

import socket
import threading

from support import DEADLINE, NotYet, Program, connect

TASK = {
    "en": "Bound what one client can cost. While a client does not read, 64 MiB are said in the "
          "room: the server grows by less than 1 MiB, and the others go on talking.",
    "pt": "Limite o que um cliente pode custar. Enquanto um cliente não lê, 64 MiB são ditos na "
          "sala: o servidor cresce menos de 1 MiB, e os outros continuam conversando.",
}
MIB = 1 << 20
LINE = b"x" * 1023 + b"\n"


def peak(process):
    """The most memory that the process has had, in bytes; None where the system does not tell."""
    try:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


class Listener(threading.Thread):
    """A client that reads all the time; `heard` is set when the word comes."""

    def __init__(self, conversation, word):
        super().__init__(daemon=True)
        self.conversation, self.word, self.heard = conversation, word, threading.Event()

    def run(self):
        tail = b""
        try:
            while part := self.conversation.recv(MIB):
                if self.word in tail + part:
                    self.heard.set()
                tail = part[-len(self.word):]
        except OSError:
            pass  # the judge has finished


def said(speaker, listener, word):
    """Says a word until the listener hears it: a line may be lost, even when one reads."""
    for _ in range(100):
        speaker.sendall(word + b"\n")
        if listener.heard.wait(DEADLINE / 100):
            return True
    return False


def check(program):
    with Program([program, "0"]) as server:
        address = server.address()
        stopped = socket.socket()
        stopped.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        speaker, reader = connect(address), connect(address)
        with stopped, speaker, reader:
            stopped.connect(address)
            first, last = Listener(reader, b"FIRST"), Listener(reader, b"LAST")
            first.start()
            if not said(speaker, first, b"FIRST"):
                raise NotYet("What one client says does not reach the others.",
                             "O que um cliente diz não chega aos outros.")
            last.start()
            try:
                judge_flood(server.process, speaker)
                heard = said(speaker, last, b"LAST")
            except TimeoutError:
                raise NotYet("The speaker had to wait for the client that does not read.",
                             "Quem fala teve de esperar o cliente que não lê.") from None
            if not heard:
                raise NotYet("After the flood the client that reads gets nothing any more.",
                             "Depois da enxurrada o cliente que lê não recebe mais nada.")


def judge_flood(process, speaker):
    speaker.sendall(LINE * 256)
    before = peak(process)
    for mebibyte in range(1, 65):
        speaker.sendall(LINE * 1024)
        if before is not None and peak(process) - before >= MIB:
            raise NotYet(f"After {mebibyte} MiB the server has grown by more than 1 MiB.",
                         f"Depois de {mebibyte} MiB o servidor cresceu mais de 1 MiB.")

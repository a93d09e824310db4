# exercise_01.py: how many bytes does the kernel take when nobody receives?
# SPDX-License-Identifier: MIT

import re
import socket
import threading
import time

import sockets_of
import support

PAGE = 4096
SEGMENT = 64 * 1024  # the most over loopback: until it is acknowledged it is in both buffers
TASK = {
    "en": "Send until the kernel takes no more, and print how many bytes it has taken: "
          "`the kernel took N bytes`. Then wait for Enter.",
    "pt": "Envie até o kernel não aceitar mais nada e escreva quantos bytes ele aceitou: "
          "`the kernel took N bytes`. Depois espere o Enter.",
}


def check(program):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(support.DEADLINE)
        with support.Program([program, listener.getsockname()[1]]) as client:
            conn, peer = listener.accept()
            with conn:
                compare(client, conn, peer[1])


def compare(client, conn, port):
    too_late = threading.Timer(10, client.process.kill)  # a send that blocks never ends
    too_late.start()
    said = client.line()
    too_late.cancel()
    if not said:
        raise support.NotYet("It has not printed anything: does its send block?",
                             "Ele não escreveu nada: o send dele bloqueia?")
    found = re.fullmatch(r"the kernel took (\d+) bytes", said)
    if not found:
        raise support.NotYet(f"It should print `the kernel took N bytes`. It printed: {said}",
                             f"Ele deve escrever `the kernel took N bytes`. Escreveu: {said}")
    taken = int(found[1])
    held = in_the_kernel(conn, port, taken)
    client.process.stdin.write("\n")
    client.process.stdin.close()
    conn.settimeout(support.DEADLINE)
    received = len(support.receive_all(conn))
    if taken != received:
        raise support.NotYet(
            f"It printed {taken} bytes, and {received} have arrived. "
            "What does send return, and is one send enough?",
            f"Ele escreveu {taken} bytes, e {received} chegaram. "
            "O que send devolve, e um só send basta?")
    if held is not None and not -PAGE <= held - taken <= SEGMENT:
        raise support.NotYet(
            f"It printed {taken} bytes, and the kernel held {held} in its two buffers.",
            f"Ele escreveu {taken} bytes, e o kernel guardava {held} nos seus dois buffers.")
    if taken < 64 * 1024:
        raise support.NotYet(f"After {taken} bytes there was still room in the kernel.",
                             f"Depois de {taken} bytes ainda havia lugar no kernel.")


def in_the_kernel(conn, port, taken):
    """Bytes in the client's send buffer and in our receive buffer; None where one cannot look."""
    here = conn.getsockname()[1]

    def held():
        unsent, unread = sockets_of.queues(port, here), sockets_of.queues(here, port)
        return unsent[0] + unread[1] if unsent and unread else None

    # Bytes that have just arrived are in both buffers; the last of them may stay so for seconds.
    for _ in range(500):
        if held() is None or held() <= taken + SEGMENT:
            break
        time.sleep(0.01)
    return held()

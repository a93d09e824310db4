# asleep.py: whether a program sleeps; an echo server is asked again only then, so that its system
# calls can be counted: a server that finds the next request at once saves itself a wait.
# SPDX-License-Identifier: MIT

import support


def sleeps(pid):
    """Whether the process waits in the kernel; true where there is no /proc to tell."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] in "SZX"
    except OSError:
        return True


def echoes(server, address, times):
    with support.connect(address) as conversation:
        for _ in range(times):
            support.wait_until(lambda: sleeps(server.process.pid),
                               "The server does not sleep while nothing is asked of it.",
                               "O servidor não dorme enquanto ninguém pede nada.")
            conversation.sendall(b"oi\n")
            answer = support.receive_line(conversation)
            if answer != "oi":
                raise support.NotYet(f"To `oi` the server said {answer!r}.",
                                     f"A `oi` o servidor respondeu {answer!r}.")

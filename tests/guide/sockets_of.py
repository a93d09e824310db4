# sockets_of.py: what the kernel says of a TCP connection over loopback, from /proc/net/tcp.
# SPDX-License-Identifier: MIT

from pathlib import Path

TABLE = Path("/proc/net/tcp")


def queues(local, remote):
    """(bytes sent and not acknowledged, bytes received and not taken) of the socket of `local`.

    `local` and `remote` are ports. None where the table, or the connection in it, is missing.
    """
    if not TABLE.exists():
        return None
    for line in TABLE.read_text().splitlines()[1:]:
        fields = line.split()
        here, there = (int(address.split(":")[1], 16) for address in fields[1:3])
        if (here, there) == (local, remote):
            unsent, unread = (int(size, 16) for size in fields[4].split(":"))
            return unsent, unread
    return None


def can_look(conversation):
    """Whether the table shows this connection: not in every container."""
    return queues(conversation.getsockname()[1], conversation.getpeername()[1]) is not None


def peer_has_taken_all(conversation):
    """True when the peer's program has received all that was sent over `conversation`."""
    here, there = conversation.getsockname()[1], conversation.getpeername()[1]
    mine, its = queues(here, there), queues(there, here)
    return its is None or (mine is not None and mine[0] == 0 and its[1] == 0)

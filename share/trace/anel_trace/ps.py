# ps.py: asks a running process what its tasks wait for.
# SPDX-License-Identifier: MIT
"""Each loop of the process listens at an abstract socket named anel-PID-LOOP, and writes its list
of tasks to whoever connects."""

import re
import socket

from .record import Trouble

PATIENCE_S = 5.0  # a loop that is busy for so long has another problem


def addresses(pid, table="/proc/net/unix"):
    """The numbers of the loops that listen, in order."""
    with open(table, encoding="utf-8", errors="replace") as file:
        found = re.findall(rf" @anel-{pid}-(\d+)$", file.read(), re.MULTILINE)
    return sorted({int(number) for number in found})


def ask(pid, number):
    """What one loop answers."""
    text = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_S)
        connection.connect(f"\0anel-{pid}-{number}")
        while part := connection.recv(65536):
            text += part
    return text.decode("utf-8", "replace")


def ps(pid):
    """The answers of all loops; raises Trouble."""
    try:
        numbers = addresses(pid)
    except OSError as error:
        raise Trouble(f"/proc/net/unix: {error.strerror}") from None
    if not numbers:
        raise Trouble(f"process {pid} listens nowhere: it must run with run_options::dump_on "
                      "(the example servers do), as the same user")
    for number in numbers:
        try:
            text = ask(pid, number)
        except TimeoutError:
            raise Trouble(f"process {pid}: loop {number} gave no answer in {PATIENCE_S:.0f} s: "
                          "a task does not give way") from None
        except OSError as error:
            raise Trouble(f"process {pid}: loop {number}: {error.strerror}".lower()) from None
        if not text:
            raise Trouble(f"process {pid}: loop {number} says nothing: it answers to its own user "
                          "and to root alone")
        yield text

# quiet.py: whether a process sleeps or is busy, thread by thread: chapters 4 and 5 ask.
# SPDX-License-Identifier: MIT

import time
from pathlib import Path

import support


def threads(pid):
    """(name, state, times it has run) of each thread, also of its children; None without /proc."""
    seen = []
    for folder in Path(f"/proc/{pid}/task").glob("*"):
        try:
            lines = (folder / "status").read_text(encoding="ascii", errors="replace").splitlines()
            children = (folder / "children").read_text(encoding="ascii").split()
        except OSError:
            continue  # It has just ended.
        values = dict(line.split(":", 1) for line in lines if ":" in line)
        if "voluntary_ctxt_switches" not in values:
            return None
        seen.append((folder.name, values["State"].split()[0],
                     values["voluntary_ctxt_switches"], values["nonvoluntary_ctxt_switches"]))
        for child in children:
            seen += threads(child) or []
    return sorted(seen) or None


def can_tell():
    return threads("self") is not None


def sleeps(pid):
    """True when two looks, 0.2 s apart, found every thread asleep and that none has run between."""
    before = threads(pid)
    if before is None or any(state not in "SZ" for _, state, _, _ in before):
        return False
    time.sleep(0.2)
    return threads(pid) == before


def wait_until_it_sleeps(pid, en, pt):
    if can_tell():
        support.wait_until(lambda: sleeps(pid), en, pt)


def answers_before_it_sleeps(conversation, pid):
    """Waits for bytes or the end; False when the process sleeps and has sent neither."""
    end = time.monotonic() + (support.DEADLINE if can_tell() else 3)
    while time.monotonic() < end:
        if has_something(conversation):
            return True
        if sleeps(pid):
            return has_something(conversation)
        time.sleep(0.005)
    return False


def has_something(conversation):
    """Whether a recv would not wait: there are bytes, the end, or an error."""
    conversation.setblocking(False)
    try:
        conversation.recv(1, support.socket.MSG_PEEK)
        return True
    except BlockingIOError:
        return False
    finally:
        conversation.settimeout(support.DEADLINE)

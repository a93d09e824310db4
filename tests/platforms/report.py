"""Writes docs/platforms.md from the last result of each row."""

import json

HEAD = """# Platforms

What `./dev matrix` found, a row a platform; `./dev matrix --list` names them, `./dev matrix ROW`
runs one. *Runs*: built there, and every test passed that can run there. *Links*: built and linked,
never run. *Not known*: not tried, or the platform could not be made.

| row | what it is | state | passed, failed, skipped | versions | date |
|---|---|---|---|---|---|
"""

WINDOWS = """
## Windows

It does not build there, and nobody has tried to make it. By reading, some 1,600 lines are missing:

* a backend over completion ports behind `runtime/anel/detail/backend.hpp`, beside io_uring's:
  `AcceptEx`, `ConnectEx`, `WSARecv`, `WSASend`, `TransmitFile`, and `CancelIoEx`, which completes
  as well;
* a `runtime/system/windows.cpp` beside `linux.cpp` and `portable.cpp`: sockets are handles and not
  small integers, options and errors have other numbers (`WSAE...`), the thread is woken by
  `PostQueuedCompletionStatus`;
* Winsock's start and end, once a process;
* console events for SIGINT and SIGTERM; no `fork`, so `runtime/system/process_farm.cpp` stays away,
  and the tests that fork take threads;
* unix sockets without datagrams.
"""


def page(rows, results, last_page):
    """A row that was not run on this machine stays as the last page has it."""
    told = {line.split("`")[1]: line for line in last_page.splitlines() if line.startswith("| `")}
    lines = []
    for row in rows:
        path = results / f"{row.name}.json"
        if not path.exists():
            lines.append(told.get(row.name, f"| `{row.name}` | {row.says} | not known | | | |"))
            continue
        found = json.loads(path.read_text())
        state = "not known" if found["outcome"] == "not made" else found["outcome"]
        counts = f"{found['passed']}, {len(found['failed'])}, {len(found['skipped'])}"
        if found["error"]:
            state += ": " + " ".join(found["error"].split())[:160].replace("|", "\\|")
        versions = "; ".join(shown(name, text) for name, text in found["versions"].items())
        lines.append(f"| `{row.name}` | {row.says} | {state} | {counts} | {versions} | "
                     f"{found['date']} |")
    return HEAD + "\n".join(lines) + "\n" + WINDOWS


def shown(name, text):
    """A version as it stands in the table; a compiler's says its own name."""
    text = " ".join(text.split()).replace("|", "\\|")[:120]
    return text if name in ("compiler", "said", "ring", "machine") else f"{name} {text}"

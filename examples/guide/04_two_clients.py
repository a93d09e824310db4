# 04_two_clients.py: client B asks while A is connected: who waits for whom?
# SPDX-License-Identifier: MIT
import select
import socket
import sys
import time

port = int(sys.argv[1]) if len(sys.argv) > 1 else 7777
start = time.monotonic()


def say(what):
    ms = (time.monotonic() - start) * 1000
    print(f"{ms:7.1f} ms  {what}", flush=True)


def ask(name, client, text):
    client.sendall(text.encode())
    say(f"{name} sent {text!r}")


# #region clients
a = socket.create_connection(("127.0.0.1", port))
ask("A", a, "oi")
say(f"A got {a.recv(1024).decode()!r}")
b = socket.create_connection(("127.0.0.1", port))
ask("B", b, "hello")
if not select.select([b], [], [], 1)[0]:  # looks at B for one second
    say("B has waited for 1 s")
    a.close()
    say("A closed")
say(f"B got {b.recv(1024).decode()!r}")
b.close()
a.close()
# #endregion clients

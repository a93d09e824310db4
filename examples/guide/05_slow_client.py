# 05_slow_client.py: sends until nobody takes more, and only then reads.
# SPDX-License-Identifier: MIT
import select
import socket
import sys

port = int(sys.argv[1]) if len(sys.argv) > 1 else 7777
# #region client
client = socket.create_connection(("127.0.0.1", port))
client.setblocking(False)
sent = got = 0
while select.select([], [client], [], 1)[1]:  # a second without room: full
    sent += client.send(b"x" * 65536)
print(f"sent {sent} bytes, read none: every buffer is full")
client.setblocking(True)
client.shutdown(socket.SHUT_WR)
while part := client.recv(65536):
    got += len(part)
print(f"got {got} bytes back")
# #endregion client

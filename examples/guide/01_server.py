# 01_server.py: the lecture's server: answers one client after the other.
# SPDX-License-Identifier: MIT
import sys
from socket import socket, AF_INET, SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR

port = int(sys.argv[1]) if len(sys.argv) > 1 else 7777
# #region body
server = socket(AF_INET, SOCK_STREAM)
server.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
server.bind(('127.0.0.1', port))
server.listen(1)
print('listening on %s:%d' % server.getsockname(), flush=True)
while True:
    conn, address = server.accept()
    while True:
        request = conn.recv(1024)
        if not request:  # the client has finished
            break
        conn.send(request.upper())
    conn.close()
# #endregion body

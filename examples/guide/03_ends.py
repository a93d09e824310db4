# 03_ends.py: a half close: the client has finished, and gets its answer.
# SPDX-License-Identifier: MIT
import socket

listener = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(listener.getsockname())
server, address = listener.accept()
print('1. half close')
# #region body
print('client send', client.send(b'add 40 2'))
client.shutdown(socket.SHUT_WR)
print('client shutdown 0')
print('server recv', len(server.recv(8)))
print('server recv', len(server.recv(8)))  # b'': the client has finished
print('server send', server.send(b'42'))
print('client recv', len(client.recv(8)))
# #endregion body
for end in (client, server, listener):
    end.close()

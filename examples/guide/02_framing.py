# 02_framing.py: lines out of a byte stream, wherever it was cut.
# SPDX-License-Identifier: MIT
import socket


# #region body
def lines(conn):
    have = b''  # received, and not yet part of a line
    while some := conn.recv(7):
        print('recv', len(some))
        have += some
        while b'\n' in have:
            line, have = have.split(b'\n', 1)
            yield line.decode()  # a whole line: no character is cut
        if len(have) > 1000:
            raise ValueError('no line')
    print('recv 0')
# #endregion body


listener = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(listener.getsockname())
server, address = listener.accept()
for part in (b'oi\n', b'bom ', b'dia\nat\xc3', b'\xa9\n', b'fim\n'):
    print('send', client.send(part))
client.shutdown(socket.SHUT_WR)
for text in lines(server):
    print(text)
for end in (client, server, listener):
    end.close()

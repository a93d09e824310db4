# 01_client.py: the lecture's client: sends requests, prints the replies.
# SPDX-License-Identifier: MIT
import sys
from socket import socket, AF_INET, SOCK_STREAM

port = int(sys.argv[1]) if len(sys.argv) > 1 else 7777
# #region body
client = socket(AF_INET, SOCK_STREAM)
client.connect(('127.0.0.1', port))
for text in sys.argv[2:] or ['oi']:
    sent = client.send(text.encode())
    print('send returned', sent, flush=True)
    reply = client.recv(1024)
    print(f'recv returned {len(reply)}: {reply.decode()}', flush=True)
client.close()
# #endregion body

# test_websocket_echo.py: what clients, good and bad, see of websocket_echo.
# SPDX-License-Identifier: MIT

import os
import signal
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from harness import KIB, MIB

NAME = "http/websocket_echo"
# The key and the answer to it in RFC 6455, 1.3.
UPGRADE = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
ACCEPTED = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode, data, final=True, mask=b"\1\2\3\4"):
    """A client's frame; without a mask it is one that no client may send."""
    head = bytes([opcode | (0x80 if final else 0)])
    masked = 0x80 if mask else 0
    if len(data) < 126:
        head += bytes([masked | len(data)])
    elif len(data) < 65536:
        head += struct.pack("!BH", masked | 126, len(data))
    else:
        head += struct.pack("!BQ", masked | 127, len(data))
    key = (mask or b"\0") * (len(data) // 4 + 4)
    data = bytes(a ^ b for a, b in zip(data, key)) if mask else data
    return head + (mask or b"") + data


def recv_frame(client):
    opcode, size = client.recv_exactly(2)
    if size == 126:
        size, = struct.unpack("!H", client.recv_exactly(2))
    elif size == 127:
        size, = struct.unpack("!Q", client.recv_exactly(8))
    return opcode & 15, client.recv_exactly(size)


@unittest.skipUnless(os.path.exists(harness.program(NAME)), "built without libwslay or llhttp")
@harness.for_each_backend
class Websocket_echo:
    def setUp(self):
        self.echo = self.server(NAME)

    def upgraded(self, more=b""):
        client = self.echo.client()
        client.send(UPGRADE + more)
        lines = []
        while line := client.recv_line().rstrip(b"\r"):
            lines.append(line)
        self.assertEqual(lines[0], b"HTTP/1.1 101 Switching Protocols")
        self.assertIn(ACCEPTED, lines)
        return client

    def test_messages_come_back(self):
        client = self.upgraded(frame(TEXT, b"with the request"))
        self.assertEqual(recv_frame(client), (TEXT, b"with the request"))
        for opcode, data in ((TEXT, b""), (TEXT, b"x" * 125), (BINARY, b"\0\xff" * 100),
                             (BINARY, b"y" * 70000), (BINARY, b"z" * MIB)):
            client.send(frame(opcode, data))
            self.assertEqual(recv_frame(client), (opcode, data))
        client.send(frame(TEXT, b"one ", final=False) + frame(PING, b"there?") + frame(0, b"two"))
        self.assertEqual(recv_frame(client), (PONG, b"there?"))
        self.assertEqual(recv_frame(client), (TEXT, b"one two"))
        client.send(frame(CLOSE, struct.pack("!H", 1000)))
        self.assertEqual(recv_frame(client), (CLOSE, struct.pack("!H", 1000)))
        self.assertEqual(client.recv_to_end(), b"")

    def test_frames_may_come_byte_by_byte(self):
        client = self.upgraded()
        for byte in frame(TEXT, b"slow"):
            client.send(bytes([byte]))
        self.assertEqual(recv_frame(client), (TEXT, b"slow"))

    def test_bad_frames_end_the_connection_with_a_code(self):
        for sent, code in ((frame(TEXT, b"unmasked", mask=None), 1002), (frame(3, b""), 1002),
                           (frame(TEXT, b"\xff\xfe"), 1007), (frame(0, b"continued"), 1002),
                           (frame(BINARY, b"x" * MIB + b"y"), 1009)):
            client = self.upgraded()
            client.send_what_is_taken(sent)
            opcode, data = recv_frame(client)
            self.assertEqual((opcode, struct.unpack("!H", data[:2])[0]), (CLOSE, code), sent[:20])
            self.assertEqual(client.recv_to_close(), b"")

    def test_frames_that_wslay_cannot_read_end_the_connection_with_a_close(self):
        for sent in (b"\x82\xff" + b"\xff" * 12, frame(PING, b"x" * 126), frame(PING, b"", False)):
            client = self.upgraded()
            client.send_what_is_taken(sent)
            self.assertEqual(recv_frame(client), (CLOSE, b""), sent[:20])
            self.assertEqual(client.recv_to_close(), b"")

    def test_what_came_before_the_close_comes_back(self):
        client = self.upgraded(frame(TEXT, b"one") + frame(TEXT, b"two") + frame(CLOSE, b""))
        self.assertEqual([recv_frame(client) for _ in range(3)],
                         [(TEXT, b"one"), (TEXT, b"two"), (CLOSE, b"")])

    def test_a_message_has_a_limit_of_frames(self):
        client, before = self.upgraded(), self.echo.state.memory()
        client.send(frame(TEXT, b"x", final=False))
        for _ in range(1000):
            client.send_what_is_taken(frame(0, b"x", final=False) * 500)
        opcode, data = recv_frame(client)
        self.assertEqual((opcode, struct.unpack("!H", data[:2])[0]), (CLOSE, 1009))
        self.echo.assert_memory_grows_less_than(8 * MIB, before)
        client = self.upgraded()  # control frames in between are not of the message
        client.send(frame(TEXT, b"x", final=False) + frame(PING, b"") * 1000 + frame(0, b"y"))
        client.send(frame(CLOSE, b""))
        data = client.recv_to_end()
        self.assertTrue(data.endswith(b"\x81\x02xy\x88\0"), data[-20:])

    def test_other_requests_are_refused(self):
        for request, status in (
                (b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", 400), (b"nonsense\r\n\r\n", 400),
                (UPGRADE.replace(b"Version: 13", b"Version: 8"), 426),
                (UPGRADE.replace(b"Key: dGhl", b"Key: "), 400),
                (UPGRADE.replace(b"Connection: Upgrade", b"Connection: close"), 400),
                (UPGRADE.replace(b"Upgrade: websocket", b"Upgrade: h2c"), 400),
                (UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
                (UPGRADE[:-2] + b"X: " + b"x" * 64 * KIB, 431)):
            client = self.echo.client()
            client.send_what_is_taken(request)
            self.assertTrue(client.recv_to_close().startswith(b"HTTP/1.1 %d " % status), request)

    def test_at_sigterm_clients_are_told(self):
        client = self.upgraded()
        client.send(frame(TEXT, b"there"))
        self.assertEqual(recv_frame(client), (TEXT, b"there"))
        self.echo.signal(signal.SIGTERM)
        self.assertEqual(recv_frame(client), (CLOSE, struct.pack("!H", 1001)))
        client.close()
        self.echo.assert_exits_0()


if __name__ == "__main__":
    unittest.main()

# echoes.py: what an echo server of one thread must do, whatever it waits with (chapters 7 and 9).
# SPDX-License-Identifier: MIT

import os
import struct
import threading

import support

HEAD = 10  # of the lines and the bytes that go back and forth


def threads_of(pid):
    """How many threads a process has; None where nobody says."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return None


def receive(conversation, size):
    got = bytearray()
    while len(got) < size:
        part = conversation.recv(size - len(got))
        if not part:
            break
        got += part
    return bytes(got)


class Echoes:
    """Mixed into a TestCase with `start()`, which gives a support.Program."""

    def test_many_clients_at_once_with_one_thread(self):
        with self.start() as server:
            address = server.address()
            clients = [support.connect(address) for _ in range(HEAD)]
            for turn in range(HEAD):
                words = [f"{number} says {turn}\n".encode() for number in range(len(clients))]
                for client, word in zip(clients, words):
                    client.sendall(word)
                for client, word in reversed(list(zip(clients, words))):
                    self.assertEqual(receive(client, len(word)), word)
            self.assertIn(threads_of(server.process.pid), (1, None))
            for client in clients:
                client.shutdown(support.socket.SHUT_WR)
                self.assertEqual(client.recv(1), b"")  # its session has closed
                client.close()

    def test_a_client_that_does_not_read_keeps_nobody_waiting_and_loses_nothing(self):
        with self.start() as server:
            address = server.address()
            with support.connect(address) as slow, support.connect(address) as other:
                sent = self.fill(slow)
                other.sendall(b"oi")
                self.assertEqual(receive(other, 2), b"oi")
                rest = threading.Thread(target=slow.shutdown, args=(support.socket.SHUT_WR,))
                rest.start()
                self.assertEqual(support.receive_all(slow), sent)
                rest.join()

    def fill(self, conversation):
        """Sends until nothing more goes: both directions are full."""
        pattern = bytes(range(256)) * 256 + b"x"  # of no round length
        sent = bytearray()
        conversation.setblocking(False)
        try:
            while True:
                sent += pattern[:conversation.send(pattern)]
        except BlockingIOError:
            pass
        conversation.settimeout(support.DEADLINE)
        self.assertGreater(len(sent), 1 << 17)
        return bytes(sent)

    def test_clients_that_die_take_nobody_with_them(self):
        reset = struct.pack("ii", 1, 0)
        with self.start() as server:
            address = server.address()
            with support.connect(address) as other:
                for number in range(3 * HEAD):
                    dying = support.connect(address)
                    if number % 3 == 0:
                        self.fill(dying)  # dies while the server sends
                    elif number % 3 == 1:
                        dying.sendall(b"oi")
                    dying.setsockopt(support.socket.SOL_SOCKET, support.socket.SO_LINGER, reset)
                    dying.close()
                other.sendall(b"still there")
                self.assertEqual(receive(other, 11), b"still there")
            self.assertIsNone(server.process.poll())

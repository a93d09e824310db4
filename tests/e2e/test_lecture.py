# test_lecture.py: the programs of a first lecture on sockets work with ours, word for word.
# SPDX-License-Identifier: MIT

import os
import sys
import unittest
from socket import AF_INET, SHUT_WR, SOCK_DGRAM, SOCK_STREAM, socket

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness


def lecture_tcp_client(host, port, message):
    client = socket(AF_INET, SOCK_STREAM)
    client.settimeout(harness.DEADLINE)  # the one line that the lecture does not have
    client.connect((host, port))
    client.send(message.encode())
    reply = client.recv(1024)
    client.close()
    return reply.decode()


def lecture_tcp_client_with_several_requests(host, port, messages):
    client = socket(AF_INET, SOCK_STREAM)
    client.settimeout(harness.DEADLINE)
    client.connect((host, port))
    replies = []
    for message in messages:
        client.send(message.encode())
        replies.append(client.recv(1024).decode())
    client.close()
    return replies


def lecture_udp_client(host, port, message):
    client = socket(AF_INET, SOCK_DGRAM)
    client.settimeout(harness.DEADLINE)
    client.sendto(message.encode(), (host, port))
    reply, address = client.recvfrom(2048)
    client.close()
    return reply.decode()


def lecture_tcp_server(server):
    """Answers every message of one client in upper case."""
    connection, address = server.accept()
    connection.settimeout(harness.DEADLINE)
    while True:
        message = connection.recv(1024)
        if not message:
            break
        connection.send(message.decode().upper().encode())
    connection.close()


def lecture_udp_server(server):
    """Answers one datagram in upper case."""
    message, address = server.recvfrom(2048)
    server.sendto(message.decode().upper().encode(), address)


@harness.for_each_backend
class Lecture_clients:
    def where(self, name):
        return harness.parse_address(self.server(name).address)[1]

    def test_tcp_client_gets_its_echo(self):
        reply = lecture_tcp_client(*self.where("tcp_echo"), "Olá, servidor!")
        self.assertEqual(reply, "Olá, servidor!")

    def test_tcp_client_may_make_several_requests(self):
        messages = ["primeira requisição", "segunda requisição", "terceira"]
        replies = lecture_tcp_client_with_several_requests(*self.where("tcp_echo"), messages)
        self.assertEqual(replies, messages)

    def test_two_clients_in_turn_are_served(self):
        host, port = self.where("tcp_echo")
        for message in ("primeiro cliente", "segundo cliente"):
            self.assertEqual(lecture_tcp_client(host, port, message), message)

    def test_udp_client_gets_its_echo(self):
        self.assertEqual(lecture_udp_client(*self.where("udp_echo"), "Olá!"), "Olá!")

    def test_tcp_client_gets_its_reply(self):
        reply = lecture_tcp_client(*self.where("request_reply_server"), "upper hello\n")
        self.assertEqual(reply, "ok HELLO\n")

    def test_tcp_client_that_sends_no_line_end_and_then_finishes_gets_its_reply(self):
        client = socket(AF_INET, SOCK_STREAM)
        client.settimeout(harness.DEADLINE)
        client.connect(self.where("request_reply_server"))
        client.send("upper oi".encode())
        client.shutdown(SHUT_WR)
        self.assertEqual(client.recv(1024), b"ok OI\n")
        self.assertEqual(client.recv(1024), b"")
        client.close()

    def test_udp_client_gets_its_reply(self):
        reply = lecture_udp_client(*self.where("request_reply_server"), "upper hello")
        self.assertEqual(reply.rstrip("\n"), "ok HELLO")


@harness.for_each_backend
class Lecture_servers:
    def served_by(self, lecture_server, kind, *arguments):
        """The result of our client run against a server of the lecture."""
        options = ["--udp"] if kind == SOCK_DGRAM else []
        address = harness.Peer(self, lecture_server, kind).address
        return self.run_program("request_reply_client", *options, address, *arguments)

    def test_our_client_gets_its_reply_over_tcp(self):
        result = self.served_by(lecture_tcp_server, SOCK_STREAM, "hello")
        self.assertEqual((result.stdout, result.stderr, result.returncode), (b"HELLO\n", b"", 0))

    def test_our_client_makes_several_requests_over_tcp(self):
        result = self.served_by(lecture_tcp_server, SOCK_STREAM, "one", "two", "three")
        self.assertEqual((result.stdout, result.returncode), (b"ONE\nTWO\nTHREE\n", 0))

    def test_our_client_gets_its_reply_over_udp(self):
        result = self.served_by(lecture_udp_server, SOCK_DGRAM, "hello")
        self.assertEqual((result.stdout, result.stderr, result.returncode), (b"HELLO\n", b"", 0))


if __name__ == "__main__":
    unittest.main(verbosity=2)

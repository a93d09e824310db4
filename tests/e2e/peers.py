# peers.py: the ends of a connection that belong to a test: clients, and servers for our client.
# SPDX-License-Identifier: MIT

import contextlib
import fcntl
import select
import socket
import struct
import termios
import threading

from waiting import DEADLINE, poll_until, waiting_for

KIB = 1024
SIOCOUTQNSD = 0x894B  # linux/sockios.h: bytes in the send queue that were not sent yet


def parse_address(text):
    """(family, address for connect) of `127.0.0.1:1`, `[::1]:1` or `unix:/path`."""
    if text.startswith("unix:"):
        return socket.AF_UNIX, text.removeprefix("unix:")
    host, port = text.rsplit(":", 1)
    if host.startswith("["):
        return socket.AF_INET6, (host[1:-1], int(port))
    return socket.AF_INET, (host, int(port))


def print_address(sock):
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bytes_queued(sock, request):
    return struct.unpack("i", fcntl.ioctl(sock, request, b"\0" * 4))[0]


def unread_by_peer(sock):
    """Bytes sent on `sock` (TCP over IPv4, this machine) that the peer has not read yet."""
    # Not TIOCOUTQ, which counts what is not acknowledged: that may come 40 ms late.
    unsent = bytes_queued(sock, SIOCOUTQNSD)

    def as_in_proc(address):
        return "%08X:%04X" % (struct.unpack("=I", socket.inet_aton(address[0]))[0], address[1])

    row = f" {as_in_proc(sock.getpeername())} {as_in_proc(sock.getsockname())} "
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file:
            if row in line:
                return unsent + int(line.split()[4].split(":")[1], 16)
    return unsent


class Client:
    """A TCP (or Unix) connection to a server under test; closed at the end of the test."""

    def __init__(self, test, address, server_state=None):
        self.test = test
        self.address = address
        self.server_state = server_state
        family, where = parse_address(address)
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        test.addCleanup(self.socket.close)
        self.socket.settimeout(DEADLINE)
        with waiting_for(f"a connection to {address}"):
            self.socket.connect(where)
        if family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""  # bytes that came after the last line read

    def send(self, data):
        with waiting_for(f"{self.address} to take {len(data)} bytes"):
            self.socket.sendall(data)

    def send_what_is_taken(self, data):
        """Sends `data` to a peer that may close in the middle of it."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send(data)

    def wait_until_received(self):
        """Waits until the peer's kernel has acknowledged everything sent."""
        poll_until(
            f"{self.address} to acknowledge everything sent",
            lambda: bytes_queued(self.socket, termios.TIOCOUTQ) == 0,
        )

    def wait_until_read(self):
        """Waits until the peer has read everything sent, so that what follows comes separately."""
        poll_until(
            f"{self.address} to read everything sent", lambda: unread_by_peer(self.socket) == 0
        )

    def recv_exactly(self, size):
        data, self.received = self.received[:size], self.received[size:]
        chunks, missing = [data], size - len(data)
        while missing:
            with waiting_for(f"{missing} of {size} bytes from {self.address}"):
                chunk = self.socket.recv(min(missing, 256 * KIB))
            if not chunk:
                raise AssertionError(f"end of stream with {missing} of {size} bytes missing")
            chunks.append(chunk)
            missing -= len(chunk)
        return b"".join(chunks)

    def recv_line(self):
        """The next line, without its newline."""
        while b"\n" not in self.received:
            with waiting_for(f"a line from {self.address}; so far {self.received!r:.200}"):
                chunk = self.socket.recv(256 * KIB)
            if not chunk:
                raise AssertionError(f"end of stream in a line; so far {self.received!r:.200}")
            self.received += chunk
        line, _, self.received = self.received.partition(b"\n")
        return line

    def recv_to_end(self):
        """Everything up to the end of the stream."""
        chunks, self.received = [self.received], b""
        while True:
            with waiting_for(f"the end of the stream from {self.address}"):
                chunk = self.socket.recv(256 * KIB)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)

    def recv_to_close(self):
        """Like recv_to_end, for a peer that closes with bytes of ours unread: a reset ends it."""
        chunks, self.received = [self.received], b""
        while True:
            try:
                with waiting_for(f"{self.address} to close the connection"):
                    chunk = self.socket.recv(256 * KIB)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)

    def assert_echo(self, data):
        self.send(data)
        self.test.assertEqual(self.recv_exactly(len(data)), data)

    def ask(self, request):
        """Sends one request line and returns the reply line, both without the newline."""
        self.send(request + b"\n")
        return self.recv_line()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with an RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send_until_blocked(self, data, size_max):
        """Sends `data` over and over, never reading, until the server waits and takes nothing, or
        `size_max` bytes went out. Returns the number of bytes sent."""
        self.socket.setblocking(False)
        view, sent = memoryview(data), 0

        def writable(seconds):
            return select.select([], [self.socket], [], seconds)[1]

        while sent < size_max:
            if writable(0.1):
                with contextlib.suppress(BlockingIOError):
                    sent += self.socket.send(view[sent % len(data) :])
            elif self.server_state.waits() and not writable(0):
                break
        self.socket.settimeout(DEADLINE)
        return sent

    def block_the_reply(self, data):
        """Sends `data` over and over, never reading, until the server leaves bytes unread, because
        its own send waits for us. Returns everything that was sent."""
        sent = []

        def read_or_blocked():
            return unread_by_peer(self.socket) == 0 or self.server_state.waits()

        while not sent or unread_by_peer(self.socket) == 0:
            self.send(data)
            sent.append(data)
            self.test.assertLess(len(sent), 4096, f"{self.address} takes without end")
            poll_until("the server to read, or to wait for its own send", read_or_blocked)
        return b"".join(sent)


def udp_socket(test, address=None):
    """A UDP socket on this machine, connected to `address` if given; closed with the test."""
    family = parse_address(address)[0] if address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    test.addCleanup(sock.close)
    sock.settimeout(DEADLINE)
    if address:
        sock.connect(parse_address(address)[1])
    else:
        sock.bind(("127.0.0.1", 0))
    return sock


def udp_ask(sock, request):
    """Sends one datagram on a connected socket and returns the datagram that answers it."""
    sock.send(request)
    with waiting_for(f"a datagram that answers {request!r:.60}"):
        return sock.recv(65536)


def refuses_connections(address):
    family, where = parse_address(address)
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(DEADLINE)
        try:
            with waiting_for(f"{address} to refuse or to take a connection"):
                sock.connect(where)
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            pass  # taken into the backlog of a listener that closed at that moment: ask again
    return False


class Peer:
    """A server in a thread of the test, for our client: `talk(sock)` gets the listening or the UDP
    socket and says what the server does; an exception in it fails the test."""

    def __init__(self, test, talk, kind=socket.SOCK_STREAM):
        self.kind, self.error = kind, None
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.settimeout(DEADLINE)
        self.socket.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            self.socket.listen()
        self.address = print_address(self.socket)
        self.thread = threading.Thread(target=self._run, args=(talk,))
        self.thread.start()
        test.addCleanup(self._finish)

    def _run(self, talk):
        try:
            talk(self.socket)
        except Exception as error:
            self.error = error

    def _finish(self):
        # The client has ended: what the thread still waits for will not come.
        if self.kind == socket.SOCK_STREAM:
            self.socket.shutdown(socket.SHUT_RDWR)
        else:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()
        if self.error is not None:
            raise AssertionError(f"the test's own server: {self.error!r}") from self.error

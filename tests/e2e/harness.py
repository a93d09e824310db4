# harness.py: starts the example programs and talks to them; every wait has a deadline and a name.
# SPDX-License-Identifier: MIT
"""Shared by the end-to-end tests.

ANEL_BIN is the build directory: the programs are $ANEL_BIN/examples/NAME. A test class decorated
with `for_each_backend` runs once for each backend. Each server a test starts must, at the end of
the test, exit 0 on SIGTERM and must have said nothing on stderr, which also makes the reports of
the sanitizers fail the test.
"""

import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

BACKENDS = ("io_uring", "epoll", "poll")
KIB = 1024
MIB = 1024 * KIB
DEADLINE = 20.0  # seconds; only a test that fails waits that long
IO_URING_SETUP = 425  # the number of the system call, on every architecture but Alpha

if "ANEL_BIN" not in os.environ:
    sys.exit("set ANEL_BIN to the build directory, the one that holds examples/")


# ---- Waiting ------------------------------------------------------------------------------------


@contextlib.contextmanager
def waiting_for(what):
    """Turns the timeout of a socket into a failure that says what was waited for."""
    try:
        yield
    except TimeoutError:
        raise AssertionError(f"timed out after {DEADLINE:g} s waiting for {what}") from None


def poll_until(what, condition, seconds=DEADLINE):
    """Returns the first true value of `condition()`; fails after `seconds`, naming `what`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"timed out after {seconds:g} s waiting for {what}")
        time.sleep(0.003)  # polls: the condition, which has no descriptor to wait on


def observe(seconds):
    """Lets `seconds` pass, for what is measured over a time."""
    end = time.monotonic() + seconds
    poll_until(f"{seconds:g} s to pass", lambda: time.monotonic() >= end, seconds + DEADLINE)


# ---- Programs and the system --------------------------------------------------------------------


def program(name):
    return os.path.join(os.environ["ANEL_BIN"], "examples", name)


@functools.cache
def sanitized(name):
    """Whether the program was built with AddressSanitizer or ThreadSanitizer."""
    with open(program(name), "rb") as file:
        image = file.read()
    return b"__asan_init" in image or b"__tsan_init" in image


def slowness(name):
    """By how much the limits of time and memory are stretched: sanitizers cost both."""
    return 3 if sanitized(name) else 1


@functools.cache
def io_uring_refusal():
    """Why the kernel refuses io_uring to this process, or None. A bad pointer makes no ring."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(ctypes.c_long(IO_URING_SETUP), ctypes.c_uint(1), None)
    error = ctypes.get_errno()
    if error in (errno.EPERM, errno.ENOSYS):
        return f"io_uring_setup is refused here: {errno.errorcode[error]}"
    return None


def usable_backends():
    return [b for b in BACKENDS if b != "io_uring" or not io_uring_refusal()]


@functools.cache
def have_ipv6():
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            return False
    return True


def environment(backend):
    env = dict(os.environ)
    env.pop("ANEL_BACKEND", None)
    if backend is not None:
        env["ANEL_BACKEND"] = backend
    return env


def run_command(command, input=b"", env=None, **options):
    """Runs a command to its end; the result has returncode, stdout and stderr as bytes."""
    try:
        return subprocess.run(
            command, input=input, env=env, capture_output=True, timeout=DEADLINE, **options
        )
    except subprocess.TimeoutExpired as expired:
        raise AssertionError(
            f"timed out after {DEADLINE:g} s waiting for {command} to exit;"
            f" stdout: {expired.stdout!r:.500}; stderr: {expired.stderr!r:.500}"
        ) from None


def run_program(name, *arguments, backend=None, **options):
    return run_command([program(name), *arguments], env=environment(backend), **options)


class Process_state:
    """What /proc tells about a process."""

    def __init__(self, pid):
        self.directory = f"/proc/{pid}"

    def _status(self, key):
        with open(f"{self.directory}/status", encoding="ascii") as file:
            return next(line.split()[1] for line in file if line.startswith(key + ":"))

    def _stat(self):  # the fields that follow the name, which may hold spaces
        with open(f"{self.directory}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()

    def memory(self):
        return int(self._status("VmRSS")) * KIB

    def voluntary_switches(self):
        return int(self._status("voluntary_ctxt_switches"))

    def ignores(self, signum):
        return bool(int(self._status("SigIgn"), 16) >> (signum - 1) & 1)

    def stopped(self):
        return self._stat()[0] == "T"

    def waits(self, seconds=0.1):
        """Whether the process sleeps, and did so at each look during `seconds`. One that has
        work but no processor is not asleep, however busy the machine is."""
        end = time.monotonic() + seconds
        poll_until(
            "the process to run, or to have slept",
            lambda: self._stat()[0] != "S" or time.monotonic() >= end,
        )
        return self._stat()[0] == "S" and time.monotonic() >= end

    def cpu_seconds(self):
        user, system = self._stat()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"{self.directory}/fd"))


# ---- Addresses and sockets ----------------------------------------------------------------------


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


SIOCOUTQNSD = 0x894B  # linux/sockios.h: bytes in the send queue that were not sent yet


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


# ---- Servers ------------------------------------------------------------------------------------


class Server:
    """A server program, ready: its line `listening on ADDRESS (BACKEND)` has been read.

    At the end of the test it must exit 0 on SIGTERM (unless the test waited for its end itself)
    and every line of its stderr must match `stderr_allowed`.
    """

    def __init__(self, test, name, address, backend, stderr_allowed=None, preexec=None):
        self.test = test
        self.what = f"{name} {address} ({backend or 'auto'})"
        self.factor = slowness(name)
        self.stderr_allowed = stderr_allowed
        self.ended = False
        self.stderr_file = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [program(name), address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.stderr_file,
            env=environment(backend),
            preexec_fn=preexec,
        )
        test.addCleanup(self._finish)
        self.state = Process_state(self.process.pid)
        self.listening_line = self._read_listening_line()
        match = re.fullmatch(r"listening on (\S+) \((io_uring|epoll|poll)\)(.*)", self.listening_line)
        if not match:
            test.fail(f"{self.what} printed {self.listening_line!r}")
        self.address, self.backend, self.reason = match.groups()
        if backend in BACKENDS:
            test.assertEqual(self.backend, backend)

    def _read_listening_line(self):
        line, end = b"", time.monotonic() + DEADLINE
        out = self.process.stdout.fileno()
        while not line.endswith(b"\n"):
            if not select.select([out], [], [], max(0, end - time.monotonic()))[0]:
                self.test.fail(f"timed out waiting for the listening line of {self.what}")
            chunk = os.read(out, 1)
            if not chunk:
                self.test.fail(
                    f"{self.what} ended its output after {line!r}, before a listening line;"
                    f" stderr: {self.stderr()}"
                )
            line += chunk
        return line.decode().removesuffix("\n")

    def stderr(self):
        size = os.fstat(self.stderr_file.fileno()).st_size
        return os.pread(self.stderr_file.fileno(), size, 0).decode(errors="replace")

    def client(self):
        return Client(self.test, self.address, self.state)

    def signal(self, signum):
        self.process.send_signal(signum)

    def stop(self):
        """Stops the process as SIGSTOP does, so that what the test does next waits for it."""
        self.signal(signal.SIGSTOP)
        poll_until(f"{self.what} to stop", self.state.stopped)

    def resume(self):
        self.signal(signal.SIGCONT)

    def running(self):
        return self.process.poll() is None

    def wait_for_end(self, seconds=DEADLINE):
        """Waits for the process to end; returns its exit code, or minus the signal."""
        self.ended = True
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"timed out after {seconds:g} s waiting for {self.what} to end;"
                f" stderr: {self.stderr()}"
            ) from None

    def assert_exits_0(self, seconds=DEADLINE):
        self.test.assertEqual(
            self.wait_for_end(seconds), 0, f"exit code of {self.what}; stderr: {self.stderr()}"
        )

    def assert_memory_grows_less_than(self, size, baseline):
        growth = self.state.memory() - baseline
        self.test.assertLess(
            growth, size * self.factor, f"growth of {self.what} in bytes, from {baseline}"
        )

    def _finish(self):
        try:
            if not self.ended:
                self.signal(signal.SIGTERM)
                self.signal(signal.SIGCONT)
                self.assert_exits_0()
            allowed = re.compile(self.stderr_allowed or r"(?!)")
            unexpected = [l for l in self.stderr().splitlines() if not allowed.fullmatch(l)]
            self.test.assertEqual(unexpected, [], f"stderr of {self.what}")
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.stderr_file.close()


# ---- Test classes -------------------------------------------------------------------------------


class End_to_end(unittest.TestCase):
    """A test of the programs as they choose their backend themselves."""

    backend = None

    def server(self, name, address="127.0.0.1:0", **options):
        if self.backend is None and io_uring_refusal():
            options.setdefault("stderr_allowed", r".*io_uring.*")
        return Server(self, name, address, options.pop("backend", self.backend), **options)

    def servers(self, name, **options):
        """One on each backend, for tests that take long and can watch all of them at once."""
        return [self.server(name, backend=backend, **options) for backend in usable_backends()]

    def run_program(self, name, *arguments, **options):
        options.setdefault("backend", self.backend)
        return run_program(name, *arguments, **options)

    def assert_fails_saying(self, result, message):
        """The program exits 1 with `message` as its only line on stderr and nothing on stdout."""
        self.assertEqual(result.stderr.decode(errors="replace"), message + "\n")
        self.assertEqual(result.stdout, b"")
        self.assertEqual(result.returncode, 1)

    def assert_fails_naming(self, result, name, *values):
        """The program exits 1 with one line on stderr, `NAME: …`, that holds all `values`."""
        message = result.stderr.decode(errors="replace")
        self.assertTrue(message.startswith(f"{name}: "), f"stderr: {message!r}")
        self.assertEqual(message.count("\n"), 1, f"one line on stderr: {message!r}")
        for value in values:
            self.assertIn(value, message)
        self.assertEqual(result.stdout, b"")
        self.assertEqual(result.returncode, 1)


def for_each_backend(cls):
    """Makes of `cls` one test class per backend: NAME_io_uring, NAME_epoll, NAME_poll.

    io_uring is skipped where the kernel itself refuses it, and for no other reason.
    """
    for backend in BACKENDS:
        name = f"{cls.__name__}_{backend}"
        members = {"backend": backend, "__module__": cls.__module__, "__qualname__": name}
        case = type(name, (cls, End_to_end), members)
        if backend == "io_uring" and io_uring_refusal():
            case = unittest.skip(io_uring_refusal())(case)
        setattr(sys.modules[cls.__module__], name, case)
    return cls

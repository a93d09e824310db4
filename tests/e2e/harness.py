# harness.py: starts the example programs for the end-to-end tests, and watches how they end.
# SPDX-License-Identifier: MIT
"""Shared by the end-to-end tests.

ANEL_BIN is the build directory: the programs are $ANEL_BIN/examples/NAME. A test class decorated
with `for_each_backend` runs once for each backend. Each server a test starts must, at the end of
the test, exit 0 on SIGTERM and must have said nothing on stderr, which also makes the reports of
the sanitizers fail the test.
"""

import ctypes
import errno
import functools
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

# What the tests use of the two other modules they find here.
from peers import KIB, Client, Peer, parse_address, print_address, refuses_connections
from peers import udp_ask, udp_socket, unread_by_peer
from waiting import DEADLINE, observe, poll_until, waiting_for

BACKENDS = ("io_uring", "epoll", "poll")
MIB = 1024 * KIB
IO_URING_SETUP = 425  # the number of the system call, on every architecture but Alpha

# What runs in the background may have been told to ignore SIGINT; the programs must not inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)

if "ANEL_BIN" not in os.environ:
    sys.exit("set ANEL_BIN to the build directory, the one that holds examples/")


# ---- Programs and the system --------------------------------------------------------------------


def program(name):
    return os.path.join(os.environ["ANEL_BIN"], "examples", name)


TRACE_TOOL = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../../share/trace/anel-trace")


def knows_linux():
    """Whether the programs use what Linux alone has: names of processes, abstract sockets."""
    return built_with("tcp_echo", b"accept4")


@functools.cache
def built_with(name, *symbols):
    """Whether the program holds one of the symbols, which tell of the sanitizers in it."""
    with open(program(name), "rb") as file:
        image = file.read()
    return any(symbol in image for symbol in symbols)


def slowness(name):
    """By how much the limits of time and memory are stretched: sanitizers cost both."""
    return 3 if built_with(name, b"__asan_init", b"__tsan_init") else 1


def few_descriptors():
    """A preexec function after which the process can have 40 descriptors at most."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))


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

    def catches(self, signum):
        return bool(int(self._status("SigCgt"), 16) >> (signum - 1) & 1)

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


# ---- Servers ------------------------------------------------------------------------------------


class Server:
    """A server program, ready: its line `listening on ADDRESS (BACKEND)` has been read.

    At the end of the test it must exit 0 on SIGTERM (unless the test waited for its end itself)
    and every line of its stderr must match `stderr_allowed`.
    """

    def __init__(
        self, test, name, address, backend, stderr_allowed=None, preexec=None, arguments=(),
        variables=None
    ):
        self.test = test
        self.what = f"{name} {address} ({backend or 'auto'})"
        self.factor = slowness(name)
        self.stderr_allowed = stderr_allowed
        self.ended = False
        self.stopped = False
        self.stderr_file = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [program(name), address, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.stderr_file,
            env={**environment(backend), **(variables or {})},
            preexec_fn=preexec,
        )
        test.addCleanup(self._finish)
        self.state = Process_state(self.process.pid)
        self.listening_line = self._read_listening_line()
        pattern = r"listening on (\S+) \((io_uring|epoll|poll)\)(.*)"
        match = re.fullmatch(pattern, self.listening_line)
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
        self.stopped = True
        self.signal(signal.SIGSTOP)
        poll_until(f"{self.what} to stop", self.state.stopped)

    def resume(self):
        self.signal(signal.SIGCONT)
        self.stopped = False

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
            if self.stopped:
                self.resume()  # and only then: SIGCONT at the end would hang the leak checker
            if not self.ended:
                self.signal(signal.SIGTERM)
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

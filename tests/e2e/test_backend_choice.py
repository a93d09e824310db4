# test_backend_choice.py: which backend the programs pick, and what they say of a refusal.
# SPDX-License-Identifier: MIT

import ctypes
import errno
import os
import platform
import resource
import struct
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_ERRNO = 0x00050000
BPF_LD_W_ABS = 0x20
BPF_JMP_JEQ_K = 0x15
BPF_RET_K = 0x06
IO_URING_ENTER = 426  # on every architecture but Alpha
IO_URING_REGISTER = 427


class Filter_program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def refuse(error, *calls):
    """A preexec function after which these system calls fail with `error`, as in containers."""
    verdicts = [
        (BPF_RET_K, 0, 0, SECCOMP_RET_ERRNO | error),
        (BPF_RET_K, 0, 0, SECCOMP_RET_ALLOW),
    ]
    tests = [
        (BPF_JMP_JEQ_K, len(calls) - 1 - i, 0 if i + 1 < len(calls) else 1, call)
        for i, call in enumerate(calls)
    ]
    instructions = b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in [(BPF_LD_W_ABS, 0, 0, 0), *tests, *verdicts]
    )
    filter_program = Filter_program(len(instructions) // 8, instructions)
    libc = ctypes.CDLL(None, use_errno=True)

    def preexec():
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
        if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter_program), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")

    return preexec


def refuse_io_uring(error):
    return refuse(error, harness.IO_URING_SETUP)


def as_nobody(locked_bytes):
    """A preexec function: no privileges, and at most so much locked memory, which a ring counts."""

    def preexec():
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (locked_bytes, locked_bytes))
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    return preexec


SERVERS = ("tcp_echo", "udp_echo", "request_reply_server")
REFUSALS = (errno.EPERM, errno.ENOSYS, errno.ENOMEM)

# Numbers of system calls that are younger than many a filter, and that there is a way round.
YOUNG_CALLS = {
    "x86_64": {"eventfd2": 290, "accept4": 288, "recvmmsg": 299, "sendmmsg": 307},
    "aarch64": {"eventfd2": 19, "accept4": 242, "recvmmsg": 243, "sendmmsg": 269},
}.get(platform.machine(), {})


class Backend_choice(harness.End_to_end):
    def test_auto_takes_io_uring_where_the_kernel_allows_it(self):
        if harness.io_uring_refusal():
            self.skipTest(harness.io_uring_refusal())
        for backend in (None, "auto"):
            server = self.server("tcp_echo", backend=backend)
            self.assertEqual((server.backend, server.reason), ("io_uring", ""))

    def test_auto_falls_back_to_epoll_and_says_why(self):
        for name in SERVERS:
            for error in REFUSALS:
                with self.subTest(name, error=errno.errorcode[error]):
                    server = self.server(name, preexec=refuse_io_uring(error))
                    self.assertEqual(server.backend, "epoll")
                    self.assertIn(errno.errorcode[error], server.reason)

    def test_server_works_after_the_fallback(self):
        echo = self.server("tcp_echo", preexec=refuse_io_uring(errno.EPERM))
        echo.client().assert_echo(b"without a ring")

    def test_a_ring_that_may_be_made_and_not_used_is_done_without(self):
        if harness.io_uring_refusal():
            self.skipTest(harness.io_uring_refusal())
        for name, call in (("enter", IO_URING_ENTER), ("setup", harness.IO_URING_SETUP)):
            with self.subTest(name):
                server = self.server("tcp_echo", preexec=refuse(errno.EACCES, call))
                self.assertEqual(server.backend, "epoll")
                self.assertRegex(server.reason, rf"io_uring_{name}: .*EACCES")
                server.client().assert_echo(b"without a ring")

    def test_what_a_ring_registers_may_be_refused(self):
        if harness.io_uring_refusal():
            self.skipTest(harness.io_uring_refusal())
        server = self.server("tcp_echo", preexec=refuse(errno.EPERM, IO_URING_REGISTER))
        self.assertEqual(server.backend, "io_uring")
        server.client().assert_echo(b"with nothing registered")

    def test_calls_younger_than_the_filter_have_a_way_round(self):
        for backend in harness.usable_backends():
            for name, call in YOUNG_CALLS.items():
                for error in (errno.EPERM, errno.ENOSYS):
                    with self.subTest(backend, call=name, error=errno.errorcode[error]):
                        tcp = self.server("tcp_echo", backend=backend, preexec=refuse(error, call))
                        tcp.client().assert_echo(b"round about")
                        udp = self.server("udp_echo", backend=backend, preexec=refuse(error, call))
                        self.assert_echoes_many(udp)

    def assert_echoes_many(self, server):
        sock = harness.udp_socket(self, server.address)
        for together in (1, 70):  # more than a batch
            sent = [b"%d" % i for i in range(together)]
            for datagram in sent:
                sock.send(datagram)
            self.assertEqual([sock.recv(100) for _ in sent], sent)

    def test_small_memory_limit_makes_a_smaller_ring_or_none(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        if harness.io_uring_refusal():
            self.skipTest(harness.io_uring_refusal())
        path = harness.program("tcp_echo")
        probe = subprocess.run(["test", "-x", path], preexec_fn=as_nobody(0), check=False)
        if probe.returncode != 0:
            self.skipTest("a user without privileges cannot reach " + path)
        for limit, backend in ((0, "epoll"), (64 << 10, "io_uring"), (8 << 20, "io_uring")):
            with self.subTest(limit=limit):
                server = self.server("tcp_echo", preexec=as_nobody(limit))
                self.assertEqual(server.backend, backend, server.reason)
                server.client().assert_echo(b"with little memory")

    def test_io_uring_asked_for_by_name_is_never_swapped(self):
        for name in SERVERS:
            for error in REFUSALS:
                with self.subTest(name, error=errno.errorcode[error]):
                    result = self.run_program(
                        name,
                        "127.0.0.1:0",
                        backend="io_uring",
                        preexec_fn=refuse_io_uring(error),
                    )
                    self.assert_fails_naming(result, name, "io_uring", errno.errorcode[error])

    def test_other_backends_need_no_io_uring(self):
        for backend in ("epoll", "poll"):
            with self.subTest(backend):
                server = self.server(
                    "tcp_echo", backend=backend, preexec=refuse_io_uring(errno.EPERM)
                )
                self.assertEqual((server.backend, server.reason), (backend, ""))
                server.client().assert_echo(b"no ring wanted")

    def test_client_works_where_io_uring_is_refused(self):
        server = self.server("request_reply_server", backend="epoll")
        result = self.run_program(
            "request_reply_client",
            server.address,
            "upper hello",
            preexec_fn=refuse_io_uring(errno.EPERM),
        )
        self.assertEqual((result.returncode, result.stdout), (0, b"ok HELLO\n"))

    def test_client_does_not_swap_the_backend_asked_for(self):
        result = self.run_program(
            "request_reply_client",
            "127.0.0.1:1",
            "count",
            backend="io_uring",
            preexec_fn=refuse_io_uring(errno.EPERM),
        )
        self.assert_fails_naming(result, "request_reply_client", "io_uring", "EPERM")


if __name__ == "__main__":
    unittest.main(verbosity=2)

# test_tcp_echo_limits.py: tcp_echo short of memory and descriptors, and under signals.
# SPDX-License-Identifier: MIT

import os
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from harness import KIB, MIB


@harness.for_each_backend
class Tcp_echo_limits:
    def test_client_that_never_reads_costs_bounded_memory(self):
        echo = self.server("tcp_echo")
        other = echo.client()
        other.assert_echo(bytes(256 * KIB))
        baseline = echo.state.memory()
        echo.client().send_until_blocked(bytes(MIB), 128 * MIB)
        other.assert_echo(b"still served")
        echo.assert_memory_grows_less_than(16 * MIB, baseline)
        echo.client().assert_echo(b"new clients too")

    def test_clients_are_served_within_two_seconds_after_descriptors_are_free(self):
        preexec = harness.few_descriptors()
        allowed = r"tcp_echo: .*EMFILE.*"  # a line in the log about it is no fault
        echo = self.server("tcp_echo", preexec=preexec, stderr_allowed=allowed)
        clients = [echo.client() for _ in range(60)]
        clients[0].assert_echo(b"served")
        harness.observe(0.3)  # the pause between attempts has grown by then
        for client in clients:
            client.close()
        begin = time.monotonic()
        echo.client().assert_echo(b"served again")
        self.assertLess(time.monotonic() - begin, 2 * echo.factor)

    def test_descriptors_return_to_their_count_after_500_connections(self):
        echo = self.server("tcp_echo")
        first = echo.client()
        first.assert_echo(b"first")
        base = echo.state.descriptors() - 1
        first.close()
        for i in range(500):
            client = echo.client()
            client.assert_echo(b"x")
            client.reset() if i % 2 else client.close()
        harness.poll_until(
            f"{echo.what} to return to {base} descriptors",
            lambda: echo.state.descriptors() <= base,
        )

    def test_signals_during_traffic_lose_nothing(self):
        echo = self.server("tcp_echo")
        client = echo.client()
        end_of_storm = threading.Event()

        def storm():
            while not end_of_storm.wait(0.001):
                echo.signal(signal.SIGWINCH)
                echo.signal(signal.SIGCONT)

        thread = threading.Thread(target=storm)
        thread.start()
        try:
            end = time.monotonic() + 1
            i = 0
            while time.monotonic() < end:
                client.assert_echo(b"message %d" % i)
                i += 1
        finally:
            end_of_storm.set()
            thread.join()

    def test_being_stopped_and_continued_loses_nothing(self):
        # On Linux this makes epoll_wait, poll and io_uring_enter return EINTR without a handler.
        echo = self.server("tcp_echo")
        client = echo.client()
        for i in range(50):
            echo.stop()
            if i % 2:
                client.send(b"message %3d" % i)
                echo.resume()
            else:
                echo.resume()
                client.send(b"message %3d" % i)
            self.assertEqual(client.recv_exactly(11), b"message %3d" % i)

    def test_descriptor_0_closed_at_the_start_is_no_matter(self):
        # The first descriptor the program opens is then 0, which is a valid one.
        echo = self.server("tcp_echo", preexec=lambda: os.close(0))
        first, second = echo.client(), echo.client()
        first.assert_echo(b"first")
        second.assert_echo(b"second")
        first.close()
        second.assert_echo(b"second again")


if __name__ == "__main__":
    unittest.main(verbosity=2)

# test_chat.py: what clients of chat hear of each other, and who pays for a slow reader.
# SPDX-License-Identifier: MIT

import concurrent.futures
import os
import re
import signal
import socket
import sys
import time
import unittest
import unittest.mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from harness import KIB, MIB

LINE_MAX = 1024


def name_of(client):
    return harness.print_address(client.socket).encode()


@harness.for_each_backend
class Chat:
    def setUp(self):
        self.chat = self.server("chat")
        self.members = []

    def join(self):
        """A client that everybody, itself included, has been told of."""
        client = self.chat.client()
        self.members.append(client)
        for member in self.members:
            self.assertEqual(member.recv_line(), b"* %s joined" % name_of(client))
        return client

    def assert_hear(self, listeners, line):
        for listener in listeners:
            self.assertEqual(listener.recv_line(), line)

    def test_a_line_goes_to_all_others_and_not_back(self):
        ana, bia, caio = self.join(), self.join(), self.join()
        ana.send(b"hello\n")
        self.assert_hear([bia, caio], b"%s: hello" % name_of(ana))
        bia.send(b"hi\n")
        self.assert_hear([ana, caio], b"%s: hi" % name_of(bia))

    def test_who_leaves_is_named_with_the_reason(self):
        ana, bia, caio = self.join(), self.join(), self.join()
        bia_name, caio_name = name_of(bia), name_of(caio)
        bia.half_close()
        self.assert_hear([ana, caio], b"* %s left" % bia_name)
        self.assertEqual(bia.recv_to_end(), b"")
        caio.reset()
        self.assert_hear([ana], b"* %s left: Connection reset by peer" % caio_name)

    def test_a_client_alone_may_talk(self):
        ana = self.join()
        ana.send(b"anybody here?\n" * 1000)
        self.join()
        ana.half_close()
        self.assertEqual(ana.recv_to_end(), b"")

    def test_nc_takes_part(self):
        ana = self.join()
        _, (host, port) = harness.parse_address(self.chat.address)
        result = harness.run_command(["nc", "-N", host, str(port)], input=b"one\ntwo\n")
        joined = ana.recv_line()
        name = re.fullmatch(rb"\* (127\.0\.0\.1:\d+) joined", joined)[1]
        self.assertEqual((result.returncode, result.stdout), (0, joined + b"\n"))
        self.assert_hear([ana], name + b": one")
        self.assert_hear([ana], name + b": two")
        self.assert_hear([ana], b"* %s left" % name)

    def test_lines_are_lines_whatever_pieces_they_come_in(self):
        ana, bia = self.join(), self.join()
        name = name_of(ana)
        ana.send(b"first\r\n\nthird, in ")
        self.assert_hear([bia], name + b": first")
        self.assert_hear([bia], name + b": ")
        ana.wait_until_read()
        ana.send(b"two pieces\n")
        self.assert_hear([bia], name + b": third, in two pieces")

    def test_a_line_of_1024_bytes_is_passed_on_and_a_longer_one_ends_its_connection(self):
        ana, bia, caio = self.join(), self.join(), self.join()
        name = name_of(ana)
        longest = b"x" * LINE_MAX
        ana.send(longest + b"\n")
        self.assert_hear([bia, caio], name + b": " + longest)
        ana.send_what_is_taken(longest + b"x\n")
        reason = b"the message is longer than its limit"
        self.assert_hear([bia, caio], b"* %s left: %s" % (name, reason))
        self.assertEqual(ana.recv_to_close(), b"")
        bia.send(b"still here\n")
        self.assert_hear([caio], b"%s: still here" % name_of(bia))

    def test_everybody_talks_at_once_and_nothing_is_lost(self):
        members = [self.join() for _ in range(20)]
        lines = 50
        for member in members:
            member.send(b"".join(b"%d\n" % i for i in range(lines)))
        for member in members:
            heard = {name_of(other): 0 for other in members if other is not member}
            for _ in range(lines * (len(members) - 1)):
                speaker, text = member.recv_line().rsplit(b": ", 1)
                self.assertEqual(int(text), heard[speaker], "in the order of its speaker")
                heard[speaker] += 1
            self.assertEqual(set(heard.values()), {lines})

    def test_a_burst_reaches_a_reader_that_keeps_up(self):
        ana, bia = self.join(), self.join()
        count = 10000
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            talking = pool.submit(ana.send, b"".join(b"%d\n" % i for i in range(count)))
            for i in range(count):
                self.assertEqual(bia.recv_line(), b"%s: %d" % (name_of(ana), i))
            talking.result(harness.DEADLINE)

    def test_slow_reader_loses_lines_and_is_told_how_many(self):
        # AddressSanitizer keeps what was freed, 256 MB of it; that is no growth of the program.
        options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
        with unittest.mock.patch.dict(os.environ, ASAN_OPTIONS=options):
            self.chat = self.server("chat")
        ana, bia, slow = self.join(), self.join(), self.join()
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KIB)
        baseline = self.chat.state.memory()
        padding = b"x" * 900
        said = 0

        def say(count):
            nonlocal said
            numbers = range(said, said + count)
            ana.send(b"".join(b"%d %s\n" % (i, padding) for i in numbers))
            for i in numbers:
                line = bia.recv_line()
                self.assertTrue(line == b"%s: %d %s" % (name_of(ana), i, padding), line[:60])
            said += count

        def read_beyond(last):
            """Reads until a line after number `last`; every line is there or is counted lost."""
            expected = lost = 0
            while expected <= last + 1:
                line = slow.recv_line()
                notice = re.fullmatch(rb"\* (\d+) lines lost", line)
                if notice:
                    expected += int(notice[1])
                    lost += int(notice[1])
                else:
                    number = int(line.split()[1])
                    self.assertEqual(number, expected)
                    expected += 1
            return lost

        for _ in range(120):  # 11 MB, more than the kernel keeps for one connection
            say(100)
        self.chat.assert_memory_grows_less_than(4 * MIB, baseline)
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read_beyond, said)

            def talked_until_heard():
                if not reading.done():
                    say(1)
                return reading.done()

            harness.poll_until("the slow reader to catch up", talked_until_heard)
            self.assertGreater(reading.result(), 0, "lines lost")

    def test_reader_that_is_stuck_is_no_burden_when_it_resets(self):
        ana, bia = self.join(), self.join()
        descriptors = self.chat.state.descriptors()
        stuck = self.join()
        name = name_of(stuck)
        stuck.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KIB)
        for _ in range(80):
            ana.send(b"".join(b"%1000d\n" % i for i in range(100)))
            for i in range(100):
                bia.recv_line()
        stuck.reset()
        while not (line := bia.recv_line()).startswith(b"* " + name):
            pass
        self.assertIn(b"left: ", line)
        harness.poll_until(
            "the connection to be closed", lambda: self.chat.state.descriptors() <= descriptors
        )

    def test_clients_that_come_and_go_leave_nothing_behind(self):
        ana = self.join()
        descriptors = self.chat.state.descriptors()
        for i in range(200):
            other = self.chat.client()
            other.send(b"hello and goodbye\n")
            (other.reset, other.half_close, other.close)[i % 3]()
        left = 0
        while left < 200:
            left += b" left" in ana.recv_line()
        harness.poll_until(
            f"{self.chat.what} to return to {descriptors} descriptors",
            lambda: self.chat.state.descriptors() <= descriptors,
        )

    def test_sigterm_ends_it_soon_and_every_client_reads_the_end(self):
        members = [self.join() for _ in range(10)]
        members[0].send(b"half a line")
        members[0].wait_until_read()
        begin = time.monotonic()
        self.chat.signal(signal.SIGTERM)
        self.chat.assert_exits_0()
        # Members that were never answered have a second.
        self.assertLess(time.monotonic() - begin, 1 + 2 * self.chat.factor)
        for member in members:
            for line in member.recv_to_end().splitlines():
                self.assertRegex(line, rb"^\* 127\.0\.0\.1:\d+ left")

    def test_sigterm_delivers_what_was_said_before(self):
        ana, bia = self.join(), self.join()
        self.chat.stop()
        ana.send(b"last words\n" * 200)
        ana.wait_until_received()
        self.chat.signal(signal.SIGINT)
        self.chat.resume()
        heard = bia.recv_to_end().splitlines()
        words = b"%s: last words" % name_of(ana)
        self.assertEqual(heard[: heard.index(words) + 1][-1], words)
        self.assertEqual(ana.recv_to_close().count(b"joined"), 0)
        self.chat.assert_exits_0()

    def test_address_in_use_is_named(self):
        result = self.run_program("chat", self.chat.address)
        self.assert_fails_saying(
            result, f"chat: bind {self.chat.address}: Address already in use (EADDRINUSE)"
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)

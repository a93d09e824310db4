# test_request_reply.py: the line protocol of request_reply_server over TCP, however it is cut.
# SPDX-License-Identifier: MIT

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from harness import KIB, MIB

LINE_MAX = 64 * KIB  # bytes of a request line, its newline not counted
INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)

# (request, reply); a reply that ends in "…" stands for any that begins so.
CONVERSATION = [
    ("upper hello", "ok HELLO"),
    ("upper two  blanks, digits 12", "ok TWO  BLANKS, DIGITS 12"),
    ("reverse abc", "ok cba"),
    ("reverse a b", "ok b a"),
    ("add 1 2", "ok 3"),
    ("add -5 3", "ok -2"),
    ("add 0 0", "ok 0"),
    (f"add {INT64_MAX} -1", f"ok {INT64_MAX - 1}"),
    (f"add {INT64_MAX} 0", f"ok {INT64_MAX}"),
    (f"add {INT64_MIN} {INT64_MAX}", "ok -1"),
    (f"add {INT64_MAX} 1", "error …"),
    (f"add {INT64_MIN} -1", "error …"),
    (f"add {INT64_MIN} {INT64_MIN}", "error …"),
    (f"add {INT64_MAX + 1} 0", "error …"),
    (f"add {INT64_MAX + 1} -1", "error …"),
    ("add 123456789012345678901234567890 1", "error …"),
    ("add", "error …"),
    ("add 1", "error …"),
    ("add 1 2 3", "error …"),
    ("add one two", "error …"),
    ("add 1.5 2", "error …"),
    ("add 1 2x", "error …"),
    ("add 0x10 1", "error …"),
    ("add - 1", "error …"),
    ("frobnicate", "error …"),
    ("upperhello", "error …"),
    ("addition 1 2", "error …"),
    ("", "error …"),
    (" ", "error …"),
]


@harness.for_each_backend
class Request_reply:
    def setUp(self):
        self.replier = self.server("request_reply_server")

    def assert_reply(self, request, reply, expected):
        if expected.endswith("…"):
            begin = expected.removesuffix("…").encode()
            self.assertTrue(reply.startswith(begin), f"{reply!r} to {request!r}")
            self.assertGreater(len(reply), len(begin), f"a reason in the reply to {request!r}")
        else:
            self.assertEqual(reply, expected.encode(), f"reply to {request!r}")

    def test_every_request_has_its_reply(self):
        client = self.replier.client()
        for request, expected in CONVERSATION:
            self.assert_reply(request, client.ask(request.encode()), expected)
        self.assertEqual(client.ask(b"count"), b"ok %d" % (len(CONVERSATION) + 1))

    def test_crlf_ends_a_line_too(self):
        client = self.replier.client()
        for request, expected in CONVERSATION:
            self.assert_reply(request, client.ask(request.encode() + b"\r"), expected)

    def test_count_is_per_connection(self):
        first, second = self.replier.client(), self.replier.client()
        self.assertEqual(first.ask(b"count"), b"ok 1")
        self.assertEqual(first.ask(b"count"), b"ok 2")
        self.assertEqual(second.ask(b"count"), b"ok 1")
        self.assertTrue(first.ask(b"nonsense").startswith(b"error "))
        self.assertEqual(first.ask(b"count"), b"ok 4")

    def test_quit_says_bye_and_closes(self):
        client = self.replier.client()
        client.send(b"add 1 2\nquit\n")
        self.assertEqual(client.recv_to_end(), b"ok 3\nok bye\n")

    def test_request_after_quit_is_not_answered(self):
        client = self.replier.client()
        client.send(b"quit\nadd 1 2\n")
        self.assertEqual(client.recv_to_close(), b"ok bye\n")

    def test_quit_of_one_client_leaves_the_others(self):
        other = self.replier.client()
        self.assertEqual(other.ask(b"count"), b"ok 1")
        self.assertEqual(self.replier.client().ask(b"quit"), b"ok bye")
        self.assertEqual(other.ask(b"count"), b"ok 2")

    def test_thousand_requests_in_one_send_are_answered_in_order(self):
        client = self.replier.client()
        client.send(b"".join(b"add %d 1\n" % i for i in range(1000)))
        for i in range(1000):
            self.assertEqual(client.recv_line(), b"ok %d" % (i + 1))

    def test_fifty_clients_are_answered_at_once(self):
        clients = [self.replier.client() for _ in range(50)]
        for i, client in enumerate(clients):
            client.send(b"upper client %d\nadd %d 1\n" % (i, i))
        for i, client in enumerate(clients):
            self.assertEqual(client.recv_line(), b"ok CLIENT %d" % i)
            self.assertEqual(client.recv_line(), b"ok %d" % (i + 1))

    def test_request_that_comes_byte_by_byte_is_answered_once_whole(self):
        client = self.replier.client()
        for byte in b"upper slowly\r\n":
            client.send(bytes([byte]))
            client.wait_until_read()
        self.assertEqual(client.recv_line(), b"ok SLOWLY")
        self.assertEqual(client.ask(b"count"), b"ok 2")

    def test_requests_may_be_cut_anywhere(self):
        text = b"upper hello\r\nadd 1 2\nreverse xyz\n"
        client = self.replier.client()
        for cut in range(1, len(text)):
            client.send(text[:cut])
            client.wait_until_read()
            client.send(text[cut:])
            replies = [client.recv_line() for _ in range(3)]
            self.assertEqual(replies, [b"ok HELLO", b"ok 3", b"ok zyx"], f"cut at {cut}")

    def test_replies_to_whole_requests_do_not_wait_for_the_rest_of_a_send(self):
        client = self.replier.client()
        client.send(b"add 1 2\nadd 3 4\nupper the re")
        self.assertEqual(client.recv_line(), b"ok 3")
        self.assertEqual(client.recv_line(), b"ok 7")
        client.send(b"st\n")
        self.assertEqual(client.recv_line(), b"ok THE REST")

    def test_nul_and_high_bytes_are_text(self):
        client = self.replier.client()
        self.assertEqual(client.ask(b"upper a\0b\xff\xfe\x80z"), b"ok A\0B\xff\xfe\x80Z")
        self.assertEqual(client.ask(b"reverse a\0b\xff\xfe\x80"), b"ok \x80\xfe\xffb\0a")
        self.assertTrue(client.ask(b"\0\0\0").startswith(b"error "))
        self.assertTrue(client.ask(b"\xff\xff%s%n").startswith(b"error "))
        self.assertTrue(client.ask(b"add 1\0 2").startswith(b"error "))
        self.assertEqual(client.ask(b"count"), b"ok 6")

    def test_half_close_after_the_last_newline_gets_every_reply(self):
        client = self.replier.client()
        client.send(b"upper a\nupper b\n")
        client.half_close()
        self.assertEqual(client.recv_to_end(), b"ok A\nok B\n")

    def test_last_line_without_newline_is_answered(self):
        client = self.replier.client()
        client.send(b"upper a\nupper b")
        client.half_close()
        self.assertEqual(client.recv_to_end(), b"ok A\nok B\n")
        self.assertEqual(self.replier.client().ask(b"count"), b"ok 1")

    def test_connection_without_a_byte_is_closed_in_silence(self):
        client = self.replier.client()
        client.half_close()
        self.assertEqual(client.recv_to_end(), b"")

    def test_reset_in_the_middle_of_a_request_harms_no_other_client(self):
        other = self.replier.client()
        for _ in range(20):
            client = self.replier.client()
            client.send(b"upper a\nupper b\nupper c")
            client.reset()
        self.assertEqual(other.ask(b"count"), b"ok 1")

    def test_nc_and_socat_are_answered(self):
        _, (host, port) = harness.parse_address(self.replier.address)
        for command in (
            ["nc", "-N", host, str(port)],
            ["socat", "-t", "20", "-", "TCP:" + self.replier.address],
        ):
            with self.subTest(command[0]):
                result = harness.run_command(command, input=b"add 2 3\ncount\nquit\n")
                self.assertEqual(result.stdout, b"ok 5\nok 2\nok bye\n")


@harness.for_each_backend
class Request_reply_limits:
    def setUp(self):
        self.replier = self.server("request_reply_server")

    def test_line_of_64_kibibytes_is_answered(self):
        client = self.replier.client()
        text = b"a" * (LINE_MAX - len(b"upper "))
        self.assertEqual(client.ask(b"upper " + text), b"ok " + text.upper())
        self.assertEqual(client.ask(b"count"), b"ok 2")

    def test_line_one_byte_longer_is_too_long_and_closes(self):
        client = self.replier.client()
        client.send(b"upper " + b"a" * (LINE_MAX + 1 - len(b"upper ")) + b"\n")
        self.assertEqual(client.recv_to_close(), b"error line too long\n")

    def test_line_without_end_is_refused_before_its_end_comes(self):
        client = self.replier.client()
        client.send(b"a" * (LINE_MAX + 2))  # one more for a server that waits for "\r\n"
        self.assertEqual(client.recv_to_close(), b"error line too long\n")

    def test_requests_before_a_line_too_long_are_answered(self):
        client = self.replier.client()
        client.send(b"add 1 2\n" + b"a" * (LINE_MAX + 1) + b"\nadd 3 4\n")
        self.assertEqual(client.recv_to_close(), b"ok 3\nerror line too long\n")

    def test_mebibyte_without_newline_gets_the_error_and_costs_bounded_memory(self):
        warm = self.replier.client()
        warm.ask(b"upper " + b"a" * (LINE_MAX - 6))
        baseline = self.replier.state.memory()
        for _ in range(20):
            client = self.replier.client()
            client.send_what_is_taken(b"a" * MIB)
            self.assertEqual(client.recv_to_close(), b"error line too long\n")
        self.replier.assert_memory_grows_less_than(4 * MIB, baseline)
        self.assertEqual(warm.ask(b"count"), b"ok 2")

    def test_client_that_pipelines_and_never_reads_costs_bounded_memory(self):
        other = self.replier.client()
        other.ask(b"upper " + b"a" * (LINE_MAX - 6))
        baseline = self.replier.state.memory()
        requests = (b"upper " + b"a" * 993 + b"\n") * 1000
        self.replier.client().send_until_blocked(requests, 100 * len(requests))
        self.assertEqual(other.ask(b"count"), b"ok 2")
        self.replier.assert_memory_grows_less_than(16 * MIB, baseline)

    def test_pipeline_that_is_read_late_is_answered_in_full(self):
        client = self.replier.client()
        line = b"upper " + b"a" * 993 + b"\n"
        sent = client.block_the_reply(line * 64)
        for _ in range(len(sent) // len(line)):
            self.assertEqual(len(client.recv_line()), len(b"ok ") + 993)
        self.assertEqual(client.ask(b"count"), b"ok %d" % (len(sent) // len(line) + 1))

    def test_descriptors_return_to_their_count_after_200_connections(self):
        state = self.replier.state
        first = self.replier.client()
        first.ask(b"count")
        base = state.descriptors() - 1
        first.close()
        for i in range(200):
            client = self.replier.client()
            client.ask(b"count" if i % 2 else b"quit")
            client.close()
        harness.poll_until(
            f"the server to return to {base} descriptors", lambda: state.descriptors() <= base
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)

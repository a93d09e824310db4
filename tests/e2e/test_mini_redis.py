# test_mini_redis.py: what clients of Redis, and what others, see of mini_redis.
# SPDX-License-Identifier: MIT

import os
import shutil
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness
from harness import KIB, MIB


OUT_OF_MEMORY = b"-OOM command not allowed when used memory > 'maxmemory'\r\n"


def command(*words):
    text = b"*%d\r\n" % len(words)
    return text + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


@harness.for_each_backend
class Mini_redis:
    def setUp(self):
        self.redis = self.server("mini_redis")

    def assert_answers(self, client, *pairs):
        """Each pair is a command and its reply; all commands are sent at once."""
        client.send(b"".join(command(*said.split(b" ")) for said, _ in pairs))
        for said, reply in pairs:
            self.assertEqual(client.recv_exactly(len(reply)), reply, said)

    def assert_refused(self, sent, reply):
        client = self.redis.client()
        client.send_what_is_taken(sent)
        self.assertEqual(client.recv_to_close().decode(), "-ERR Protocol error: " + reply + "\r\n")

    def test_pipelined_commands_are_answered_in_order(self):
        self.assert_answers(
            self.redis.client(),
            (b"PING", b"+PONG\r\n"), (b"ping x", b"$1\r\nx\r\n"), (b"Echo hi", b"$2\r\nhi\r\n"),
            (b"GET a", b"$-1\r\n"), (b"SET a 41", b"+OK\r\n"), (b"INCR a", b":42\r\n"),
            (b"GET a", b"$2\r\n42\r\n"), (b"INCR new", b":1\r\n"), (b"DEL a new none", b":2\r\n"),
            (b"GET a", b"$-1\r\n"), (b"PUBLISH nobody hears", b":0\r\n"))

    def test_commands_may_come_byte_by_byte(self):
        client = self.redis.client()
        for byte in command(b"SET", b"k", b"\r\n*1") + b"\r\n" + command(b"GET", b"k"):
            client.send(bytes([byte]))
        self.assertEqual(client.recv_exactly(15), b"+OK\r\n$4\r\n\r\n*1\r\n")

    def test_wrong_commands_get_errors_and_the_connection_goes_on(self):
        client = self.redis.client()
        self.assert_answers(
            client,
            (b"NO\nPE", b"-ERR unknown command 'NO?PE'\r\n"),
            (b"GET", b"-ERR wrong number of arguments for 'get' command\r\n"),
            (b"SET a word", b"+OK\r\n"),
            (b"INCR a", b"-ERR value is not an integer or out of range\r\n"),
            (b"SET a 9223372036854775807", b"+OK\r\n"),
            (b"INCR a", b"-ERR increment or decrement would overflow\r\n"),
            (b"EXPIRE a soon", b"-ERR value is not an integer or out of range\r\n"),
            (b"EXPIRE a 9223372036854775807", b"-ERR invalid expire time in 'expire' command\r\n"),
            (b"PING", b"+PONG\r\n"))

    def test_malformed_frames_get_a_reason_and_the_end(self):
        self.assert_refused(b"GET / HTTP/1.1\r\n\r\n", "expected '*', got 'G'")
        self.assert_refused(b"\0", "expected '*', got a control character")
        self.assert_refused(b"*0\r\n", "invalid multibulk length")
        self.assert_refused(b"*65\r\n", "invalid multibulk length")
        self.assert_refused(b"*-1\r\n", "invalid multibulk length")
        self.assert_refused(b"*1\n$4\nPING\n" + b" " * 30, "invalid multibulk length")
        self.assert_refused(b"*1\r\n:4\r\n", "expected '$', got ':'")
        self.assert_refused(b"*1\r\n$524289\r\n", "invalid bulk length")
        self.assert_refused(b"*1\r\n$" + b"9" * 30, "invalid bulk length")
        self.assert_refused(b"*1\r\n$3\r\nPING\r\n", "a word is not as long as said")

    def test_what_came_before_a_malformed_frame_is_answered(self):
        client = self.redis.client()
        client.send(command(b"PING") + b"nonsense")
        self.assertEqual(client.recv_to_close(),
                         b"+PONG\r\n-ERR Protocol error: expected '*', got 'n'\r\n")

    def test_a_command_is_at_most_a_mebibyte(self):
        word = b"x" * (512 * KIB)
        client = self.redis.client()
        client.send(command(b"SET", b"big", word) + command(b"GET", b"big"))
        self.assertEqual(client.recv_exactly(5), b"+OK\r\n")
        self.assertEqual(client.recv_exactly(len(word) + 11), b"$524288\r\n" + word + b"\r\n")
        self.assert_refused(command(b"SET", word, word, word),
                            "command longer than 1048576 bytes")

    def test_what_is_stored_has_a_limit(self):
        client = self.redis.client()
        word, replies = b"x" * (512 * KIB), []
        for i in range(140):
            client.send(command(b"SET", b"%d" % i, word))
            replies.append(client.recv_line())
        self.assertEqual(replies[0], b"+OK\r")
        self.assertEqual(replies[-1] + b"\n", OUT_OF_MEMORY)
        self.assert_answers(client, (b"DEL 1", b":1\r\n"), (b"SET more room", b"+OK\r\n"))

    @unittest.skipIf(harness.slowness("mini_redis") > 1, "a sanitizer keeps what is freed")
    def test_a_value_that_gets_shorter_gives_its_memory_back(self):
        client, before = self.redis.client(), self.redis.state.memory()
        for i in range(100):
            key = b"%d" % i
            client.send(command(b"SET", key, b"x" * (256 * KIB)) + command(b"SET", key, b"x"))
            self.assertEqual(client.recv_exactly(10), b"+OK\r\n" * 2)
        self.redis.assert_memory_grows_less_than(8 * MIB, before)

    def test_time_limits_and_channels_count_as_stored(self):
        client, subscriber = self.redis.client(), self.redis.client()
        for i in range(127):
            client.send(command(b"SET", b"%d" % i, b"x" * (512 * KIB)))
            self.assertEqual(client.recv_line(), b"+OK\r")
        self.assert_answers(client, (b"SET small -", b"+OK\r\n"))
        replies = b""
        for i in range(1000):
            client.send(command(b"SET", b"k%d" % i, b"v") + command(b"EXPIRE", b"k%d" % i, b"99"))
            replies = client.recv_line() + client.recv_line()
            if b"OOM" in replies:
                break
        self.assertIn(b"OOM", replies)
        said = command(b"SUBSCRIBE", b"c" * (300 * KIB))
        subscriber.send(said)
        self.assertEqual(subscriber.recv_exactly(len(OUT_OF_MEMORY)), OUT_OF_MEMORY)
        self.assert_answers(client, (b"DEL 1 2", b":2\r\n"))
        subscriber.send(said)
        self.assertEqual(subscriber.recv_line(), b"*3\r")
        client.send(command(b"SET", b"1", b"x" * (512 * KIB)))
        self.assertEqual(client.recv_line() + b"\n", OUT_OF_MEMORY)
        subscriber.close()

        def room():
            client.send(command(b"SET", b"1", b"x" * (512 * KIB)))
            return client.recv_line() == b"+OK\r"

        harness.poll_until("the channel of who has gone to give its memory back", room)

    def test_a_key_expires_unless_it_is_set_again(self):
        client = self.redis.client()
        self.assert_answers(
            client, (b"EXPIRE k 1", b":0\r\n"), (b"SET k v", b"+OK\r\n"),
            (b"SET kept v", b"+OK\r\n"), (b"SET long v", b"+OK\r\n"), (b"SET now v", b"+OK\r\n"),
            (b"EXPIRE kept 1", b":1\r\n"), (b"SET kept w", b"+OK\r\n"),
            (b"EXPIRE long 1", b":1\r\n"), (b"EXPIRE long 1000", b":1\r\n"),
            (b"EXPIRE now 0", b":1\r\n"), (b"GET now", b"$-1\r\n"),
            (b"EXPIRE k 1", b":1\r\n"), (b"GET k", b"$1\r\nv\r\n"))

        def gone():
            client.send(command(b"GET", b"k"))
            return client.recv_line() == b"$-1\r" or client.recv_line() != b"v\r"

        harness.poll_until("the key to expire", gone)
        self.assert_answers(client, (b"GET kept", b"$1\r\nw\r\n"), (b"GET long", b"$1\r\nv\r\n"))

    def test_subscribers_hear_what_is_published(self):
        ana, bia, teller = (self.redis.client() for _ in range(3))
        said = (b"SUBSCRIBE news", b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n")
        message = b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n"
        self.assert_answers(ana, (b"PING", b"+PONG\r\n"), said)
        self.assert_answers(bia, said)
        self.assert_answers(teller, (b"PUBLISH news hi", b":2\r\n"),
                            (b"PUBLISH other hi", b":0\r\n"))
        for client in (ana, bia):
            self.assertEqual(client.recv_exactly(len(message)), message)
        refused = b"-ERR Can't execute 'get': only SUBSCRIBE / PING / QUIT are allowed in this " \
            b"context\r\n"
        self.assert_answers(ana, (b"GET a", refused),
                            (b"PING", b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"), (b"QUIT", b"+OK\r\n"))
        self.assertEqual(ana.recv_to_end(), b"")
        self.assert_answers(teller, (b"PUBLISH news hi", b":1\r\n"))

    def test_a_subscriber_who_does_not_read_is_cut_off(self):
        slow, teller = self.redis.client(), self.redis.client()
        self.assert_answers(slow, (b"SUBSCRIBE c", b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"))
        publish, receivers = command(b"PUBLISH", b"c", b"x" * (256 * KIB)), 1
        for _ in range(200):
            teller.send(publish)
            receivers = int(teller.recv_line()[1:])
            if not receivers:
                break
        self.assertEqual(receivers, 0)

    def test_who_never_reads_replies_is_waited_for(self):
        client = self.redis.client()
        client.send(command(b"SET", b"k", b"x" * (256 * KIB)))
        self.assertEqual(client.recv_line(), b"+OK\r")
        before = self.redis.state.memory()
        client.send_until_blocked(command(b"GET", b"k") * 1000, 16 * MIB)
        self.redis.assert_memory_grows_less_than(8 * MIB, before)

    def test_at_sigterm_what_has_arrived_is_answered(self):
        client, subscriber = self.redis.client(), self.redis.client()
        said = (b"SUBSCRIBE c", b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
        self.assert_answers(subscriber, said)
        self.assert_answers(client, (b"SET a b", b"+OK\r\n"), (b"EXPIRE a 100", b":1\r\n"))
        self.redis.stop()
        client.send(command(b"GET", b"a"))
        self.redis.signal(signal.SIGTERM)
        self.redis.resume()
        self.assertEqual(client.recv_to_end(), b"$1\r\nb\r\n")
        self.assertEqual(subscriber.recv_to_end(), b"")
        self.redis.assert_exits_0()


@harness.for_each_backend
class Other_programs:
    def ask(self, *words, input=b""):
        host, port = harness.parse_address(self.redis.address)[1]
        result = harness.run_command([words[0], "-h", host, "-p", str(port), *words[1:]],
                                     input=input)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.decode()

    @unittest.skipUnless(shutil.which("redis-cli"), "redis-cli is not installed")
    def test_redis_cli(self):
        self.redis = self.server("mini_redis")
        self.assertEqual(self.ask("redis-cli", "SET", "a", "1"), "OK\n")
        self.assertEqual(self.ask("redis-cli", "INCR", "a"), "2\n")
        said = self.ask("redis-cli", input=b"GET a\nDEL a\nGET a\nNOPE\n")
        self.assertEqual(said.split("\n")[:4],
                         ["2", "1", "", "ERR unknown command 'NOPE'"])
        lines = b"".join(command(b"INCR", b"n") for _ in range(1000))
        self.assertIn("errors: 0, replies: 1000", self.ask("redis-cli", "--pipe", input=lines))

    @unittest.skipUnless(shutil.which("redis-benchmark"), "redis-benchmark is not installed")
    def test_redis_benchmark(self):
        self.redis = self.server("mini_redis")
        for depth in ("1", "16"):
            report = self.ask("redis-benchmark", "-t", "ping_mbulk,set,get,incr", "-n", "2000",
                              "-c", "20", "-P", depth, "-q", "-e")
            self.assertEqual(report.count("requests per second"), 4, report)


if __name__ == "__main__":
    unittest.main()

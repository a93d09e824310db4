# test_postgres.py: libpq's waits are anel's: the example against a PostgreSQL of the test's own.
# SPDX-License-Identifier: MIT

import glob
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness

EXAMPLE = harness.program("embedding/postgres")


def find(name):
    """A program of PostgreSQL, which Debian keeps out of PATH; None: there is none."""
    installed = sorted(glob.glob("/usr/lib/postgresql/*/bin/" + name))
    return installed[-1] if installed else shutil.which(name)


def somebody():
    """How a process starts as a user that PostgreSQL serves: it refuses root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@unittest.skipUnless(os.path.exists(EXAMPLE), "built without libpq")
@unittest.skipUnless(find("initdb") and find("postgres"), "PostgreSQL is not installed")
class Postgres(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="anel-pg-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        who = somebody()
        if who:
            os.chown(cls.folder, who["user"], who["group"])
        data = os.path.join(cls.folder, "data")
        command = [find("initdb"), "-D", data, "-A", "trust", "-U", "anel", "--no-sync",
                   "--no-locale", "-E", "UTF8"]
        subprocess.run(command, check=True, capture_output=True, cwd=cls.folder, **who)
        cls.server = subprocess.Popen(
            [find("postgres"), "-D", data, "-k", cls.folder, "-c", "listen_addresses=",
             "-c", "fsync=off", "-c", "max_connections=20"],
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=cls.folder, **who)
        cls.addClassCleanup(cls.stop)
        cls.where = f"host={cls.folder} user=anel dbname=postgres"
        log, end = b"", time.monotonic() + harness.DEADLINE
        while b"ready to accept connections" not in log:
            ready = select.select([cls.server.stderr], [], [], max(0, end - time.monotonic()))[0]
            chunk = os.read(cls.server.stderr.fileno(), 4096) if ready else b""
            if not chunk:
                raise AssertionError(f"PostgreSQL does not start: {log.decode()}")
            log += chunk

    @classmethod
    def stop(cls):
        cls.server.send_signal(signal.SIGINT)
        cls.server.communicate(timeout=harness.DEADLINE)

    def ask(self, backend, *questions, where=None):
        command = [EXAMPLE, where or self.where, *questions]
        return harness.run_command(command, env=harness.environment(backend))

    def test_each_question_has_its_answer(self):
        for backend in harness.usable_backends():
            with self.subTest(backend=backend):
                result = self.ask(backend, "select 6 * 7", "select 'x' || repeat('y', 3)")
                self.assertEqual(result.stderr, b"")
                self.assertEqual(sorted(result.stdout.decode().split("\n")),
                                 ["", "select 'x' || repeat('y', 3): xyyy", "select 6 * 7: 42"])
                self.assertEqual(result.returncode, 0)

    def test_megabytes_go_both_ways(self):
        for backend in harness.usable_backends():
            with self.subTest(backend=backend):
                question = "select length('%s') + length(repeat('z', 3000000))" % ("q" * 100000)
                result = self.ask(backend, question)
                self.assertEqual(result.stderr, b"")
                self.assertTrue(result.stdout.endswith(b": 3100000\n"))

    def test_a_refused_question_and_a_server_that_is_not_there_are_errors(self):
        for backend in harness.usable_backends():
            with self.subTest(backend=backend):
                wrong = self.ask(backend, "select nonsense")
                self.assertEqual(wrong.returncode, 1)
                self.assertIn(b'column "nonsense" does not exist', wrong.stderr)
                absent = self.ask(backend, "select 1", where="host=/nonexistent user=anel")
                self.assertEqual(absent.returncode, 1)
                self.assertIn(b"No such file or directory", absent.stderr)

    def test_a_signal_ends_a_question_at_once(self):
        for backend in harness.usable_backends():
            with self.subTest(backend=backend):
                process = subprocess.Popen(
                    [EXAMPLE, self.where, "select 'begun'", "select pg_sleep(600)"],
                    stdout=subprocess.PIPE, env=harness.environment(backend))
                self.addCleanup(process.stdout.close)
                self.assertIn(b"begun", process.stdout.readline())
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(harness.DEADLINE), 0)


if __name__ == "__main__":
    unittest.main()

# support.py: runs anel-trace for its tests, and makes records.
# SPDX-License-Identifier: MIT
"""echo.json is one round of two clients on io_uring; simulated.json has lost datagrams, a
partition, a crash and a failure."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "../../share/trace")
TOOL = os.path.join(FOLDER, "anel-trace")
ECHO, SIMULATED = os.path.join(HERE, "echo.json"), os.path.join(HERE, "simulated.json")

sys.path.insert(0, FOLDER)
from anel_trace.main import main  # noqa: E402


def run(*arguments, code=0, environment=()):
    ran = subprocess.run([sys.executable, "-B", TOOL, *arguments], capture_output=True, text=True,
                         timeout=60, check=False, stdin=subprocess.DEVNULL,
                         env={**os.environ, **dict(environment)})
    if ran.returncode != code:
        raise AssertionError(f"{arguments}: exit code {ran.returncode}\n{ran.stderr}")
    return ran.stderr if code else ran.stdout


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


class WithFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def record(self, data):
        """A file with a record, or with any text."""
        path = self.path("record.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(data if isinstance(data, str) else json.dumps(data))
        return path

    def made(self, command, record, *options, end="svg"):
        """What a command writes into its file."""
        path = self.path(f"out.{end}")
        self.assertEqual(main([command, record, "-o", path, *options]), 0)
        with open(path, encoding="utf-8") as file:
            return file.read()


def small(events, **more):
    """A record of these events, each with its number of microseconds first."""
    return {"anel_record": 1, "program": "small", "loops": [{"backend": "epoll", "name": ""}],
            "virtual": False, "overwritten": 0,
            "events": [{"at": 1000 * at, "loop": 0, "kind": kind, **fields}
                       for at, kind, fields in events], **more}

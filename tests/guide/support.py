# support.py: what the checks of the guide share: starting a program, talking to it, ending it.
# SPDX-License-Identifier: MIT

import contextlib
import os
import re
import socket
import subprocess
import threading
import time

DEADLINE = 20  # seconds after which something that should have come has not come
OUTPUT_MAX = 1 << 20  # characters of a program's output that are looked at
LINE = re.compile(r"listening on (\S+):(\d+)")


class NotYet(Exception):
    """What the reader's program does not do yet, said in both languages."""

    def __init__(self, en, pt):
        super().__init__(en)
        self.text = {"en": en, "pt": pt}


class Program:
    """A program that runs until the `with` block ends; what it prints is kept."""

    def __init__(self, command, **options):
        options.setdefault("stdin", subprocess.PIPE)
        self.process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, bufsize=1, **options)
        self.lines = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()

    @contextlib.contextmanager
    def in_time(self, en, pt):
        """Ends the program when what is waited for in the block takes too long."""
        late = threading.Event()

        def give_up():
            late.set()
            self.process.kill()

        timer = threading.Timer(DEADLINE, give_up)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
        if late.is_set():
            raise NotYet(en, pt)

    def line(self):
        """The next line that it prints, without its end; empty when it has ended."""
        with self.in_time(
                f"The program printed no line in {DEADLINE} s. Is the line flushed (std::endl)?",
                f"O programa não imprimiu nenhuma linha em {DEADLINE} s. Ela foi enviada com "
                "std::endl?"):
            text = self.process.stdout.readline(OUTPUT_MAX).rstrip("\n")
        self.lines.append(text)
        return text

    def address(self):
        """The address it listens at, from its line `listening on ADDRESS:PORT`."""
        said = self.line()
        found = LINE.search(said)
        if not found:
            raise NotYet(f"The program did not say where it listens. It said: {said}",
                         f"O programa não disse onde escuta. Ele disse: {said}")
        return found.group(1).strip("[]"), int(found.group(2))

    def finish(self, text=None):
        """Everything that it prints until it ends by itself."""
        with self.in_time(f"The program did not end in {DEADLINE} s.",
                          f"O programa não terminou em {DEADLINE} s."):
            if self.process.stdin:
                with contextlib.suppress(BrokenPipeError):
                    self.process.stdin.write(text or "")
                    self.process.stdin.close()
            said = self.process.stdout.read(OUTPUT_MAX)
            if len(said) < OUTPUT_MAX:
                self.process.wait()
        if len(said) == OUTPUT_MAX:
            self.process.kill()
            raise NotYet("The program prints without end.", "O programa imprime sem fim.")
        self.lines += said.splitlines()
        return said


def run(command, text=None, **options):
    """Runs a program to its end; its exit code and all that it printed."""
    with Program(command, **options) as program:
        said = program.finish(text)
        return program.process.returncode, said


def connect(address):
    conversation = socket.create_connection(address, timeout=DEADLINE)
    conversation.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return conversation


def receive_line(conversation):
    """One line, without its end; None when the peer has finished before it."""
    text = b""
    while not text.endswith(b"\n"):
        part = conversation.recv(1)
        if not part:
            return None
        text += part
    return text[:-1].decode()


def receive_all(conversation):
    """Everything until the peer has finished."""
    text = b""
    while part := conversation.recv(65536):
        text += part
    return text


def wait_until(condition, en, pt):
    """Looks again and again, because nobody tells us; says why not when it takes too long."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise NotYet(en, pt)
        time.sleep(0.005)


def language():
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "pt" if value.startswith("pt") else "en"
    return "en"

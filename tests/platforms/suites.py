"""Counts what test runners say: googletest, ctest and Python's unittest."""

import re

LINE = re.compile(r"\[ +(RUN|OK|FAILED|SKIPPED) +\] ([\w/]+\.[\w/]+)")
ENDED = re.compile(r"\[==========\] .* ran\.")
RUNS_MAX = 8  # A test that crashes or hangs ends its program, which then goes on with the others.


class Counts:
    """What was run: names of tests, and what the first failure said."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = {}  # Name of a test -> its reason.
        self.first_error = ""

    def fail(self, name, said):
        self.failed.append(name)
        if not self.first_error:
            self.first_error = f"{name}: {said}"[:600]

    def add(self, other, prefix=""):
        self.passed += other.passed
        self.failed += [prefix + name for name in other.failed]
        self.skipped.update({prefix + name: why for name, why in other.skipped.items()})
        if other.first_error and not self.first_error:
            self.first_error = prefix + other.first_error


def count_lines(text, counts):
    """Adds the tests of one run to `counts`. Returns the names, and the test that did not end."""
    names, current, said = [], None, []
    for line in text.splitlines():
        found = LINE.search(line)
        if not found:
            said.append(line.strip())
            continue
        verdict, name = found[1], found[2]
        if verdict == "RUN":
            current, said = name, []
        elif name == current:  # What follows the last test names those that failed once more.
            names.append(name)
            current = None
            words = " ".join(word for word in said if word)
            if verdict == "OK":
                counts.passed += 1
            elif verdict == "SKIPPED":
                counts.skipped[name] = words.split("Skipped", 1)[-1].strip()[:200]
            else:
                counts.fail(name, words)
    return names, (current, " ".join(said[-5:])) if current else None


def run_suite(run, program, seconds, only=""):
    """Runs a program with run(command, seconds), again after each test that ends it."""
    counts, done = Counts(), []
    for _ in range(RUNS_MAX):
        # gtest takes `what to run - what not`.
        tests = f"{only}-{':'.join(done)}"
        code, text = run(f"{program} --gtest_color=no '--gtest_filter={tests}'", seconds)
        names, unfinished = count_lines(text, counts)
        done += names
        if unfinished:
            name, said = unfinished
            counts.fail(name, f"ended the program with {code}: {said}")
            done.append(name)
            continue
        if not ENDED.search(text) or (code and not counts.failed):
            counts.fail(program, f"exit code {code}: {text.strip()[-300:]}")
        return counts
    counts.fail(program, f"given up after {RUNS_MAX} runs")
    return counts


def count_ctest(code, text):
    """Counts a run of `./dev test`."""
    counts = Counts()
    found = re.findall(r"^(\d+) passed, (\d+) failed", text, re.M)
    if not found:
        counts.fail("./dev test", f"exit code {code}: {text.strip()[-300:]}")
        return counts
    counts.passed = int(found[-1][0])
    for name, verdict in re.findall(r"^\s+\d+ - (\S+) \((\w+)", text, re.M):
        if verdict in ("Skipped", "Disabled"):
            counts.skipped[name] = "see the log"
        else:
            said = re.search(rf"Test +#\d+: {re.escape(name)} .*?\n(.*?)^ *(?:Start|\d+/\d+) ",
                             text, re.M | re.S)
            counts.fail(name, " ".join(said[1].split())[-400:] if said else "see the log")
    for _ in range(int(found[-1][1]) - len(counts.failed)):
        counts.fail("./dev test", "see the log")
    return counts


def count_unittest(code, text):
    """Counts a run of `python3 -m unittest -v`."""
    counts = Counts()
    for name, verdict in re.findall(r"^(\w+) \(.*?\)(?:\n.*?)? \.\.\. (ok|FAIL|ERROR|skipped .*)$",
                                    text, re.M):
        if verdict == "ok":
            counts.passed += 1
        elif verdict.startswith("skipped"):
            counts.skipped[name] = verdict.removeprefix("skipped ").strip("'\"")
        else:
            said = re.search(rf"^{verdict}: {name} .*?\n-+\n(.*?)^[=-]+$", text, re.M | re.S)
            counts.fail(name, said[1].strip().splitlines()[-1] if said else verdict)
    if code and not counts.failed:
        counts.fail("unittest", f"exit code {code}: {text.strip()[-300:]}")
    return counts

# test_doctor.py: anel-bench doctor: what it says of this machine, and of one that refuses things.
# SPDX-License-Identifier: MIT
"""ANEL_BIN is the build directory. What the machine gives is not tested: only that the doctor says
the same in both forms, and names what a test takes away."""

import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
import unittest

BIN = os.environ["ANEL_BIN"]
DOCTOR = [os.path.join(BIN, "bench", "anel-bench"), "doctor"]
REFUSE = os.path.join(BIN, "tests", "refuse_io_uring")
OLDER = os.path.join(BIN, "tests", "platforms", "older_kernel")
DISABLED = "/proc/sys/kernel/io_uring_disabled"
DEADLINE = 60


def run(*command, limits=None, **environment):
    kept = {name: value for name, value in os.environ.items() if name != "ANEL_BACKEND"}
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False,
                          env={**kept, **environment}, preexec_fn=limits)


def examine(*launcher, **options):
    """The findings by name, of an examination that ends as its findings say."""
    ran = run(*launcher, *DOCTOR, "--json", **options)
    if ran.returncode not in (0, 1):
        raise AssertionError(f"exit code {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    findings = json.loads(ran.stdout)["findings"]
    bad = [one["name"] for one in findings if one["state"] == "bad"]
    if ran.returncode != (1 if bad else 0):
        raise AssertionError(f"exit code {ran.returncode}, and bad are {bad}")
    return {one["name"]: one for one in findings}


def refused(error, *launcher, **options):
    return examine(*launcher, REFUSE, error, "--", **options)


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


class Findings(unittest.TestCase):
    def test_each_is_complete(self):
        for name, one in examine().items():
            with self.subTest(name):
                self.assertEqual(list(one), ["state", "name", "value", "means", "mend"])
                self.assertIn(one["state"], ("ok", "note", "bad"))
                self.assertNotEqual(one["value"], "")
                if one["state"] == "bad":
                    self.assertNotEqual(one["mend"], "", "bad, and nothing mends it")

    def test_text_and_json_say_the_same(self):
        ran = run(*DOCTOR)
        lines = ran.stdout.splitlines()
        self.assertLessEqual(max(map(len, lines)), 100)
        found = examine()
        heads = [re.fullmatch(r"(ok|note|bad) +(\S+(?: \S+)*) {2,}(\S.*)", line) for line in lines]
        heads = [head.groups() for head in heads if head]
        self.assertEqual([name for _, name, _ in heads], list(found))
        for how, name, value in heads:
            if name not in ("load average", "TIME_WAIT"):  # which change meanwhile
                self.assertEqual(how, found[name]["state"], name)
                self.assertTrue(found[name]["value"].startswith(value), name)
        flowing = " ".join(ran.stdout.split())
        for name, one in found.items():
            if one["mend"] and name not in ("load average", "TIME_WAIT"):
                self.assertIn("-> " + " ".join(one["mend"].split()), flowing)
        counted = [sum(how == state for how, _, _ in heads) for state in ("bad", "note", "ok")]
        self.assertEqual(lines[-1], "%d bad, %d to note, %d ok" % tuple(counted))
        self.assertEqual(ran.returncode, 1 if counted[0] else 0)

    def test_a_ring_that_can_be_had_is_the_backend(self):
        found = examine()
        if found["io_uring"]["state"] == "bad" or found["liburing"]["value"] == "none":
            self.skipTest("no io_uring here")
        self.assertEqual(found["backend"]["value"], "io_uring")
        self.assertIn("submissions", found["anel's ring"]["value"])
        self.assertRegex(found["basic opcodes"]["value"], "^yes, used")

    def test_what_an_older_kernel_has_not_is_named(self):
        if not os.path.exists(OLDER) or examine()["io_uring"]["state"] == "bad":
            self.skipTest("no launcher, or no io_uring here")
        found = examine(OLDER, "5.19", "--")
        self.assertEqual(found["backend"]["value"], "io_uring")
        self.assertRegex(found["anel's ring"]["value"], "^COOP_TASKRUN, 256 submissions")
        for name, state in (("anel's ring", "note"), ("buffer rings", "ok"),
                            ("multishot recv", "note"), ("sync cancel", "ok")):
            self.assertEqual(found[name]["state"], state, name)
        self.assertRegex(found["buffer rings"]["value"], "^yes, used")
        self.assertRegex(found["multishot recv"]["value"], "^no, would be used")
        self.assertRegex(found["sync cancel"]["value"], "^no, not used")
        self.assertEqual(found["multishot recv"]["mend"], "run on Linux 6.0 or newer")

    def test_what_wrong_usage_ends_with(self):
        for wrong in (["--nonsense"], ["patient"]):
            ran = run(*DOCTOR, *wrong)
            self.assertEqual(ran.returncode, 2)
            self.assertEqual(ran.stdout, "")
            self.assertIn(wrong[0], ran.stderr)
        ran = run(*DOCTOR, "--help")
        self.assertEqual(ran.returncode, 0)
        self.assertIn("Exits with 0 when nothing is bad, 1 when something is", ran.stdout)


class Refusals(unittest.TestCase):
    def assert_no_ring(self, found, error):
        self.assertEqual(found["io_uring"]["state"], "bad")
        self.assertIn(error, found["io_uring"]["value"])
        self.assertEqual(found["backend"]["state"], "bad")
        self.assertEqual(found["backend"]["value"], "epoll")
        self.assertIn("io_uring cannot start", found["backend"]["means"])
        self.assertNotIn("anel's ring", found)
        return found["io_uring"]

    def test_a_filter_is_named_with_what_lets_a_ring_through(self):
        if run("grep", "-qs", "[12]", DISABLED).returncode == 0:
            self.skipTest("the kernel refuses io_uring itself")
        for error in ("EPERM", "ENOSYS"):
            with self.subTest(error):
                ring = self.assert_no_ring(refused(error), error)
                self.assertIn("seccomp filter", ring["means"])
                self.assertRegex(ring["mend"], "seccomp=|SystemCallFilter=|seccompProfile")
                self.assertIn("io_uring_setup", ring["mend"])

    def test_too_little_locked_memory_is_named(self):
        ring = self.assert_no_ring(refused("ENOMEM"), "ENOMEM")
        self.assertIn("RLIMIT_MEMLOCK", ring["means"])
        self.assertIn("ulimit -l", ring["mend"])

    def test_the_sysctl_is_named(self):
        """A file of ours stands where the kernel's would, and a filter refuses as the kernel."""
        namespace = ("unshare", "--user", "--map-root-user", "--mount")
        if not shutil.which("unshare") or not os.path.exists(DISABLED):
            self.skipTest("no unshare, or no such sysctl: Linux 6.6")
        for value, who in (("1", "CAP_SYS_ADMIN"), ("2", "everyone")):
            with self.subTest(value), tempfile.NamedTemporaryFile("w") as file:
                file.write(value + "\n")
                file.flush()
                over = (*namespace, "sh", "-c", f'mount --bind "$0" {DISABLED} && exec "$@"',
                        file.name)
                if run(*over, "true").returncode != 0:
                    self.skipTest("no namespaces here")
                ring = self.assert_no_ring(refused("EPERM", *over), "EPERM")
                self.assertIn("kernel.io_uring_disabled=" + value, ring["means"])
                self.assertIn(who, ring["means"])
                self.assertIn("sysctl kernel.io_uring_disabled=0", ring["mend"])

    def test_few_descriptors_are_bad(self):
        found = examine(limits=few_descriptors)["descriptors (nofile)"]
        self.assertEqual(found["state"], "bad")
        self.assertRegex(found["value"], r"^64\b")
        self.assertIn("65536", found["mend"])


class Choice(unittest.TestCase):
    def test_the_environment_is_heard(self):
        found = examine(ANEL_BACKEND="poll")["backend"]
        self.assertEqual((found["state"], found["value"]), ("note", "poll, by ANEL_BACKEND"))
        self.assertEqual(found["mend"], "unset ANEL_BACKEND")

    def test_a_backend_that_does_not_exist_is_bad_and_any_bytes_are_json(self):
        found = examine(ANEL_BACKEND='"\\\n\udcff')["backend"]
        self.assertEqual((found["state"], found["value"]), ("bad", "none"))
        self.assertIn('ANEL_BACKEND="\\\n\ufffd', found["means"])
        self.assertEqual(found["mend"], "unset ANEL_BACKEND")

    def test_a_refused_backend_that_was_asked_for_is_bad(self):
        found = refused("EPERM", ANEL_BACKEND="io_uring")["backend"]
        self.assertEqual((found["state"], found["value"]), ("bad", "none"))
        self.assertIn("io_uring_setup", found["means"])


if __name__ == "__main__":
    unittest.main()

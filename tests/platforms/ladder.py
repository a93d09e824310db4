"""Rows that refuse calls and flags of the kernel that runs here."""

import re

import recipes
from places import CannotMake
from suites import run_suite

# What a program says that works without the call, or with a lesser backend; or that it cannot.
SERVE = """
bin={bin}/examples; log=$(mktemp)
{inject} $bin/request_reply_server 127.0.0.1:0 >$log 2>&1 & server=$!
for i in $(seq 100); do grep -q 'listening\\|request_reply_server:' $log && break; sleep 0.1; done
at=$(sed -n 's/^listening on \\([^ ]*\\) .*/\\1/p' $log)
[ -z "$at" ] || timeout 20 $bin/request_reply_client $at 'add 40 2'
kill -TERM $server; wait $server; echo "exit $?"; cat $log
"""


def built(result, row):
    """The release build of Debian 12, which rows of this kind share."""
    system = recipes.debian(row, "bookworm", "amd64", "cmake ninja-build pkg-config ccache python3 "
                            "libgtest-dev liburing-dev g++ strace")
    build = recipes.Build(system, result, "debian12-gcc12")
    result.versions["kernel"] = system.must("uname -r", 30).strip()
    return build


def rung(result, row, kernel):
    build = built(result, row)
    build.make("conformance_tests", "older_kernel", "ring_probe")
    launcher = f"{build.folder}/tests/platforms/older_kernel {kernel} --"
    result.versions["ring"] = build.system.must(
        f"{launcher} {build.folder}/tests/platforms/ring_probe", 30).strip()
    build.run_suites(("conformance",), before=launcher, only="*/io_uring")


def refused_calls(result, row, calls, error, works):
    """A server under strace, which fails some calls: it serves, or says why it does not."""
    build = built(result, row)
    build.make("anel_examples")
    inject = f"strace -f -qq -o /dev/null -e trace={calls} -e inject={calls}:error={error}"
    _, text = build.system.run(SERVE.format(bin=build.folder, inject=inject), 60)
    code = re.search(r"^exit (\d+)$", text, re.M)
    if not code:
        raise CannotMake(text.strip()[-300:])
    result.versions["said"] = text[code.end():].strip()
    answered = re.search(r"^42$", text, re.M) and code[1] == "0"
    refused = code[1] == "1" and "request_reply_server: " in text
    if answered if works else refused:
        result.counts.passed += 1
    else:
        result.counts.fail("request_reply", text.strip())

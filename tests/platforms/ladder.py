"""Rows that refuse calls and flags of the kernel that runs here."""

import re

import recipes

# A request and its reply; the exit code of the server, and what it said.
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


def refused_calls(result, row, calls, error):
    """A server under strace, which fails some calls each time: it serves, and ends when told to."""
    build = built(result, row)
    build.make("anel_examples")
    inject = f"strace -D -f -qq -o /dev/null -e trace={calls} -e inject={calls}:error={error}"
    _, text = build.system.run(SERVE.format(bin=build.folder, inject=inject), 60)
    said = re.search(r"^ok 42$.*^exit 0$(.*)", text, re.M | re.S)
    if said:
        result.versions["said"] = said[1].strip()
        result.counts.passed += 1
    else:
        result.counts.fail("request_reply", text.strip())

#!/usr/bin/env python3
"""Builds and runs anel on the platforms of rows.py, and says what held.

    matrix.py [--list] [--ci] [--write-docs] [--within SECONDS] [ROW...]

    ROW            a name, or a pattern such as 'debian13-*'; none: every row
    --list         name the rows
    --ci           the few rows that continuous integration runs; one that cannot be made here is
                   no failure
    --write-docs   write docs/platforms.md from the last results; a row not run on this machine
                   stays as it is there
    --within       no row begins later than that; those left over are not made

It makes Debian systems, sysroots and virtual machines below ANEL_MATRIX_DIR (by default
~/.cache/anel-matrix), installs what it misses there and, for debootstrap and qemu, on this machine;
for that it must be root. A row that cannot be made says why, and the others go on.
ANEL_MATRIX_JOBS says how many compilers run at a time.
SPDX-License-Identifier: MIT
"""

import argparse
import datetime
import fcntl
import fnmatch
import json
import os
import subprocess
import sys
import time
import traceback

import report
from places import CannotMake, DoesNotBuild, HOME, REPOSITORY
from recipes import Result
from rows import ROWS


def outcome(result):
    """What is said of a row in one word."""
    if result.trouble:
        return "not made"
    return "failed" if result.counts.failed else result.claims


def run_row(row, until):
    """Runs one row. Returns its result as it is kept in results/ROW.json."""
    print(f"== {row.name}: {row.says}", flush=True)
    (HOME / "logs" / f"{row.name}.log").unlink(missing_ok=True)
    started = time.monotonic()
    result = Result()
    try:
        if started > until:
            raise CannotMake("no time is left for it")
        row.run(result)
    except CannotMake as reason:
        result.trouble = str(reason)
    except DoesNotBuild as reason:
        result.counts.fail("build", str(reason))
    except Exception as fault:  # A row that goes wrong does not stop the others.
        traceback.print_exc()
        result.trouble = f"{type(fault).__name__}: {fault}"
    counts = result.counts
    record = {
        "row": row.name,
        "outcome": outcome(result),
        "date": datetime.date.today().isoformat(),
        "commit": subprocess.run(["git", "-c", "safe.directory=*", "-C", REPOSITORY, "rev-parse",
                                  "--short", "HEAD"], capture_output=True,
                                 text=True, check=False).stdout.strip(),
        "versions": result.versions,
        "passed": counts.passed,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "error": result.trouble or counts.first_error,
        "seconds": round(time.monotonic() - started),
    }
    (HOME / "results" / f"{row.name}.json").write_text(json.dumps(record, indent=1))
    return record


def print_table(records):
    print(f"\n{'row':<28} {'outcome':<9} {'passed':>6} {'failed':>6} {'skipped':>7} {'time':>6}")
    for record in records:
        print(f"{record['row']:<28} {record['outcome']:<9} {record['passed']:>6} "
              f"{len(record['failed']):>6} {len(record['skipped']):>7} {record['seconds']:>5}s")
        if record["error"]:
            print(f"    {record['error'][:400]}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("rows", nargs="*")
    for option in ("--list", "--ci", "--write-docs"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("--within", type=float, default=float("inf"))
    wanted = parser.parse_args()
    if wanted.list:
        for row in ROWS:
            print(f"{row.name:<28} {row.says}")
        return 0
    if wanted.write_docs:
        document = REPOSITORY / "docs/platforms.md"
        document.write_text(report.page(ROWS, HOME / "results", document.read_text()))
        return 0

    patterns = wanted.rows or ["*"]
    chosen = [row for row in ROWS if any(fnmatch.fnmatch(row.name, one) for one in patterns)
              and (row.cheap or not wanted.ci)]
    if not chosen:
        print("no such row; --list names them", file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("the matrix makes file systems and namespaces: run it as root", file=sys.stderr)
        return 2
    for folder in ("results", "logs"):
        (HOME / folder).mkdir(parents=True, exist_ok=True)
    print(f"{len(chosen)} rows, in {HOME}", flush=True)
    until = time.monotonic() + wanted.within
    # Rows share systems, and the sources in them are those of the last run.
    with open(HOME / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        records = [run_row(row, until) for row in chosen]
    print_table(records)
    failed, missing = (sum(record["outcome"] == outcome for record in records)
                       for outcome in ("failed", "not made"))
    print(f"{len(records) - failed - missing} rows passed, {failed} failed, {missing} not made")
    return 1 if failed or (missing and not wanted.ci) else 0


if __name__ == "__main__":
    sys.exit(main())

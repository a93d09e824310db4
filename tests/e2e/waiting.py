# waiting.py: waits of the end-to-end tests; each has a deadline, and says what it waited for.
# SPDX-License-Identifier: MIT

import contextlib
import time

DEADLINE = 20.0  # seconds; only a test that fails waits that long


@contextlib.contextmanager
def waiting_for(what):
    """Turns the timeout of a socket into a failure that says what was waited for."""
    try:
        yield
    except TimeoutError:
        raise AssertionError(f"timed out after {DEADLINE:g} s waiting for {what}") from None


def poll_until(what, condition, seconds=DEADLINE):
    """Returns the first true value of `condition()`; fails after `seconds`, naming `what`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"timed out after {seconds:g} s waiting for {what}")
        time.sleep(0.003)  # polls: the condition, which has no descriptor to wait on


def observe(seconds):
    """Lets `seconds` pass, for what is measured over a time."""
    end = time.monotonic() + seconds
    poll_until(f"{seconds:g} s to pass", lambda: time.monotonic() >= end, seconds + DEADLINE)

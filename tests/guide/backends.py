# backends.py: on which backends a program can run here; a container may refuse io_uring.
# SPDX-License-Identifier: MIT

import os

import support


def usable(command):
    """The environment for each backend, less io_uring where the program names it as wrong."""
    for backend in ("io_uring", "epoll", "poll"):
        environment = os.environ | {"ANEL_BACKEND": backend}
        if backend == "io_uring":
            code, said = support.run(command, env=environment)
            if code != 0 and "io_uring" in said:
                continue
        yield backend, environment

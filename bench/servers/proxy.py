#!/usr/bin/env python3
"""A proxy in front of the epoll echo of this folder, for a duel: proxy.py anel|haproxy|nginx PORT.

This process becomes the proxy, so that a duel measures it alone. The echo behind it is another
process on the same CPU, and ends when the proxy does. Each proxy has one thread.
"""
# SPDX-License-Identifier: MIT
import argparse
import ctypes
import os
import re
import resource
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

HAPROXY = """
global
    nbthread 1
defaults
    mode tcp
    timeout connect 10s
    timeout client 1d
    timeout server 1d
listen proxy
    bind {listen} backlog 4096
    server echo {target}
"""

NGINX = """
daemon off;
master_process off;
pid {pid};
error_log stderr emerg;
load_module @ANEL_BENCH_NGINX_MODULES@/ngx_stream_module.so;
events {{ worker_connections 20000; multi_accept on; }}
stream {{
    access_log off;
    proxy_timeout 1d;
    server {{ listen {listen} backlog=4096; proxy_pass {target}; }}
}}
"""


def in_memory(text):
    """A file without a name, so that nothing is left behind."""
    fd = os.memfd_create("proxy", 0)  # inherited
    os.write(fd, text.encode())
    return f"/proc/self/fd/{fd}"


def start_echo():
    death_signal = 1  # PR_SET_PDEATHSIG
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    echo = subprocess.Popen([os.path.join(HERE, "epoll"), "127.0.0.1:0"], stdout=subprocess.PIPE,
                            text=True, preexec_fn=lambda: prctl(death_signal, signal.SIGTERM))
    return re.match(r"listening on (\S+) ", echo.stdout.readline())[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("proxy", choices=("anel", "haproxy", "nginx"))
    parser.add_argument("port", type=int)
    given = parser.parse_args()
    listen, target = f"127.0.0.1:{given.port}", start_echo()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if given.proxy == "anel":
        command = [os.path.join(HERE, "../../examples/proxy"), listen, target]
    elif given.proxy == "haproxy":
        command = ["haproxy", "-db", "-f", in_memory(HAPROXY.format(listen=listen, target=target))]
    else:
        configuration = NGINX.format(listen=listen, target=target, pid=in_memory(""))
        command = ["nginx", "-e", "stderr", "-c", in_memory(configuration)]
    program = shutil.which(command[0], path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        sys.exit(f"proxy.py: {command[0]} is not installed")
    os.execv(program, command)


main()

#!/usr/bin/env python3
"""The server with nginx: a stream whose filter, in njs, sends back what comes; one process, epoll.

nginx has no stream that answers by itself, only one that passes on. So the filter turns what the
client sends back to it, and what it is passed on to is a second server of the same process that
never says anything. That costs each connection two more descriptors, and a request nothing.
What njs sends is outside the accounts of the proxy that nginx believes to be: what a socket does
not take at once is never sent, and thrown away at the end. So this server is for clients that read.
njs has no clock to compute by: there is no --work.

This file takes free ports, writes the configuration and becomes nginx. A child stays behind until
nginx listens, and says so in its place.
"""
# SPDX-License-Identifier: MIT
import argparse
import os
import resource
import shutil
import socket
import subprocess
import time

CONFIGURATION = """
daemon off;
master_process off;
pid {pid};
error_log stderr emerg;
load_module {modules}/ngx_stream_module.so;
load_module {modules}/ngx_stream_js_module.so;
events {{ worker_connections 40000; multi_accept on; }}
stream {{
    js_import main from {script};
    js_var $times {times};
    access_log off;
    preread_timeout 1d;
    proxy_timeout 1d;
    proxy_buffer_size {buffer};
    {certificate}
    server {{ listen {address} {tls} backlog=4096; js_filter main.echo; proxy_pass {silent}; }}
    server {{ listen {silent} backlog=4096; js_preread main.hold; return ""; }}
}}
"""

TLS = """
    ssl_certificate {0};
    ssl_certificate_key {0};
    ssl_protocols TLSv1.3;
"""


def in_memory(text):
    """A file without a name, so that nothing is left behind."""
    fd = os.memfd_create("nginx", 0)  # inherited
    os.write(fd, text.encode())
    return f"/proc/self/fd/{fd}"


def take_port(host, port):
    """Held by a socket that does not listen, until it is closed: nginx can bind it all the same."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((host, port))
    return holder


def announce_when_it_listens(text, address):
    if os.fork() != 0:
        return
    nginx = os.getppid()
    while os.getppid() == nginx:
        try:
            socket.create_connection(address).close()
        except ConnectionRefusedError:
            time.sleep(0.005)
        else:
            print(text, flush=True)
            break
    os._exit(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address", nargs="?", default="127.0.0.1:7777")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--buffer", type=int, default=4096)
    parser.add_argument("--tls", help="a file with a certificate and its key")
    given = parser.parse_args()
    nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    version = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr

    host, port = given.address.rsplit(":", 1)
    clients, silent = take_port(host, int(port)), take_port(host, 0)
    address = "%s:%d" % clients.getsockname()
    configuration = in_memory(CONFIGURATION.format(
        pid=in_memory(""), modules="@ANEL_BENCH_NGINX_MODULES@", times=given.times,
        script=os.path.join(os.path.dirname(os.path.abspath(__file__)), "nginx_echo.js"),
        address=address, silent="%s:%d" % silent.getsockname(),
        tls="ssl" if given.tls else "", certificate=TLS.format(given.tls) if given.tls else "",
        buffer=min(given.buffer, max((1 << 20) // given.times, 1))))
    announce_when_it_listens(f"listening on {address} (nginx) {version.split()[-1]}, stream, "
                             "js_filter, one process", silent.getsockname())
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    os.execv(nginx, ["nginx", "-e", "stderr", "-c", configuration])


main()

#!/usr/bin/env python3
"""The server with Python's asyncio: a protocol object per connection, on the selector's epoll."""
# SPDX-License-Identifier: MIT
import argparse
import asyncio
import platform
import socket


class Session(asyncio.Protocol):
    times = 1

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        if self.times > 1:
            data = b"".join(data[i:i + 1] * self.times for i in range(len(data)))
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address", nargs="?", default="127.0.0.1:7777")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--buffer", type=int)  # asyncio chooses for itself
    given = parser.parse_args()
    Session.times = given.times
    host, port = given.address.rsplit(":", 1)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Session, host, int(port), backlog=4096)
    bound = server.sockets[0].getsockname()
    print(f"listening on {bound[0]}:{bound[1]} (asyncio) Python {platform.python_version()}",
          flush=True)
    loop.add_signal_handler(15, server.close)
    async with server:
        try:
            await server.serve_forever()
        except asyncio.CancelledError:
            pass


asyncio.run(main())

// libuv.cpp: the server with libuv, on epoll, one thread.
//
// Writes are tried at once and only the rest is queued, which is libuv's fastest way.
//
// SPDX-License-Identifier: MIT
#include <uv.h>

#include <memory>

#include "server.hpp"

namespace {

struct connection {
    explicit connection(const server::options& given) : rules(given) {}
    uv_tcp_t stream{};
    server::protocol rules;
};

struct queued_write {
    uv_write_t request{};
    std::vector<char> rest;
};

struct shared {
    server::options given;
    std::vector<char> buffer;
};

void close_connection(uv_stream_t* stream) {
    auto* handle = reinterpret_cast<uv_handle_t*>(stream);
    if (uv_is_closing(handle)) return;
    uv_close(handle, [](uv_handle_t* closed) { delete static_cast<connection*>(closed->data); });
}

void lend_buffer(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    auto& all = *static_cast<shared*>(handle->loop->data);
    const std::size_t size = static_cast<connection*>(handle->data)->rules.receive_max();
    *buffer = uv_buf_init(all.buffer.data(), static_cast<unsigned>(size));
}

void received(uv_stream_t* stream, ssize_t n, const uv_buf_t* buffer);

void written(uv_write_t* request, int status) {
    const std::unique_ptr<queued_write> ended(static_cast<queued_write*>(request->data));
    if (status < 0) return close_connection(request->handle);
    uv_read_start(request->handle, lend_buffer, received);  // it was stopped: a slow reader
}

void received(uv_stream_t* stream, ssize_t n, const uv_buf_t* buffer) {
    if (n == 0) return;  // nothing there after all
    if (n < 0) return close_connection(stream);
    auto& c = *static_cast<connection*>(stream->data);
    const auto answer = c.rules.answer({buffer->base, static_cast<std::size_t>(n)});
    uv_buf_t bytes = uv_buf_init(answer.data(), static_cast<unsigned>(answer.size()));
    int sent = uv_try_write(stream, &bytes, 1);
    if (sent < 0 && sent != UV_EAGAIN) return close_connection(stream);
    if (sent < 0) sent = 0;
    if (static_cast<std::size_t>(sent) == answer.size()) return;
    uv_read_stop(stream);
    auto pending = std::make_unique<queued_write>();
    pending->rest.assign(answer.begin() + sent, answer.end());
    pending->request.data = pending.get();
    bytes = uv_buf_init(pending->rest.data(), static_cast<unsigned>(pending->rest.size()));
    if (uv_write(&pending->request, stream, &bytes, 1, written) == 0) {
        static_cast<void>(pending.release());  // written() owns it
    } else {
        close_connection(stream);
    }
}

void accepted(uv_stream_t* listener, int status) {
    if (status < 0) return;
    auto* c = new connection(static_cast<shared*>(listener->loop->data)->given);
    uv_tcp_init(listener->loop, &c->stream);
    c->stream.data = c;
    auto* stream = reinterpret_cast<uv_stream_t*>(&c->stream);
    if (uv_accept(listener, stream) != 0) return close_connection(stream);
    uv_tcp_nodelay(&c->stream, 1);
    uv_read_start(stream, lend_buffer, received);
}

}  // namespace

int main(int argc, char** argv) {
    shared all{server::start(argc, argv), {}};
    all.buffer.resize(all.given.buffer);
    const int fd = server::bound_socket(all.given, SOCK_NONBLOCK);
    if (all.given.udp) server::die("no UDP in this server", EINVAL);
    uv_loop_t loop{};
    uv_loop_init(&loop);
    loop.data = &all;
    uv_tcp_t listener{};
    uv_tcp_init(&loop, &listener);
    uv_tcp_open(&listener, fd);
    const int error = uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 4096, accepted);
    if (error != 0) server::die("uv_listen", -error);
    server::announce(fd, "libuv", std::string("libuv ") + uv_version_string() + ", epoll");
    return uv_run(&loop, UV_RUN_DEFAULT);
}

// http2_hello.cpp: says hello over HTTP/2, which TLS agrees on (ALPN), with nghttp2.
//     http2_hello ADDRESS:PORT CERTIFICATE KEY
// SPDX-License-Identifier: MIT
#include "../arguments.hpp"

#include <anel/anel.hpp>
#include <anel/tls.hpp>

#include <nghttp2/nghttp2.h>

#include <csignal>
#include <iostream>
#include <memory>

using namespace anel;
using namespace std::chrono_literals;

constexpr std::string_view hello = "hello over HTTP/2\n";
constexpr std::uint32_t streams_max = 100;      // of a connection, at a time
constexpr std::uint32_t heads_max = 16U << 10;  // bytes of a request's fields
constexpr std::size_t output_max = 64U << 10;   // bytes gathered before they are sent

struct freed {
    void operator()(nghttp2_session* of) const { nghttp2_session_del(of); }
    void operator()(nghttp2_session_callbacks* of) const { nghttp2_session_callbacks_del(of); }
};

void check(const char* what, ssize_t result) {
    if (result >= 0) return;
    throw std::runtime_error(std::string(what) + ": " + nghttp2_strerror(int(result)));
}

nghttp2_nv field(std::string_view name, std::string_view value) {
    const auto bytes = [](std::string_view text) {  // nghttp2 copies and changes nothing
        return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
    };
    return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

ssize_t read_hello(nghttp2_session*, std::int32_t, std::uint8_t* to, std::size_t size,
                   std::uint32_t* flags, nghttp2_data_source* source, void*) {
    const std::string_view rest = hello.substr(std::size_t(source->fd));  // which counts what went
    const std::size_t now = rest.copy(reinterpret_cast<char*>(to), size);
    source->fd += int(now);
    if (now == rest.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(now);
}

/// A stream whose method is HEAD has this session as its user data: its reply has no body.
int on_field(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name,
             std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t,
             void*) {
    const auto text = [](const std::uint8_t* bytes, std::size_t size) {
        return std::string_view(reinterpret_cast<const char*>(bytes), size);
    };
    if (text(name, name_size) != ":method" || text(value, value_size) != "HEAD") return 0;
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, session);
}

/// A request is whole once its stream says its end: it is answered then.
int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void*) {
    const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!may_end || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    const std::string size = std::to_string(hello.size());
    const nghttp2_nv fields[] = {field(":status", "200"), field("content-type", "text/plain"),
                                 field("content-length", size)};
    nghttp2_data_provider body{};
    body.read_callback = read_hello;
    const std::int32_t stream = frame->hd.stream_id;
    const bool is_head = nghttp2_session_get_stream_user_data(session, stream) != nullptr;
    const auto* const sent = is_head ? nullptr : &body;
    return nghttp2_submit_response(session, stream, fields, std::size(fields), sent);
}

std::unique_ptr<nghttp2_session, freed> make_session() {
    nghttp2_session_callbacks* made = nullptr;
    check("nghttp2_session_callbacks_new", nghttp2_session_callbacks_new(&made));
    const std::unique_ptr<nghttp2_session_callbacks, freed> callbacks(made);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
    nghttp2_session_callbacks_set_on_header_callback(made, on_field);
    nghttp2_session* session = nullptr;
    check("nghttp2_session_server_new", nghttp2_session_server_new(&session, made, nullptr));
    std::unique_ptr<nghttp2_session, freed> owned(session);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams_max},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, heads_max}};
    check("nghttp2_submit_settings",
          nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings)));
    return owned;
}

/// Sends what nghttp2 has to say: many frames together.
task<> flush(nghttp2_session* session, tls_stream& conn) {
    std::string gathered;
    for (bool more = true; more;) {
        const std::uint8_t* bytes = nullptr;
        const ssize_t size = nghttp2_session_mem_send(session, &bytes);
        check("nghttp2_session_mem_send", size);
        more = size > 0;
        gathered.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
        if (gathered.empty() || (more && gathered.size() < output_max)) continue;
        co_await conn.send(gathered);
        gathered.clear();
    }
}

task<> session(const event& draining, tls_stream conn) {
    co_await conn.handshake();
    if (conn.alpn() != "h2") co_return;  // it offered nothing: there is nothing else here
    const auto owned = make_session();
    nghttp2_session* const http = owned.get();
    for (;;) {
        co_await flush(http, conn);
        if (!nghttp2_session_want_read(http)) break;
        auto data = co_await conn.recv();
        if (!data) {
            if (draining.is_set()) nghttp2_session_terminate_session(http, NGHTTP2_NO_ERROR);
            co_await flush(http, conn);
            break;
        }
        const std::string_view text(data);
        const auto* const bytes = reinterpret_cast<const std::uint8_t*>(text.data());
        if (nghttp2_session_mem_recv(http, bytes, text.size()) < 0) break;  // no HTTP/2
    }
    co_await lingering_close(conn);
}

task<> server(endpoint address, tls_context context) {
    auto listener = co_await tcp_listener::bind(address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << listener.local_endpoint() << ' ' << backend << std::endl;
    event draining;
    serve_options options;
    options.draining = &draining;
    options.idle_timeout = 60s;
    const auto run = [&](tls_stream conn) { return session(draining, std::move(conn)); };
    co_await serve(tls_listener(std::move(listener), context), run, options);
}

int main(int argc, char** argv) try {
    const arguments given(argc, argv, "usage: http2_hello ADDRESS:PORT CERTIFICATE KEY", 3, 3);
    tls_server_options options;
    options.alpn = {"h2"};
    const auto context = tls_context::server(given.get(1, ""), given.get(2, ""), options);
    return run(server(given.get(0, ""), context), {.dump_on = SIGUSR1});
} catch (const std::exception& error) {
    std::cerr << "http2_hello: " << error.what() << '\n';
    return 1;
}

// websocket_echo.cpp: sends back every message of a WebSocket, with libwslay.
//     websocket_echo [ADDRESS:PORT]
// SPDX-License-Identifier: MIT
#include "../arguments.hpp"
#include "request.hpp"

#include <openssl/evp.h>
#include <wslay/wslay.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <tuple>

using namespace std::chrono_literals;

constexpr std::uint64_t websocket_message_max = 1U << 20;  // bytes
constexpr std::size_t websocket_frames_max = 1000;         // of a message

/// What wslay reads from and writes to: it never waits, this program does.
struct pipes {
    buffered_reader& in;
    std::string out;
    std::size_t frames = 0;  // of the message that arrives
};

ssize_t take(wslay_event_context_ptr context, std::uint8_t* to, std::size_t size, int, void* user) {
    pipes& with = *static_cast<pipes*>(user);
    const std::size_t taken = with.in.held().copy(reinterpret_cast<char*>(to), size);
    with.in.consume(taken);
    if (taken > 0) return static_cast<ssize_t>(taken);
    wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
    return -1;
}

ssize_t give(wslay_event_context_ptr, const std::uint8_t* data, std::size_t size, int, void* user) {
    static_cast<pipes*>(user)->out.append(reinterpret_cast<const char*>(data), size);
    return static_cast<ssize_t>(size);
}

/// wslay keeps each frame of a message apart, for 90 bytes: a message of many costs many times its
/// size.
void count(wslay_event_context_ptr context, const wslay_event_on_frame_recv_start_arg* begins,
           void* user) {
    pipes& with = *static_cast<pipes*>(user);
    if (wslay_is_ctrl_frame(begins->opcode)) return;
    with.frames = begins->opcode == WSLAY_CONTINUATION_FRAME ? with.frames + 1 : 1;
    if (with.frames <= websocket_frames_max) return;
    wslay_event_queue_close(context, WSLAY_CODE_MESSAGE_TOO_BIG, nullptr, 0);
    wslay_event_shutdown_read(context);
}

void echo(wslay_event_context_ptr context, const wslay_event_on_msg_recv_arg* came, void*) {
    if (wslay_is_ctrl_frame(came->opcode)) return;  // wslay answers these
    const wslay_event_msg message{came->opcode, came->msg, came->msg_length};
    wslay_event_queue_msg(context, &message);
    wslay_event_send(context);  // now: a Close that came with it would overtake it
}

struct frees {
    void operator()(wslay_event_context* context) const { wslay_event_context_free(context); }
};

/// Frames from the client's until either side says the end.
template <byte_stream Stream>
task<> talk(Stream& conn, buffered_reader& reader, const event& draining) {
    const wslay_event_callbacks calls{take, give, nullptr, count, nullptr, nullptr, echo};
    pipes with{reader, {}, 0};
    wslay_event_context_ptr made = nullptr;
    if (wslay_event_context_server_init(&made, &calls, &with) != 0) throw std::bad_alloc();
    const std::unique_ptr<wslay_event_context, frees> context(made);
    wslay_event_config_set_max_recv_msg_length(made, websocket_message_max);
    while (wslay_event_want_read(made) || wslay_event_want_write(made)) {
        std::ignore = wslay_event_recv(made);  // after an error it reads no more, and has a Close
        if (wslay_event_send(made) != 0) co_return;
        co_await conn.send(with.out);
        with.out.clear();
        if (!wslay_event_want_read(made)) continue;
        const std::size_t received = co_await reader.fill();
        if (received > 0) continue;
        if (!draining.is_set()) co_return;
        wslay_event_queue_close(made, WSLAY_CODE_GOING_AWAY, nullptr, 0);
        wslay_event_send(made);
        co_await conn.send(with.out);
        co_return;
    }
}

/// What proves to a client that its key was read (RFC 6455, 4.2.2).
std::string accepting(std::string key) {
    key += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(key.data(), key.size(), digest, &size, EVP_sha1(), nullptr) != 1)
        throw std::runtime_error("there is no SHA-1");
    unsigned char text[2 * EVP_MAX_MD_SIZE];
    const int length = EVP_EncodeBlock(text, digest, static_cast<int>(size));
    return std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(length));
}

/// The request that asks for a WebSocket, whole.
task<int> greet(buffered_reader& reader, request& now) {
    now.begin();
    int status = co_await read(reader, now, now.whole_head);
    if (status == 0) status = refusal(now);
    if (status == 0) status = co_await read(reader, now, now.whole);
    const auto flags = now.parser.flags & (F_UPGRADE | F_CONNECTION_UPGRADE);
    if (status == 0 && (now.parser.method != HTTP_GET || now.parser.http_minor == 0 ||
                        !same(now.upgrade, "websocket") || now.websocket_key.size() != 24 ||
                        flags != (F_UPGRADE | F_CONNECTION_UPGRADE)))
        status = 400;
    if (status == 0 && now.websocket_version != "13") status = 426;
    co_return status;
}

template <byte_stream Stream>
task<> session(const event& draining, Stream conn) {
    buffered_reader reader(conn);
    request now;
    const int status = co_await with_timeout(5s, greet(reader, now));
    if (status == ended) co_return;
    std::string reply = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Accept: ";
    if (status == 0) reply += accepting(now.websocket_key) + "\r\n\r\n";
    else reply = head(status, 0, false, "Sec-WebSocket-Version: 13\r\n");
    co_await conn.send(reply);
    if (status == 0) co_await talk(conn, reader, draining);
    co_await lingering_close(conn);
}

task<> server(endpoint address) {
    auto listener = co_await tcp_listener::bind(address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << listener.local_endpoint() << ' ' << backend << std::endl;
    event draining;
    serve_options options;
    options.draining = &draining;
    options.idle_timeout = 60s;
    const auto run = [&](tcp_stream conn) { return session(draining, std::move(conn)); };
    co_await serve(std::move(listener), run, options);
}

int main(int argc, char** argv) try {
    const arguments given(argc, argv, "usage: websocket_echo [ADDRESS:PORT]", 0, 1);
    return run(server(given.get(0, "127.0.0.1:7777")), {.dump_on = SIGUSR1});
} catch (const std::exception& error) {
    std::cerr << "websocket_echo: " << error.what() << '\n';
    return 1;
}

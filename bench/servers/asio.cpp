// asio.cpp: the server with Asio's awaitables, one thread without locks; on epoll, or, built with
// ASIO_HAS_IO_URING and ASIO_DISABLE_EPOLL, on io_uring.
//
// Asio sets its ring up itself, with 16,384 entries and without a flag: up to 1.30 nothing about it
// can be chosen.
//
// SPDX-License-Identifier: MIT
#include <asio.hpp>
#ifdef BENCH_TLS
#include <asio/ssl.hpp>
#endif
#include <asio/experimental/as_tuple.hpp>

#include "server.hpp"

namespace {

using asio::awaitable;
using asio::ip::tcp;
using asio::ip::udp;
#ifdef ASIO_HAS_IO_URING_AS_DEFAULT
constexpr const char* kind = "asio-io_uring";
constexpr const char* waiting = "io_uring (liburing " BENCH_LIBURING_VERSION "), no flags";
#else
constexpr const char* kind = "asio";
constexpr const char* waiting = "epoll";
#endif
// Errors as values: a peer that resets is no exception.
constexpr auto await_result = asio::experimental::as_tuple(asio::use_awaitable);

template <class Stream>
awaitable<void> session(Stream& socket, const server::options& given) {
    server::protocol rules(given);
    std::vector<char> buffer(rules.receive_max());
    for (;;) {
        auto [end, n] = co_await socket.async_read_some(asio::buffer(buffer), await_result);
        if (end) co_return;
        const auto answer = rules.answer(std::span(buffer).first(n));
        auto [failed, sent] = co_await asio::async_write(
            socket, asio::buffer(answer.data(), answer.size()), await_result);
        if (failed) co_return;
    }
}

awaitable<void> plain_session(tcp::socket socket, const server::options& given) {
    co_await session(socket, given);
}

awaitable<void> serve_streams(tcp::acceptor& acceptor, const server::options& given) {
    for (;;) {
        auto [error, socket] = co_await acceptor.async_accept(await_result);
        if (error) continue;
        socket.set_option(tcp::no_delay(true));
        co_spawn(acceptor.get_executor(), plain_session(std::move(socket), given), asio::detached);
    }
}

#ifdef BENCH_TLS
using tls_stream = asio::ssl::stream<tcp::socket>;

awaitable<void> secure_session(tls_stream socket, const server::options& given) {
    auto [refused] = co_await socket.async_handshake(asio::ssl::stream_base::server, await_result);
    if (refused) co_return;
    co_await session(socket, given);
    co_await socket.async_shutdown(await_result);
}

awaitable<void> serve_secure(tcp::acceptor& acceptor, const server::options& given) {
    asio::ssl::context context(asio::ssl::context::tls_server);
    context.use_certificate_chain_file(given.tls);
    context.use_private_key_file(given.tls, asio::ssl::context::pem);
    for (;;) {
        auto [error, socket] = co_await acceptor.async_accept(await_result);
        if (error) continue;
        socket.set_option(tcp::no_delay(true));
        co_spawn(acceptor.get_executor(),
                 secure_session(tls_stream(std::move(socket), context), given), asio::detached);
    }
}
#endif

awaitable<void> serve_datagrams(udp::socket& socket) {
    std::vector<char> buffer(65536);
    udp::endpoint peer;
    for (;;) {
        auto [error, n] =
            co_await socket.async_receive_from(asio::buffer(buffer), peer, await_result);
        if (error) continue;
        co_await socket.async_send_to(asio::buffer(buffer, n), peer, await_result);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto given = server::start(argc, argv);
    asio::io_context context(ASIO_CONCURRENCY_HINT_UNSAFE);
    tcp::acceptor acceptor(context);
    udp::socket socket(context);
    int fd = -1;
    if (given.udp) {
        fd = server::bound_socket(given, SOCK_NONBLOCK);
        socket.assign(udp::v4(), fd);
        co_spawn(context, serve_datagrams(socket), asio::detached);
    } else {
        fd = server::listening_socket(given, SOCK_NONBLOCK);
        acceptor.assign(tcp::v4(), fd);
#ifdef BENCH_TLS
        if (given.tls.empty()) co_spawn(context, serve_streams(acceptor, given), asio::detached);
        else co_spawn(context, serve_secure(acceptor, given), asio::detached);
#else
        co_spawn(context, serve_streams(acceptor, given), asio::detached);
#endif
    }
    server::announce(fd, kind,
                     "Asio " + std::to_string(ASIO_VERSION / 100000) + "." +
                         std::to_string(ASIO_VERSION / 100 % 1000) + "." +
                         std::to_string(ASIO_VERSION % 100) + ", awaitable, " + waiting +
                         ", without locks");
    context.run();
}

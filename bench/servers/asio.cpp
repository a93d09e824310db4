// asio.cpp: the server with Asio's awaitables, on epoll, one thread without locks.
//
// SPDX-License-Identifier: MIT
#include <asio.hpp>
#include <asio/experimental/as_tuple.hpp>

#include "server.hpp"

namespace {

using asio::awaitable;
using asio::ip::tcp;
using asio::ip::udp;
// Errors as values: a peer that resets is no exception.
constexpr auto await_result = asio::experimental::as_tuple(asio::use_awaitable);

awaitable<void> session(tcp::socket socket, const server::options& given) {
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

awaitable<void> serve_streams(tcp::acceptor& acceptor, const server::options& given) {
    for (;;) {
        auto [error, socket] = co_await acceptor.async_accept(await_result);
        if (error) continue;
        socket.set_option(tcp::no_delay(true));
        co_spawn(acceptor.get_executor(), session(std::move(socket), given), asio::detached);
    }
}

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
        co_spawn(context, serve_streams(acceptor, given), asio::detached);
    }
    server::announce(fd, "asio",
                     "Asio " + std::to_string(ASIO_VERSION / 100000) + "." +
                         std::to_string(ASIO_VERSION / 100 % 1000) + "." +
                         std::to_string(ASIO_VERSION % 100) + ", awaitable, epoll, without locks");
    context.run();
}

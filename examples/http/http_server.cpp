// http_server.cpp: the files of a folder over HTTP/1.1; what is posted is sent back.
//     http_server [ADDRESS:PORT [FOLDER [CERTIFICATE KEY]]]
// SPDX-License-Identifier: MIT
#include "../arguments.hpp"
#include "request.hpp"

#include <anel/tls.hpp>

#include <unistd.h>

#include <csignal>
#include <iostream>

using namespace std::chrono_literals;

template <byte_stream Stream>
task<> send_text(Stream& conn, const request& to, int status, std::string text, bool open) {
    std::string reply = head(status, text.size(), open);
    if (to.parser.method != HTTP_HEAD) reply += text;
    co_await conn.send(reply);
}

/// A stream that has no send_file() is sent pieces, which a helper thread reads.
template <byte_stream Stream>
task<> send_part(Stream& conn, const std::string& head, const readable_file& file, part of) {
    if constexpr (requires { conn.send_file(head, file, of.from, of.size); }) {
        co_await conn.send_file(head, file, of.from, of.size);
    } else {
        co_await conn.send(head);
        std::string piece(64U << 10, '\0');
        while (of.size > 0) {
            const std::size_t wanted = std::min<std::uint64_t>(piece.size(), of.size);
            const int fd = file.native_handle();
            const auto call = [&] { return pread(fd, piece.data(), wanted, off_t(of.from)); };
            const auto got = co_await offload(call);
            if (got <= 0) throw std::runtime_error(file.path() + " got shorter");
            const const_buffer bytes(piece.data(), static_cast<std::size_t>(got));
            co_await conn.send(bytes);
            of.from += bytes.size;
            of.size -= bytes.size;
        }
    }
}

template <byte_stream Stream>
task<> send_file(Stream& conn, const std::string& folder, const request& to, bool open) {
    const auto path = path_of(to.target);
    if (!path) {
        co_await send_text(conn, to, 400, "a path must stay in the folder\n", open);
        co_return;
    }
    auto file = co_await as_result(readable_file::open(folder + *path));
    if (!file) {
        co_await send_text(conn, to, status_of(file.error()), "this file cannot be had\n", open);
        co_return;
    }
    const bool ranged = to.any_range && to.parser.method == HTTP_GET;
    const part wanted = part_of(ranged ? to.range : "", file->size());
    const std::string more = fields_of(wanted, *path, file->size());
    const std::string first = head(wanted.status, wanted.size, open, more);
    if (to.parser.method == HTTP_HEAD || wanted.size == 0) co_await conn.send(first);
    else co_await send_part(conn, first, *file, wanted);
}

template <byte_stream Stream>
task<> session(const std::string& folder, const event& draining, Stream conn) {
    buffered_reader reader(conn);
    request now;
    for (bool open = true; open;) {
        now.begin();
        int status = co_await read(reader, now, now.whole_head);
        if (status == 0) status = refusal(now);
        if (status == 0 && now.expects) co_await conn.send("HTTP/1.1 100 Continue\r\n\r\n");
        if (status == 0) status = co_await read(reader, now, now.whole);
        if (status == ended) co_return;
        open = status == 0 && now.keep && !draining.is_set();
        if (status > 0) {
            co_await send_text(conn, now, status, now.reason() + '\n', open);
        } else if (now.parser.method == HTTP_POST) {
            co_await send_text(conn, now, 200, now.body, open);
        } else {
            co_await send_file(conn, folder, now, open);
        }
    }
    co_await lingering_close(conn);  // the client may still send
}

task<> server(endpoint address, std::string folder, std::optional<tls_context> context) {
    auto listener = co_await tcp_listener::bind(address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << listener.local_endpoint() << ' ' << backend << std::endl;
    event draining;
    serve_options options;
    options.draining = &draining;
    options.request_timeout = 5s;  // from the first byte of a request to its reply
    options.idle_timeout = 60s;
    const auto run = [&]<class Stream>(Stream conn) {
        return session(folder, draining, std::move(conn));
    };
    if (context) co_await serve(tls_listener(std::move(listener), *context), run, options);
    else co_await serve(std::move(listener), run, options);
}

int main(int argc, char** argv) try {
    const arguments given(argc, argv,
                          "usage: http_server [ADDRESS:PORT [FOLDER [CERTIFICATE KEY]]]", 0, 4);
    std::optional<tls_context> context;
    tls_server_options options;
    options.alpn = {"http/1.1"};
    if (given.positional.size() == 3) throw std::invalid_argument("a CERTIFICATE needs its KEY");
    if (given.positional.size() == 4)
        context = tls_context::server(given.get(2, ""), given.get(3, ""), options);
    const std::string address = given.get(0, "127.0.0.1:7777"), folder = given.get(1, ".");
    if (folder.empty()) throw std::invalid_argument("the FOLDER is empty: that would be all files");
    return run(server(address, folder, context), {.dump_on = SIGUSR1});
} catch (const std::exception& error) {
    std::cerr << "http_server: " << error.what() << '\n';
    return 1;
}

// condy.cpp: the server with condy, on io_uring, one thread.
//
// As condy's own echo server does it: one receive or send at a time for each connection, on direct
// descriptors, which spare the look-up; and with DEFER_TASKRUN, as the servers by hand.
//
// SPDX-License-Identifier: MIT
#include <condy.hpp>

#include "server.hpp"

namespace {

constexpr std::size_t connections_max = 60'000;

condy::Coro<void> session(int file, const server::options& given) {
    server::protocol rules(given);
    std::vector<char> buffer(rules.receive_max());
    for (;;) {
        const auto space = condy::buffer(buffer.data(), buffer.size());
        const int n = co_await condy::async_recv(condy::fixed(file), space, 0);
        if (n <= 0) break;  // end of stream, or the peer is gone
        const auto answer = rules.answer(std::span(buffer).first(static_cast<std::size_t>(n)));
        const auto bytes = condy::buffer(answer.data(), answer.size());
        const int sent =
            co_await condy::async_send(condy::fixed(file), bytes, MSG_WAITALL | MSG_NOSIGNAL);
        if (sent < static_cast<int>(answer.size())) break;
    }
    co_await condy::async_close(condy::fixed(file));
}

condy::Coro<int> serve(int listener, const server::options& given) {
    for (;;) {
        const int file = co_await condy::async_accept_direct(listener, nullptr, nullptr, 0,
                                                             CONDY_FILE_INDEX_ALLOC);
        if (file >= 0) condy::co_spawn(session(file, given)).detach();
        else if (file != -ECONNABORTED && file != -EINTR) server::die("accept", -file);
    }
}

std::string version(int major, int minor, int patch) {
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

}  // namespace

int main(int argc, char** argv) {
    const auto given = server::start(argc, argv);
    const int listener = server::listening_socket(given, 0);
    const int one = 1;  // connections inherit it
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    condy::Runtime runtime(
        condy::RuntimeOptions().sq_size(4096).cq_size(16384).enable_defer_taskrun());
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    const int error =
        runtime.fd_table().init(std::min<std::size_t>(files.rlim_cur, connections_max));
    if (error != 0) server::die("io_uring_register_files_sparse", -error);
    server::announce(listener, "condy",
                     "condy " +
                         version(CONDY_VERSION_MAJOR, CONDY_VERSION_MINOR, CONDY_VERSION_PATCH) +
                         ", liburing " BENCH_LIBURING_VERSION
                         ", DEFER_TASKRUN, direct descriptors, one-shot recv, own buffers");
    return condy::sync_wait(runtime, serve(listener, given));
}

// 09_executor_on_the_ring.cpp: chapter 7's server, on io_uring [PORT]
// SPDX-License-Identifier: MIT
#include <liburing.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>

using handle = std::coroutine_handle<>;
struct task {  // A coroutine that has not begun: see loop::start().
    struct promise_type {
        task get_return_object() {
            using self = std::coroutine_handle<promise_type>;
            return {self::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    handle frame;
};
// #region op
struct loop {
    struct op {  // It lies in the frame of the coroutine that waits.
        loop& home;
        char what;  // 'a' accept, 'r' recv, 's' send
        int fd;
        char* data = nullptr;
        size_t size = 0;
        handle who = {};
        long result = 0;
        bool await_ready() { return false; }
        void await_suspend(handle me) { who = me, home.wait_for(*this); }
        long await_resume() { return result; }
    };
    op accept(int fd) { return {*this, 'a', fd}; }
    op recv(int fd, char* p, size_t n) { return {*this, 'r', fd, p, n}; }
    op send(int fd, char* p, size_t n) { return {*this, 's', fd, p, n}; }
    // #endregion op
    void start(task t) { ready.push_back(t.frame); }
    void wait_for(op& one);
    void run();
    std::deque<handle> ready;
    io_uring ring{};
    int in_flight = 0;
};
// #region call
void loop::wait_for(op& one) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    for (; !sqe; sqe = io_uring_get_sqe(&ring)) io_uring_submit(&ring);
    const int fd = one.fd;
    switch (one.what) {
    case 'a': io_uring_prep_accept(sqe, fd, nullptr, nullptr, 0); break;
    case 'r': io_uring_prep_recv(sqe, fd, one.data, one.size, 0); break;
    case 's': io_uring_prep_send(sqe, fd, one.data, one.size, MSG_NOSIGNAL);
    }
    io_uring_sqe_set_data(sqe, &one);
    in_flight += 1;
}
// #endregion call
// #region run
void loop::run() {
    for (;;) {
        for (; !ready.empty(); ready.pop_front()) ready.front().resume();
        if (in_flight == 0) return;
        io_uring_submit_and_wait(&ring, 1);
        unsigned head, seen = 0;
        io_uring_cqe* cqe;
        io_uring_for_each_cqe(&ring, head, cqe) {
            op* one = static_cast<op*>(io_uring_cqe_get_data(cqe));
            one->result = cqe->res;
            ready.push_back(one->who);
            seen += 1;
        }
        io_uring_cq_advance(&ring, seen);
        in_flight -= int(seen);
    }
}
// #endregion run
// #region echo
task echo(loop& home, int fd) {
    char buffer[4096];
    for (long n = 1; n > 0;) {
        n = co_await home.recv(fd, buffer, sizeof buffer);
        for (long sent = 0, m; sent < n; sent += m) {
            m = co_await home.send(fd, buffer + sent, size_t(n - sent));
            if (m < 0) n = m;  // The client has died: both loops end.
        }
    }
    close(fd);
}
task server(loop& home, int listener) {
    for (;;) {
        const long fd = co_await home.accept(listener);
        if (fd >= 0) home.start(echo(home, int(fd)));
    }
}
// #endregion echo
int main(int argc, char** argv) {
    loop home;
    if (const int e = io_uring_queue_init(256, &home.ring, 0); e < 0) {
        std::printf("no io_uring here: %s\n", std::strerror(-e));
        return 77;
    }
    sockaddr_in at{AF_INET, htons(7777), {htonl(INADDR_LOOPBACK)}, {}};
    if (argc > 1) at.sin_port = htons(uint16_t(std::atoi(argv[1])));
    auto* address = reinterpret_cast<sockaddr*>(&at);
    socklen_t size = sizeof at;
    const int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address, size) || listen(fd, 128))
        return std::perror("09_executor_on_the_ring"), 1;
    getsockname(fd, address, &size);
    std::printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    std::fflush(stdout);
    home.start(server(home, fd));
    home.run();
}

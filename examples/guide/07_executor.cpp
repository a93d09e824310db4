// 07_executor.cpp: an echo server on our own executor over poll(2) [PORT]
// SPDX-License-Identifier: MIT
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <utility>
#include <vector>

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
        short events() const { return what == 's' ? POLLOUT : POLLIN; }
        bool await_ready() { return false; }
        void await_suspend(handle me) { who = me, home.wait_for(*this); }
        long await_resume() { return result; }
    };
    op accept(int fd) { return {*this, 'a', fd}; }
    op recv(int fd, char* p, size_t n) { return {*this, 'r', fd, p, n}; }
    op send(int fd, char* p, size_t n) { return {*this, 's', fd, p, n}; }
    // #endregion op
    void start(task t) { ready.push_back(t.frame); }
    void wait_for(op& one) { waiting.push_back(&one); }
    void run();
    std::deque<handle> ready;
    std::vector<op*> waiting;
};
// #region call
bool attempt(loop::op& op) {
    constexpr int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    switch (op.what) {
    case 'a': op.result = accept(op.fd, nullptr, nullptr); break;
    case 'r': op.result = recv(op.fd, op.data, op.size, flags); break;
    case 's': op.result = send(op.fd, op.data, op.size, flags); break;
    }
    if (op.result < 0) op.result = -errno;
    return op.result != -EAGAIN;
}
// #endregion call
// #region run
void loop::run() {
    for (;;) {
        for (; !ready.empty(); ready.pop_front()) ready.front().resume();
        if (waiting.empty()) return;
        std::vector<pollfd> asked;
        for (op* o : waiting) asked.push_back({o->fd, o->events(), 0});
        poll(asked.data(), asked.size(), -1);
        std::vector<op*> before = std::move(waiting);
        waiting.clear();
        for (size_t i = 0; i < before.size(); ++i)
            if (asked[i].revents && attempt(*before[i]))
                ready.push_back(before[i]->who);
            else
                waiting.push_back(before[i]);
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
    sockaddr_in at{AF_INET, htons(7777), {htonl(INADDR_LOOPBACK)}, {}};
    if (argc > 1) at.sin_port = htons(uint16_t(std::atoi(argv[1])));
    auto* address = reinterpret_cast<sockaddr*>(&at);
    socklen_t size = sizeof at;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address, size) || listen(fd, 128))
        return std::perror("07_executor"), 1;
    getsockname(fd, address, &size);
    std::printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    std::fflush(stdout);
    loop home;
    home.start(server(home, fd));
    home.run();
}

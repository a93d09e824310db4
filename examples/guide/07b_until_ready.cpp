// 07b_until_ready.cpp: the loop also asks poll(2) for those who wait.
// SPDX-License-Identifier: MIT
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <coroutine>
#include <cstdio>
#include <deque>
#include <exception>
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
// #region wait
struct waiting_one {
    pollfd asked;
    handle who;
};
struct loop {
    std::deque<handle> ready;
    std::vector<waiting_one> waiting;
    void start(task t) { ready.push_back(t.frame); }
    void run();
};
struct until_ready {
    loop& home;
    int fd;
    short events;
    bool await_ready() { return false; }
    void await_suspend(handle me) {
        home.waiting.push_back({{fd, events, 0}, me});
    }
    void await_resume() {}
};
// #endregion wait
void loop::run() {
    for (;;) {
        for (; !ready.empty(); ready.pop_front()) ready.front().resume();
        if (waiting.empty()) return;
        std::vector<pollfd> asked;
        for (const auto& w : waiting) asked.push_back(w.asked);
        const int n = poll(asked.data(), asked.size(), -1);
        std::printf("poll: %zu wait, %d ready\n", asked.size(), n);
        std::vector<waiting_one> before;
        before.swap(waiting);
        for (size_t i = 0; i < before.size(); ++i)
            if (asked[i].revents) ready.push_back(before[i].who);
            else waiting.push_back(before[i]);
    }
}

task reader(loop& home, const char* name, int fd) {
    std::printf("%s waits\n", name);
    co_await until_ready{home, fd, POLLIN};
    char text[8];
    const ssize_t n = recv(fd, text, sizeof text, 0);
    std::printf("%s has %zd bytes and answers\n", name, n);
    send(fd, text, size_t(n), 0);
}
task writer(loop& home, int a, int b) {
    std::puts("C writes to B and waits for its answer");
    send(b, "oi", 2, 0);
    co_await until_ready{home, b, POLLIN};
    std::puts("C has the answer and writes to A");
    send(a, "oi", 2, 0);
}
int main() {
    int a[2], b[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, a);
    socketpair(AF_UNIX, SOCK_STREAM, 0, b);
    loop home;
    home.start(reader(home, "A", a[0]));
    home.start(reader(home, "B", b[0]));
    home.start(writer(home, a[1], b[1]));
    home.run();
    std::puts("nobody waits");
}

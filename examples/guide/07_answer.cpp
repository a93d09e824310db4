// 07_answer.cpp: who waits has a deadline, and the loop keeps it.
// SPDX-License-Identifier: MIT
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <coroutine>
#include <cstdio>
#include <deque>
#include <exception>
#include <limits>
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
struct until_ready;
struct loop {
    int now = 0;  // in ms: the sum of the waits that poll let expire
    std::deque<handle> ready;
    std::vector<until_ready*> waiting;
    void start(task t) { ready.push_back(t.frame); }
    void run();
};
struct until_ready {
    loop& home;
    int fd;  // -1: nothing but the deadline, so a sleep
    int deadline;
    handle who = {};
    bool in_time = true;
    bool await_ready() { return false; }
    void await_suspend(handle h) { who = h, home.waiting.push_back(this); }
    bool await_resume() { return in_time; }
};

void loop::run() {
    for (;;) {
        for (; !ready.empty(); ready.pop_front()) ready.front().resume();
        if (waiting.empty()) return;
        std::vector<pollfd> asked;
        for (auto* w : waiting) asked.push_back({w->fd, POLLIN, 0});
        int most = std::numeric_limits<int>::max();
        for (auto* w : waiting) most = std::min(most, w->deadline - now);
        const int n = poll(asked.data(), asked.size(), most);
        if (n == 0) now += most;
        std::vector<until_ready*> before;
        before.swap(waiting);
        for (size_t i = 0; i < before.size(); ++i)
            if (asked[i].revents || before[i]->deadline <= now) {
                before[i]->in_time = asked[i].revents != 0;
                ready.push_back(before[i]->who);
            } else waiting.push_back(before[i]);
    }
}

task session(loop& home, const char* name, int fd, int deadline) {
    const bool in_time = co_await until_ready{home, fd, deadline};
    char text[8];
    if (!in_time) std::printf("%d ms: %s is dropped\n", home.now, name);
    else std::printf("%d ms: %s has %zd bytes\n", home.now, name,
        recv(fd, text, sizeof text, 0));
}
task write_at(loop& home, int fd, int moment) {
    co_await until_ready{home, -1, moment};
    send(fd, "oi", 2, 0);
}
int main() {
    int a[2], b[2], c[2], d[2];
    for (int* p : {a, b, c, d}) socketpair(AF_UNIX, SOCK_STREAM, 0, p);
    loop home;
    send(a[1], "oi", 2, 0);
    home.start(session(home, "talker", a[0], 70));
    home.start(session(home, "patient", b[0], 100));
    home.start(session(home, "silent", c[0], 50));
    home.start(session(home, "slow", d[0], 80));
    home.start(write_at(home, d[1], 60));
    home.run();
}

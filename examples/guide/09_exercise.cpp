// 09_exercise.cpp: a frame is dropped, and the kernel still writes there.
// SPDX-License-Identifier: MIT
//
// To do: drop() frees the frame only when the kernel writes there no more.
#include <liburing.h>
#include <sys/socket.h>

#include <coroutine>
#include <cstdio>
#include <cstring>
#include <exception>

struct op;
struct task {
    struct promise_type {
        task get_return_object() { return {self::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
        using self = std::coroutine_handle<promise_type>;
        op* waits_for = nullptr;
    };
    promise_type::self frame;
};

struct op {  // a recv
    io_uring& ring;
    int fd;
    char* data;
    unsigned size;
    task::promise_type::self who = {};
    int result = 0;
    bool done = false;
    bool await_ready() { return false; }
    void await_suspend(task::promise_type::self me) {
        who = me;
        me.promise().waits_for = this;
        io_uring_sqe* sqe = io_uring_get_sqe(&ring);
        io_uring_prep_recv(sqe, fd, data, size, 0);
        io_uring_sqe_set_data(sqe, this);
        io_uring_submit(&ring);
    }
    int await_resume() { return result; }
};
struct counted {  // How many of these, and so how many frames, there are.
    int& frames;
    explicit counted(int& n) : frames(n) { frames += 1; }
    ~counted() { frames -= 1; }
};
[[gnu::noinline]]  // keeps its frame on the heap
task reader(io_uring& ring, const char* name, int fd, int& frames) {
    const counted one(frames);
    char buffer[64];
    const int n = co_await op{ring, fd, buffer, sizeof buffer};
    std::printf("%s has: %.*s\n", name, n < 0 ? 0 : n, buffer);
}
// Waits for the next result; null when it belongs to no operation.
op* take(io_uring& ring) {
    io_uring_cqe* cqe = nullptr;
    while (io_uring_wait_cqe(&ring, &cqe) != 0) {}
    op* one = static_cast<op*>(io_uring_cqe_get_data(cqe));
    if (one) one->result = cqe->res, one->done = true;
    io_uring_cqe_seen(&ring, cqe);
    return one;
}
// Ends a coroutine that waits for `t.frame.promise().waits_for`.
void drop([[maybe_unused]] io_uring& ring, task t) {
    t.frame.destroy();  // Too early: the kernel still has the buffer.
}
int main() {
    io_uring ring;
    if (const int e = io_uring_queue_init(8, &ring, 0); e < 0) {
        std::printf("no io_uring here: %s\n", std::strerror(-e));
        return 77;
    }
    int a[2], b[2], frames = 0;
    socketpair(AF_UNIX, SOCK_STREAM, 0, a);
    socketpair(AF_UNIX, SOCK_STREAM, 0, b);
    task first = reader(ring, "first", a[0], frames);
    first.frame.resume();
    drop(ring, first);  // Nobody wants it any more.
    task second = reader(ring, "second", b[0], frames);
    second.frame.resume();
    send(a[1], "1111", 4, 0);  // for the first
    send(b[1], "22", 2, 0);    // for the second
    op* one = nullptr;
    while (!one) one = take(ring);
    one->who.resume();
    std::printf("frames: %d\n", frames);
}

// 08_exercise.cpp: two requests, and a system call for each of them.
// SPDX-License-Identifier: MIT
//
// To do: the same two results with one call of enter().
#include <liburing.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstring>

using buffer = char[8];

void ask(io_uring& ring, char name, int fd, buffer& bytes) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_recv(sqe, fd, bytes, sizeof bytes, 0);
    io_uring_sqe_set_data64(sqe, __u64(name));
}
// Hands over what is written, and waits until so many results are there.
void enter(io_uring& ring, unsigned results, int& calls) {
    calls += 1;
    io_uring_submit_and_wait(&ring, results);
}
void take_all(io_uring& ring, buffer* bytes) {
    unsigned head, seen = 0;
    io_uring_cqe* cqe;
    io_uring_for_each_cqe(&ring, head, cqe) {
        const int name = int(cqe->user_data);
        std::printf("%c: %.*s\n", name, cqe->res, bytes[name - 'A']);
        seen += 1;
    }
    io_uring_cq_advance(&ring, seen);
}
int main() {
    io_uring ring;
    if (const int e = io_uring_queue_init(8, &ring, 0); e < 0) {
        std::printf("no io_uring here: %s\n", std::strerror(-e));
        return 77;
    }
    int a[2], b[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, a);
    socketpair(AF_UNIX, SOCK_STREAM, 0, b);
    send(a[1], "oi", 2, 0);
    send(b[1], "ola", 3, 0);
    buffer bytes[2];
    int calls = 0;
    ask(ring, 'A', a[0], bytes[0]);
    enter(ring, 1, calls);
    take_all(ring, bytes);
    ask(ring, 'B', b[0], bytes[1]);
    enter(ring, 1, calls);
    take_all(ring, bytes);
    std::printf("enter: %d\n", calls);
    io_uring_queue_exit(&ring);
}

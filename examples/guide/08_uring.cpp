// 08_uring.cpp: two requests on a ring, with head and tail of both queues.
// SPDX-License-Identifier: MIT
#include <liburing.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstring>

// #region print
void print(const char* moment, const io_uring& ring) {
    std::printf("%-22s SQ head %u tail %u   CQ head %u tail %u\n", moment,
        *ring.sq.khead, *ring.sq.ktail, *ring.cq.khead, *ring.cq.ktail);
}
// #endregion print
// #region ask
using buffer = char[8];

void ask(io_uring& ring, char name, int fd, buffer& bytes) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_recv(sqe, fd, bytes, sizeof bytes, 0);
    io_uring_sqe_set_data64(sqe, __u64(name));
}
// #endregion ask
// #region take
void take(io_uring& ring, buffer* bytes) {
    io_uring_cqe* cqe = nullptr;
    while (io_uring_wait_cqe(&ring, &cqe) != 0) {}
    print("a result is there", ring);
    const int name = int(cqe->user_data);
    std::printf("  user_data %c, res %d: \"%.*s\"\n", name, cqe->res,
        cqe->res, bytes[name - 'A']);
    io_uring_cqe_seen(&ring, cqe);
    print("we have taken it", ring);
}
// #endregion take
int main() {
    io_uring ring;
    if (const int e = io_uring_queue_init(8, &ring, 0); e < 0) {
        std::printf("no io_uring here: %s\n", std::strerror(-e));
        return 77;
    }
    int a[2], b[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, a);
    socketpair(AF_UNIX, SOCK_STREAM, 0, b);
    // #region main
    print("a new ring", ring);
    buffer bytes[2];
    ask(ring, 'A', a[0], bytes[0]);
    ask(ring, 'B', b[0], bytes[1]);
    print("two requests written", ring);
    std::printf("  ours alone: %u\n", io_uring_sq_ready(&ring));
    std::printf("  io_uring_enter took %d\n", io_uring_submit(&ring));
    print("two requests submitted", ring);
    send(b[1], "oi", 2, 0);
    take(ring, bytes);
    send(a[1], "ola", 3, 0);
    take(ring, bytes);
    // #endregion main
    io_uring_queue_exit(&ring);
}

// uring_echo.cpp: a hand-written TCP echo server on io_uring through liburing, one thread.
//
// One ring, one io_uring_enter per turn of the loop: it submits everything the last turn queued and
// waits. Connections come from one multishot accept; each has one operation in flight at a time, a
// one-shot receive into its own buffer or the send of what arrived. With MSG_WAITALL the kernel
// finishes short sends itself. No buffer ring: one's own buffer is the faster receive as long as
// data is there when it is asked for. Needs Linux 6.1 (DEFER_TASKRUN) and liburing 2.3.
// Same protocol, buffer size and checks as the other servers of this folder; knows nothing of anel.
//
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

[[noreturn]] void die(const std::string& what, int error) {
    std::fprintf(stderr, "uring_echo: %s: %s\n", what.c_str(), std::strerror(error));
    std::exit(1);
}

int listen_on(const std::string& where) {
    char host[16] = "", excess = 0;
    unsigned port = 0;
    sockaddr_in address{};
    if (std::sscanf(where.c_str(), "%15[0-9.]:%5u%c", host, &port, &excess) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        die("not an IPv4 ADDRESS:PORT: " + where, EINVAL);
    }
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<in_port_t>(port));
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    const int one = 1;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) die("socket", errno);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) die("SO_REUSEADDR", errno);
    if (bind(fd, generic, length) != 0) die("bind " + where, errno);
    if (listen(fd, 4096) != 0) die("listen " + where, errno);
    if (getsockname(fd, generic, &length) != 0) die("getsockname", errno);
    std::printf("listening on %s:%d (uring)\n", host, ntohs(address.sin_port));
    std::fflush(stdout);
    return fd;
}

enum class op : std::uint64_t { accept, recv, send };  // in user_data, below the descriptor

struct connection {
    std::unique_ptr<char[]> buffer;
    std::size_t size = 0;  // bytes received
    std::size_t sent = 0;  // bytes of them already sent
};

class server {
public:
    server(int listener, std::size_t buffer_size) : listener_(listener), buffer_size_(buffer_size) {
        // The memory of a ring another process has just left can still be accounted: ENOMEM passes.
        int result = -ENOMEM;
        for (unsigned entries = 4096; result == -ENOMEM && entries >= 64; entries /= 2) {
            io_uring_params parameters{};
            parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                               IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
            parameters.cq_entries = 4 * entries;
            result = io_uring_queue_init_params(entries, &ring_, &parameters);
            if (result == -ENOMEM) usleep(20'000);
        }
        if (result < 0) die("io_uring_queue_init_params", -result);
        io_uring_register_ring_fd(&ring_);  // saves a descriptor look-up per enter
    }

    [[noreturn]] void run() {
        connections_.resize(static_cast<std::size_t>(listener_) + 1);
        queue(op::accept, listener_);
        for (;;) {
            const int result = io_uring_submit_and_wait(&ring_, 1);
            if (result < 0 && result != -EINTR && result != -EBUSY) die("io_uring_enter", -result);
            unsigned head = 0, n = 0;
            io_uring_cqe* cqe = nullptr;
            io_uring_for_each_cqe(&ring_, head, cqe) {
                handle(*cqe);
                ++n;
            }
            io_uring_cq_advance(&ring_, n);
        }
    }

private:
    void queue(op operation, int fd) {
        io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
        if (sqe == nullptr) {  // the queue is full: an early enter empties it
            const int result = io_uring_submit(&ring_);
            sqe = io_uring_get_sqe(&ring_);
            if (sqe == nullptr) die("io_uring_submit", -result);
        }
        connection& c = connections_[static_cast<std::size_t>(fd)];
        const char* unsent = c.buffer.get() + c.sent;
        const int flags = MSG_WAITALL | MSG_NOSIGNAL;
        switch (operation) {
            case op::accept: io_uring_prep_multishot_accept(sqe, fd, nullptr, nullptr, 0); break;
            case op::recv: io_uring_prep_recv(sqe, fd, c.buffer.get(), buffer_size_, 0); break;
            case op::send: io_uring_prep_send(sqe, fd, unsent, c.size - c.sent, flags); break;
        }
        sqe->user_data =
            static_cast<std::uint64_t>(fd) << 8 | static_cast<std::uint64_t>(operation);
    }

    void handle(const io_uring_cqe& cqe) {
        const int fd = static_cast<int>(cqe.user_data >> 8);
        connection& c = connections_[static_cast<std::size_t>(fd)];
        switch (static_cast<op>(cqe.user_data & 0xff)) {
            case op::accept:
                if ((cqe.flags & IORING_CQE_F_MORE) == 0) queue(op::accept, fd);
                return accepted(cqe.res);
            case op::recv:
                if (cqe.res <= 0) return drop(fd);  // end of stream, or the peer is gone
                c.size = static_cast<std::size_t>(cqe.res);
                c.sent = 0;
                return queue(op::send, fd);
            case op::send:
                if (cqe.res <= 0) return drop(fd);
                c.sent += static_cast<std::size_t>(cqe.res);
                return queue(c.sent < c.size ? op::send : op::recv, fd);
        }
    }

    void accepted(int fd) {
        if (fd == -ECONNABORTED || fd == -EPROTO || fd == -EINTR) return;
        if (fd < 0) die("accept", -fd);
        const int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        const auto index = static_cast<std::size_t>(fd);
        if (connections_.size() <= index) connections_.resize(2 * index);
        connections_[index].buffer = std::make_unique_for_overwrite<char[]>(buffer_size_);
        queue(op::recv, fd);
    }

    void drop(int fd) {
        connections_[static_cast<std::size_t>(fd)] = {};
        close(fd);  // nothing of this connection is in flight any more
    }

    int listener_;
    std::size_t buffer_size_;
    io_uring ring_{};
    std::vector<connection> connections_;  // by descriptor
};

}  // namespace

int main(int argc, char** argv) {
    std::string where = "127.0.0.1:7777";
    long buffer_size = 4096;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument == "--buffer" && i + 1 < argc) buffer_size = std::atol(argv[++i]);
        else if (argument.starts_with('-')) die("unknown option " + argument, EINVAL);
        else where = argument;
    }
    if (buffer_size < 1 || buffer_size > 1 << 30) die("--buffer takes 1 to 2^30 bytes", EINVAL);
    for (const int number : {SIGTERM, SIGINT}) std::signal(number, [](int) { _exit(0); });
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    server(listen_on(where), static_cast<std::size_t>(buffer_size)).run();
}

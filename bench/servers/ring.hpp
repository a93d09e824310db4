// ring.hpp: an io_uring as both servers that use it by hand set it up and wait on it.
// SPDX-License-Identifier: MIT
#pragma once

#include <liburing.h>
#include <sys/mman.h>

#include <cstdint>

#include "server.hpp"

namespace server {

class ring {
public:
    ring() {
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
    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;

    /// A free submission entry; when the queue is full an early enter empties it.
    io_uring_sqe* next() {
        io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
        if (sqe == nullptr) {
            const int result = io_uring_submit(&ring_);
            sqe = io_uring_get_sqe(&ring_);
            if (sqe == nullptr) die("io_uring_submit", -result);
        }
        return sqe;
    }

    /// One io_uring_enter: submits what was queued, waits, and hands every completion to `handle`.
    template <class Handle>
    void turn(const Handle& handle) {
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

    io_uring* native() noexcept { return &ring_; }

private:
    io_uring ring_{};
};

/// Buffers that the kernel takes from when data is there: one ring of them for all connections.
class buffer_ring {
public:
    /// `count` is a power of two.
    buffer_ring(ring& owner, unsigned count, std::size_t size) : count_(count), size_(size) {
        void* memory = mmap(nullptr, count * (size + sizeof(io_uring_buf)), PROT_READ | PROT_WRITE,
                            MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
        if (memory == MAP_FAILED) die("mmap", errno);
        free_ = static_cast<io_uring_buf_ring*>(memory);
        data_ = static_cast<char*>(memory) + count * sizeof(io_uring_buf);
        io_uring_buf_reg shared{};
        shared.ring_addr = reinterpret_cast<std::uint64_t>(free_);
        shared.ring_entries = count;
        const int result = io_uring_register_buf_ring(owner.native(), &shared, 0);
        if (result < 0) die("io_uring_register_buf_ring", -result);
        io_uring_buf_ring_init(free_);
        for (unsigned i = 0; i < count; ++i) give_back(i);
    }

    /// What a receive has put into a buffer.
    [[nodiscard]] std::span<char> filled_by(const io_uring_cqe& cqe) const noexcept {
        const std::size_t buffer = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
        return {data_ + buffer * size_, static_cast<std::size_t>(cqe.res)};
    }
    void give_back(std::span<char> filled) {
        give_back(static_cast<std::size_t>(filled.data() - data_) / size_);
    }

private:
    void give_back(std::size_t buffer) {
        io_uring_buf_ring_add(free_, data_ + buffer * size_, static_cast<unsigned>(size_),
                              static_cast<std::uint16_t>(buffer), io_uring_buf_ring_mask(count_),
                              0);
        io_uring_buf_ring_advance(free_, 1);
    }

    unsigned count_;
    std::size_t size_;
    io_uring_buf_ring* free_ = nullptr;
    char* data_ = nullptr;
};

/// What each connection needs, found by its descriptor.
template <class Connection>
class connections {
public:
    Connection& operator[](int fd) {
        const auto index = static_cast<std::size_t>(fd);
        if (all_.size() <= index) all_.resize(2 * index + 1);  // references do not survive it
        return all_[index];
    }

private:
    std::vector<Connection> all_;
};

/// What user_data says: an operation, and the descriptor that it concerns.
template <class Op>
struct tag {
    Op operation;
    int fd;

    tag(Op what, int of) noexcept : operation(what), fd(of) {}
    explicit tag(const io_uring_cqe& cqe) noexcept
        : operation(static_cast<Op>(cqe.user_data & 0xff)),
          fd(static_cast<int>(cqe.user_data >> 8)) {}
    [[nodiscard]] std::uint64_t user_data() const noexcept {
        return static_cast<std::uint64_t>(fd) << 8 | static_cast<std::uint64_t>(operation);
    }
};

/// What an accept completed with: true for a connection.
inline bool has_come(int fd) {
    if (fd == -ECONNABORTED || fd == -EPROTO || fd == -EINTR) return false;
    if (fd < 0) die("accept", -fd);
    return true;
}

/// The same, and makes it ready for use.
inline bool is_connection(int fd) {
    if (!has_come(fd)) return false;
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return true;
}

inline std::string ring_details() {
    return "liburing " BENCH_LIBURING_VERSION
           ", SINGLE_ISSUER|DEFER_TASKRUN|SUBMIT_ALL, registered ring";
}

}  // namespace server

// probe.cpp: the smallest use of io_uring that shows what it takes and what it refuses.
//
// SPDX-License-Identifier: MIT
#include "doctor/probe.hpp"

#include <anel/backend.hpp>

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <vector>

#include "common/unique_fd.hpp"

namespace anel_bench::doctor {
namespace {

// One number on every architecture but alpha; what else has a number here may be newer than the
// header of the kernel that this is compiled with.
constexpr long setup_call = 425;
constexpr long enter_call = 426;
constexpr long register_call = 427;
constexpr unsigned register_probe = 8;

// Where little memory may be locked, that of a ring that was just closed is missed until the kernel
// has torn it down: some milliseconds, and more on a busy machine.
int set_up(unsigned entries, io_uring_params& parameters) {
    for (int patience = 100;; --patience) {
        const long fd = syscall(setup_call, entries, &parameters);
        if (fd >= 0) return static_cast<int>(fd);
        if (errno != ENOMEM || patience == 0) return -errno;
        (void)poll(nullptr, 0, 2);
    }
}

answer takes_setup(unsigned flags) {
    io_uring_params parameters{};
    parameters.flags = flags;
    const unique_fd ring(set_up(1, parameters));
    if (ring) return answer::yes;
    return ring.get() == -EINVAL ? answer::no : answer::unknown;
}

class mapping {
public:
    mapping(int fd, std::size_t size, off_t offset)
        : size_(size),
          at_(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset)) {}
    mapping(const mapping&) = delete;
    mapping& operator=(const mapping&) = delete;
    ~mapping() {
        if (*this) munmap(at_, size_);
    }
    explicit operator bool() const { return at_ != MAP_FAILED; }
    template <class T>
    T& at(std::size_t offset) const {
        return *reinterpret_cast<T*>(static_cast<char*>(at_) + offset);
    }

private:
    std::size_t size_;
    void* at_;
};

// What is known fails on the pointer, what is not on the number.
answer takes_registration(unsigned number) {
    io_uring_params parameters{};
    const unique_fd ring(set_up(1, parameters));
    if (!ring) return answer::unknown;
    constexpr std::uintptr_t nowhere = 8;
    if (syscall(register_call, ring.get(), number, nowhere, 1) >= 0) return answer::yes;
    if (errno == EFAULT) return answer::yes;
    return errno == EINVAL ? answer::no : answer::unknown;
}

// A new ring for each entry: a zero-copy send may complete twice, and then its ring is gone.
answer takes_entry(const question& one) {
    io_uring_params parameters{};
    const unique_fd ring(set_up(1, parameters));
    if (!ring) return answer::unknown;
    const auto& sq = parameters.sq_off;
    const auto& cq = parameters.cq_off;
    const mapping queue(ring.get(), sq.array + sizeof(unsigned), IORING_OFF_SQ_RING);
    const mapping entries(ring.get(), sizeof(io_uring_sqe), IORING_OFF_SQES);
    const mapping completions(ring.get(), cq.cqes + sizeof(io_uring_cqe), IORING_OFF_CQ_RING);
    if (!queue || !entries || !completions) return answer::unknown;

    auto& entry = entries.at<io_uring_sqe>(0);
    entry.opcode = static_cast<std::uint8_t>(one.asked);
    entry.ioprio = one.io_flags;
    entry.flags = one.flags;
    entry.fd = -1;
    queue.at<unsigned>(sq.array) = 0;
    __atomic_store_n(&queue.at<unsigned>(sq.tail), 1U, __ATOMIC_RELEASE);
    const long done =
        syscall(enter_call, ring.get(), 1, 1, IORING_ENTER_GETEVENTS, nullptr, std::size_t{0});
    if (done != 1) return answer::unknown;
    if (__atomic_load_n(&completions.at<unsigned>(cq.tail), __ATOMIC_ACQUIRE) == 0)
        return answer::unknown;
    // The descriptor of what is known is looked at, and there is none.
    switch (completions.at<io_uring_cqe>(cq.cqes).res) {
        case -EBADF: return answer::yes;
        case -EINVAL: return answer::no;
        default: return answer::unknown;
    }
}

}  // namespace

probe::probe() {
    io_uring_params parameters{};
    const unique_fd ring(set_up(1, parameters));
    error_ = ring ? 0 : -ring.get();
    if (!ring) return;
    features_ = parameters.features;

    constexpr unsigned opcodes_max = 256;  // IORING_REGISTER_PROBE takes no more
    std::vector<std::uint64_t> memory(
        (sizeof(io_uring_probe) + opcodes_max * sizeof(io_uring_probe_op)) / 8);
    const long result =
        syscall(register_call, ring.get(), register_probe, memory.data(), opcodes_max);
    opcodes_known_ = result >= 0;
    const auto* told = reinterpret_cast<const io_uring_probe_op*>(
        reinterpret_cast<const char*>(memory.data()) + sizeof(io_uring_probe));
    for (unsigned opcode = 0; opcodes_known_ && opcode < 64; ++opcode) {
        const bool known = (told[opcode].flags & IO_URING_OP_SUPPORTED) != 0;
        opcodes_ |= std::uint64_t{known} << opcode;
    }
}

answer probe::ask(const question& one) const {
    const auto number = static_cast<unsigned>(one.asked);
    const auto has_all = [&](std::uint64_t known) {
        return (known & one.asked) == one.asked ? answer::yes : answer::no;
    };
    if (error_ != 0) return answer::unknown;
    switch (one.what) {
        case about::features: return has_all(features_);
        case about::setup: return takes_setup(number);
        case about::opcodes: return opcodes_known_ ? has_all(opcodes_) : answer::unknown;
        case about::registration: return takes_registration(number);
        case about::entry: return takes_entry(one);
    }
    return answer::unknown;
}

// As uring::set_up() does it: from the newest flags to none, and from the wanted size to a tiny
// ring. There is no way to ask a running loop.
ring_size size_of_anels_ring() {
    constexpr unsigned taskrun_flag = 1U << 9;
    constexpr unsigned steps[] = {
        1U << 12 | 1U << 13 | taskrun_flag | 1U << 7,  // SINGLE_ISSUER, DEFER_TASKRUN, SUBMIT_ALL
        1U << 8 | taskrun_flag | 1U << 7,              // COOP_TASKRUN, SUBMIT_ALL
        0,
    };
    constexpr unsigned smallest = 8;
    const anel::backend_options usual;
    ring_size size{.submissions = usual.submission_entries,
                   .completions = usual.completion_entries};
    for (;;) {
        size.step = 0;
        for (const unsigned flags : steps) {
            size.step += 1;
            io_uring_params parameters{};
            parameters.flags = flags | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
            parameters.cq_entries = size.completions;
            const unique_fd ring(set_up(size.submissions, parameters));
            size.error = ring ? 0 : -ring.get();
            if (size.error != EINVAL) break;
        }
        if (size.error != ENOMEM || size.submissions <= smallest) return size;
        size.submissions /= 2;
        size.completions /= 2;
    }
}

}  // namespace anel_bench::doctor

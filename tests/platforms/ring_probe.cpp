// ring_probe.cpp: says what io_uring knows here, which is the test of older_kernel.cpp.
//   ring_probe      prints `features 0x1fff: shutdown submit_all ...`, in the order of the kernels
// SPDX-License-Identifier: MIT
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace {

// One number on every architecture but alpha; what else has a number here may be newer than the
// header of the kernel.
constexpr long io_uring_setup = 425;
constexpr long io_uring_enter = 426;
constexpr long io_uring_register = 427;

constexpr unsigned submit_all = 1U << 7;
constexpr unsigned coop_taskrun = 1U << 8;
constexpr unsigned single_issuer = 1U << 12;
constexpr unsigned defer_taskrun = 1U << 13;

int set_up(unsigned flags, io_uring_params& parameters) {
    parameters = {};
    parameters.flags = flags;
    return static_cast<int>(syscall(io_uring_setup, 4, &parameters));
}

bool takes_flags(unsigned flags) {
    io_uring_params parameters{};
    const int fd = set_up(flags, parameters);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

// What is known fails on the pointer, what is not on the number.
bool takes_registration(int ring, unsigned number) {
    constexpr std::uintptr_t nowhere = 8;
    return syscall(io_uring_register, ring, number, nowhere, 1) >= 0 || errno == EFAULT;
}

/// The least that submits one entry and takes its completion.
class ring {
public:
    ring() {
        fd_ = set_up(0, parameters_);
        queue_ = map(parameters_.sq_off.array + parameters_.sq_entries * sizeof(unsigned),
                     IORING_OFF_SQ_RING);
        completions_ = map(parameters_.cq_off.cqes + parameters_.cq_entries * sizeof(io_uring_cqe),
                           IORING_OFF_CQ_RING);
        submissions_ = map(parameters_.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES);
    }

    [[nodiscard]] int fd() const { return fd_; }

    // The descriptor of what is known is looked at, and there is none.
    bool takes(unsigned char opcode, unsigned short io_flags = 0, unsigned char flags = 0) {
        auto* entry = reinterpret_cast<io_uring_sqe*>(submissions_);
        *entry = {};
        entry->opcode = opcode;
        entry->ioprio = io_flags;
        entry->flags = flags;
        entry->fd = -1;
        unsigned& tail = number(queue_, parameters_.sq_off.tail);
        number(queue_, parameters_.sq_off.array + (tail & 3U) * sizeof(unsigned)) = 0;
        __atomic_store_n(&tail, tail + 1, __ATOMIC_RELEASE);
        if (syscall(io_uring_enter, fd_, 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0) < 0)
            return false;
        unsigned& head = number(completions_, parameters_.cq_off.head);
        const unsigned mask = number(completions_, parameters_.cq_off.ring_mask);
        const auto* ended = reinterpret_cast<const io_uring_cqe*>(
            completions_ + parameters_.cq_off.cqes + (head & mask) * sizeof(io_uring_cqe));
        const int result = ended->res;
        __atomic_store_n(&head, head + 1, __ATOMIC_RELEASE);
        return result == -EBADF;
    }

private:
    [[nodiscard]] char* map(std::size_t size, long long offset) const {
        void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_,
                        static_cast<off_t>(offset));
        if (at == MAP_FAILED) {
            std::perror("ring_probe");
            _exit(1);
        }
        return static_cast<char*>(at);
    }
    static unsigned& number(char* base, std::size_t offset) {
        return *reinterpret_cast<unsigned*>(base + offset);
    }

    io_uring_params parameters_{};
    int fd_ = -1;
    char* queue_ = nullptr;
    char* completions_ = nullptr;
    char* submissions_ = nullptr;
};

void tell(bool known, const char* name) {
    if (known) std::printf(" %s", name);
}

}  // namespace

int main() {
    io_uring_params parameters{};
    if (set_up(0, parameters) < 0) {
        std::perror("io_uring_setup");
        return 1;
    }
    ring here;
    std::printf("features 0x%x:", parameters.features);
    tell(here.takes(34), "shutdown");
    tell(takes_flags(submit_all), "submit_all");
    tell(takes_registration(here.fd(), 20), "ring_fds");
    tell(here.takes(40), "msg_ring");
    tell(takes_flags(coop_taskrun), "coop_taskrun");
    tell(takes_registration(here.fd(), 22), "buffer_rings");
    tell(here.takes(IORING_OP_ACCEPT, 1), "multishot_accept");
    tell(takes_flags(single_issuer), "single_issuer");
    tell(here.takes(IORING_OP_RECV, 2, 1U << IOSQE_BUFFER_SELECT_BIT), "multishot_recv");
    tell(here.takes(47), "send_zc");
    tell(takes_flags(single_issuer | defer_taskrun), "defer_taskrun");
    std::puts("");
    return 0;
}

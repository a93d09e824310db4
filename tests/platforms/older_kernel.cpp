// older_kernel.cpp: runs a command for which io_uring is as it was in an older kernel.
//   older_kernel 5.11|5.18|5.19|6.0 -- command...
// What came later is refused at the border of the kernel, by the kernel's own means and with the
// answer of its predecessors, EINVAL: numbers in registers by a seccomp filter, numbers in memory
// by this process, which traces the command and writes there what no kernel knows: a bit into the
// flags of io_uring_setup, an opcode into a submission. Features that came later are taken out of
// what io_uring_setup returns. Nothing of it needs a privilege, or knows how the ring is used.
// SPDX-License-Identifier: MIT
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string_view>
#include <utility>

namespace {

// One number on every architecture but alpha.
constexpr unsigned io_uring_setup = 425;
constexpr unsigned io_uring_enter = 426;
constexpr unsigned io_uring_register = 427;

constexpr unsigned register_ring_fds = 20;
constexpr unsigned enter_registered_ring = 1U << 4;
constexpr unsigned send_zc = 47;
constexpr unsigned sendmsg_zc = 48;

/// What a kernel knows; source: include/uapi/linux/io_uring.h of its release.
struct release {
    std::string_view name;
    std::uint32_t setup_flags;
    std::uint32_t features;
    std::uint32_t enter_flags;
    std::uint32_t last_registration;
    std::uint8_t last_opcode;
    std::uint8_t sqe_flags;
    std::uint16_t accept_flags;    // in ioprio, as the next two
    std::uint16_t transfer_flags;  // of send and recv, and with a message
    std::uint16_t zero_copy_flags;
    std::uint32_t cancel_flags;
    std::uint32_t poll_flags;
    std::uint8_t refused = 255;  // an opcode that a restriction keeps from this one
};

// 5.18 brought SUBMIT_ALL and the registered ring; 5.19 COOP_TASKRUN, TASKRUN_FLAG, multishot
// accept, POLL_FIRST and buffer rings; 6.0 SINGLE_ISSUER, multishot receive and SEND_ZC.
constexpr std::array releases{
    release{"5.11", 0x007f, 0x01ff, 0x0f, 12, 36, 0x3f, 0, 0, 0, 0, 0},
    release{"5.18", 0x00ff, 0x1fff, 0x1f, 21, 40, 0x7f, 0, 0, 0, 0, 7},
    release{"5.19", 0x0fff, 0x1fff, 0x1f, 23, 46, 0x7f, 1, 1, 0, 7, 7},
    release{"6.0", 0x1fff, 0x1fff, 0x1f, 25, 47, 0x7f, 1, 3, 5, 15, 15},
    release{"6.0-without-close", 0x1fff, 0x1fff, 0x1f, 25, 47, 0x7f, 1, 3, 5, 15, 15,
            IORING_OP_CLOSE},
};

constexpr std::uint32_t unknown_flag = 1U << 31;
constexpr std::uint8_t unknown_opcode = 255;

// --- what the filter sees -----------------------------------------------------------------------

constexpr std::uint32_t low_word(std::size_t argument) {
    const std::size_t at = offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t);
    return static_cast<std::uint32_t>(at + (std::endian::native == std::endian::big ? 4 : 0));
}

bool install_filter(const release& known) {
    // Where a step goes on: its place in the filter.
    enum : std::size_t { enter = 6, registration = 8, mapping = 12, trace = 14, refuse, allow };
    const auto load = [](std::size_t where) {
        return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(where)};
    };
    const auto jump = [](std::size_t at, int test, std::uint32_t value, std::size_t yes,
                         std::size_t no) {
        return sock_filter{static_cast<std::uint16_t>(BPF_JMP | test | BPF_K),
                           static_cast<std::uint8_t>(yes - at - 1),
                           static_cast<std::uint8_t>(no - at - 1), value};
    };
    const auto end = [](std::uint32_t verdict) {
        return sock_filter{BPF_RET | BPF_K, 0, 0, verdict};
    };
    std::array filter{
        load(offsetof(seccomp_data, nr)),
        jump(1, BPF_JEQ, io_uring_setup, trace, 2),
        jump(2, BPF_JEQ, io_uring_enter, enter, 3),
        jump(3, BPF_JEQ, io_uring_register, registration, 4),
        jump(4, BPF_JEQ, SYS_mmap, mapping, 5),
        end(SECCOMP_RET_ALLOW),
        load(low_word(3)),
        jump(7, BPF_JSET, ~known.enter_flags, refuse, trace),
        load(low_word(1)),
        jump(9, BPF_JGT, known.last_registration, refuse, 10),
        jump(10, BPF_JEQ, register_ring_fds, trace, 11),
        end(SECCOMP_RET_ALLOW),
        load(low_word(3)),  // A mapping whose pages are there at once may be of a ring.
        jump(13, BPF_JSET, MAP_POPULATE, trace, allow),
        end(SECCOMP_RET_TRACE),
        end(SECCOMP_RET_ERRNO | EINVAL),
        end(SECCOMP_RET_ALLOW),
    };
    sock_fprog program{filter.size(), filter.data()};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// --- what the tracer sees -----------------------------------------------------------------------

// Declared here, since libc's own header does not go together with that of the kernel.
long trace(unsigned request, pid_t thread, std::uintptr_t where = 0, std::uintptr_t data = 0) {
    return syscall(SYS_ptrace, request, thread, where, data);
}

ptrace_syscall_info current_call(pid_t thread) {
    ptrace_syscall_info info{};
    trace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, reinterpret_cast<std::uintptr_t>(&info));
    return info;
}

/// Copies a value from or to the memory of a traced thread. Returns false when it is not there.
template <class T>
bool read_from(pid_t thread, std::uint64_t address, T& value) {
    iovec here{&value, sizeof value};
    iovec there{reinterpret_cast<void*>(address), sizeof value};
    return process_vm_readv(thread, &here, 1, &there, 1, 0) == static_cast<ssize_t>(sizeof value);
}
template <class T>
bool write_to(pid_t thread, std::uint64_t address, T value) {
    iovec here{&value, sizeof value};
    iovec there{reinterpret_cast<void*>(address), sizeof value};
    return process_vm_writev(thread, &here, 1, &there, 1, 0) == static_cast<ssize_t>(sizeof value);
}

bool knows(const release& known, const io_uring_sqe& sqe) {
    if (sqe.opcode == known.refused) return false;
    if (sqe.opcode > known.last_opcode || (sqe.flags & ~known.sqe_flags) != 0) return false;
    switch (sqe.opcode) {
        case IORING_OP_ACCEPT: return (sqe.ioprio & ~known.accept_flags) == 0;
        case IORING_OP_SEND:
        case IORING_OP_RECV:
        case IORING_OP_SENDMSG:
        case IORING_OP_RECVMSG: return (sqe.ioprio & ~known.transfer_flags) == 0;
        case send_zc:
        case sendmsg_zc: return (sqe.ioprio & ~known.zero_copy_flags) == 0;
        case IORING_OP_ASYNC_CANCEL: return (sqe.cancel_flags & ~known.cancel_flags) == 0;
        case IORING_OP_POLL_ADD:
        case IORING_OP_POLL_REMOVE: return (sqe.len & ~known.poll_flags) == 0;
        default: return true;
    }
}

/// Where a ring lies in the memory of its process.
struct ring {
    io_sqring_offsets offsets{};
    std::uint32_t entries = 0;
    std::uint64_t queue = 0;
    std::uint64_t submissions = 0;
};

/// A system call that its thread is in.
struct call {
    std::uint64_t number = 0;
    std::array<std::uint64_t, 6> arguments{};
    std::uint32_t setup_flags = 0;  // as the command wrote them
};

class tracer {
public:
    explicit tracer(const release& known) : known_(known) {}

    /// Traces until `command` has ended. Returns its status, as waitpid(2) does.
    int run(pid_t command) {
        for (;;) {
            int status = 0;
            const pid_t thread = waitpid(-1, &status, __WALL);
            if (thread < 0 && errno == EINTR) continue;
            if (thread < 0) return 1 << 8;
            if (!WIFSTOPPED(status)) {
                calls_.erase(thread);
                if (thread == command) return status;
                continue;
            }
            go_on(thread, WSTOPSIG(status), status >> 16);
        }
    }

private:
    void go_on(pid_t thread, int signal, int event) {
        constexpr int at_call = SIGTRAP | 0x80;
        if (event == PTRACE_EVENT_SECCOMP) {
            const bool result_wanted = entered(thread);
            trace(result_wanted ? PTRACE_SYSCALL : PTRACE_CONT, thread);
        } else if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
            trace(PTRACE_LISTEN, thread);  // stopped by a signal, until SIGCONT
        } else {
            if (signal == at_call) returned(thread);
            const bool ours = event != 0 || signal == at_call;
            trace(PTRACE_CONT, thread, 0, ours ? 0 : static_cast<std::uintptr_t>(signal));
        }
    }

    /// Returns whether the call's result is of interest.
    bool entered(pid_t thread) {
        const ptrace_syscall_info info = current_call(thread);
        call now{info.seccomp.nr, {}, 0};
        std::memcpy(now.arguments.data(), info.seccomp.args, sizeof info.seccomp.args);
        if (now.number == io_uring_enter) {
            refuse_submissions(thread, now);
            return false;
        }
        if (now.number == SYS_mmap && !find(thread, now.arguments[4])) return false;
        if (now.number == io_uring_setup) {
            const std::uint64_t flags = now.arguments[1] + offsetof(io_uring_params, flags);
            if (!read_from(thread, flags, now.setup_flags)) return false;
            if ((now.setup_flags & ~known_.setup_flags) != 0) {
                write_to(thread, flags, now.setup_flags | unknown_flag);
            }
        }
        calls_[thread] = now;
        return true;
    }

    void returned(pid_t thread) {
        const ptrace_syscall_info info = current_call(thread);
        const call ended = calls_[thread];
        const std::int64_t result = info.exit.rval;
        if (ended.number == io_uring_setup) set_up(thread, ended, result);
        if (ended.number == io_uring_register) registered(thread, ended, result);
        if (ended.number == SYS_mmap && info.exit.is_error == 0) {
            const auto address = static_cast<std::uint64_t>(result);
            ring& owner = *find(thread, ended.arguments[4]);
            if (ended.arguments[5] == IORING_OFF_SQES) owner.submissions = address;
            if (ended.arguments[5] == IORING_OFF_SQ_RING) owner.queue = address;
        }
    }

    void set_up(pid_t thread, const call& ended, std::int64_t result) {
        const std::uint64_t at = ended.arguments[1];
        io_uring_params parameters{};
        if (result < 0) {
            write_to(thread, at + offsetof(io_uring_params, flags), ended.setup_flags);
        } else if (read_from(thread, at, parameters)) {
            write_to(thread, at + offsetof(io_uring_params, features),
                     parameters.features & known_.features);
            rings_[{process_of(thread), static_cast<int>(result)}] =
                ring{parameters.sq_off, parameters.sq_entries, 0, 0};
        }
    }

    // A descriptor that is registered is named by a number that belongs to its thread.
    void registered(pid_t thread, const call& ended, std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) {
            io_uring_rsrc_update update{};
            const std::uint64_t at =
                ended.arguments[2] + static_cast<std::uint64_t>(i) * sizeof update;
            if (!read_from(thread, at, update)) return;
            numbers_[{thread, update.offset}] = update.data;
        }
    }

    void refuse_submissions(pid_t thread, const call& now) {
        std::uint64_t fd = now.arguments[0];
        if ((now.arguments[3] & enter_registered_ring) != 0) {
            fd = numbers_[{thread, static_cast<std::uint32_t>(fd)}];
        }
        const ring* owner = find(thread, fd);
        std::uint32_t head = 0;
        std::uint32_t tail = 0;
        if (!owner || !read_from(thread, owner->queue + owner->offsets.head, head) ||
            !read_from(thread, owner->queue + owner->offsets.tail, tail)) {
            return;
        }
        for (; head != tail; ++head) {
            const std::uint32_t place = head & (owner->entries - 1);
            std::uint32_t index = 0;
            io_uring_sqe sqe{};
            read_from(thread, owner->queue + owner->offsets.array + place * sizeof index, index);
            const std::uint64_t at = owner->submissions + index * sizeof sqe;
            if (read_from(thread, at, sqe) && !knows(known_, sqe)) {
                write_to(thread, at + offsetof(io_uring_sqe, opcode), unknown_opcode);
            }
        }
    }

    ring* find(pid_t thread, std::uint64_t fd) {
        const auto found = rings_.find({process_of(thread), static_cast<int>(fd)});
        return found == rings_.end() ? nullptr : &found->second;
    }

    static pid_t process_of(pid_t thread) {
        std::array<char, 64> path{};
        std::snprintf(path.data(), path.size(), "/proc/%d/status", thread);
        pid_t process = thread;
        if (std::FILE* file = std::fopen(path.data(), "r")) {
            std::array<char, 256> line{};
            while (std::fgets(line.data(), line.size(), file)) {
                if (std::sscanf(line.data(), "Tgid: %d", &process) == 1) break;
            }
            std::fclose(file);
        }
        return process;
    }

    const release& known_;
    std::map<pid_t, call> calls_;
    std::map<std::pair<pid_t, int>, ring> rings_;  // by process and descriptor
    std::map<std::pair<pid_t, std::uint32_t>, std::uint64_t> numbers_;
};

int usage() {
    std::fputs("usage: older_kernel 5.11|5.18|5.19|6.0 -- command...\n", stderr);
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4 || std::string_view(argv[2]) != "--") return usage();
    const release* known = nullptr;
    for (const release& one : releases) {
        if (one.name == argv[1]) known = &one;
    }
    if (!known) return usage();

    std::array<int, 2> traced{};  // The command starts once this end is closed.
    if (pipe(traced.data()) < 0) return 125;
    const pid_t command = fork();
    if (command == 0) {
        char nothing = 0;
        close(traced[1]);
        const bool told = read(traced[0], &nothing, 1) == 0;
        close(traced[0]);
        if (!told || !install_filter(*known)) _exit(125);
        execvp(argv[3], argv + 3);
        std::perror(argv[3]);
        _exit(127);
    }
    constexpr unsigned options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD |
                                 PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                                 PTRACE_O_EXITKILL;
    if (command < 0 || trace(PTRACE_SEIZE, command, 0, options) < 0) {
        std::perror("older_kernel: ptrace");
        return 125;
    }
    close(traced[0]);
    close(traced[1]);
    const int status = tracer(*known).run(command);
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    std::signal(WTERMSIG(status), SIG_DFL);
    return 128 + WTERMSIG(status);
}

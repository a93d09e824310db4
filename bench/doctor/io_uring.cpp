// io_uring.cpp: whether there is a ring for anel, how good it is, and what each feature is for.
//
// What anel does with a feature stands in runtime/uring/README.md; which kernel brought it, in the
// man pages of liburing.
//
// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <linux/io_uring.h>

#include <cerrno>
#include <cstring>

#include "common/text.hpp"
#include "doctor/probe.hpp"
#include "doctor/system.hpp"

namespace anel_bench::doctor {
namespace {

enum class use { needed, used, unused };

struct feature {
    const char* name;
    const char* since;  // Linux
    use by_anel;
    question asked;
    const char* means;
};

constexpr std::uint64_t bit(unsigned number) { return std::uint64_t{1} << number; }

struct named_opcode {
    unsigned code;
    const char* name;
};

// Those of runtime/uring/setup.cpp.
constexpr named_opcode every_ring[] = {
    {IORING_OP_CONNECT, "connect"},
    {IORING_OP_RECV, "recv"},
    {IORING_OP_SEND, "send"},
    {IORING_OP_RECVMSG, "recvmsg"},
    {IORING_OP_SENDMSG, "sendmsg"},
    {IORING_OP_POLL_ADD, "poll"},
    {IORING_OP_POLL_REMOVE, "poll removal"},
    {IORING_OP_ASYNC_CANCEL, "cancelling"},
    {IORING_OP_TIMEOUT, "timeout"},
};

constexpr std::uint64_t all_of_every_ring() {
    std::uint64_t mask = 0;
    for (const auto& opcode : every_ring) mask |= bit(opcode.code);
    return mask;
}

// Values of the kernel's interface that may be newer than its header here.
constexpr std::uint64_t recvsend_bundle = bit(14);  // IORING_FEAT_RECVSEND_BUNDLE
constexpr std::uint64_t no_iowait = bit(17);        // IORING_FEAT_NO_IOWAIT
constexpr std::uint64_t no_sqarray = bit(16);
constexpr std::uint64_t send_zc = 47;
constexpr std::uint16_t report_usage = 1U << 3;  // IORING_SEND_ZC_REPORT_USAGE
constexpr std::uint64_t submit_all = bit(7);
constexpr std::uint64_t coop_taskrun = bit(8);
constexpr std::uint64_t taskrun_flag = bit(9);
constexpr std::uint64_t single_issuer = bit(12);
constexpr std::uint64_t defer_taskrun = bit(13);
constexpr std::uint64_t basic =
    IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG;

constexpr feature features[] = {
    {"basic features",
     "5.11",
     use::needed,
     {about::features, basic},
     "NODROP, SUBMIT_STABLE, FAST_POLL, EXT_ARG; without one of them anel takes epoll"},
    {"basic opcodes",
     "5.6",
     use::needed,
     {about::opcodes, all_of_every_ring()},
     "accept, connect, recv, send, poll and others; without one of them anel takes epoll"},
    {"registered ring fd",
     "5.18",
     use::used,
     {about::registration, 20},
     "spares a look-up of the descriptor in each io_uring_enter; without it anel pays for that"},
    {"SUBMIT_ALL",
     "5.18",
     use::used,
     {about::setup, submit_all},
     "one bad entry does not stop those behind it; without it they go with the next call"},
    {"COOP_TASKRUN",
     "5.19",
     use::used,
     {about::setup, coop_taskrun},
     "the second choice after DEFER_TASKRUN; without both completions interrupt the thread"},
    {"TASKRUN_FLAG",
     "5.19",
     use::used,
     {about::setup, coop_taskrun | taskrun_flag},
     "says when completions wait; without it anel enters the kernel to see"},
    {"SINGLE_ISSUER",
     "6.0",
     use::used,
     {about::setup, single_issuer},
     "less locking, and DEFER_TASKRUN needs it; without it anel takes COOP_TASKRUN"},
    {"DEFER_TASKRUN",
     "6.1",
     use::used,
     {about::setup, single_issuer | defer_taskrun},
     "completions are worked off in the loop's own wait; without it anel takes COOP_TASKRUN"},
    {"NO_SQARRAY",
     "6.6",
     use::unused,
     {about::setup, no_sqarray},
     "spares a cache line; anel does not ask for it, liburing from 2.6 on does by itself"},
    {"buffer rings",
     "5.19",
     use::used,
     {about::registration, 22},
     "recv() lends memory that the kernel fills; without them anel polls and calls recv(2)"},
    {"multishot accept",
     "5.19",
     use::unused,
     {about::entry, IORING_OP_ACCEPT, 1},
     "anel polls, and accept4(2) takes all connections that are there"},
    {"multishot recv",
     "6.0",
     use::used,
     {about::entry, IORING_OP_RECV, 2, 1U << IOSQE_BUFFER_SELECT_BIT},
     "one submission for many messages into lent memory; without it anel submits each"},
    {"send_zc",
     "6.2",
     use::used,
     {about::entry, send_zc, report_usage},
     "send_zc() sends without a copy, and hears of one; without it anel sends with a copy"},
    {"msg_ring",
     "5.18",
     use::unused,
     {about::opcodes, bit(40)},
     "a message between rings; anel wakes a loop by an eventfd"},
    {"sync cancel",
     "6.0",
     use::unused,
     {about::registration, 24},
     "a cancel that blocks; anel submits cancels and waits for their completions"},
    {"bundles",
     "6.10",
     use::unused,
     {about::features, recvsend_bundle},
     "several buffers in one completion; anel takes a completion for each"},
};

// Those of io_uring_setup(2); of libc's, only glibc tells names.
const char* name_of_error(int error) {
    switch (error) {
        case EPERM: return "EPERM";
        case ENOSYS: return "ENOSYS";
        case EACCES: return "EACCES";
        case ENOMEM: return "ENOMEM";
        case EINVAL: return "EINVAL";
        case EMFILE: return "EMFILE";
        case ENFILE: return "ENFILE";
        default: return "error";
    }
}

finding examine_setup(int error, const facts& environment) {
    if (error != 0) {
        auto [means, mend] = explain_refusal(error, container_of(environment));
        return {state::bad, "io_uring",
                format("refused: %s (%s)", name_of_error(error), std::strerror(error)), means,
                mend};
    }
    if (sysctl("kernel.io_uring_disabled").value_or(0) == 1) {
        return {state::note, "io_uring", "a ring can be set up, by this user",
                "kernel.io_uring_disabled=1 refuses it to users without CAP_SYS_ADMIN or the group",
                "sysctl kernel.io_uring_disabled=0"};
    }
    return {state::ok, "io_uring", "a ring can be set up", "", ""};
}

finding examine_size() {
    const ring_size size = size_of_anels_ring();
    if (size.error != 0) {
        return {state::bad, "anel's ring", format("refused: %s", name_of_error(size.error)),
                "a small ring can be set up, and the one that anel wants cannot",
                explain_refusal(size.error, "").mend};
    }
    constexpr const char* modes[] = {"DEFER_TASKRUN", "COOP_TASKRUN", "plain"};
    finding found{state::ok, "anel's ring",
                  format("%s, %u submissions, %u completions", modes[size.step - 1],
                         size.submissions, size.completions),
                  "the best of three modes, in full size", ""};
    if (size.step > 1) {
        found.how = state::note;
        found.means = "more interrupts, or calls to see what completed, than in DEFER_TASKRUN";
        found.mend = "run on Linux 6.1 or newer";
    }
    if (size.submissions < 256) {
        found.how = state::note;
        found.means = "RLIMIT_MEMLOCK leaves no room for 256 submissions and 4096 completions";
        found.mend = explain_refusal(ENOMEM, "").mend;
    }
    return found;
}

finding examine_feature(const feature& one, const probe& ring) {
    const answer given = ring.ask(one.asked);
    finding found{state::ok, one.name, "", one.means, ""};
    const bool unused = one.by_anel == use::unused;
    if (given == answer::yes) {
        found.value = format("yes, %s (Linux %s)", unused ? "not used" : "used", one.since);
        return found;
    }
    found.value = format("%s, %s (Linux %s)", given == answer::no ? "no" : not_known,
                         unused ? "not used" : "would be used", one.since);
    if (one.asked.what == about::opcodes && one.by_anel == use::needed && given == answer::no) {
        for (const auto& opcode : every_ring) {
            const bool known = (ring.opcodes() & bit(opcode.code)) != 0;
            if (!known) found.value += std::string(", ") + opcode.name + " is missing";
        }
    }
    if (unused) return found;
    found.how = one.by_anel == use::needed && given == answer::no ? state::bad : state::note;
    found.mend = given == answer::no
                     ? format("run on Linux %s or newer", one.since)
                     : "ulimit -l 8192, or allow io_uring_enter and io_uring_register";
    return found;
}

// liburing asks for it, and has the function for that since 2.10; see runtime/uring/setup.cpp.
finding examine_iowait(const probe& ring) {
    const bool kernel = ring.ask({about::features, no_iowait}) == answer::yes;
    const bool library = dlsym(RTLD_DEFAULT, "io_uring_set_iowait") != nullptr;
    finding found{state::ok, "NO_IOWAIT", "yes, used (Linux 6.15, liburing 2.10)",
                  "a server that waits is idle; without it tools show its waits as I/O wait", ""};
    if (kernel && library) return found;
    found.how = state::note;
    found.value =
        kernel ? "no: the kernel has it, liburing does not" : "no, would be used (Linux 6.15)";
    found.mend = kernel ? "run beside liburing 2.10 or newer" : "run on Linux 6.15 or newer";
    return found;
}

}  // namespace

findings examine_io_uring(const facts& environment) {
    // anel first, as in a program of its own: what a ring locked counts for a while after its end.
    const anel_choice chosen = ask_anel();
    const probe ring;
    findings found{examine_setup(ring.error(), environment), examine_backend(chosen, ring.error())};
    if (ring.error() != 0) {
        found.push_back({state::note, "features of io_uring", not_known, "there is no ring to ask",
                         "mend io_uring first"});
        return found;
    }
    found.push_back(examine_size());
    for (const auto& one : features) found.push_back(examine_feature(one, ring));
    found.push_back(examine_iowait(ring));
    return found;
}

}  // namespace anel_bench::doctor

// zero_copy.cpp: sends whose bytes the kernel reads where they are.
//
// Such a send completes twice: with its result, and then with a notice that the kernel reads the
// memory no more, as a rule once the peer has acknowledged the bytes. The operation is done after
// the last notice, so its memory is the caller's again; the next share does not wait for the notice
// of the one before.
//
// Zero copy that does not work, or does not pay, ends with a plain send of the same bytes: nothing
// was sent where the result is an error. Linux 6.2; an older one refuses and gets plain sends.
// SPDX-License-Identifier: MIT
#include "runtime/uring/uring.hpp"

#include <cerrno>
#include <cstdint>

namespace anel::detail {
namespace {

// Newer than the header of liburing 2.3; values of the kernel's interface.
constexpr unsigned report_usage = 1U << 3;      // of a submission; IORING_SEND_ZC_REPORT_USAGE, 6.2
constexpr std::uint32_t was_copied = 1U << 31;  // of a notice; IORING_NOTIF_USAGE_ZC_COPIED

// The system's send buffer holds a few shares; whatever else owes notices is sent with a copy.
constexpr std::uint8_t notices_max = 64;

// Linux has a number of its own for what a socket cannot do; libc gives it no name.
constexpr std::int32_t kernel_enotsupp = 524;

}  // namespace

// Returns false when it is to be a plain send.
bool uring::prepare_zero_copy(operation& op, io_uring_sqe& sqe, std::size_t size) noexcept {
    op.flags &= ~in_place;
    if ((op.flags & op_flag::zero_copy) == 0 || op.notices >= notices_max) return false;
    io_uring_prep_send_zc(&sqe, op.fd, op.data, size, MSG_WAITALL | no_signal, report_usage);
    op.flags |= in_place;
    return true;
}

// Returns whether the same bytes may go with a plain send: a kernel or a kind of socket that does
// not know zero copy (ENOTSUPP, EOPNOTSUPP, EINVAL), or too little memory that may be locked.
bool uring::zero_copy_refused(operation& op, std::int32_t result) noexcept {
    const bool refused = result == -EINVAL || result == -EOPNOTSUPP || result == -ENOMEM ||
                         result == -ENOBUFS || result == -kernel_enotsupp;
    if (refused) op.flags &= ~op_flag::zero_copy;
    return refused;
}

void uring::noticed(operation& op, std::int32_t usage) noexcept {
    ANEL_ASSERT(op.notices > 0);
    op.notices -= 1;
    const bool copied = (static_cast<std::uint32_t>(usage) & was_copied) != 0;
    if (copied) op.flags &= ~op_flag::zero_copy;  // also of what is still to be sent
    else op.flags |= op_flag::not_copied;
    owed_one_less(op);
}

// A cancelled send that the kernel still reads: a peer that has gone away would keep it for as long
// as TCP tries again, a quarter of an hour. Only the end of the connection drops it at once.
void uring::let_go_of_memory(operation& op) noexcept {
    const bool under_way = (op.flags & (in_kernel | in_starved)) != 0;
    if (!op.cancel_wanted || under_way || op.notices == 0) return;
    if (op.result >= 0) op.result = -ECANCELED;
    reset_connection(op.fd);
}

}  // namespace anel::detail

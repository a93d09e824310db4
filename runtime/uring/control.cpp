// control.cpp: the control calls, and the one that is put off: the close of a session's connection,
// which the ring does in the enter that ends the turn anyway.
//
// Such a descriptor lives on until then. So whatever fails for want of a descriptor, or of an
// address, is tried again after an enter; and settle() comes before calls that are not made here.
// SPDX-License-Identifier: MIT
#include "runtime/uring/uring.hpp"

#include <cerrno>

namespace anel::detail {

std::int32_t uring::control(operation& op) noexcept {
    if (op.code == opcode::close) {
        drop_unread(op.fd);
        if ((op.flags & op_flag::deferred) != 0 && prepare_close(op.fd)) return 0;
    }
    if (op.code == opcode::inspect) settle();  // it takes a descriptor to find out
    made_calls(1);
    // accept4(2) has no flag for not blocking, so a listener does not.
    const bool adopts_listener = op.code == opcode::take_over && op.size > 0;
    const blocking mode = adopts_listener ? blocking::no : blocking::yes;
    std::int32_t result = control_call(op, mode);
    if (makes_room(result)) result = control_call(op, mode);
    if (op.code != opcode::listen || result < 0) return result;
    return configure_socket(op.fd, blocking::no);
}

// Returns false when close(2) is to be called. A completion is posted for an error only: one for
// each would wake a loop that sleeps. After an error a socket's descriptor is gone as well.
bool uring::prepare_close(int fd) noexcept {
    io_uring_sqe* sqe = closes_in_ring_ ? io_uring_get_sqe(&ring_) : nullptr;
    if (!sqe) return false;
    io_uring_prep_close(sqe, fd);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(sqe, with_tag(fd, tag::close));
    closing_ = true;
    owes_call();
    return true;
}

void uring::settle() noexcept {
    if (!closing_) return;
    check(enter(0, forever));
    closing_ = io_uring_sq_ready(&ring_) > 0;
}

// Whether what failed is worth another try, now that descriptors and addresses were given back.
bool uring::makes_room(std::int32_t result) noexcept {
    const bool lacks_any = result == -EMFILE || result == -ENFILE || result == -EADDRINUSE;
    if (!lacks_any || !closing_) return false;
    settle();
    return !closing_;
}

}  // namespace anel::detail

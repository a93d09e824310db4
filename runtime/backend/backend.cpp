// backend.cpp: what submit and cancel are on every backend, and the two ends of an operation's
// flight.
// SPDX-License-Identifier: MIT
#include <anel/detail/backend.hpp>

#include "runtime/backend/chunk_pool.hpp"
#include "runtime/backend/operation_memory.hpp"
#include "runtime/system/sanitizer.hpp"

#include <cerrno>

namespace anel::detail {

backend::backend() noexcept = default;

// What it lent must be back: a recv_buffer that outlives its loop would point to nothing.
backend::~backend() {
    const bool every_recv_buffer_is_gone_before_run_ends = !chunks_ || chunks_->lent() == 0;
    ANEL_ASSERT(every_recv_buffer_is_gone_before_run_ends);
}

chunk_pool& backend::chunks() {
    if (!chunks_) chunks_ = std::make_unique<chunk_pool>(counters_);
    return *chunks_;
}

void backend::give_back(const void* memory) noexcept { chunks_->give_back(memory); }

// What is the same for every backend: calls that end at once, and those that do nothing.
bool backend::submit(operation& op) noexcept {
    ANEL_ASSERT(op.state == op_state::idle && !op.cancel_wanted);
    const op_kind kind = row_of(op.code).kind;
    if (kind == op_kind::control) return finished_inline(op, control(op));
    if (kind == op_kind::helper) return start_helper(op);
    if (op.fd < 0) return finished_inline(op, -EBADF);
    if (moves_nothing(op)) return finished_inline(op, 0);
    const bool in_flight = start(op);
    ANEL_ASSERT(op.state == (in_flight ? op_state::in_flight : op_state::done));
    return in_flight;
}

void backend::cancel(operation& op) noexcept {
    ANEL_ASSERT(op.state == op_state::in_flight);
    counters_.cancels += 1;
    if (op.cancel_wanted) return;
    op.cancel_wanted = true;
    stop(op);
}

void backend::started(operation& op) noexcept {
    ANEL_ASSERT(op.state == op_state::idle);
    ANEL_ASSERT(!address_sanitizer || memory_is_good(op));
    op.state = op_state::in_flight;
    counters_.operations += 1;
    in_flight_ += 1;
}

void backend::finished(operation& op, op_queue& done) noexcept {
    ANEL_ASSERT(op.state == op_state::in_flight);
    ANEL_ASSERT(op.owed == 0 && op.notices == 0);
    // Else it was freed while the kernel could write to it.
    ANEL_ASSERT(!address_sanitizer || memory_is_good(op));
    ANEL_ASSERT(in_flight_ > 0);
    op.state = op_state::done;
    counters_.completions += 1;
    in_flight_ -= 1;
    done.push(op);
}

void backend::finished(op_queue& ended, op_queue& done) noexcept {
    while (suspension* first = ended.pop()) finished(static_cast<operation&>(*first), done);
}

bool backend::finished_inline(operation& op, std::int32_t result) noexcept {
    ANEL_ASSERT(op.state == op_state::idle);
    ANEL_ASSERT(op.owed == 0);
    op.state = op_state::done;
    op.result = result;
    if (!finishes_inline(op.code)) {
        counters_.operations += 1;
        counters_.completions += 1;
    }
    return false;
}

}  // namespace anel::detail

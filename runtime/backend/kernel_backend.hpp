// kernel_backend.hpp: what the backends over a real kernel share: the clock, the descriptor that
// wakes them, helper threads, and the operations that have ended.
//
// Must not know: how the kernel is asked to wait.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/backend/helpers.hpp"
#include "runtime/system/posix.hpp"

#include <anel/detail/backend.hpp>

#include <cstdint>

namespace anel::detail {

class kernel_backend : public backend {
public:
    void wake() noexcept final { waker_.signal(); }
    [[nodiscard]] time_point now() const noexcept final { return monotonic_now(); }

    bool start_helper(operation& op) noexcept final {
        settle();                     // it may make descriptors
        counters_.helper_calls += 1;  // before a helper can ask for it
        if (const std::int32_t error = helpers_.start(op)) {
            counters_.helper_calls -= 1;
            return finished_inline(op, error);
        }
        started(op);
        return true;
    }

protected:
    explicit kernel_backend(const backend_options& options)
        : helpers_(*this, options.helper_threads) {}

    void stop_helper(operation& op) noexcept { helpers_.stop(op); }

    /// For when waker_ can be read: whatever ends on a helper thread calls wake() after it.
    void woken() noexcept {
        waker_.clear();
        counters_.helper_calls -= helpers_.collect(ended_);
    }

    wake_signal waker_;
    op_queue ended_;

private:
    helper_threads helpers_;
};

}  // namespace anel::detail

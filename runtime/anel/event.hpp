// event.hpp: something that happens once, for any number of tasks of one loop to wait for.
//
// Knows: wait lists. Must not know: threads; from another thread, post() a call of set().
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/wait_list.hpp>

namespace anel {

/// Set or not set. Setting it wakes every waiter, first come first served.
/// Lifetime  must outlive its waiters, which is asserted.
class event {
public:
    class wait_type;

    event() noexcept = default;

    /// Whether it is set.
    [[nodiscard]] bool is_set() const noexcept { return set_; }
    /// Sets the event and wakes those who wait: they run once this task waits or ends.
    void set() noexcept {
        set_ = true;
        while (!waiters_.empty()) waiters_.grant_first();
    }
    /// From now on wait() waits again. Those who were woken stay awake.
    void reset() noexcept { set_ = false; }
    /// Waits until the event is set; at once when it is.
    /// Errors  task_cancelled.
    [[nodiscard("co_await it")]] wait_type wait() noexcept;

private:
    detail::wait_list waiters_;
    bool set_ = false;
};

class event::wait_type : public detail::list_wait {
public:
    explicit wait_type(event& source) noexcept : source_(source) {}
    bool start(detail::cancel_scope& scope, detail::frame& caller) noexcept {
        static constexpr detail::wait_kind waiting{"event", &on_cancel};
        return wait_in(source_.waiters_, source_.set_, scope, caller, waiting);
    }
    void finish() { settle(); }

private:
    event& source_;
};

inline event::wait_type event::wait() noexcept { return wait_type(*this); }

}  // namespace anel

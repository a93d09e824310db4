// event.hpp: something that happens once, for any number of tasks of one loop to wait for.
//
// Knows: suspensions. Must not know: threads; from another thread, post() a call of set().
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/awaitable.hpp>

namespace anel {

/// Set or not set. Setting it wakes every waiter, first come first served.
/// Lifetime  must outlive its waiters, which is asserted.
class event {
public:
    class wait_type;

    event() noexcept = default;
    event(const event&) = delete;
    event& operator=(const event&) = delete;
    ~event() { ANEL_ASSERT(first_ == nullptr); }

    [[nodiscard]] bool is_set() const noexcept { return set_; }
    void set() noexcept;
    void reset() noexcept { set_ = false; }
    /// Waits until the event is set; at once when it is.
    /// Errors  task_cancelled.
    [[nodiscard]] wait_type wait() noexcept;

private:
    void unlink(wait_type& item) noexcept;

    wait_type* first_ = nullptr;
    wait_type* last_ = nullptr;
    bool set_ = false;
};

class event::wait_type : public suspension {
public:
    explicit wait_type(event& source) noexcept : source_(source) {}
    bool start(cancel_scope& in, frame& who) noexcept;
    void finish();

private:
    friend event;
    static void on_cancel(suspension& wait) noexcept;
    static const wait_kind kind_;

    event& source_;
    wait_type* previous_ = nullptr;
    wait_type* following_ = nullptr;  // `next` belongs to the ready queue
    bool happened_ = false;
};

inline event::wait_type event::wait() noexcept { return wait_type(*this); }

}  // namespace anel

// post.hpp: how another thread reaches a loop: the only thread-safe door.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/awaitable.hpp>
#include <anel/detail/loop.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace anel {
namespace detail {

/// A call on its way to a loop.
struct posted {
    posted* next = nullptr;
    // On the loop's thread: runs the call or not, and deletes it if it was made for this one use.
    void (*take)(posted* self, bool run) noexcept = nullptr;
};

template <class Function>
struct posted_call final : posted {
    explicit posted_call(Function given) : function(std::move(given)) {
        take = [](posted* self, bool run) noexcept {
            std::unique_ptr<posted_call> mine(static_cast<posted_call*>(self));
            if (run) mine->function();
        };
    }
    Function function;
};

/// Takes ownership of `call`. Returns false, and drops it, when the loop is gone.
bool post_to(mailbox& box, posted* call) noexcept;
/// Takes `call` back if the loop has not come to it. Thread: the loop's.
void withdraw_from(mailbox& box, posted& call) noexcept;

}  // namespace detail

/// Runs functions on a loop's thread. A value; copy it to other threads. It may outlive the loop.
class poster {
public:
    /// Made by get_poster.
    explicit poster(std::shared_ptr<detail::mailbox> box) noexcept : mailbox_(std::move(box)) {}

    /// Queues `function` to be called on the loop's thread, in the order of posting.
    /// Returns  false when the loop has ended, and true when it was queued. What the loop has not
    ///          come to when it ends is dropped, not called.
    /// Errors   std::bad_alloc. `function` must not throw.
    /// Thread   any.
    template <class Function>
    bool operator()(Function function) const {
        return detail::post_to(*mailbox_, new detail::posted_call<Function>(std::move(function)));
    }

private:
    std::shared_ptr<detail::mailbox> mailbox_;
};

/// The poster of the loop that runs this task: `auto post = co_await get_poster();`
class get_poster {
public:
    bool start(detail::cancel_scope& scope, detail::frame&) {
        mailbox_ = scope.owner().mailbox();
        return false;
    }
    poster finish() { return poster(std::move(mailbox_)); }

private:
    std::shared_ptr<detail::mailbox> mailbox_;
};

}  // namespace anel

// stop_token.hpp: lets a std::stop_source of any thread end a wait of a task.
//
// For programs in which the standard's cancellation rules: a std::jthread's token, say.
// Knows: scopes and the door for other threads. Must not know: kinds of waits.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/post.hpp>
#include <anel/timeout.hpp>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>
#include <version>

// libc++ has it from LLVM 20 on, and before that with -fexperimental-library.
#ifdef __cpp_lib_jthread
#include <stop_token>

namespace anel {
namespace detail {

/// Cancels a scope when a stop is requested. What travels to the loop is a part of the rule itself,
/// so nothing is allocated; disarm() takes it back when it is still on its way.
class stop_rule : private posted {
public:
    explicit stop_rule(std::stop_token token) noexcept : token_(std::move(token)) {}
    stop_rule(stop_rule&& other) noexcept : posted(), token_(std::move(other.token_)) {
        ANEL_ASSERT(!other.callback_);
    }

    void arm(cancel_scope& scope) {
        scope_ = &scope;
        if (token_.stop_requested()) {
            stop();
        } else if (token_.stop_possible()) {
            mailbox_ = scope.owner().mailbox();
            take = [](posted* self, bool run) noexcept {
                if (run) static_cast<stop_rule*>(self)->stop();
            };
            callback_.emplace(token_, request{*this});
        }
    }
    [[nodiscard]] bool fired() const noexcept { return fired_; }
    void disarm() noexcept {
        if (!callback_) return;
        callback_.reset();  // waits for a call that another thread is in the middle of
        if (!fired_) withdraw_from(*mailbox_, *this);
    }
    [[noreturn]] static void raise() { throw_errno(ECANCELED, "stop requested", {}); }

private:
    struct request {
        stop_rule& rule;
        void operator()() const noexcept { post_to(*rule.mailbox_, &rule); }
    };
    void stop() noexcept {
        fired_ = true;
        scope_->cancel();
    }

    std::stop_token token_;
    cancel_scope* scope_ = nullptr;
    std::shared_ptr<mailbox> mailbox_;
    std::optional<std::stop_callback<request>> callback_;
    bool fired_ = false;
};

}  // namespace detail

/// Awaits `inner` until a stop is requested through `token`.
/// Returns  what `inner` returns; a result that arrived wins over the request.
/// Errors   io_error with ECANCELED once the wait was cut short and `inner` has ended; what `inner`
///          throws.
/// Thread   the stop may be requested on any.
/// Cost     no allocation of its own; the standard's stop_callback locks.
template <awaitable A>
[[nodiscard("co_await it")]] auto with_stop_token(std::stop_token token, A inner) {
    return detail::ruled<A, detail::stop_rule>(detail::stop_rule(std::move(token)),
                                               std::move(inner));
}

}  // namespace anel

#endif

// root_task.hpp: the outermost task of a loop: started without anybody who awaits it.
//
// Knows: the loop it runs in and the root of the tree of scopes. Must not know: signals, backends.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/loop.hpp>
#include <anel/task.hpp>

#include <exception>

namespace anel::detail {

/// Runs `work` in `owner`, whose turns somebody else makes.
/// Lifetime  must have ended before it is destroyed, or never have begun; which is asserted.
class root_task {
public:
    root_task(loop& owner, task<> work);
    root_task(const root_task&) = delete;
    root_task& operator=(const root_task&) = delete;
    ~root_task();

    [[nodiscard]] const bool& ended() const noexcept;
    /// What `work` threw, once it has ended; task_cancelled too.
    [[nodiscard]] std::exception_ptr error() const noexcept;
    [[nodiscard]] cancel_scope& scope() noexcept { return scope_; }

private:
    struct outermost;
    static outermost await_in_loop(task<> work);

    cancel_scope scope_;
    void* promise_;  // of an `outermost`
};

}  // namespace anel::detail

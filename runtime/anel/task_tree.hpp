// task_tree.hpp: a listing of what every task waits for, and where: for a program that hangs.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/awaitable.hpp>
#include <anel/detail/cancel_scope.hpp>

#include <string>
#include <utility>

namespace anel {

namespace detail {
/// The waits in `scope` and below, as current_tasks lists them.
[[nodiscard]] std::string task_tree(const cancel_scope& scope);
}  // namespace detail

/// Lists what the tasks of the loop that runs this one wait for: one line each, with the places of
/// the chain of awaits that leads to it, the innermost first:
/// `  recv at server.cpp:31 <- server.cpp:57`. `auto waits = co_await current_tasks();`
/// Returns  the lines, in the order in which the tasks were started; the task that asks waits for
///          nothing, so it has none.
/// Thread   the loop's own.
class current_tasks {
public:
    bool start(detail::cancel_scope& scope, detail::frame&) {
        const detail::cancel_scope* root = &scope;
        while (root->parent()) root = root->parent();
        waits_ = detail::task_tree(*root);
        return false;
    }
    std::string finish() noexcept { return std::move(waits_); }

private:
    std::string waits_;
};

}  // namespace anel

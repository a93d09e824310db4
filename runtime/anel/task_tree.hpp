// task_tree.hpp: a listing of what every task waits for, and where: for a program that hangs.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/awaitable.hpp>
#include <anel/detail/cancel_scope.hpp>
#include <anel/detail/loop.hpp>

#include <string>
#include <utility>

namespace anel {

namespace detail {
/// The waits in `scope` and below, as current_tasks lists them.
[[nodiscard]] std::string task_tree(const cancel_scope& scope);
}  // namespace detail

/// Lists what the tasks of the loop that runs this one wait for: `auto waits = co_await
/// current_tasks();`. A line is a wait, or several that are alike: what it is for, how long it has
/// taken (with run_options::dump_on), and the places of the chain of awaits that leads to it, the
/// innermost first. Lines are indented by group and by branch:
///   join, for 3.2 s, at task_group.hpp:238 <- server.cpp:40 <- run.cpp:65
///   group
///     20 × recv from 127.0.0.1:40000 (fd 7); from … …, oldest 3.2 s, at server.cpp:31
/// Returns  the lines; the task that asks waits for nothing, so it has none.
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

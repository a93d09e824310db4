// embedded_loop.cpp: a root task whose turns somebody else asks for.
// SPDX-License-Identifier: MIT
#include <anel/embedded_loop.hpp>

#include "runtime/start/root_run.hpp"

#include <anel/error.hpp>

#include <cerrno>
#include <utility>

namespace anel::detail {

embedded::embedded(task<> root, const run_options& options, version_here) {
    run_ = std::make_unique<root_run>(std::move(root), options, has_host::yes);
    backend& of = run_->turning().backend();
    if (of.pollable_descriptor() >= 0) return;
    std::string subject = "(poll(2) has no descriptor that a host could wait for";
    if (!of.reason().empty()) subject.append("; ").append(of.reason());
    subject.append(")");
    end();
    throw_errno(EOPNOTSUPP, "embedded_loop", subject);
}

embedded::~embedded() = default;

void embedded::end() noexcept {
    if (!run_ || run_->ended()) return;
    run_->cancel();
    run_->turning().run_until(run_->ended());
}

int embedded::descriptor() const noexcept {
    return run_->turning().backend().pollable_descriptor();
}

time_point embedded::deadline() const noexcept {
    return run_->ended() ? never : run_->turning().next_step();
}

duration embedded::time_left() const noexcept {
    const time_point due = deadline();
    if (due == never) return duration::max();
    const time_point at = run_->turning().now();
    return due <= at ? duration::zero() : due - at;
}

void embedded::step() {
    if (!run_->ended()) run_->turning().step_as_guest(run_->ended());
}

bool embedded::finished() const noexcept { return run_->ended(); }

void embedded::cancel() noexcept { run_->cancel(); }

int embedded::conclude() {
    if (!run_->ended()) rule_broken("result() of an embedded_loop that has not finished", nullptr);
    return run_->conclude();
}

}  // namespace anel::detail

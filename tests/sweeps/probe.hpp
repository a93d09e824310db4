// probe.hpp: what is done to one run of a scenario, and the backend that does it.
//
// A point is a moment at which a cancel can come: after an operation was submitted, before and
// after each wait of the loop, and where a scenario says so. At the chosen one the scope is
// cancelled; of the operations one can be made to fail, at once or with the next wait. Everything
// else goes to the real backend.
// SPDX-License-Identifier: MIT
#pragma once

#include "tests/sweeps/errors.hpp"

#include <anel/detail/backend.hpp>
#include <anel/detail/cancel_scope.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace anel::test {
using namespace detail;

/// The one thing that happens to a run. 0: it does not.
struct plan {
    std::uint64_t cancel_at = 0;        ///< the point at which the body's scope is cancelled
    std::uint64_t fail_allocation = 0;  ///< the allocation that fails
    std::uint64_t fail_operation = 0;   ///< the operation that fails,
    std::size_t error = 0;              ///< with which of the errors it can have,
    bool late = false;                  ///< and whether a wait later; control calls fail at once
};

class probe {
public:
    explicit probe(const plan& what) noexcept : plan_(what) {}

    /// From now on points and operations count.
    void arm(cancel_scope& body) noexcept { body_ = &body; }
    void disarm() noexcept { body_ = nullptr; }

    /// A cancel can come here.
    void point() noexcept {
        if (!body_) return;
        points_ += 1;
        if (points_ != plan_.cancel_at) return;
        struck_ = true;
        body_->cancel();
    }

    /// The errno with which `op` is to fail; 0: it is not.
    int failure_of(const operation& op) noexcept {
        if (!body_) return 0;
        operations_ += 1;
        if (operations_ != plan_.fail_operation) return 0;
        const auto errors = errors_of(op.code);
        if (plan_.error >= errors.size() || (plan_.late && finishes_inline(op.code))) return 0;
        struck_ = true;
        failed_ = op.code;
        return error_ = errors[plan_.error];
    }

    [[nodiscard]] const plan& what() const noexcept { return plan_; }
    [[nodiscard]] std::uint64_t points() const noexcept { return points_; }
    [[nodiscard]] std::uint64_t operations() const noexcept { return operations_; }
    /// Whether what was planned took place.
    [[nodiscard]] bool struck() const noexcept { return struck_; }
    [[nodiscard]] opcode failed() const noexcept { return failed_; }
    [[nodiscard]] int error() const noexcept { return error_; }

private:
    plan plan_;
    cancel_scope* body_ = nullptr;
    std::uint64_t points_ = 0;
    std::uint64_t operations_ = 0;
    bool struck_ = false;
    opcode failed_{};
    int error_ = 0;
};

class probing_backend final : public backend {
public:
    probing_backend(std::unique_ptr<backend> inner, probe& control) noexcept
        : inner_(std::move(inner)), control_(control) {}

    // Between a control call and its result nobody else can run.
    std::int32_t control(operation& op) noexcept override {
        const int error = control_.failure_of(op);
        if (error == 0) return inner_->control(op);
        // close(2): the descriptor is gone whatever it says.
        if (op.code == opcode::close) (void)inner_->control(op);
        return -error;
    }

    bool start(operation& op) noexcept override {
        if (const int error = control_.failure_of(op)) return fail(op, error);
        const bool waits = inner_->start(op);
        control_.point();
        return waits;
    }

    bool start_helper(operation& op) noexcept override {
        if (const int error = control_.failure_of(op)) return fail(op, error);
        const bool waits = inner_->start_helper(op);
        control_.point();
        return waits;
    }

    void stop(operation& op) noexcept override {
        if (&op != held_) inner_->stop(op);  // that one has failed already, and comes back
    }

    void wait(time_point until, op_queue& done) noexcept override {
        control_.point();
        // A cancel may have made something ready, and then nothing sleeps.
        if (held_ || !done.empty()) until = time_point::min();
        inner_->wait(until, done);
        if (held_) finished(*std::exchange(held_, nullptr), done);
        control_.point();
    }

    void wake() noexcept override { inner_->wake(); }
    void settle() noexcept override { inner_->settle(); }
    void give_back(const void* memory) noexcept override { inner_->give_back(memory); }
    [[nodiscard]] time_point now() const noexcept override { return inner_->now(); }
    [[nodiscard]] backend_kind kind() const noexcept override { return inner_->kind(); }

    [[nodiscard]] const backend& inner() const noexcept { return *inner_; }

private:
    bool fail(operation& op, int error) noexcept {
        if (!control_.what().late) return finished_inline(op, -error);
        started(op);
        op.result = -error;
        held_ = &op;
        return true;
    }

    std::unique_ptr<backend> inner_;
    probe& control_;
    operation* held_ = nullptr;  // failed, and not told yet
};

}  // namespace anel::test

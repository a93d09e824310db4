// sweep.hpp: runs a scenario again and again, and each time something else goes wrong.
//
// Three sweeps over the same body: it is cancelled at every point, every allocation fails, and
// every operation fails with each error that it can have. After each run: the body has ended, what
// was submitted has come back once, the process has the descriptors and the memory it had before,
// and the scenario's own books are right: no byte, connection or permit lost or doubled.
//
// docs/cancel_safety.md has a row per scenario.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/core/root_task.hpp"
#include "tests/support/streams.hpp"
#include "tests/sweeps/allocations.hpp"
#include "tests/sweeps/probe.hpp"

#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>

namespace anel::test {
using namespace detail;

/// How a run ended.
struct report {
    bool completed = false;    ///< the body came to its end
    bool struck = false;       ///< what was planned took place
    std::exception_ptr error;  ///< what the body threw, if not task_cancelled
    opcode failed{};           ///< the operation that was made to fail,
    int failure = 0;           ///< and its errno
    std::uint64_t points = 0;
    std::uint64_t operations = 0;
};

/// Base of all scenarios. They look like one; what they do not need they leave as it is.
/// A body expects nothing: only check() does, when nothing goes wrong any more.
struct scenario {
    explicit scenario(probe& control) noexcept : control_(control) {}
    scenario(const scenario&) = delete;
    scenario& operator=(const scenario&) = delete;

    task<> set_up() { co_return; }
    /// Runs beside the body, as the world outside: begins before it, and is cancelled when it has
    /// ended. Allocates nothing on the way if it can: that would fail as well.
    task<> beside() { co_return; }
    task<> check(const report&) { co_return; }
    /// Whether the body, or the library, goes on when `code` fails with `error`, or makes another
    /// error of it.
    static bool handles(opcode, int) { return false; }
    /// Whether a failed allocation may be told as `error`. EAGAIN: none for a helper thread.
    static bool tells_lack_of_memory(std::error_code error) {
        return error == code(ENOMEM) || error == code(EAGAIN);
    }

protected:
    /// A point of the scenario's own.
    void point() noexcept { control_.point(); }

private:
    probe& control_;
};

namespace detail {

template <class Scenario>
task<> stage(probe& control, report& said) {
    Scenario play(control);
    co_await play.set_up();
    try {
        co_await with_task_group([&](task_group& outer) -> task<> {
            outer.spawn([](Scenario& all) { return all.beside(); }, std::ref(play));
            co_await yield();
            co_await with_task_group([&](task_group& inner) -> task<> {
                control.arm(inner.scope());
                fail_allocation(control.what().fail_allocation);
                control.point();
                co_await play.body();
                said.completed = true;
            });
            outer.cancel();
        });
    } catch (...) {
        said.error = std::current_exception();
    }
    control.disarm();
    const bool allocation_failed = stop_failing_allocations();
    said.struck = control.struck() || allocation_failed;
    said.failed = control.failed();
    said.failure = control.error();
    said.points = control.points();
    said.operations = control.operations();
    co_await play.check(said);
}

/// Runs `work` in `turning`; run() would make a backend of its own.
inline void run_in(loop& turning, task<> work) {
    const root_task first(turning, std::move(work));
    turning.run_until(first.ended());
    if (first.error()) std::rethrow_exception(first.error());
}

/// Whether `error` is what a failed allocation may become.
template <class Scenario>
bool is_lack_of_memory(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::bad_alloc&) {
        return true;
    } catch (const io_error& failed) {
        return Scenario::tells_lack_of_memory(failed.code());
    } catch (...) {
        return false;
    }
}

inline void expect_names_the_failure(const report& said) {
    try {
        std::rethrow_exception(said.error);
    } catch (const io_error& failed) {
        EXPECT_EQ(failed.code(), code(said.failure)) << failed.what();
        EXPECT_TRUE(names(failed.what(), said.failed)) << failed.what();
    } catch (...) {
        ADD_FAILURE() << "not an io_error";
    }
}

}  // namespace detail

/// The fixture of every sweep; see ANEL_SWEEP.
template <class Scenario>
class sweep : public over_backends {
protected:
    /// Cancels the body at its first, second … point, until it ends before the cancel.
    void cancel_at_every_point() {
        const report whole = run_once({});
        report last;
        std::uint64_t at = 0;
        std::uint64_t cancelled = 0;
        // The number of waits may differ from run to run; two more than the first had are enough.
        while (last.struck || at < whole.points + 2) {
            plan what;
            what.cancel_at = ++at;
            last = run_once(what);
            cancelled += last.struck;
            if (!last.struck) {
                EXPECT_TRUE(last.completed);
            }
            EXPECT_FALSE(last.error) << "a cancel is not an error; " << text_of(last);
            if (stop(last, at)) return;
        }
        tell("points", cancelled);
    }

    void fail_at_every_allocation() {
        run_once({});
        report last;
        last.struck = true;
        std::uint64_t at = 0;
        while (last.struck) {
            plan what;
            what.fail_allocation = ++at;
            last = run_once(what);
            EXPECT_TRUE(last.completed || last.error);
            if (last.error) {
                EXPECT_TRUE(last.struck);
                EXPECT_TRUE(detail::is_lack_of_memory<Scenario>(last.error)) << text_of(last);
            }
            if (stop(last, at)) return;
        }
        tell("allocations", at - 1);
    }

    void fail_at_every_operation() {
        const report whole = run_once({});
        std::uint64_t failures = 0;
        for (plan what{.fail_operation = 1}; what.fail_operation <= whole.operations;) {
            report last = run_once(what);
            failures += last.struck;
            const bool untold = last.failed == opcode::close;  // there is nothing to be done
            if (last.struck && !untold && !Scenario::handles(last.failed, last.failure)) {
                EXPECT_TRUE(last.error) << "nobody was told";
                if (last.error) detail::expect_names_the_failure(last);
            }
            EXPECT_TRUE(last.completed || last.error);
            if (stop(last, what.fail_operation)) return;
            if (last.struck) {
                what.error += 1;
            } else {  // it has no such error: late ones next, and then the next operation
                what.error = 0;
                what.fail_operation += what.late;
                what.late = !what.late;
            }
        }
        tell("failures", failures);
    }

private:
    report run_once(const plan& what) {
        memory_ = allocations_alive();
        const testing::ScopedTrace trace(
            __FILE__, __LINE__,
            testing::Message() << "cancelled at " << what.cancel_at << ", allocation "
                               << what.fail_allocation << " fails, operation "
                               << what.fail_operation << " fails with its error " << what.error
                               << (what.late ? " after a wait" : " at once"));
        ::alarm(50 * static_cast<unsigned>(slowness()));
        runs_ += 1;
        report said;
        const std::size_t descriptors = count_descriptors();
        {
            backend_options small;
            small.kind = GetParam();
            small.submission_entries = 8;
            small.completion_entries = 16;
            probe control(what);
            auto probing = std::make_unique<probing_backend>(make_backend(small), control);
            const probing_backend& watched = *probing;
            loop turning(std::move(probing));
            detail::run_in(turning, detail::stage<Scenario>(control, said));
            EXPECT_EQ(watched.in_flight(), 0U);
            EXPECT_EQ(watched.inner().in_flight(), 0U);
            EXPECT_EQ(watched.inner().counters().operations,
                      watched.inner().counters().completions);
        }
        EXPECT_EQ(count_descriptors(), descriptors) << "descriptors leaked";
        return said;
    }

    static std::string text_of(const report& said) {
        if (!said.error) return "no error";
        try {
            std::rethrow_exception(said.error);
        } catch (const std::exception& error) {
            return error.what();
        } catch (...) {
            return "not a std::exception";
        }
    }

    /// Looks at the memory once the error has gone. One failure is enough, and a sweep must end.
    bool stop(report& last, std::uint64_t steps) {
        last.error = nullptr;
        EXPECT_EQ(allocations_alive(), memory_) << "memory leaked in step " << steps;
        EXPECT_LT(steps, 5000U) << "the sweep does not end";
        return testing::Test::HasFailure();
    }

    void tell(const char* what, std::uint64_t count) {
        RecordProperty(what, std::to_string(count));
        RecordProperty("runs", std::to_string(runs_));
    }

    std::uint64_t runs_ = 0;
    std::int64_t memory_ = 0;  // before the run
};

#ifdef ANEL_THREAD_SANITIZER
#define ANEL_ALLOCATION_SWEEP(suite)
#else
#define ANEL_ALLOCATION_SWEEP(suite)                                                               \
    TEST_P(suite, survives_a_failure_of_every_allocation) { fail_at_every_allocation(); }
#endif

/// Sweeps over `scenario`, as `scenario_sweep`.
#define ANEL_SWEEP(scenario)                                                                       \
    using scenario##_sweep = sweep<scenario>;                                                      \
    TEST_P(scenario##_sweep, survives_a_cancel_at_every_point) { cancel_at_every_point(); }        \
    TEST_P(scenario##_sweep, survives_each_error_of_every_operation) {                             \
        fail_at_every_operation();                                                                 \
    }                                                                                              \
    ANEL_ALLOCATION_SWEEP(scenario##_sweep)                                                        \
    ANEL_OVER_KERNELS(scenario##_sweep)

}  // namespace anel::test

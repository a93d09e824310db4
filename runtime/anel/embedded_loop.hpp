// embedded_loop.hpp: a loop that is a guest in another one: glib's, Qt's, one around poll(2).
//
//     embedded_loop guest(serve_clients());
//     while (!guest.finished()) {
//         pollfd wanted{guest.descriptor(), POLLIN, 0};
//         poll(&wanted, 1, milliseconds(guest.time_left()));  // with the host's own descriptors
//         guest.step();
//     }
//
// The host waits; step() never does. Between two steps the host may set an event or send into a
// channel of its guest, and must look at time_left() again after it.
//
// Knows: how a task is run to its end. Must not know: which loop is the host.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/run.hpp>

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace anel {
namespace detail {

class root_run;

/// What does not depend on the task's result.
class embedded {
public:
    embedded(const embedded&) = delete;
    embedded& operator=(const embedded&) = delete;

    /// What the host polls for reading: when it can be read, a step is due. It stays the same.
    [[nodiscard]] int descriptor() const noexcept;
    /// When a step is due although the descriptor cannot be read; min(): at once; never: not at
    /// all. A time of CLOCK_MONOTONIC. After every step, and after what the host did to its guest,
    /// it may be another.
    [[nodiscard]] time_point deadline() const noexcept;
    /// From now until deadline(): zero when that is over, duration::max() when it does not come.
    [[nodiscard]] duration time_left() const noexcept;

    /// Takes what has arrived, runs what is ready, and hands over to the kernel what that began. It
    /// never sleeps, and goes on for half a millisecond, or as long as one task takes that does not
    /// give way. A step that was not due is of no harm.
    /// Errors  std::bad_alloc; what tasks throw comes from result().
    /// Thread  the one that made the object, for all of its functions.
    /// Cost    one system call with io_uring when something was begun, one or two when something
    ///         came; two with epoll.
    void step();

    /// Whether the task has ended. Then a step does nothing, and deadline() is never.
    [[nodiscard]] bool finished() const noexcept;
    /// Cancels the task, which still needs steps to end.
    void cancel() noexcept;

protected:
    embedded(task<> root, const run_options& options, version_here);
    ~embedded();
    /// Cancels the task, and turns until it has ended.
    void end() noexcept;
    int conclude();

private:
    std::unique_ptr<root_run> run_;
};

}  // namespace detail

/// Runs a task, as run() does, in steps that a host makes in its own loop.
///
/// The options are those of run(). Where the host handles SIGINT and SIGTERM itself, turn `signals`
/// off. `spin` does nothing here, and a deadlock is not noticed: the host may be what ends it.
/// Its destructor cancels the task and turns the loop until it has ended, however long that takes:
/// a serve() drains first. Then what the task throws is lost; see result().
/// Errors   what run() throws before its task begins; EOPNOTSUPP with poll(2), which has nothing
///          that a host could wait for: io_uring or epoll is needed.
/// Lifetime what the task lends is back, and what it opened is closed, when this is gone.
template <class T = void>
class embedded_loop : public detail::embedded {
public:
    /// Begins with the first step(). Errors: those named above.
    explicit embedded_loop(task<T> root, const run_options& options = {})
        : embedded(kept(std::move(root), result_), options, {}),
          signal_exit_code_(options.signal_exit_code) {}
    ~embedded_loop() { end(); }

    /// What run() would return. To be called once, when finished(), which is asserted.
    /// Errors  what run() throws at its end.
    std::conditional_t<std::is_void_v<T>, int, T> result() {
        const int signal = conclude();
        const int code = signal != 0 && signal_exit_code_ ? 128 + signal : 0;
        if constexpr (std::is_void_v<T>) {
            return code;
        } else {
            if constexpr (std::is_same_v<T, int>) return result_.value_or(code);
            if (!result_) throw task_cancelled{};
            return static_cast<T&&>(*result_);
        }
    }

private:
    using kept_result = std::optional<detail::kept_t<T>>;
    static task<> kept(task<T> root, kept_result& into) {
        if constexpr (std::is_void_v<T>) return root;
        else return detail::keep_result(std::move(root), into);
    }

    kept_result result_;  // the task writes to it at its end: end() comes before
    bool signal_exit_code_;
};

}  // namespace anel

// backend.hpp: the seam between the loop and whatever does the waiting.
//
// A backend turns operations into results. It knows nothing of coroutines, and nothing above it
// knows which one it is. The contract, asserted in Release too:
//
//  1. Every operation in flight is pushed to `done` exactly once, and only when *all* completions
//     it owes (its own, its cancel's, a zero-copy send's notices) have been seen: its address may
//     be reused the moment after.
//  2. From submit to done the operation does not move and its memory stays.
//  3. `cancel` is a request and resumes nobody: the operation still arrives once. A result that
//     already happened wins over the cancel. A cancel is queued when there is no room, never
//     dropped.
//  4. Control calls (finishes_inline) are done when submit returns; a close may be put off, if it
//     says so (op_flag::deferred). close() of a descriptor comes after everything in flight on it
//     has arrived.
//  5. At most one operation per descriptor and direction is in flight, besides polls. A recv after
//     a recv_chunk on the same descriptor says so (op_flag::after_lent).
//  6. `wait` returns after the first completion, at `until`, or after `wake`; it never sleeps while
//     something is done.
//  7. A backend never resumes a coroutine.
//
// Must not know: frames, tasks, scopes; endpoints and streams.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/backend.hpp>
#include <anel/detail/operation.hpp>
#include <anel/time.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace anel::detail {

class chunk_pool;

/// The abstract backend. One thread uses it, its maker; only wake() may be called from any thread.
class backend {
public:
    backend() noexcept;
    backend(const backend&) = delete;
    backend& operator=(const backend&) = delete;
    virtual ~backend();

    /// Starts `op`, which must be idle. Returns true: in flight; false: already done.
    bool submit(operation& op) noexcept;
    /// Asks `op`, which must be in flight, to end soon. Asking twice is asking once.
    void cancel(operation& op) noexcept;
    /// Hands over what was submitted and pushes what is done. `until` in the past: does not sleep.
    virtual void wait(time_point until, op_queue& done) noexcept = 0;
    /// Makes the current or the next wait() return. Thread: any.
    virtual void wake() noexcept = 0;
    [[nodiscard]] virtual time_point now() const noexcept = 0;

    /// From now on `account` is charged for the calls for operations that are made on this thread:
    /// `call_cost` for each, however it ended, and 1 for each KiB that it moved. The loop takes it
    /// off a turn's share, so it should be roughly in proportion to the time that they take.
    void charge(std::uint32_t& account) noexcept { account_ = &account; }
    static constexpr std::uint32_t call_cost = 16;
    static constexpr std::size_t bytes_per_cost = 1024;

    /// Does what was put off. The backend does it by itself before a call of its own that could
    /// tell; this is for calls that it does not see.
    virtual void settle() noexcept {}

    /// Takes back the memory that a recv_chunk lent. `memory`: any byte of it.
    virtual void give_back(const void* memory) noexcept;

    // For a loop that is a guest in another one, which waits in its place.

    /// What can be read once wait() has something to hand over; -1: there is no such descriptor.
    [[nodiscard]] virtual int pollable_descriptor() const noexcept { return -1; }
    /// When wait() is due although that cannot be read; min(): at once. Thread: the backend's.
    [[nodiscard]] virtual time_point due() noexcept { return never; }

    [[nodiscard]] virtual backend_kind kind() const noexcept = 0;

    /// Why this backend runs and not a better one; empty when it was the first choice.
    [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
    void set_reason(std::string text) noexcept { reason_ = std::move(text); }

    [[nodiscard]] const backend_counters& counters() const noexcept { return counters_; }
    [[nodiscard]] std::uint64_t in_flight() const noexcept { return in_flight_; }

    // What submit() and cancel() leave to each backend; only one that wraps another calls it.

    /// Performs a control call. Returns its result.
    virtual std::int32_t control(operation& op) noexcept = 0;
    /// Starts what works on a descriptor, and has something to move. Returns as submit() does.
    virtual bool start(operation& op) noexcept = 0;
    /// Starts what runs on a helper thread. Returns as submit() does.
    virtual bool start_helper(operation& op) noexcept = 0;
    /// Has `op` end soon; called once in its flight.
    virtual void stop(operation& op) noexcept = 0;

protected:
    /// The two ends of an operation's flight, the same for every backend.
    void started(operation& op) noexcept;
    void finished(operation& op, op_queue& done) noexcept;
    /// The same for all of `ended`.
    void finished(op_queue& ended, op_queue& done) noexcept;
    /// For an operation that is done inside submit(). Returns false, submit's answer.
    bool finished_inline(operation& op, std::int32_t result) noexcept;

    /// For the account and the counters.
    void made_calls(std::uint32_t calls, std::size_t bytes = 0) noexcept {
        counters_.calls += calls;
        counters_.bytes += bytes;
        *account_ += calls * call_cost + static_cast<std::uint32_t>(bytes / bytes_per_cost);
    }
    /// For the account alone: the call is made later.
    void owes_call() noexcept { *account_ += call_cost; }
    [[nodiscard]] std::uint32_t charged() const noexcept { return *account_; }

    /// What recv_chunk lends; made on first use. Errors: std::bad_alloc.
    chunk_pool& chunks();

    backend_counters counters_;

private:
    counter in_flight_;
    std::uint32_t charged_to_nobody_ = 0;
    std::uint32_t* account_ = &charged_to_nobody_;
    std::unique_ptr<chunk_pool> chunks_;
    std::string reason_;
};

/// Whether somebody else's loop will poll the backend's descriptor in place of wait().
enum class has_host : bool { no, yes };

/// Makes the backend that `options` asks for; `automatic` first looks at ANEL_BACKEND.
/// Errors  std::invalid_argument when ANEL_BACKEND is not one of auto, io_uring, epoll, poll;
///         io_error when the one asked for by name cannot start here, as `sim` never can.
std::unique_ptr<backend> make_backend(const backend_options& options = {},
                                      has_host hosted = has_host::no);

/// A control call on a descriptor of the system that no loop knows: close, give_up and remove_path.
/// Returns >= 0 or -errno; loop_has_ended for any other. Thread: any.
std::int32_t control_without_loop(operation& op) noexcept;

}  // namespace anel::detail

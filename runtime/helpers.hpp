// helpers.hpp: threads for what can only block: getaddrinfo, and offload().
//
// An operation goes to a helper thread and comes back through collect() on the loop's thread. At
// most `threads_max` threads at work, started when needed; at most `queued_max` calls waiting.
//
// A call that runs cannot be cut short. offload() is waited for, because it may use its caller's
// variables. A name lookup owns all it uses, so a cancelled one is left behind at once and its late
// answer thrown away; only such a thread may outlive the object.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/backend.hpp>

#include <memory>

namespace anel {

class helper_threads {
public:
    static constexpr std::size_t threads_max = 4;
    /// With those that sit in lookups nobody waits for any more; each of them is replaced.
    static constexpr std::size_t threads_at_all_max = 16;
    static constexpr std::size_t queued_max = 256;

    explicit helper_threads(backend& waiter) noexcept;
    helper_threads(const helper_threads&) = delete;
    helper_threads& operator=(const helper_threads&) = delete;
    ~helper_threads();

    /// Takes a `call` or `resolve`. Returns 0, or -errno when it cannot be queued.
    std::int32_t start(operation& op) noexcept;
    /// Makes `op` come back soon, if it can be; in any case it comes back once.
    void cancel(operation& op) noexcept;
    /// Moves what has come back to `ended`, with results.
    void collect(op_queue& ended) noexcept;

private:
    struct shared;
    void add_thread_if_needed() noexcept;

    backend& waiter_;
    std::shared_ptr<shared> shared_;  // made at the first start()
};

}  // namespace anel

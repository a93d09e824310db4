// helpers.hpp: threads for what can only block: getaddrinfo, files, and offload().
//
// An operation goes to a helper thread and comes back through collect() on the loop's thread. Each
// kind of call has a crew of its own, so that slow name servers or a program's own slow calls hold
// up nothing else: at most so many threads at work, started when needed, and `queued_max` calls
// waiting.
//
// A call that runs cannot be cut short; it can be asked to end. offload() is waited for, because it
// may use its caller's variables. A name lookup owns all it uses, so a cancelled one is left behind
// at once and its late answer thrown away; only such a thread may outlive the object.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/backend.hpp>

#include <cstdint>
#include <memory>

namespace anel::detail {

/// The threads for one kind of call.
class helper_crew {
public:
    /// With those that sit in lookups nobody waits for any more; each of them is replaced.
    static constexpr std::size_t replacements_max = 12;
    static constexpr std::size_t queued_max = 256;

    helper_crew(backend& of, std::uint32_t threads) noexcept;
    helper_crew(const helper_crew&) = delete;
    helper_crew& operator=(const helper_crew&) = delete;
    ~helper_crew();

    std::int32_t start(operation& op) noexcept;
    void stop(operation& op) noexcept;
    std::size_t collect(op_queue& ended) noexcept;

private:
    struct shared;
    void add_thread_if_needed() noexcept;
    bool unqueue_or_leave(operation& op) noexcept;

    backend& backend_;
    std::size_t threads_max_;
    std::shared_ptr<shared> shared_;  // made at the first start()
};

class helper_threads {
public:
    helper_threads(backend& of, std::uint32_t threads_of_each_kind) noexcept
        : calls_(of, threads_of_each_kind),
          disks_(of, threads_of_each_kind),
          names_(of, threads_of_each_kind) {}

    /// Takes a `call` or `resolve`. Returns 0, or -errno when it cannot be queued.
    std::int32_t start(operation& op) noexcept { return crew_of(op).start(op); }
    /// Makes `op` come back soon, if it can be; in any case it comes back once.
    void stop(operation& op) noexcept { crew_of(op).stop(op); }
    /// Moves what has come back to `ended`, with results. Returns how many.
    std::size_t collect(op_queue& ended) noexcept {
        return calls_.collect(ended) + disks_.collect(ended) + names_.collect(ended);
    }

private:
    helper_crew& crew_of(const operation& op) noexcept {
        if (op.code == opcode::resolve) return names_;
        return static_cast<const helper_call*>(op.data)->waits_for_disk ? disks_ : calls_;
    }

    helper_crew calls_;
    helper_crew disks_;
    helper_crew names_;
};

}  // namespace anel::detail

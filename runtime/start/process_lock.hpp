// process_lock.hpp: a lock that a child of fork() may take over.
// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <atomic>
#include <thread>

namespace anel::detail {

/// Holds `holder`, which is 0 or the process whose thread has it. What a thread of the parent held
/// at fork() is taken over: that thread does not exist here. Whoever waits asks again and again.
class process_lock {
public:
    explicit process_lock(std::atomic<int>& holder) noexcept : holder_(holder) {
        const int self = ::getpid();
        int found = 0;
        while (!holder_.compare_exchange_weak(found, self)) {
            if (found != self) continue;
            std::this_thread::yield();  // a sleep would not end while signals pour in
            found = 0;
        }
    }
    process_lock(const process_lock&) = delete;
    process_lock& operator=(const process_lock&) = delete;
    ~process_lock() { holder_.store(0); }

private:
    std::atomic<int>& holder_;
};

}  // namespace anel::detail

// joining_thread.hpp: a thread that is joined at the end of its scope. libc++ has std::jthread only
// from LLVM 20 on.
// SPDX-License-Identifier: MIT
#pragma once

#include <thread>

namespace anel::test {

class joining_thread : public std::thread {
public:
    using std::thread::thread;
    joining_thread(joining_thread&&) = default;
    joining_thread& operator=(joining_thread&&) = delete;
    ~joining_thread() {
        if (joinable()) join();
    }
};

}  // namespace anel::test

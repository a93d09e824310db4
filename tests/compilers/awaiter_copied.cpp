// awaiter_copied.cpp: of an operand of co_await that is a call or a subscript yielding a reference,
// a copy is awaited; a name or a member is awaited itself.
// SPDX-License-Identifier: MIT
#include "canary.hpp"

struct op {
    bool awaited = false;
    bool await_ready() { return true; }
    void await_suspend(std::coroutine_handle<>) {}
    int await_resume() {
        awaited = true;
        return 0;
    }
};
struct owner {
    op inner;
    op& get() { return inner; }
};

task from_call() {
    owner o;
    co_await o.get();
    co_return o.inner.awaited;
}
task from_subscript() {
    op ops[1];
    co_await ops[0];
    co_return ops[0].awaited;
}

task name() {
    op o;
    op& same = o;
    co_await same;
    co_return o.awaited;
}
task member() {
    owner o;
    co_await o.inner;
    co_return o.inner.awaited;
}

int main() {
    trap("co_await o.get()", from_call, 1);
    trap("co_await ops[0]", from_subscript, 1);
    safe("co_await name", name, 1);
    safe("co_await o.member", member, 1);
    return verdict;
}

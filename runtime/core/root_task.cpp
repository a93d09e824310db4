// root_task.cpp: the coroutine at the bottom, whose end is seen from outside.
// SPDX-License-Identifier: MIT
#include "runtime/core/root_task.hpp"

#if __has_include("anel_gdb_script.hpp")
#include "anel_gdb_script.hpp"  // in the program's debug information: commands for gdb
#endif

namespace anel::detail {

/// What the outermost task returns to: not a coroutine of the library, so that its end is seen.
struct root_task::outermost {
    struct promise_type : frame {
        bool ended = false;
        std::exception_ptr error;

        outermost get_return_object() noexcept { return outermost{this}; }
        static std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept {
            ended = true;
            return {};
        }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { error = std::current_exception(); }
        template <class A>
        auto await_transform(A&& inner) noexcept {
            return adapted<std::remove_reference_t<A>>(inner);
        }
    };
    promise_type* promise;
};

root_task::outermost root_task::await_in_loop(task<> work) { co_await work; }

root_task::root_task(loop& owner, task<> work) {
    outermost::promise_type& first = *await_in_loop(std::move(work)).promise;
    promise_ = &first;
    scope_.open(owner);
    scope_.set_task(owner.number_task());
    owner.list(&scope_);
    first.scope = &scope_;
    scope_.turn.waiter = &first;
    owner.ready(scope_.turn);
}

root_task::~root_task() {
    auto& first = *static_cast<outermost::promise_type*>(promise_);
    ANEL_ASSERT(first.ended);
    if (scope_.owner().listed() == &scope_) scope_.owner().list(nullptr);
    std::coroutine_handle<outermost::promise_type>::from_promise(first).destroy();
}

const bool& root_task::ended() const noexcept {
    return static_cast<outermost::promise_type*>(promise_)->ended;
}

std::exception_ptr root_task::error() const noexcept {
    return static_cast<outermost::promise_type*>(promise_)->error;
}

}  // namespace anel::detail

// task_group.hpp: the only way to start work beside oneself, and the proof that it ends.
//
// with_task_group runs a body with a group; tasks spawned into the group run beside the body, and
// co_await with_task_group(...) ends only when the body and all of them have ended. The first error
// cancels the others, waits for them, and is rethrown. There is no detach.
//
// Knows: scopes, frames, the ready queue. Must not know: operations.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/task.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace anel {

class task_group;

namespace detail {

/// What a call gives, when it can be made and gives a task; else the compiler says what is wrong.
template <class Function, class... Arguments>
consteval bool may_be_spawned() {
    constexpr bool fits = std::is_invocable_v<Function&, Arguments&&...>;
    if constexpr (!fits && std::is_invocable_v<Function&, Arguments&...>) {
        static_assert(
            fits, "anel: a parameter of the spawned function is a reference, and spawn() copies "
                  "its arguments. Pass std::ref(x) for an x that outlives the group.");
    } else if constexpr (!fits) {
        static_assert(fits, "anel: the spawned function does not take these arguments.");
    } else {
        static_assert(
            awaitable<std::invoke_result_t<Function&, Arguments&&...>>,
            "anel: spawn() takes a coroutine: a function that returns a task, or a lambda "
            "with `-> task<>`.");
    }
    return true;
}

/// The same for the body of with_task_group.
template <class Body>
consteval bool is_group_body() {
    constexpr bool fits = std::is_invocable_v<Body&, task_group&>;
    static_assert(fits, "anel: the body of with_task_group takes a task_group&.");
    if constexpr (fits) {
        static_assert(awaitable<std::invoke_result_t<Body&, task_group&>>,
                      "anel: the body of with_task_group is a coroutine that returns a task: write "
                      "`[&](task_group& group) -> task<> {`.");
    }
    return true;
}

template <class Body, bool = is_group_body<Body>()>
struct group_result {
    using type = std::invoke_result_t<Body&, task_group&>;
};

/// Promise of a spawned child: a root of awaits with a scope of its own.
class spawned : public frame {
public:
    struct handle_type {
        using promise_type = spawned;
        spawned* child;
    };

    spawned() noexcept = default;
    handle_type get_return_object() noexcept { return handle_type{this}; }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    struct final_awaiter {
        static bool await_ready() noexcept { return false; }
        static void await_suspend(std::coroutine_handle<spawned> ended) noexcept {
            spawned& self = ended.promise();
            self.own_.owner().retire(self);
        }
        static void await_resume() noexcept {}
    };
    static final_awaiter final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept;

    template <class A>
    auto await_transform(A&& inner) noexcept {
        return adapted<std::remove_reference_t<A>>(inner);
    }

private:
    friend anel::task_group;
    friend loop;
    cancel_scope own_;
    task_group* group_ = nullptr;
};

}  // namespace detail

/// Tasks that run beside each other and end together. Made by with_task_group and serve.
class task_group {
public:
    task_group(detail::cancel_scope& parent, detail::cancel_scope::shield shielded) noexcept {
        scope_.open(parent, shielded, detail::cancel_scope::role::group);
    }
    task_group(const task_group&) = delete;
    task_group& operator=(const task_group&) = delete;
    ~task_group() { ANEL_ASSERT(live_ == 0); }

    /// Starts `function(arguments…)`, which must return a task, beside the caller. It takes its
    /// first step after the caller's next wait. Function and arguments are copied or moved into the
    /// child's frame and live as long as it; use std::ref for what outlives the group.
    /// Errors   std::bad_alloc. What the child throws cancels the group and is rethrown by
    ///          with_task_group.
    template <class Function, class... Arguments>
    void spawn(Function&& function, Arguments&&... arguments) {
        using stored = std::decay_t<Function>;
        if constexpr (awaitable<stored>) {
            static_assert(!awaitable<stored>,
                          "anel: spawn() takes a function and its arguments, not the task that a "
                          "call gave: write group.spawn(f, x), not group.spawn(f(x)). The child "
                          "then owns the arguments; those of a task made before may be gone.");
        } else {
            static_assert(
                std::is_lvalue_reference_v<Function> || std::is_empty_v<stored> ||
                    !std::is_class_v<stored>,
                "anel: spawn() of a temporary lambda with captures. The child may outlive what "
                "it captured. Pass the values as arguments: group.spawn(function, values...).");
            static_assert(detail::may_be_spawned<stored, std::decay_t<Arguments>...>());
            static_assert((std::is_constructible_v<std::decay_t<Arguments>, Arguments> && ...),
                          "anel: an argument of spawn() cannot be copied: write std::move(x).");
            // One closure: g++ 14 crashes on some functions among the parameters of a coroutine.
            adopt(run(
                [what = stored(std::forward<Function>(function)),
                 ... with = std::decay_t<Arguments>(std::forward<Arguments>(arguments))]() mutable {
                    return std::invoke(what, std::move(with)...);
                }));
        }
    }

    /// The same, with a name for task listings, which must outlive the child: a literal, say.
    template <class Function, class... Arguments>
    void spawn_named(const char* name, Function&& function, Arguments&&... arguments) {
        spawn(std::forward<Function>(function), std::forward<Arguments>(arguments)...);
        scope_.owner().note_name(*scope_.first_child(), name);  // the newest is linked first
    }

    /// Asks the body and every child to end. Returns at once.
    void cancel() noexcept { scope_.cancel(); }
    [[nodiscard]] std::size_t size() const noexcept { return live_; }  ///< children still alive

    // For with_task_group and its like.
    /// Starts a coroutine that was written as a child.
    void adopt(detail::spawned::handle_type child) noexcept;
    [[nodiscard]] detail::cancel_scope& scope() noexcept { return scope_; }  ///< of the children
    void fail(std::exception_ptr error) noexcept;  ///< notes what the body threw, and cancels
    /// Throws the first error; or task_cancelled when a cancel from outside cut something short.
    void rethrow() const {
        rethrow_error();
        if (cut_short_ && scope_.parent()->cancelled()) throw task_cancelled{};
    }
    /// Throws the first error, if there was one.
    void rethrow_error() const {
        if (first_error_) std::rethrow_exception(first_error_);
    }

    class join_wait : public detail::suspension {
    public:
        explicit join_wait(task_group& group) noexcept : group_(group) {}
        bool start(detail::cancel_scope& scope, detail::frame& caller) noexcept;
        void finish() noexcept;

    private:
        friend class task_group;
        task_group& group_;
        bool suspended_ = false;
    };
    /// Waits until no child is left; a cancel does not shorten it.
    [[nodiscard("co_await it")]] join_wait join() noexcept { return join_wait(*this); }

private:
    friend class detail::loop;

    template <class Call>
    static detail::spawned::handle_type run(Call call) {
        co_await call();
    }
    void child_ended() noexcept;

    detail::cancel_scope scope_;
    std::size_t live_ = 0;
    join_wait* joiner_ = nullptr;
    std::exception_ptr first_error_;
    bool cut_short_ = false;  // the body or a child ended by task_cancelled
};

namespace detail {

/// Runs an awaitable in a scope other than that of the coroutine that awaits it.
template <awaitable A>
class in_scope {
public:
    in_scope(cancel_scope& scope, A inner) : scope_(scope), inner_(std::move(inner)) {}
    bool start(cancel_scope&, frame& caller) { return inner_.start(scope_, caller); }
    decltype(auto) finish() { return inner_.finish(); }

private:
    cancel_scope& scope_;
    A inner_;
};

}  // namespace detail

/// Runs `body(group)`, a task, and then waits for everything spawned into the group.
/// Returns  what the body returns.
/// Errors   the first error of the body or a child, after all others were cancelled and have ended.
///          After group.cancel() a group without a result ends normally; one whose body was cut
///          short before it had a result throws an io_error with ECANCELED.
template <class Body>
typename detail::group_result<Body>::type with_task_group(Body body) {
    static_assert(std::is_trivially_destructible_v<Body>,
                  "anel: the body of with_task_group must capture by reference ([&]), or only "
                  "values without a destructor: g++ 12 destroys other captures twice.");
    using result = typename std::invoke_result_t<Body&, task_group&>::value_type;

    detail::frame& self = co_await detail::this_frame();
    task_group group(*self.scope, detail::cancel_scope::shield::no);
    if constexpr (std::is_void_v<result>) {
        try {
            auto inside = detail::in_scope(group.scope(), body(group));
            co_await inside;
        } catch (...) {
            group.fail(std::current_exception());
        }
        co_await group.join();
        group.rethrow();
    } else {
        std::optional<detail::kept_t<result>> value;
        try {
            auto inside = detail::in_scope(group.scope(), body(group));
            value.emplace(co_await inside);
        } catch (...) {
            group.fail(std::current_exception());
        }
        co_await group.join();
        group.rethrow();
        if (!value) detail::throw_cut_short(*self.scope);
        co_return static_cast<result&&>(*value);
    }
}

}  // namespace anel

// when.hpp: when_all and when_any: several awaitables at the same time.
//
// Both are task groups: nothing goes on when they have ended, and the first error cancels the rest.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/error.hpp>
#include <anel/task_group.hpp>

#include <cerrno>
#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace anel {
namespace detail {

template <class A>
using value_of = kept_t<awaited_t<A>>;
template <class A>
using slot_of = std::optional<value_of<A>>;

template <class A>
using all_of_list_t =
    std::conditional_t<std::is_void_v<awaited_t<A>>, void, std::vector<value_of<A>>>;

template <awaitable A>
task<> await_into(A inner, slot_of<A>& slot) {
    if constexpr (std::is_void_v<awaited_t<A>>) {
        co_await inner;
        slot.emplace();
    } else {
        slot.emplace(co_await inner);
    }
}

template <awaitable A>
task<> await_and_cancel(A inner, slot_of<A>& slot, std::size_t index,
                        std::optional<std::size_t>& first, task_group& others) {
    co_await await_into(std::move(inner), slot);
    if (!first) first = index;
    others.cancel();
}

}  // namespace detail

/// What when_any gives. An awaitable that was cancelled too late has a value as well: nothing that
/// happened is thrown away.
template <class... T>
struct any_of {
    std::size_t first;                        ///< the one that ended first
    std::tuple<std::optional<T>...> results;  ///< void as std::monostate; see when_all()

    /// Made by when_any().
    any_of(std::size_t index, std::tuple<std::optional<T>...> values)
        : first(index), results(std::move(values)) {}
};

/// The same of a list.
template <class T>
struct any_of_list {
    std::size_t first;
    std::vector<std::optional<T>> results;

    /// Made by when_any().
    any_of_list(std::size_t index, std::vector<std::optional<T>> values)
        : first(index), results(std::move(values)) {}
};

/// Awaits all of `inner` at the same time.
/// Returns  a tuple of what they give; std::monostate for void, std::reference_wrapper for a
///          reference.
/// Errors   the first error of any, after the others were cancelled and have ended.
template <awaitable... A>
task<std::tuple<detail::value_of<A>...>> when_all(A... inner) {
    detail::frame& self = co_await detail::this_frame();
    task_group group(*self.scope, detail::cancel_scope::shield::no);
    std::tuple<detail::slot_of<A>...> slots;
    try {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (group.spawn(&detail::await_into<A>, std::move(inner), std::ref(std::get<I>(slots))),
             ...);
        }(std::index_sequence_for<A...>());
    } catch (...) {
        group.fail(std::current_exception());
    }
    co_await group.join();
    group.rethrow();
    bool whole = std::apply([](auto&... slot) { return (slot.has_value() && ...); }, slots);
    if (!whole) detail::throw_cut_short(*self.scope);
    co_return std::apply([](auto&... slot) { return std::tuple(std::move(*slot)...); }, slots);
}

/// Awaits `inner` at the same time until the first one ends; cancels the others and awaits them.
/// Returns  which one was first, and every result that happened.
/// Errors   the first error of any, after the others have ended; EINVAL when there is none.
template <awaitable... A>
task<any_of<detail::value_of<A>...>> when_any(A... inner) {
    detail::frame& self = co_await detail::this_frame();
    if constexpr (sizeof...(A) == 0) detail::throw_errno(EINVAL, "when_any", "of nothing");
    task_group group(*self.scope, detail::cancel_scope::shield::no);
    std::tuple<detail::slot_of<A>...> slots;
    std::optional<std::size_t> first;
    try {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (group.spawn(&detail::await_and_cancel<A>, std::move(inner),
                         std::ref(std::get<I>(slots)), I, std::ref(first), std::ref(group)),
             ...);
        }(std::index_sequence_for<A...>());
    } catch (...) {
        group.fail(std::current_exception());
    }
    co_await group.join();
    group.rethrow_error();
    // What happened is told, also in a scope cancelled since.
    if (!first) detail::throw_cut_short(*self.scope);
    co_return any_of<detail::value_of<A>...>(*first, std::move(slots));
}

/// Awaits all of a list that is made at run time, tasks say, at the same time.
/// Returns  what they give, in the order of the list; nothing when they give nothing. An empty list
///          is done at once.
/// Errors   the first error of any, after the others were cancelled and have ended.
template <awaitable A>
task<detail::all_of_list_t<A>> when_all(std::vector<A> inner) {
    detail::frame& self = co_await detail::this_frame();
    std::vector<detail::slot_of<A>> slots(inner.size());
    task_group group(*self.scope, detail::cancel_scope::shield::no);
    try {
        for (std::size_t i = 0; i < inner.size(); ++i) {
            group.spawn(&detail::await_into<A>, std::move(inner[i]), std::ref(slots[i]));
        }
    } catch (...) {
        group.fail(std::current_exception());
    }
    co_await group.join();
    group.rethrow();
    for (const auto& slot : slots) {
        if (!slot) detail::throw_cut_short(*self.scope);
    }
    if constexpr (!std::is_void_v<awaited_t<A>>) {
        detail::all_of_list_t<A> values;
        values.reserve(slots.size());
        for (auto& slot : slots) values.push_back(*std::move(slot));
        co_return values;
    }
}

/// Awaits a list at the same time until the first one ends; cancels the others and awaits them.
/// Returns  which one was first, and every result that happened.
/// Errors   the first error of any, after the others have ended; EINVAL for an empty list, of which
///          none would ever be first.
template <awaitable A>
task<any_of_list<detail::value_of<A>>> when_any(std::vector<A> inner) {
    if (inner.empty()) detail::throw_errno(EINVAL, "when_any", "(an empty list)");
    detail::frame& self = co_await detail::this_frame();
    std::vector<detail::slot_of<A>> slots(inner.size());
    std::optional<std::size_t> first;
    task_group group(*self.scope, detail::cancel_scope::shield::no);
    try {
        for (std::size_t i = 0; i < inner.size(); ++i) {
            group.spawn(&detail::await_and_cancel<A>, std::move(inner[i]), std::ref(slots[i]), i,
                        std::ref(first), std::ref(group));
        }
    } catch (...) {
        group.fail(std::current_exception());
    }
    co_await group.join();
    group.rethrow_error();
    if (!first) detail::throw_cut_short(*self.scope);
    co_return any_of_list<detail::value_of<A>>(*first, std::move(slots));
}

}  // namespace anel

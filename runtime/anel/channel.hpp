// channel.hpp: a bounded queue between tasks; a full one makes its senders wait.
//
// Any number of senders and receivers, served in the order in which they came. Memory for the items
// is allocated once; waiting allocates nothing. channel<T> connects tasks of one loop;
// thread_channel<T> (thread_channel.hpp) is the same between loops and threads.
// Knows: wait lists. Must not know: which threads there are.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/wait_list.hpp>

#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace anel {
namespace detail {

/// What a channel between tasks of one loop is made of.
struct loop_waits {
    using list = wait_list;
    using wait = list_wait;
    struct guard {
        explicit guard(const loop_waits&) noexcept {}
    };
    [[nodiscard]] static list make_list() noexcept { return {}; }
};

}  // namespace detail

/// Lifetime  must outlive its waiters, which is asserted.
template <class T, class Waits = detail::loop_waits>
class channel {
    static_assert(
        std::is_object_v<T> && std::is_move_constructible_v<T>,
        "anel: the items of a channel are objects that can be moved: for what stays where "
        "it is, send a pointer or a unique_ptr.");

public:
    class send_wait;
    class recv_wait;

    /// Holds up to `capacity` items; with 0 an item goes from hand to hand.
    explicit channel(std::size_t capacity)
        : items_(capacity), senders_(waits_.make_list()), receivers_(waits_.make_list()) {}

    /// Puts `item` in, waiting while the channel is full.
    /// Returns  false when the channel is closed: the item was not put in.
    /// Errors   task_cancelled, and then the item was not put in.
    [[nodiscard("co_await it")]] send_wait send(T item) {
        return send_wait(*this, std::move(item));
    }
    /// Puts `item` in if that needs no waiting. Returns whether it did; if not, `item` is
    /// untouched.
    [[nodiscard]] bool try_send(T&& item) {
        const guard held(waits_);
        return !closed_ && put(item);
    }

    /// Takes the oldest item out, waiting while there is none.
    /// Returns  nothing when the channel is closed and empty.
    /// Errors   task_cancelled, and then no item was taken.
    [[nodiscard("co_await it")]] recv_wait recv() noexcept { return recv_wait(*this); }
    /// Takes the oldest item out if there is one.
    [[nodiscard]] std::optional<T> try_recv() {
        const guard held(waits_);
        std::optional<T> item;
        get(item);
        return item;
    }

    /// No more is put in: waiting senders are refused, receivers get what is left and then nothing.
    void close() noexcept {
        const guard held(waits_);
        closed_ = true;
        while (!senders_.empty()) senders_.grant_first();
        while (!receivers_.empty()) receivers_.grant_first();
    }
    /// Whether close() was called. Items may still be inside.
    [[nodiscard]] bool is_closed() const noexcept {
        const guard held(waits_);
        return closed_;
    }
    /// Items inside, those of waiting senders not counted.
    [[nodiscard]] std::size_t size() const noexcept {
        const guard held(waits_);
        return size_;
    }

private:
    using guard = typename Waits::guard;

    /// False when there is neither a receiver nor room.
    bool put(T& item) {
        if (!receivers_.empty()) {
            static_cast<recv_wait&>(receivers_.first()).item_.emplace(std::move(item));
            receivers_.grant_first();
        } else if (size_ < items_.size()) {
            push(std::move(item));
        } else {
            return false;
        }
        return true;
    }
    /// `item` is empty; it stays so when there is nothing. Nothing is assigned: a T need not be.
    void get(std::optional<T>& item) {
        if (size_ > 0) {
            item.emplace(*std::move(items_[first_]));
            items_[first_].reset();
            first_ = place(1);
            size_ -= 1;
            if (!senders_.empty()) push(release_sender());
        } else if (!senders_.empty()) {
            item.emplace(release_sender());
        }
    }
    void push(T&& item) {
        items_[place(size_)].emplace(std::move(item));
        size_ += 1;
    }
    /// The place in the ring so many behind the first; a division would cost more than the rest.
    [[nodiscard]] std::size_t place(std::size_t behind) const noexcept {
        const std::size_t at = first_ + behind;
        return at < items_.size() ? at : at - items_.size();
    }
    T release_sender() {
        auto& sender = static_cast<send_wait&>(senders_.first());
        T item = std::move(sender.item_);
        sender.taken_ = true;
        senders_.grant_first();
        return item;
    }

    [[no_unique_address]] Waits waits_;
    std::vector<std::optional<T>> items_;  // a ring: size_ items from first_ on
    std::size_t first_ = 0;
    std::size_t size_ = 0;
    bool closed_ = false;
    typename Waits::list senders_;    // not empty only while the ring is full
    typename Waits::list receivers_;  // not empty only while the ring is empty and nobody sends
};

template <class T, class Waits>
class channel<T, Waits>::send_wait : public Waits::wait {
public:
    send_wait(channel& into, T&& item) : into_(into), item_(std::move(item)) {}
    bool start(detail::cancel_scope& scope, detail::frame& caller) {
        static constexpr detail::wait_kind waiting{"channel send", &send_wait::on_cancel};
        const guard held(into_.waits_);
        if (!scope.cancelled() && !into_.closed_) taken_ = into_.put(item_);
        return this->wait_in(into_.senders_, taken_ || into_.closed_, scope, caller, waiting);
    }
    bool finish() {
        this->settle();
        return taken_;
    }

private:
    friend channel;
    channel& into_;
    T item_;
    bool taken_ = false;
};

template <class T, class Waits>
class channel<T, Waits>::recv_wait : public Waits::wait {
public:
    explicit recv_wait(channel& from) noexcept : from_(from) {}
    bool start(detail::cancel_scope& scope, detail::frame& caller) {
        static constexpr detail::wait_kind waiting{"channel recv", &recv_wait::on_cancel};
        const guard held(from_.waits_);
        if (!scope.cancelled()) from_.get(item_);
        return this->wait_in(from_.receivers_, item_ || from_.closed_, scope, caller, waiting);
    }
    std::optional<T> finish() {
        this->settle();
        return std::move(item_);
    }

private:
    friend channel;
    channel& from_;
    std::optional<T> item_;
};

}  // namespace anel

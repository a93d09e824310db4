// channel.hpp: a bounded queue between tasks of one loop; a full one makes its senders wait.
//
// Any number of senders and receivers, served in the order in which they came. Memory for the items
// is allocated once; waiting allocates nothing.
// Knows: wait lists. Must not know: threads.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/wait_list.hpp>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace anel {

/// Lifetime  must outlive its waiters, which is asserted.
template <class T>
class channel {
public:
    class send_wait;
    class recv_wait;

    /// Holds up to `capacity` items; with 0 an item goes from hand to hand.
    explicit channel(std::size_t capacity) : items_(capacity) {}

    /// Puts `item` in, waiting while the channel is full.
    /// Returns  false when the channel is closed: the item was not put in.
    /// Errors   task_cancelled, and then the item was not put in.
    [[nodiscard]] send_wait send(T item) { return send_wait(*this, std::move(item)); }

    /// Takes the oldest item out, waiting while there is none.
    /// Returns  nothing when the channel is closed and empty.
    /// Errors   task_cancelled, and then no item was taken.
    [[nodiscard]] recv_wait recv() noexcept { return recv_wait(*this); }

    /// No more is put in: waiting senders are refused, receivers get what is left and then nothing.
    void close() noexcept {
        closed_ = true;
        while (!senders_.empty()) senders_.grant_first();
        while (!receivers_.empty()) receivers_.grant_first();
    }
    [[nodiscard]] bool is_closed() const noexcept { return closed_; }
    /// Items inside, those of waiting senders not counted.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    void push(T&& item) {
        items_[(first_ + size_) % items_.size()].emplace(std::move(item));
        size_ += 1;
    }
    std::optional<T> pop() {
        std::optional<T> item = std::move(items_[first_]);
        items_[first_].reset();
        first_ = (first_ + 1) % items_.size();
        size_ -= 1;
        return item;
    }

    std::vector<std::optional<T>> items_;  // a ring: size_ items from first_ on
    std::size_t first_ = 0;
    std::size_t size_ = 0;
    bool closed_ = false;
    detail::wait_list senders_;    // not empty only while the ring is full
    detail::wait_list receivers_;  // not empty only while the ring is empty and nobody sends
};

template <class T>
class channel<T>::send_wait : public detail::list_wait {
public:
    send_wait(channel& into, T&& item) : into_(into), item_(std::move(item)) {}
    bool start(cancel_scope& in, frame& who) {
        static constexpr wait_kind waiting{"channel send", &on_cancel};
        return wait_in(into_.senders_, !in.cancelled() && put(), in, who, waiting);
    }
    bool finish() {
        settle();
        return taken_;
    }

private:
    friend recv_wait;
    /// True when there is nothing to wait for.
    bool put() {
        if (into_.closed_) return true;
        if (!into_.receivers_.empty()) {
            static_cast<recv_wait&>(into_.receivers_.first()).item_ = std::move(item_);
            into_.receivers_.grant_first();
        } else if (into_.size_ < into_.items_.size()) {
            into_.push(std::move(item_));
        } else {
            return false;
        }
        taken_ = true;
        return true;
    }
    T take() {
        taken_ = true;
        return std::move(item_);
    }

    channel& into_;
    T item_;
    bool taken_ = false;
};

template <class T>
class channel<T>::recv_wait : public detail::list_wait {
public:
    explicit recv_wait(channel& from) noexcept : from_(from) {}
    bool start(cancel_scope& in, frame& who) {
        static constexpr wait_kind waiting{"channel recv", &on_cancel};
        return wait_in(from_.receivers_, !in.cancelled() && get(), in, who, waiting);
    }
    std::optional<T> finish() {
        settle();
        return std::move(item_);
    }

private:
    friend send_wait;
    /// True when there is nothing to wait for.
    bool get() {
        channel& from = from_;
        if (from.size_ > 0) {
            item_ = from.pop();
            if (!from.senders_.empty()) {
                from.push(static_cast<send_wait&>(from.senders_.first()).take());
                from.senders_.grant_first();
            }
        } else if (!from.senders_.empty()) {
            item_.emplace(static_cast<send_wait&>(from.senders_.first()).take());
            from.senders_.grant_first();
        }
        return item_.has_value() || from.closed_;
    }

    channel& from_;
    std::optional<T> item_;
};

}  // namespace anel

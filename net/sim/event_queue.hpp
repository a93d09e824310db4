// event_queue.hpp: what will happen in a simulated world, in the order in which it will.
//
// An event is a value: its target is an index and a generation, so what goes away needs not look
// for its events; they are found stale when their time comes. At the same instant a number drawn
// from the seed decides, so that over many seeds every order of two events occurs.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/assert.hpp>
#include <anel/time.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace anel::sim {

enum class event_kind : std::uint8_t {
    wake,         // a machine has something to do; target: machine, generation: its life
    segment,      // the first flying segment of a connection arrives; extra: direction
    look,         // the sender learns that there is room; extra: direction
    syn,          // a connection request arrives
    established,  // the answer to it arrives
    refused,      // the other answer
    reset,        // a reset arrives; extra: the end it is for
    datagram,     // target: slot
    unreachable,  // "nobody listens there" arrives; target: slot
    call,         // a function of the test's; target: slot
    restart,      // target: machine
    mishap,       // the time to draw the next partition, crash, ...
};

struct event {
    time_point at;
    time_point sent;      // when it was scheduled
    std::uint64_t order;  // priority in the high 24 bits, then the sequence number
    std::uint32_t target = 0;
    std::uint32_t generation = 0;
    std::uint32_t extra = 0;
    event_kind kind{};
};

class event_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return heap_.empty(); }
    [[nodiscard]] const event& first() const noexcept { return heap_.front(); }

    void push(event item, std::uint32_t priority) {
        item.order = (std::uint64_t{priority} & 0xffffff) << 40 | sequence_++;
        heap_.push_back(item);
        std::push_heap(heap_.begin(), heap_.end(), later);
    }
    event pop() {
        ANEL_ASSERT(!heap_.empty());
        std::pop_heap(heap_.begin(), heap_.end(), later);
        const event item = heap_.back();
        heap_.pop_back();
        ANEL_ASSERT(item.at >= last_);  // time does not go back
        last_ = item.at;
        return item;
    }

private:
    static bool later(const event& left, const event& right) noexcept {
        return left.at != right.at ? left.at > right.at : left.order > right.order;
    }

    std::vector<event> heap_;
    std::uint64_t sequence_ = 0;
    time_point last_{};  // of what was taken
};

}  // namespace anel::sim

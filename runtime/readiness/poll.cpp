// poll.cpp: readiness by poll(2), which every system has.
//
// The set of descriptors is an array that the kernel reads whole at each wait: simple, and linear
// in the number of connections. Until it comes to one that is ready it enters itself into the wait
// queue of each, and leaves them all before it returns, which costs more than the reading: so those
// that were busy last stand in front.
// SPDX-License-Identifier: MIT
#include "runtime/backend/backends.hpp"
#include "runtime/readiness/readiness.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace anel::detail {
namespace {

class poll_poller {
public:
    static constexpr bool edges = false;

    explicit poll_poller(int waker) { set_.push_back({waker, POLLIN, 0}); }

    [[nodiscard]] static int descriptor() noexcept { return -1; }

    int watch(int fd, wanted_of what) {
        const auto wanted =
            static_cast<short>((what.reading ? POLLIN : 0) | (what.writing ? POLLOUT : 0) |
                               (what.urgent ? POLLPRI : 0));
        const auto index = static_cast<std::size_t>(fd);
        if (index >= place_.size()) place_.resize(index + index / 2 + 16, absent);
        if (place_[index] == absent) {
            if (wanted == 0) return 0;
            set_.push_back({off(fd), wanted, 0});
            place_[index] = static_cast<std::uint32_t>(set_.size() - 1);
        }
        pollfd& entry = set_[place_[index]];
        ANEL_ASSERT(on(entry.fd) == fd);
        if (wanted == 0) {
            entry.fd = off(fd);  // keeps its place: most are wanted again soon
        } else if (entry.fd == fd) {
            entry.events = wanted;
        } else {
            entry = {fd, wanted, 0};
            move_forward(place_[index]);
        }
        return 0;
    }

    void forget(int fd) noexcept {
        const auto index = static_cast<std::size_t>(fd);
        if (index >= place_.size() || place_[index] == absent) return;
        swap(place_[index], set_.size() - 1);
        ANEL_ASSERT(on(set_.back().fd) == fd && set_.size() > 1);  // not the waker
        place_[index] = absent;
        set_.pop_back();
    }

    template <class Function>
    bool wait(time_point until, time_point now, Function&& tell) noexcept {
        int count = ::poll(set_.data(), static_cast<nfds_t>(set_.size()), milliseconds(until, now));
        if (count < 0) return wait_failed("poll");
        // What is told of may be switched off meanwhile, but nothing changes its place: that
        // happens to those that are wanted again, and to those that go.
        for (std::size_t i = 0; count > 0 && i < set_.size(); ++i) {
            const pollfd entry = set_[i];
            if (entry.fd < 0 || entry.revents == 0) continue;
            count -= 1;
            const bool bad = (entry.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
            tell(entry.fd, (entry.revents & POLLIN) != 0 || bad,
                 (entry.revents & POLLOUT) != 0 || bad, bad, entry.revents);
        }
        return true;
    }

private:
    static constexpr std::uint32_t absent = UINT32_MAX;

    // Rounded up: a wait may be late, never early.
    static int milliseconds(time_point until, time_point now) noexcept {
        if (until == never) return -1;
        if (until <= now) return 0;
        constexpr std::int64_t longest = 1'000'000'000;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
        return static_cast<int>(std::min<std::int64_t>(left, longest));
    }

    // A descriptor that poll(2) passes over, as it does with every number below 0.
    static constexpr int off(int fd) noexcept { return ~fd; }
    static constexpr int on(int fd) noexcept { return fd < 0 ? ~fd : fd; }

    // Half the way to the front, in exchange for whoever stands there: who is busy is in front
    // after a few times, and who is not drifts back.
    void move_forward(std::size_t from) noexcept {
        constexpr std::size_t first = 1;  // behind the waker
        swap(from, std::max(first, from / 2));
    }

    void swap(std::size_t one, std::size_t other) noexcept {
        std::swap(set_[one], set_[other]);
        for (const std::size_t moved : {one, other}) {
            place_[static_cast<std::size_t>(on(set_[moved].fd))] =
                static_cast<std::uint32_t>(moved);
        }
    }

    std::vector<pollfd> set_;
    std::vector<std::uint32_t> place_;  // descriptor to index in set_
};

}  // namespace

std::unique_ptr<backend> make_poll_backend(const backend_options& options) {
    return std::make_unique<readiness<poll_poller>>(backend_kind::poll, options);
}

}  // namespace anel::detail

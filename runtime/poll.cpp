// poll.cpp: readiness by poll(2), which every system has.
//
// The set of descriptors is an array that the kernel reads whole at each wait: simple, and linear
// in the number of connections.
// SPDX-License-Identifier: MIT
#include "runtime/backends.hpp"
#include "runtime/readiness.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace anel {
namespace {

class poll_poller {
public:
    static constexpr bool edges = false;

    explicit poll_poller(int waker) { set_.push_back({waker, POLLIN, 0}); }

    int watch(int fd, bool reading, bool writing) {
        const auto wanted = static_cast<short>((reading ? POLLIN : 0) | (writing ? POLLOUT : 0));
        const auto index = static_cast<std::size_t>(fd);
        if (index >= place_.size()) place_.resize(index + index / 2 + 16, absent);
        if (place_[index] != absent) {
            if (wanted == 0) remove(index);
            else set_[place_[index]].events = wanted;
        } else if (wanted != 0) {
            set_.push_back({fd, wanted, 0});
            place_[index] = static_cast<std::uint32_t>(set_.size() - 1);
        }
        return 0;
    }

    void forget(int fd) noexcept {
        const auto index = static_cast<std::size_t>(fd);
        if (index < place_.size() && place_[index] != absent) remove(index);
    }

    template <class Function>
    bool wait(time_point until, time_point now, Function&& tell) noexcept {
        int count = ::poll(set_.data(), static_cast<nfds_t>(set_.size()), milliseconds(until, now));
        if (count < 0) return errno != EINTR;
        // Backwards: an entry that leaves the set is replaced by the last one, which was seen
        // already.
        for (std::size_t i = set_.size(); count > 0 && i-- > 0;) {
            const pollfd entry = set_[i];
            if (entry.revents == 0) continue;
            count -= 1;
            const bool bad = (entry.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
            tell(entry.fd, (entry.revents & POLLIN) != 0 || bad,
                 (entry.revents & POLLOUT) != 0 || bad, bad);
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

    void remove(std::size_t index) noexcept {
        const std::uint32_t hole = place_[index];
        place_[index] = absent;
        set_[hole] = set_.back();
        set_.pop_back();
        if (hole < set_.size()) place_[static_cast<std::size_t>(set_[hole].fd)] = hole;
    }

    std::vector<pollfd> set_;
    std::vector<std::uint32_t> place_;  // descriptor to index in set_
};

}  // namespace

std::unique_ptr<backend> make_poll_backend() {
    return std::make_unique<readiness<poll_poller>>(backend_kind::poll);
}

}  // namespace anel

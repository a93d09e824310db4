// connect.cpp: a host's addresses raced against each other: "happy eyeballs", RFC 8305.
//
// A machine may have an IPv6 address that leads nowhere; trying the next one only when the first
// has timed out would take minutes. So the next attempt starts a quarter of a second after the one
// before, or at once when that has failed. The first to connect wins; the others are cancelled,
// waited for and closed.
// SPDX-License-Identifier: MIT
#include "net/race.hpp"

#include <anel/event.hpp>
#include <anel/resolve.hpp>
#include <anel/task_group.hpp>
#include <anel/timeout.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <tuple>

namespace anel {
using namespace detail;
namespace {

struct race {
    std::optional<tcp_stream> winner;
    std::exception_ptr last_error;
    event news;  // an attempt has ended
    std::size_t running = 0;
};

task<> attempt(endpoint address, connect_options options, race& all) {
    try {
        auto stream = co_await connect(address, options);
        if (!all.winner) all.winner = std::move(stream);
    } catch (const io_error&) {
        all.last_error = std::current_exception();
    }
    all.running -= 1;
    all.news.set();
}

}  // namespace

std::vector<endpoint> detail::interleaved(std::span<const endpoint> found) {
    std::vector<endpoint> order;
    std::vector<endpoint> other;
    for (const endpoint& address : found) {
        (address.family() == found.front().family() ? order : other).push_back(address);
    }
    for (std::size_t i = 0; i < other.size(); ++i) {
        const std::size_t place = std::min(2 * i + 1, order.size());
        order.insert(order.begin() + static_cast<std::ptrdiff_t>(place), other[i]);
    }
    return order;
}

task<tcp_stream> detail::connect_first(std::span<const endpoint> addresses,
                                       connect_options options) {
    race all;
    const auto run_race = [&](task_group& group) -> task<> {
        for (std::size_t next = 0; !all.winner && (next < addresses.size() || all.running > 0);) {
            all.news.reset();
            if (next < addresses.size()) {
                all.running += 1;
                group.spawn(attempt, addresses[next++], options, std::ref(all));
            }
            if (next < addresses.size()) {
                std::ignore = co_await as_result(with_timeout(attempt_delay, all.news.wait()));
            } else {
                co_await all.news.wait();
            }
        }
        group.cancel();
    };
    try {
        co_await with_task_group(run_race);
    } catch (const task_cancelled&) {
        if (!all.winner) throw;  // a cancel that came too late: the connection is there
    }
    if (!all.winner) std::rethrow_exception(all.last_error);
    co_return std::move(*all.winner);
}

task<tcp_stream> connect(std::string host, std::uint16_t port) {
    return connect(std::move(host), port, connect_options());
}

task<tcp_stream> connect(std::string host, std::uint16_t port, connect_options options) {
    auto found = co_await resolve(host, port);
    const auto is_other = [&](const endpoint& one) {
        return options.local && one.family() != options.local->family();
    };
    // Where none is left, the refusal names what does not fit.
    if (!std::all_of(found.begin(), found.end(), is_other)) std::erase_if(found, is_other);
    const std::vector<endpoint> addresses = interleaved(found);
    auto winner = co_await connect_first(addresses, options);
    co_return winner;
}

}  // namespace anel

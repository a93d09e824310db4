// signal_hub.cpp: the task that receives signals, and whom it tells.
// SPDX-License-Identifier: MIT
#include "runtime/start/signal_hub.hpp"

#include "runtime/start/watch.hpp"

#include <anel/detail/io.hpp>
#include <anel/signal.hpp>
#include <anel/sleep.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>

namespace anel::detail {
namespace {

constexpr std::array stop_signals{SIGINT, SIGTERM};

/// One recv on the watch's socket.
class byte_wait : public io<byte_wait> {
public:
    byte_wait(int descriptor, std::byte& byte) noexcept : io(opcode::recv, descriptor, &byte, 1) {}
    void value() const noexcept {}
    static io_error describe(std::error_code error) { return io_error(error, "signal", {}); }
};

}  // namespace

void signal_hub::attach(task_group& beside, cancel_scope& root) noexcept {
    beside_ = &beside;
    root_ = &root;
}

int signal_hub::open() {
    if (watch_.is_open()) return 0;
    if (const int error = watch_.open(); error < 0) return error;
    beside_->adopt(receive(*this));
    return 0;
}

bool signal_hub::can_be_stopped() const noexcept {
    return std::any_of(stop_signals.begin(), stop_signals.end(),
                       [this](int number) { return watch_.watches(number); });
}

int signal_hub::watch_stop_signals() {
    if (const int error = open(); error < 0) return error;
    for (const int number : stop_signals) {
        const int error = watch_.add(number, signal_watch::ignored::stays);
        if (error < 0) return error;
    }
    return 0;
}

int signal_hub::watch(int number) {
    if (number < 1 || static_cast<std::size_t>(number) >= signals_.size()) return -EINVAL;
    if (const int error = open(); error < 0) return error;
    const int error = watch_.add(number, signal_watch::ignored::is_watched);
    if (error == 0) signals_[static_cast<std::size_t>(number)].awaited = true;
    return error;
}

bool signal_hub::is_awaited() const noexcept {
    return std::any_of(signals_.begin(), signals_.end(),
                       [](const entry& each) { return !each.waiters.empty(); });
}

int signal_hub::answer_with(loop_watch& whom) {
    if (const int error = open(); error < 0) return error;
    asked_by_ = &whom;
    return watch_.writing_descriptor();
}

bool signal_hub::take_pending(int number) noexcept {
    return std::exchange(signals_[static_cast<std::size_t>(number)].pending, false);
}

// However this ends, the signals have their usual effect from then on.
spawned::handle_type signal_hub::receive(signal_hub& hub) {
    struct guard {
        signal_watch& watch;
        std::uint64_t& in_flight;
        ~guard() {
            watch.remove_all();
            in_flight = 0;
        }
    } on_exit{hub.watch_, hub.in_flight_};
    // The whole first turn, and what it spawned, comes before a signal can end it: a serve() that
    // never began could not answer what stands in its backlog.
    co_await sleep_for(duration::zero());
    for (;;) {
        std::byte number{};
        byte_wait arrival(hub.watch_.descriptor(), number);
        hub.in_flight_ = 1;
        co_await arrival;
        hub.in_flight_ = 0;
        hub.arrived(std::to_integer<int>(number));
    }
}

bool signal_hub::stops_root(int number) const noexcept {
    return (number == SIGINT || number == SIGTERM) &&
           !signals_[static_cast<std::size_t>(number)].awaited;
}

void signal_hub::arrived(int number) noexcept {
    if (number == ask) {
        if (asked_by_) asked_by_->answer();
        return;
    }
    if (stops_root(number)) {
        for (const int other : stop_signals) {
            if (stops_root(other)) watch_.remove(other);
        }
        if (stopped_by_ == 0) stopped_by_ = number;
        root_->cancel();
        return;
    }
    entry& told = signals_[static_cast<std::size_t>(number)];
    told.pending = told.waiters.empty();
    while (!told.waiters.empty()) told.waiters.grant_first();
}

signal_hub::~signal_hub() {
    if (!watch_.is_open()) return;
    watch_.remove_all();
    while (const int number = watch_.take_unread()) {
        // Another loop that watches it was told as well.
        if (stops_root(number) && !signal_watch::is_watched(number)) std::raise(number);
    }
}

bool signal_wait::start(cancel_scope& scope, frame& caller) {
    static constexpr wait_kind waiting{"signal", &on_cancel};
    signal_hub* hub = scope.owner().signals();
    error_ = hub ? -hub->watch(number_) : EOPNOTSUPP;
    if (error_ != 0) return false;
    const bool at_once = !scope.cancelled() && hub->take_pending(number_);
    return wait_in(hub->waiters(number_), at_once, scope, caller, waiting);
}

void signal_wait::finish() {
    if (error_ != 0) throw_errno(error_, "signal", std::to_string(number_));
    settle();
}

}  // namespace anel::detail

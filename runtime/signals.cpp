// signals.cpp: the handler of signals, and the socket pair it writes to.
//
// A handler gets no argument, so this is the one place with a mutable global: the descriptor it
// writes to. A socket, not a pipe, because every backend can receive from one.
// SPDX-License-Identifier: MIT
#include "runtime/signals.hpp"

#include "runtime/system.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

namespace anel {
namespace {

std::atomic<int> handler_descriptor{-1};

extern "C" void write_signal(int number) {
    const int saved = errno;
    const int fd = handler_descriptor.load(std::memory_order_relaxed);
    const auto byte = static_cast<char>(number);
    // A full socket holds signals enough already.
    if (fd >= 0) (void)!::send(fd, &byte, 1, MSG_DONTWAIT | no_signal);
    errno = saved;
}

}  // namespace

int signal_watch::open() noexcept {
    int pair[2];
    if (const int error = make_socket_pair(pair); error < 0) return error;
    int unused = -1;
    if (!handler_descriptor.compare_exchange_strong(unused, pair[1])) {
        ::close(pair[0]);
        ::close(pair[1]);
        return -EBUSY;
    }
    receiving_ = pair[0];
    sending_ = pair[1];
    return 0;
}

int signal_watch::add(int number, ignored when_ignored) {
    const auto is_it = [&](const auto& entry) { return entry.first == number; };
    if (std::any_of(former_.begin(), former_.end(), is_it)) return 0;
    struct sigaction before{};
    if (::sigaction(number, nullptr, &before) != 0) return -errno;
    // A signal that the parent ignored (a job in the background) stays ignored.
    if (before.sa_handler == SIG_IGN && when_ignored == ignored::stays) return 0;
    former_.reserve(former_.size() + 1);
    struct sigaction action{};
    action.sa_handler = &write_signal;
    action.sa_flags = SA_RESTART;
    sigfillset(&action.sa_mask);
    if (::sigaction(number, &action, nullptr) != 0) return -errno;
    former_.emplace_back(number, before);
    return 0;
}

void signal_watch::remove(int number) noexcept {
    const auto is_it = [&](const auto& entry) { return entry.first == number; };
    const auto place = std::find_if(former_.begin(), former_.end(), is_it);
    if (place == former_.end()) return;
    ::sigaction(number, &place->second, nullptr);
    former_.erase(place);
}

void signal_watch::remove_all() noexcept {
    while (!former_.empty()) remove(former_.back().first);
}

int signal_watch::take_unread() const noexcept {
    char number = 0;
    return ::recv(receiving_, &number, 1, MSG_DONTWAIT) == 1 ? number : 0;
}

signal_watch::~signal_watch() {
    if (!is_open()) return;
    remove_all();
    handler_descriptor.store(-1);
    ::close(receiving_);
    ::close(sending_);
}

}  // namespace anel

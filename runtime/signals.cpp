// signals.cpp: the handler of SIGINT and SIGTERM, and the socket pair it writes to.
//
// A handler gets no argument, so this is the one place with a mutable global: the descriptor it
// writes to. A socket, not a pipe, because every backend can receive from one.
// SPDX-License-Identifier: MIT
#include "runtime/signals.hpp"

#include <anel/error.hpp>

#include "runtime/system.hpp"

#include <csignal>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

namespace anel {
namespace {

constexpr std::array watched{SIGINT, SIGTERM};
std::atomic<int> handler_descriptor{-1};
std::array<struct sigaction, watched.size()> former;  // what restore() puts back

extern "C" void write_signal(int number) {
    const int saved = errno;
    const int fd = handler_descriptor.load(std::memory_order_relaxed);
    const auto byte = static_cast<char>(number);
    // A full socket holds signals enough already.
    if (fd >= 0) (void)!::send(fd, &byte, 1, MSG_DONTWAIT | no_signal);
    errno = saved;
}

}  // namespace

signal_watch::signal_watch(bool wanted) {
    if (!wanted) return;
    int pair[2];
    if (const int error = make_socket_pair(pair); error < 0) throw_errno(-error, "socketpair", {});
    int unused = -1;
    if (!handler_descriptor.compare_exchange_strong(unused, pair[1])) {
        ::close(pair[0]);
        ::close(pair[1]);
        return;
    }
    receiving_ = pair[0];
    sending_ = pair[1];
    struct sigaction action{};
    action.sa_handler = &write_signal;
    action.sa_flags = SA_RESTART;
    sigfillset(&action.sa_mask);
    for (std::size_t i = 0; i < watched.size(); ++i) {
        ::sigaction(watched[i], nullptr, &former[i]);
        // A signal that the parent ignored (a job in the background) stays ignored.
        if (former[i].sa_handler != SIG_IGN) ::sigaction(watched[i], &action, nullptr);
    }
}

void signal_watch::restore() noexcept {
    if (sending_ < 0) return;
    for (std::size_t i = 0; i < watched.size(); ++i) ::sigaction(watched[i], &former[i], nullptr);
}

signal_watch::~signal_watch() {
    if (sending_ < 0) return;
    restore();
    handler_descriptor.store(-1);
    // One that came when there was nothing left to cancel is not lost: it has its usual effect now.
    char number = 0;
    if (::recv(receiving_, &number, 1, MSG_DONTWAIT) == 1) std::raise(number);
    ::close(receiving_);
    ::close(sending_);
}

}  // namespace anel

// signals.cpp: the handler of signals, and the socket pairs it writes to.
//
// A handler gets no argument, so the list of those who watch is a mutable global. The handler walks
// it without a lock; whoever leaves it waits until no handler is at work. A socket, not a pipe,
// because every backend can receive from one.
//
// A child of fork() has the handlers and the sockets of its parent. The list says whose it is: in
// another process a signal gets its former disposition and is raised again, and the first watch
// that is opened there begins with an empty list.
// SPDX-License-Identifier: MIT
#include "runtime/start/signals.hpp"

#include "runtime/start/process_lock.hpp"
#include "runtime/system/system.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

namespace anel::detail {
namespace {

using listener = signal_watch::listener;

struct watchers {
    std::atomic<int> process{0};
    std::atomic<int> lock{0};  // of a process_lock
    std::atomic<listener*> first{nullptr};
    std::atomic<int> handlers_at_work{0};
    struct sigaction former[signal_watch::largest_number + 1]{};
    std::atomic<bool> handled[signal_watch::largest_number + 1]{};  // by write_signal
};
constinit watchers all;

extern "C" void write_signal(int number);

// Nobody is to be told: the signal has the effect that it had before, once the handler has
// returned, because until then every signal is blocked. A handler of somebody else's that calls
// this one goes on by itself.
void pass_on(int number, bool inherited) noexcept {
    struct sigaction now{};
    ::sigaction(number, nullptr, &now);
    const bool is_ours = now.sa_handler == &write_signal;
    const bool left_over = inherited || !all.handled[number].load();
    if (is_ours && left_over) ::sigaction(number, &all.former[number], nullptr);
    if (is_ours || now.sa_handler == all.former[number].sa_handler) ::raise(number);
}

bool tell(int number) noexcept {
    const auto byte = static_cast<char>(number);
    bool told = false;
    all.handlers_at_work.fetch_add(1);
    for (const listener* at = all.first.load(); at; at = at->next.load()) {
        if (!at->watches[number].load()) continue;
        told = true;
        // A full socket holds signals enough already.
        (void)!::send(at->socket.load(), &byte, 1, MSG_DONTWAIT | no_signal);
    }
    all.handlers_at_work.fetch_sub(1);
    return told;
}

extern "C" void write_signal(int number) {
    const int saved = errno;
    const bool inherited = all.process.load() != ::getpid();
    if (inherited || !tell(number)) pass_on(number, inherited);
    errno = saved;
}

// Whoever has put another handler there meanwhile keeps it.
void put_back(int number) noexcept {
    struct sigaction now{};
    if (::sigaction(number, nullptr, &now) == 0 && now.sa_handler == &write_signal)
        ::sigaction(number, &all.former[number], nullptr);
    all.handled[number].store(false);
}

/// Holds the list of this process.
class list_lock : private process_lock {
public:
    list_lock() noexcept : process_lock(all.lock) {
        const int self = ::getpid();
        if (all.process.load() != self) begin_anew(self);
    }

private:
    static void begin_anew(int self) noexcept {
        for (int number = 1; number <= signal_watch::largest_number; ++number) {
            if (all.handled[number].load()) put_back(number);
        }
        all.first.store(nullptr);
        all.handlers_at_work.store(0);
        all.process.store(self);
    }
};

}  // namespace

int signal_watch::open() noexcept {
    int pair[2];
    if (const int error = make_socket_pair(pair); error < 0) return error;
    receiving_ = pair[0];
    listener_.socket.store(pair[1]);
    process_ = ::getpid();
    const list_lock held;
    listener_.next.store(all.first.load());
    all.first.store(&listener_);
    return 0;
}

int signal_watch::add(int number, ignored when_ignored) noexcept {
    const list_lock held;
    if (listener_.watches[number].load()) return 0;
    struct sigaction& former = all.former[number];
    if (!all.handled[number].load()) {
        struct sigaction before{};
        if (::sigaction(number, nullptr, &before) != 0) return -errno;
        // Else somebody put ours back, and `former` is still what was there before.
        if (before.sa_handler != &write_signal) former = before;
    }
    // A signal that the parent ignored (a job in the background) stays ignored.
    if (former.sa_handler == SIG_IGN && when_ignored == ignored::stays) return 0;
    listener_.watches[number].store(true);
    if (all.handled[number].load()) return 0;
    struct sigaction action{};
    action.sa_handler = &write_signal;
    action.sa_flags = SA_RESTART;
    sigfillset(&action.sa_mask);
    all.handled[number].store(true);
    if (::sigaction(number, &action, nullptr) == 0) return 0;
    const int error = errno;
    all.handled[number].store(false);
    listener_.watches[number].store(false);
    return -error;
}

void signal_watch::remove(int number) noexcept {
    const list_lock held;
    if (!listener_.watches[number].load()) return;
    bool others = false;
    for (const listener* at = all.first.load(); at; at = at->next.load()) {
        others |= at != &listener_ && at->watches[number].load();
    }
    if (!others) put_back(number);
    // Last: a handler that is at work and finds nobody any more passes the signal on.
    listener_.watches[number].store(false);
}

void signal_watch::remove_all() noexcept {
    for (int number = 1; number <= largest_number; ++number) {
        if (listener_.watches[number].load()) remove(number);
    }
}

int signal_watch::take_unread() const noexcept {
    char number = 0;
    return ::recv(receiving_, &number, 1, MSG_DONTWAIT) == 1 ? number : 0;
}

bool signal_watch::is_watched(int number) noexcept {
    const list_lock held;
    return all.handled[number].load();
}

signal_watch::~signal_watch() {
    if (!is_open()) return;
    if (process_ == ::getpid()) {
        remove_all();
        const list_lock held;
        std::atomic<listener*>* link = &all.first;
        while (link->load() != &listener_) link = &link->load()->next;
        link->store(listener_.next.load());
        // A handler on another thread may still be about to write to the socket.
        while (all.handlers_at_work.load() != 0) std::this_thread::yield();
    }
    ::close(receiving_);
    ::close(listener_.socket.load());
}

}  // namespace anel::detail

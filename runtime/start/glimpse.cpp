// glimpse.cpp: the handler that looks, and the one request that it serves at a time.
//
// A handler gets no argument, so the request is a global, like the list of signals.cpp. SIGURG,
// because it is ignored unless somebody asks for it; a debugger passes it without a word.
// SPDX-License-Identifier: MIT
#include "runtime/start/glimpse.hpp"

#include "runtime/core/places.hpp"
#include "runtime/start/process_lock.hpp"
#include "runtime/system/native_stack.hpp"
#include "runtime/system/posix.hpp"

#include <anel/detail/loop.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <span>
#include <thread>

namespace anel::detail {
namespace {

// What a request has come to, and which one it is: a handler that was held up must not answer a
// later request, which is about another loop.
using state = std::uint64_t;
constexpr state step_none = 0;  // nobody asks
constexpr state step_asked = 1;
constexpr state step_looking = 2;
constexpr state step_seen = 3;
constexpr state step_of(state at) { return at & 3U; }

struct request {
    std::atomic<int> lock{0};  // of a process_lock: one at a time
    std::atomic<state> at{step_none};
    std::uint64_t number = 0;
    std::atomic<pthread_t> thread{};
    std::atomic<const loop*> of{nullptr};
    glimpse seen;
    struct sigaction former{};
    bool is_prepared = false;
};
constinit request current;

void look(const loop& of) noexcept {
    glimpse& seen = current.seen;
    seen.place_count = 0;
    const frame* at = of.running();
    seen.in_task = at != nullptr;
    for (; at && seen.place_count < seen.places.size(); at = at->awaiter) {
        if (at->file) seen.places[seen.place_count++] = {at->file, at->line};
    }
    seen.turn_began = of.turn_began();
    seen.resumes = of.counters().resumes;
    seen.stack_depth = static_cast<std::size_t>(native_stack(seen.stack));
}

extern "C" void look_at_thread(int number, siginfo_t* info, void* context) {
    const int saved = errno;
    state at = current.at.load();
    const loop* of = current.of.load();
    const bool is_meant =
        step_of(at) == step_asked && pthread_equal(current.thread, pthread_self()) != 0;
    if (is_meant && current.at.compare_exchange_strong(at, at + step_looking - step_asked)) {
        look(*of);
        current.at.store(at + step_seen - step_asked);
    } else if ((current.former.sa_flags & SA_SIGINFO) != 0) {
        current.former.sa_sigaction(number, info, context);
    } else if (current.former.sa_handler != SIG_DFL && current.former.sa_handler != SIG_IGN) {
        current.former.sa_handler(number);
    }
    errno = saved;
}

}  // namespace

std::string glimpse::print_places() const {
    std::string text;
    for (std::size_t i = 0; i < place_count; ++i) {
        if (i > 0) text += " <- ";
        append_place(text, places[i].file, places[i].line);
    }
    return text;
}

std::string glimpse::print_stack() const {
    constexpr std::size_t own = 2;  // native_stack() and the handler, or what returns from it
    std::string text;
    if (stack_depth > own)
        append_native_stack(text, std::span(stack.data(), stack_depth).subspan(own));
    return text;
}

void prepare_glimpses() noexcept {
    const process_lock held(current.lock);
    void* unused[2];
    static_cast<void>(native_stack(unused));  // glibc loads what it needs at the first call
    struct sigaction before{};
    if (current.is_prepared || ::sigaction(SIGURG, nullptr, &before) != 0) return;
    current.is_prepared = true;
    current.former = before;
    struct sigaction action{};
    action.sa_sigaction = &look_at_thread;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGURG, &action, nullptr);
}

bool take_glimpse(pthread_t thread, const loop& of, duration patience, glimpse& into) noexcept {
    constexpr auto look_again = std::chrono::milliseconds(1);
    const process_lock held(current.lock);
    current.number += 1;
    current.thread = thread;
    current.of = &of;
    const state request = current.number << 2U;
    current.at.store(request | step_asked);
    const time_point give_up = monotonic_now() + patience;
    bool answered = pthread_kill(thread, SIGURG) == 0;
    while (answered && current.at.load() != (request | step_seen)) {
        state expected = request | step_asked;
        if (monotonic_now() > give_up &&
            current.at.compare_exchange_strong(expected, request | step_none)) {
            return false;
        }
        std::this_thread::sleep_for(look_again);
    }
    current.at.store(request | step_none);
    if (answered) into = current.seen;
    return answered;
}

}  // namespace anel::detail

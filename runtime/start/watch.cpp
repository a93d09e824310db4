// watch.cpp: the watching thread: one poll(2) over the signal, the inspectors and the end.
// SPDX-License-Identifier: MIT
#include "runtime/start/watch.hpp"

#include "runtime/core/ages.hpp"
#include "runtime/core/listing.hpp"
#include "runtime/start/trace_file.hpp"
#include "runtime/system/posix.hpp"

#include <anel/error.hpp>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <new>
#include <system_error>
#include <utility>

namespace anel::detail {
namespace {

constexpr auto answer_within = std::chrono::milliseconds(100);  // with a loop that is asked
constexpr auto starved_for = std::chrono::seconds(5);    // at most: its thread gets no processor
constexpr auto between_lines = std::chrono::seconds(1);  // of the standard error
constexpr auto talk_at_most = std::chrono::seconds(1);   // to one inspector
constexpr int again_after = 10;                          // times as long, a stall is told again

void watch_signal(signal_watch& with, int number) {
    const std::string name = "dump_on " + std::to_string(number);
    const bool can_be = number >= 1 && number <= signal_watch::largest_number && number != SIGINT &&
                        number != SIGTERM;
    int error = can_be ? with.open() : -EINVAL;
    if (error == 0) error = with.add(number, signal_watch::ignored::is_watched);
    if (error < 0) throw_errno(-error, "signal", name);
}

sigset_t only(int number) noexcept {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    return one;
}

}  // namespace

loop_watch::loop_watch(loop& of, const run_options& options)
    : of_(of),
      stall_after_(std::max(options.stall_after, std::chrono::nanoseconds(0))),
      on_stall_(options.on_stall),
      looked_at_(pthread_self()),
      changed_(monotonic_now()) {
    if (options.dump_on != 0) {
        watch_signal(signals_, options.dump_on);
        own_signal_ = options.dump_on;
        inspectors_ = listen_for_inspectors();  // where that cannot be, the signal is left
        list_at_terminate();
    }
    prepare_glimpses();
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& error) {
        if (inspectors_ >= 0) ::close(inspectors_);
        throw io_error(error.code(), "run", "(a thread that watches the loop)");
    } catch (...) {
        if (inspectors_ >= 0) ::close(inspectors_);
        throw;
    }
    keep_from_tasks();
}

loop_watch::~loop_watch() {
    ends_.store(true);
    end_.signal();
    thread_.join();
    if (blocked_) {
        const sigset_t own = only(own_signal_);
        pthread_sigmask(SIG_UNBLOCK, &own, nullptr);
    }
    if (inspectors_ >= 0) ::close(inspectors_);
}

// The signal would end what a task waits for in the system, before anybody has seen it there.
void loop_watch::keep_from_tasks() {
    if (own_signal_ == 0) return;
    const sigset_t own = only(own_signal_);
    sigset_t before;
    blocked_ = pthread_sigmask(SIG_BLOCK, &own, &before) == 0 && !sigismember(&before, own_signal_);
}

void loop_watch::run() noexcept {
    // Other signals are the affair of the program's other threads.
    sigset_t every;
    sigfillset(&every);
    if (own_signal_ != 0) sigdelset(&every, own_signal_);  // a parent may have blocked it
    pthread_sigmask(SIG_SETMASK, &every, nullptr);
    while (!ends_.load()) look();
}

void loop_watch::look() noexcept {
    using std::chrono::milliseconds;
    // An inspector whom no descriptor is left for stays there, and would be told of for ever.
    const int inspectors = std::exchange(no_room_, false) ? -1 : inspectors_;
    pollfd what[3] = {{end_.descriptor(), POLLIN, 0},
                      {signals_.descriptor(), POLLIN, 0},
                      {inspectors, POLLIN, 0}};
    const bool stalls = stall_after_ > stall_after_.zero();
    const auto tick = std::clamp<std::int64_t>(
        std::chrono::duration_cast<milliseconds>(stall_after_ / 2).count(), 1, 60'000);
    const int waits = inspectors == inspectors_ ? -1 : static_cast<int>(answer_within.count());
    (void)::poll(what, 3, stalls ? static_cast<int>(tick) : waits);
    try {
        if (what[1].revents != 0) {
            while (signals_.take_unread() != 0) {}
            print_error(listing());
        }
        if (what[2].revents != 0) talk_to_inspector();
        if (stalls) look_for_stall();
    } catch (const std::bad_alloc&) {
        print_error("no memory to look at the tasks\n");
    }
}

void loop_watch::ask_through(int socket) noexcept {
    const std::lock_guard held(mutex_);
    socket_ = socket;
    changed_here_.notify_all();
}

void loop_watch::answer() noexcept {
    {
        const std::lock_guard held(mutex_);
        heard_ = true;
        changed_here_.notify_all();
    }
    std::string text = listing_of(of_);
    try {
        if (of_.record()) write_record(of_);
    } catch (const std::exception& error) {
        text.append("  ").append(error.what()).append("\n");
    }
    const std::lock_guard held(mutex_);
    answer_ = std::move(text);
    has_answer_ = true;
    changed_here_.notify_all();
}

// Once the loop has heard, its answer is on its way.
std::string loop_watch::listing() {
    std::unique_lock held(mutex_);
    changed_here_.wait_for(held, answer_within, [this] { return socket_ >= 0; });
    heard_ = has_answer_ = false;
    if (socket_ >= 0) (void)!::send(socket_, &signal_hub::ask, 1, MSG_DONTWAIT | no_signal);
    const time_point give_up = monotonic_now() + starved_for;
    for (;;) {
        if (changed_here_.wait_for(held, answer_within, [this] { return heard_; })) {
            changed_here_.wait(held, [this] { return has_answer_; });
            return std::move(answer_);
        }
        held.unlock();
        glimpse seen;
        const bool answered = take_glimpse(looked_at_, of_, answer_within, seen);
        const bool late = monotonic_now() > give_up;
        if (answered && seen.in_task) return held_up(seen);
        if (ends_.load()) return {};  // the run is over
        if (late) return headline() + ": it gets no processor\n";
        held.lock();
    }
}

std::string loop_watch::headline() const {
    return std::string("tasks of a loop on ") + name_of(of_.backend().kind());
}

std::string loop_watch::held_up(const glimpse& seen) const {
    std::string text = headline() + ": it does not answer, because a task has not given way";
    if (seen.turn_began != time_point{}) {
        text += " for ";
        append_age(text, of_.now() - seen.turn_began);
    }
    const std::string places = seen.print_places();
    if (!places.empty()) text.append(" since ").append(places);
    return text.append("\n").append(seen.print_stack());
}

void loop_watch::talk_to_inspector() {
    const int peer = accept_inspector(inspectors_);
    no_room_ = peer < 0 && peer != -EACCES && peer != -EAGAIN;
    if (peer < 0) return;
    std::string text;
    try {
        text = listing();
    } catch (const std::bad_alloc&) {}
    std::string_view left = text;
    const time_point give_up = monotonic_now() + talk_at_most;
    while (!left.empty() && !ends_.load() && monotonic_now() < give_up) {
        const ssize_t sent = ::send(peer, left.data(), left.size(), no_signal);
        if (sent <= 0) break;  // gone, or it takes nothing in time
        left.remove_prefix(static_cast<std::size_t>(sent));
    }
    ::close(peer);
}

void loop_watch::look_for_stall() {
    const time_point now = monotonic_now();
    const std::uint64_t resumes = of_.counters().resumes;
    if (!of_.running() || resumes != resumes_) {
        resumes_ = resumes;
        changed_ = now;
        tell_again_ = stall_after_;
        return;
    }
    const duration lasted = now - changed_;
    if (lasted < tell_again_) return;
    glimpse seen;
    if (!take_glimpse(looked_at_, of_, answer_within, seen) || !seen.in_task ||
        seen.resumes != resumes)
        return;
    tell_again_ = lasted * again_after;
    tell({seen.print_places(), lasted, seen.print_stack()});
}

void loop_watch::tell(const stall& what) {
    if (on_stall_) return on_stall_(what);
    const time_point now = monotonic_now();
    if (told_ != time_point{} && now - told_ < between_lines) {
        untold_ += 1;
        return;
    }
    std::string text = "a task has not given way for ";
    append_age(text, what.lasted);
    if (!what.places.empty()) text.append(" since ").append(what.places);
    if (untold_ > 0) text.append(" (and ").append(std::to_string(untold_)).append(" before it)");
    print_error(text.append("\n").append(what.stack));
    told_ = now;
    untold_ = 0;
}

}  // namespace anel::detail

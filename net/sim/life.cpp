// life.cpp: how simulated hosts start, end, crash and start again.
// SPDX-License-Identifier: MIT
#include "net/sim/backend.hpp"
#include "net/sim/network.hpp"

#include <anel/task_tree.hpp>

#include <algorithm>
#include <exception>
#include <string>

namespace anel::sim {
namespace {

using namespace std::chrono_literals;

// A crash, and the end of a run, must come to an end themselves.
constexpr int unwind_turns_max = 100'000;
constexpr duration finish_time_max = 1h;

task<> call_program(const world::program& start) {
    auto work = start();
    co_await work;
}

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& known) {
        return known.what();
    } catch (const task_cancelled&) {
        return "task_cancelled";
    } catch (...) {
        return "something that is no std::exception";
    }
}

}  // namespace

void network::start(machine& which) {
    ANEL_ASSERT(!which.root);
    which.life += 1;
    which.down = false;
    which.comes_back = false;
    which.wakes_at = never;
    auto backend = std::make_unique<machine_backend>(*this, which);
    which.backend = backend.get();
    which.turning = std::make_unique<loop>(std::move(backend));
    if (core_.seen.on()) which.turning->keep_record({});
    if (which.life > 1) core_.seen.add_fault(core_.now, never, "restart", {which.index});
    which.root = std::make_unique<root_task>(*which.turning, call_program(which.start));
    has_work(which);
}

void network::ended(machine& which) {
    const std::exception_ptr error = which.root->error();
    which.root.reset();
    if (error && !(anel::detail::is_cancel(error) && finishing_)) {
        broke("host " + which.name + ": " + text_of(error));
    }
    check_nothing_left(which);
}

void network::check_nothing_left(const machine& which) {
    if (const std::size_t open = which.backend->open_descriptors(); open > 0) {
        broke("host " + which.name + " has ended and left " + std::to_string(open) +
              " descriptors open");
    }
    if (which.backend->in_flight() > 0) {
        broke("host " + which.name + " has ended and left operations in flight");
    }
    // One frame, that of call_program, is made before the loop runs and goes while it does. How
    // many a task had that was made by the test, nobody knows.
    const std::int64_t frames = which.turning->frames_alive() + 1;
    if (which.may_restart && frames != 0) {
        broke("host " + which.name + " has ended and left " + std::to_string(frames) + " frames");
    }
}

// --- crash --------------------------------------------------------------------------------------

void network::want_crash(machine& which) {
    which.crash_wanted = true;
    asked_ = true;
}

void network::want_restart(machine& which) {
    which.restart_wanted = true;
    asked_ = true;
}

// Between two turns: nobody's coroutine runs now.
void network::do_what_was_asked() {
    asked_ = false;
    for (const auto& each : machines_) {
        if (std::exchange(each->crash_wanted, false)) crash(*each);
        if (std::exchange(each->restart_wanted, false) && !each->root && each->may_restart) {
            if (each->turning) crash(*each);  // its program had ended; the machine starts anew
            start(*each);
        }
    }
}

void network::crash(machine& which) {
    if (!which.turning) return;
    core_.note(fault::crash, which.index);
    core_.seen.add_fault(core_.now, never, "crash", {which.index});
    unwind(which);
    which.down = true;
    which.life += 1;  // what is scheduled for it is for another life
    which.lingering.clear();
    for (auto& [path, file] : which.files) file.bound = nullptr;
}

// Inside, everything fails at once, and timers fire without the world's time going on.
void network::unwind(machine& which) {
    which.crashing = true;
    core_.seen.take(*which.turning, which.index);  // what follows has a clock of its own
    which.backend->set_crash_clock(core_.now);
    which.backend->fail_everything();
    if (which.root) which.root->scope().cancel();
    int turns = 0;
    while (which.root && !which.root->ended()) {
        const step_result done = which.turning->step([](op_queue&) {});
        const bool stuck = done.next == never && !which.backend->has_news();
        if (which.root->ended()) break;
        if (stuck || ++turns > unwind_turns_max) {
            broke("host " + which.name + " does not end when it crashes; it waits for\n" +
                  task_tree(which.root->scope()));
            // Its frames are in use by nobody knows whom: better lost than destroyed.
            static_cast<void>(which.root.release());
            static_cast<void>(which.turning.release());
            break;
        }
        if (done.next != time_point::min() && !which.backend->has_news()) {
            which.backend->set_crash_clock(done.next);
        }
    }
    which.root.reset();
    if (which.turning) check_nothing_left(which);
    which.turning.reset();
    which.backend = nullptr;
    which.crashing = false;
    if (std::exchange(which.listed, false)) std::erase(with_work_, which.index);
}

void network::crash_everybody() noexcept {
    const bool was_run = std::exchange(is_run_, true);  // what programs say in destructors is noted
    for (const auto& each : machines_) {
        if (each->turning) unwind(*each);
    }
    is_run_ = was_run;
}

// --- the end ------------------------------------------------------------------------------------

void network::finish() {
    for (const auto& each : machines_) {
        if (each->must_end && each->root) {
            broke("client " + each->name + " has not ended in time");
        }
    }
    if (failed()) fail();
    stop_faults();
    finishing_ = true;
    for (const auto& each : machines_) {
        each->restart_wanted = false;
        if (!each->root) continue;
        each->root->scope().cancel();
        has_work(*each);
    }
    advance_until(core_.now + finish_time_max, true);
    finishing_ = false;
    for (const auto& each : machines_) {
        if (each->root) broke("host " + each->name + " does not end when it is cancelled");
    }
    if (streams_.in_use() > 0 && !failed()) broke("connections are left without an end");
    if (failed()) fail();
}

void network::broke(std::string_view what) {
    core_.seen.fail(core_.now, what);
    if (!failed()) core_.failed = std::string(what) + "\n" + tasks();
}

void network::fail() {
    std::string text = core_.failed;
    const std::int64_t now = core_.now.time_since_epoch().count();
    const std::string fraction = std::to_string(now % 1'000'000'000);
    constexpr std::string_view digits = "0123456789abcdef";
    std::string seed;
    for (int shift = 60; shift >= 0; shift -= 4) seed += digits[core_.seed >> shift & 15];
    text += "at " + std::to_string(now / 1'000'000'000) + "." +
            std::string(9 - fraction.size(), '0') + fraction + " s, seed 0x" + seed;
    throw failure(text);
}

std::string network::tasks() const {
    std::string text;
    for (const auto& each : machines_) {
        if (!each->root) continue;
        text += each->name + ":\n" + task_tree(each->root->scope());
    }
    return text;
}

}  // namespace anel::sim

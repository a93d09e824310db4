// process.cpp: starting a program on a helper thread, and waiting for its end.
// SPDX-License-Identifier: MIT
#include <anel/process.hpp>

#include "net/pipe.hpp"
#include "runtime/system/child.hpp"

#include <anel/offload.hpp>
#include <anel/sleep.hpp>
#include <anel/timeout.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string_view>

namespace anel {
using namespace detail;
namespace {

[[noreturn]] void refuse_program(int error, const std::string& program, std::string_view reason) {
    std::string subject = program;
    if (!reason.empty()) subject.append(subject.empty() ? "" : " ").append(reason);
    throw_errno(error, "spawn", subject);
}

bool has_zero_byte(const std::string& text) noexcept { return text.find('\0') != text.npos; }

// Refuses where it is given what the kernel would cut off or misread.
void check_program(const std::vector<std::string>& arguments, const spawn_options& options) {
    if (arguments.empty() || arguments[0].empty()) refuse_program(EINVAL, {}, "(no program)");
    const std::string& program = arguments[0];
    for (const std::string& each : arguments) {
        if (has_zero_byte(each)) {
            refuse_program(EINVAL, program.c_str(), "(an argument with a zero byte)");
        }
    }
    if (has_zero_byte(options.directory)) {
        refuse_program(EINVAL, program, "(a directory with a zero byte)");
    }
    const bool refers = options.input == child_stream::same_as_output ||
                        options.output == child_stream::same_as_output;
    if (refers) refuse_program(EINVAL, program, "(same_as_output is for the errors)");
    if (!options.environment) return;
    for (const std::string& each : *options.environment) {
        const std::size_t equals = each.find('=');
        if (equals == 0 || equals == each.npos || has_zero_byte(each)) {
            refuse_program(EINVAL, program, "(\"" + each + "\" is no NAME=value)");
        }
    }
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (std::string& each : texts) pointers.push_back(each.data());
    pointers.push_back(nullptr);
    return pointers;
}

std::string name_of_process(const std::string& program, int id) {
    const std::string_view name = std::string_view(program).substr(program.rfind('/') + 1);
    return std::string(name) + " (process " + std::to_string(id) + ")";
}

}  // namespace

namespace detail {

/// The streams of a child that is being started, and then the child.
class child_maker {
public:
    child_maker(loop& owner, const std::string& program) noexcept
        : owner_(owner), program_(program) {}

    /// What the child is given for `number`, 0 to 2. The names are made now: once it runs, nothing
    /// may fail that need not.
    void give(program_start& to, int number, child_stream what) {
        static constexpr const char* names[] = {"standard input", "standard output",
                                                "standard error"};
        int& place = to.streams[number];
        place = what == child_stream::inherit ? inherited
                : what == child_stream::null  ? null_device
                                              : same_as_output;
        if (what != child_stream::pipe) return;
        std::string name = std::string(names[number]) + " of " + program_;
        pipe_ends ends;
        std::int32_t error = open_pipe(ends);
        const bool writes = number == 0;
        file_holder& ours = writes ? ends.writing : ends.reading;
        file_holder& theirs = writes ? ends.reading : ends.writing;
        pipe_stream* const streams[] = {&child_.input_, &child_.output_, &child_.errors_};
        if (error == 0) {
            error = pipe_maker::make(owner_, ours, writes, std::move(name), *streams[number]);
        }
        if (error < 0) refuse_program(-error, program_, "(its pipes)");
        held_[number] = std::move(theirs);
        place = held_[number].fd();
    }

    /// From now on the child is killed when this object goes. Its ends of the pipes are its own.
    void started(const program_start& as) noexcept {
        child_.id_ = as.id;
        child_.own_group_ = as.own_group;
        pidfd_ = file_holder(as.pidfd);
        for (file_holder& each : held_) each = file_holder();
    }

    task<child_process> finish() {
        child_.name_ = name_of_process(program_, child_.id_);
        if (pidfd_.fd() >= 0) {
            child_.ended_ = co_await descriptor::adopt(pidfd_.fd());
            (void)pidfd_.release();
        }
        co_return std::move(child_);
    }

private:
    loop& owner_;
    const std::string& program_;
    child_process child_;
    file_holder held_[3];
    file_holder pidfd_;
};

}  // namespace detail

std::string exit_status::text() const {
    return signal != 0 ? "signal " + std::to_string(signal) : "exit code " + std::to_string(code);
}

void child_process::take(child_process& other) noexcept {
    id_ = std::exchange(other.id_, 0);
    own_group_ = other.own_group_;
    lost_ = other.lost_;
    status_ = std::exchange(other.status_, std::nullopt);
    name_ = std::move(other.name_);
    ended_ = std::move(other.ended_);
    input_ = std::move(other.input_);
    output_ = std::move(other.output_);
    errors_ = std::move(other.errors_);
}

child_process& child_process::operator=(child_process&& other) noexcept {
    if (this != &other) {
        end_now();
        take(other);
    }
    return *this;
}

void child_process::end_now() noexcept {
    if (!must_be_reaped()) return;
    process_end how;
    if (own_group_) (void)detail::send_signal(id_, true, SIGKILL);
    // Who may not be killed would hold up the loop until it ends by itself.
    const bool ends = detail::send_signal(id_, false, SIGKILL) == 0;
    (void)reap(id_, ends, how);
    id_ = 0;
}

std::string child_process::subject() const { return name_.empty() ? "(no process)" : name_; }

bool child_process::has_ended() {
    if (id_ == 0) throw_errno(ECHILD, "wait", "for (no process)");
    if (status_) return true;
    process_end how;
    const std::int32_t result = lost_ ? -ECHILD : reap(id_, false, how);
    if (result < 0) {
        lost_ = true;
        throw_errno(-result, "wait", "for " + subject());
    }
    if (result > 0) status_ = exit_status{how.code, how.signal};
    return result > 0;
}

task<exit_status> child_process::wait() {
    using namespace std::chrono_literals;
    for (duration pause = 1ms; !has_ended(); pause = std::min<duration>(2 * pause, 100ms)) {
        if (ended_.is_open()) co_await ended_.readable();
        else co_await sleep_for(pause);
    }
    const exit_status how = *status_;
    co_return how;
}

bool child_process::send_signal(int number) {
    if (!must_be_reaped()) return false;
    const std::int32_t result = detail::send_signal(id_, own_group_, number);
    if (result < 0 && result != -ESRCH) throw_errno(-result, "kill", subject());
    return result == 0;
}

task<exit_status> child_process::kill_and_wait() {
    send_signal(SIGKILL);
    auto ending = shielded(wait());
    const exit_status how = co_await ending;
    co_return how;
}

task<child_process> spawn_process(std::vector<std::string> arguments, spawn_options options) {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    check_program(arguments, options);
    const std::string& program = arguments[0];
    if (owner.backend().kind() == backend_kind::sim) {
        refuse_program(EOPNOTSUPP, program, "(a simulated host has no processes)");
    }
    child_maker maker(owner, program);
    program_start what;
    owner.settle();
    maker.give(what, 0, options.input);
    maker.give(what, 1, options.output);
    maker.give(what, 2, options.errors);
    std::vector<char*> words = pointers_to(arguments);
    std::vector<char*> variables;
    if (options.environment) variables = pointers_to(*options.environment);
    what.arguments = words.data();
    what.variables = options.environment ? variables.data() : nullptr;
    what.directory = options.directory.empty() ? nullptr : options.directory.c_str();
    what.own_group = options.own_group;
    std::int32_t outside = 0;
    const auto on_helper = [&]() noexcept {
        const std::int32_t error = start_program(what);
        if (error < 0 && what.directory) outside = try_directory(what.directory);
        return error;
    };
    const std::int32_t error = co_await offload(on_helper);
    if (error < 0) {
        const std::string where = what.directory ? "in " + options.directory : std::string();
        refuse_program(outside < 0 ? -outside : -error, program, where);
    }
    maker.started(what);
    auto finishing = maker.finish();
    child_process child = co_await finishing;
    co_return child;
}

task<child_process> spawn_process(std::vector<std::string> arguments) {
    return spawn_process(std::move(arguments), spawn_options());
}

}  // namespace anel

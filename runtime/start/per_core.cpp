// per_core.cpp: one thread leads: it is told of signals, and waits until the others have ended.
// SPDX-License-Identifier: MIT
#include <anel/per_core.hpp>

#include "runtime/start/trace_file.hpp"
#include "runtime/system/system.hpp"

#include <anel/sleep.hpp>
#include <anel/task_group.hpp>
#include <anel/thread_channel.hpp>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace anel {
using namespace detail;
namespace {

class threads_together {
public:
    threads_together(unsigned count, const std::function<task<>(unsigned)>& make,
                     const per_core_options& options)
        : make_(make), options_(options), others_(count - 1), ended_(count) {}

    int run_all() {
        int code = 0;
        std::vector<std::thread> threads;
        try {
            threads.reserve(others_);
            for (unsigned i = 1; i <= others_; ++i) {
                threads.emplace_back([this, i] { follow(i); });
            }
            pin(0);
            code = run(lead(), options_.run);
        } catch (...) {
            failed(std::current_exception());
        }
        stop_.close();
        for (std::thread& one : threads) one.join();
        if (error_) std::rethrow_exception(error_);
        return code;
    }

private:
    void pin(unsigned index) const noexcept {
        if (options_.pin) pin_thread(index);
    }

    void failed(std::exception_ptr error) noexcept {
        const std::lock_guard held(lock_);
        if (!error_) error_ = std::move(error);
        stop_.close();
    }

    void follow(unsigned index) noexcept {
        try {
            pin(index);
            run_options without_signals = options_.run;
            without_signals.signals = false;
            without_signals.trace = trace_path_of(trace_path(without_signals.trace), index);
            run(until_stopped(make_(index)), without_signals);
        } catch (...) {
            failed(std::current_exception());
        }
        // There is room for all of them.
        static_cast<void>(ended_.try_send(std::move(index)));
    }

    task<> until_stopped(task<> program) {
        if (stop_.is_closed()) co_return;
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&threads_together::end_when_stopped, this, std::ref(group));
            co_await std::move(program);
            group.cancel();
        });
    }

    task<> end_when_stopped(task_group& group) {
        auto nothing = co_await stop_.recv();
        static_cast<void>(nothing);
        group.cancel();
    }

    // The others are asked to stop as soon as this one is, so that all drain at the same time.
    task<> pass_on_cancel() {
        try {
            co_await sleep_until(never);
        } catch (const task_cancelled&) {
            stop_.close();
            throw;
        }
    }

    task<> lead() {
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&threads_together::pass_on_cancel, this);
            co_await until_stopped(make_(0));
            for (unsigned i = 0; i < others_; ++i) {
                auto ended = co_await ended_.recv();
                static_cast<void>(ended);
            }
            group.cancel();
        });
    }

    const std::function<task<>(unsigned)>& make_;
    const per_core_options& options_;
    const unsigned others_;
    thread_channel<unsigned> ended_;
    thread_channel<char> stop_{1};  // carries nothing: that it is closed is the message
    std::mutex lock_;
    std::exception_ptr error_;
};

}  // namespace

int detail::run_on_threads(unsigned threads, const std::function<task<>(unsigned)>& make,
                           const per_core_options& options, version_here) {
    const unsigned here = std::max(1U, std::thread::hardware_concurrency());
    return threads_together(threads == 0 ? here : threads, make, options).run_all();
}

}  // namespace anel

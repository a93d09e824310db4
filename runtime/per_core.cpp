// per_core.cpp: one thread leads: it is told of signals, and waits until the others have ended.
// SPDX-License-Identifier: MIT
#include <anel/per_core.hpp>

#include "runtime/system.hpp"

#include <anel/sleep.hpp>
#include <anel/stop_token.hpp>
#include <anel/thread_channel.hpp>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace anel {
namespace {

class threads_together {
public:
    threads_together(unsigned count, const std::function<task<>(unsigned)>& make,
                     const per_core_options& options)
        : make_(make), options_(options), others_(count - 1), ended_(count) {}

    int run_all() {
        int code = 0;
        std::vector<std::jthread> threads;
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
        stop_.request_stop();
        threads.clear();
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
        stop_.request_stop();
    }

    void follow(unsigned index) noexcept {
        try {
            pin(index);
            run_options without_signals = options_.run;
            without_signals.signals = false;
            run(until_stopped(make_(index)), without_signals);
        } catch (...) {
            failed(std::current_exception());
        }
        // There is room for all of them.
        static_cast<void>(ended_.try_send(std::move(index)));
    }

    task<> until_stopped(task<> program) {
        try {
            co_await with_stop_token(stop_.get_token(), std::move(program));
        } catch (const io_error& error) {
            const bool by_stop = error.code() == std::errc::operation_canceled;
            if (!by_stop || !stop_.stop_requested()) throw;
        }
    }

    // The others are asked to stop as soon as this one is, so that all drain at the same time.
    task<> pass_on_cancel() {
        try {
            co_await sleep_until(never);
        } catch (const task_cancelled&) {
            stop_.request_stop();
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
    std::stop_source stop_;
    std::mutex lock_;
    std::exception_ptr error_;
};

}  // namespace

int detail::run_on_threads(unsigned threads, const std::function<task<>(unsigned)>& make,
                           const per_core_options& options) {
    const unsigned here = std::max(1U, std::thread::hardware_concurrency());
    return threads_together(threads == 0 ? here : threads, make, options).run_all();
}

}  // namespace anel

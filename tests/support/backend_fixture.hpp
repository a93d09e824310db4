// backend_fixture.hpp: drives a backend by hand: submits operations, and collects what is done.
//
// Every operation that was in flight is counted when it arrives; one that arrives twice, or does
// not arrive, is a failure.
// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/over_backends.hpp"
#include "tests/support/raw_socket.hpp"

#include <anel/detail/backend.hpp>
#include <anel/detail/operation.hpp>

#include <atomic>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace anel::test {
using namespace detail;

class backend_fixture : public over_backends {
protected:
    void TearDown() override {
        if (backend_) {
            EXPECT_EQ(backend_->in_flight(), 0U);
            if (backend_->in_flight() == 0) backend_.reset();
            else static_cast<void>(backend_.release());  // its destructor would abort
        }
        over_backends::TearDown();
    }

    /// Makes the backend of this test; one made before goes first.
    void make(std::uint32_t submission_entries = 256, std::uint32_t completion_entries = 4096) {
        backend_.reset();
        backend_options options;
        options.kind = GetParam();
        options.submission_entries = submission_entries;
        options.completion_entries = completion_entries;
        backend_ = make_backend(options);
        ASSERT_EQ(backend_->kind(), GetParam());
    }

    // --- control calls --------------------------------------------------------------------------

    std::int32_t control(opcode code, int fd, void* data = nullptr, std::size_t size = 0,
                         std::uint32_t flags = 0) {
        operation op(code, fd, data, size, flags);
        EXPECT_FALSE(backend_->submit(op)) << "control calls are done at once";
        EXPECT_EQ(op.state, op_state::done);
        return op.result;
    }
    int open(socket_kind kind) {
        const int fd =
            control(opcode::open_socket, -1, nullptr, 0, static_cast<std::uint32_t>(kind));
        EXPECT_GE(fd, 0);
        return fd;
    }
    int listen_on(const endpoint& address) {
        const bool v6 = address.family() == address_family::ipv6;
        const int fd = open(v6 ? socket_kind::tcp6 : socket_kind::tcp4);
        socket_address native = to_socket_address(address);
        EXPECT_EQ(control(opcode::bind, fd, &native), 0);
        EXPECT_EQ(control(opcode::listen, fd, nullptr, 16), 0);
        return fd;
    }
    socket_address local_address(int fd) {
        socket_address address;
        EXPECT_EQ(control(opcode::local_address, fd, &address), 0);
        return address;
    }
    endpoint local_endpoint(int fd) {
        return from_socket_address(local_address(fd)).value_or(endpoint());
    }
    void close(int fd) { EXPECT_EQ(control(opcode::close, fd), 0); }
    /// A descriptor that the backend has worked on is closed through it.
    void close(raw_pair& pair) {
        close(pair.first.release());
        close(pair.second.release());
    }

    // --- operations -----------------------------------------------------------------------------

    void expect(std::size_t more) { pending_ += more; }

    void submit_all(std::initializer_list<operation*> operations) {
        for (operation* op : operations) {
            if (backend_->submit(*op)) pending_ += 1;
            else seen_ += 1;
        }
    }

    /// One look at the kernel without sleeping; operations that are done are counted.
    void look() { take(time_point::min()); }
    /// The same, for when nothing should have arrived, or it does not matter.
    void look_for_nothing() { take(backend_->now()); }

    /// Waits for all that is in flight.
    void collect_all() {
        const time_point deadline = backend_->now() + std::chrono::nanoseconds(patience);
        while (pending_ > 0) {
            if (backend_->now() >= deadline) {
                ADD_FAILURE() << pending_ << " operations do not arrive";
                std::abort();  // their memory is the kernel's: nothing can be cleaned up
            }
            take(deadline);
        }
        EXPECT_EQ(backend_->in_flight(), 0U);
    }
    /// How many operations have arrived, inside submit() or later.
    [[nodiscard]] std::size_t results_seen() const { return seen_; }

    std::unique_ptr<backend> backend_;

private:
    void take(time_point until) {
        op_queue done;
        backend_->wait(until, done);
        std::set<const suspension*> distinct;
        while (suspension* next = done.pop()) {
            auto& op = static_cast<operation&>(*next);
            EXPECT_TRUE(distinct.insert(next).second) << "an operation arrived twice";
            EXPECT_EQ(op.state, op_state::done);
            EXPECT_EQ(op.owed, 0);
            ASSERT_GT(pending_, 0U) << "an operation arrived that was not in flight";
            pending_ -= 1;
            seen_ += 1;
        }
    }

    std::size_t pending_ = 0;
    std::size_t seen_ = 0;
};

/// A helper call that counts its runs and, when told to, waits until it is released.
struct counting_call : helper_call {
    std::atomic<int> runs{0};
    std::atomic<bool>* release = nullptr;

    counting_call() : helper_call{&counting_call::on_run} {}

private:
    static void on_run(helper_call& call) noexcept {
        auto& self = static_cast<counting_call&>(call);
        self.runs.fetch_add(1);
        if (self.release) self.release->wait(false);
    }
};

}  // namespace anel::test

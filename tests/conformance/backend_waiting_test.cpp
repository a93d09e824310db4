// backend_waiting_test.cpp: how long a backend waits, who wakes it, control calls and helper calls.
// SPDX-License-Identifier: MIT
#include "tests/support/backend_fixture.hpp"

#include <sys/resource.h>

namespace anel::test {
using namespace detail;
namespace {

class backend_waiting : public backend_fixture {
protected:
    /// How long one wait until `until` takes.
    duration time_wait(time_point until) {
        op_queue done;
        const time_point start = backend_->now();
        backend_->wait(until, done);
        EXPECT_TRUE(done.empty());
        return backend_->now() - start;
    }
};
ANEL_OVER_KERNELS(backend_waiting);

TEST_P(backend_waiting, ends_at_the_deadline_and_not_before) {
    make();
    for (const duration wanted : {duration(1us), duration(100us), duration(1ms), duration(7300us),
                                  duration(20ms), duration(50ms)}) {
        for (int round = 0; round < 5; ++round) {
            const time_point start = backend_->now();
            // A signal may cut a wait short, and so may the kernel itself (EINTR from epoll without
            // any signal, while it tears down a ring that this process had): the loop waits again.
            int waits = 0;
            for (; backend_->now() < start + wanted; ++waits) time_wait(start + wanted);
            EXPECT_LT(waits, 1000) << "it spins";
            EXPECT_LT(backend_->now() - start, wanted + 5s);
        }
    }
}

TEST_P(backend_waiting, does_not_block_when_the_deadline_has_passed) {
    make();
    raw_pair streams;
    char byte = 0;
    operation recv(opcode::recv, streams.first.fd(), &byte, 1);
    submit_all({&recv});
    for (const time_point until :
         {time_point::min(), time_point(), backend_->now() - 1s, backend_->now()}) {
        EXPECT_LT(time_wait(until), 5s);
    }
    backend_->cancel(recv);
    collect_all();
}

/// How often this thread has gone to sleep in the kernel.
long sleeps() {
    rusage used{};
#ifdef RUSAGE_THREAD
    ::getrusage(RUSAGE_THREAD, &used);
#else
    ::getrusage(RUSAGE_SELF, &used);
#endif
    return used.ru_nvcsw;
}

// A timeout of zero makes the kernel set up a timer all the same, and the thread sleeps for its
// slack: 31 microseconds for each such wait, in a virtual machine, against 0.2 for a look.
TEST_P(backend_waiting, needs_no_timer_when_the_deadline_has_passed) {
    make();
    raw_pair streams;
    char byte = 0;
    operation recv(opcode::recv, streams.first.fd(), &byte, 1);
    submit_all({&recv});
    look();
    // A tracer makes a thread sleep at each call; a timer would make it a thousand times more.
    const long first = sleeps();
    for (int i = 0; i < 1000; ++i) time_wait(time_point::min());
    const long second = sleeps();
    for (int i = 0; i < 1000; ++i) time_wait(backend_->now());
    EXPECT_LT(sleeps() - second, second - first + 100);
    backend_->cancel(recv);
    collect_all();
}

TEST_P(backend_waiting, ends_with_the_first_completion) {
    make();
    raw_pair streams;
    char byte = 0;
    operation recv(opcode::recv, streams.first.fd(), &byte, 1);
    backend_->submit(recv);
    std::thread writer([&] { streams.second.write("x"); });
    const time_point start = backend_->now();
    while (recv.state != op_state::done) {
        op_queue done;
        backend_->wait(never, done);
    }
    EXPECT_LT(backend_->now() - start, 5s);
    writer.join();
    EXPECT_EQ(recv.result, 1);
    EXPECT_EQ(backend_->in_flight(), 0U);
}

TEST_P(backend_waiting, is_ended_by_a_wake_from_another_thread) {
    make();
    for (int round = 0; round < 50; ++round) {
        std::thread waker([&] { backend_->wake(); });
        EXPECT_LT(time_wait(backend_->now() + 10s), 5s);
        waker.join();
    }
}

TEST_P(backend_waiting, does_not_lose_a_wake_that_came_before) {
    make();
    for (int round = 0; round < 50; ++round) {
        backend_->wake();
        if (round % 2 == 0) backend_->wake();
        EXPECT_LT(time_wait(backend_->now() + 10s), 5s);
    }
}

TEST_P(backend_waiting, sleeps_again_after_a_wake) {
    make();
    for (int i = 0; i < 10; ++i) backend_->wake();
    const time_point until = backend_->now() + 30ms;
    int waits = 0;
    for (; backend_->now() < until; ++waits) time_wait(until);
    EXPECT_LE(waits, 5) << "a wake keeps the loop spinning";
}

// The ball is thrown by a wake alone: one that gets lost stops the game.
TEST_P(backend_waiting, loses_no_wake_in_a_game_of_two_threads) {
    make();
    std::atomic<int> thrown{0};
    std::atomic<int> caught{0};
    const int count = rounds(20'000);
    std::thread other([&] {
        for (int i = 1; i <= count; ++i) {
            thrown.store(i);
            backend_->wake();
            caught.wait(i - 1);
        }
    });
    const time_point deadline = backend_->now() + std::chrono::nanoseconds(patience);
    for (int i = 1; i <= count; ++i) {
        while (thrown.load() < i && backend_->now() < deadline) time_wait(deadline);
        caught.store(i);
        caught.notify_one();
    }
    EXPECT_LT(backend_->now(), deadline);
    other.join();
}

// One system call, but for those that the kernel interrupts while it tears down a ring that this
// process had: dozens at most. A wait that spins makes ten thousands.
TEST_P(backend_waiting, an_idle_wait_does_not_spin) {
    make();
    raw_pair streams;
    char byte = 0;
    operation recv(opcode::recv, streams.first.fd(), &byte, 1);
    submit_all({&recv});
    look();
    const auto before = backend_->counters().waits;
    time_wait(backend_->now() + 50ms);
    EXPECT_LE(backend_->counters().waits - before, 200U);
    backend_->cancel(recv);
    collect_all();
}

// --- control calls ------------------------------------------------------------------------------

TEST_P(backend_waiting, control_calls_answer_with_the_errno) {
    make();
    constexpr int closed = 9999;
    socket_address any = to_socket_address("127.0.0.1:0");
    EXPECT_EQ(control(opcode::bind, closed, &any), -EBADF);
    EXPECT_EQ(control(opcode::listen, closed, nullptr, 1), -EBADF);
    EXPECT_EQ(control(opcode::local_address, closed, &any), -EBADF);
    EXPECT_EQ(control(opcode::peer_address, closed, &any), -EBADF);
    EXPECT_EQ(control(opcode::shutdown, closed), -EBADF);
    EXPECT_EQ(control(opcode::set_option, closed, nullptr, 1), -EBADF);
    EXPECT_EQ(control(opcode::close, closed), -EBADF);
    EXPECT_EQ(control(opcode::open_socket, -1, nullptr, 0, 99), -EINVAL);

    any = to_socket_address("127.0.0.1:0");
    const int listener = listen_on("127.0.0.1:0");
    socket_address taken = local_address(listener);
    const int second = open(socket_kind::tcp4);
    EXPECT_EQ(control(opcode::bind, second, &taken), -EADDRINUSE);
    EXPECT_EQ(control(opcode::bind, second, &any), 0);
    EXPECT_EQ(control(opcode::bind, second, &any), -EINVAL) << "bound already";
    socket_address foreign = to_socket_address("192.0.2.77:0");
    const int third = open(socket_kind::tcp4);
    EXPECT_EQ(control(opcode::bind, third, &foreign), -EADDRNOTAVAIL);
    EXPECT_EQ(control(opcode::shutdown, third), -ENOTCONN);
    EXPECT_EQ(control(opcode::peer_address, third, &any), -ENOTCONN);
    EXPECT_EQ(control(opcode::listen, third, nullptr, 1), 0);
    EXPECT_NE(local_endpoint(third).port(), 0) << "listen picks a port where bind did not";
    const int datagrams = open(socket_kind::udp4);
    EXPECT_EQ(control(opcode::listen, datagrams, nullptr, 1), -EOPNOTSUPP);
    const raw_socket pipe_end(::dup(0));
    if (::fcntl(pipe_end.fd(), F_GETFD) >= 0) {
        EXPECT_EQ(control(opcode::listen, pipe_end.fd(), nullptr, 1), -ENOTSOCK);
    }
    for (const int fd : {listener, second, third, datagrams}) close(fd);
}

TEST_P(backend_waiting, operations_answer_with_the_errno) {
    make();
    const int unconnected = open(socket_kind::tcp4);
    char byte = 0;
    const auto result_of = [&](opcode code, int fd, void* data, std::size_t size) {
        operation op(code, fd, data, size);
        submit_all({&op});
        collect_all();
        return op.result;
    };
    socket_address address;
    EXPECT_EQ(result_of(opcode::recv, -1, &byte, 1), -EBADF);
    EXPECT_EQ(result_of(opcode::recv, 9999, &byte, 1), -EBADF);
    EXPECT_EQ(result_of(opcode::accept, 9999, &address, 0), -EBADF);
    EXPECT_EQ(result_of(opcode::recv, unconnected, &byte, 1), -ENOTCONN);
    EXPECT_EQ(result_of(opcode::send, unconnected, &byte, 1), -EPIPE);
    EXPECT_EQ(result_of(opcode::accept, unconnected, &address, 0), -EINVAL);
    EXPECT_EQ(result_of(opcode::recv, unconnected, &byte, 0), 0);
    EXPECT_EQ(result_of(opcode::send, unconnected, &byte, 0), 0);
    const int datagrams = open(socket_kind::udp4);
    EXPECT_EQ(result_of(opcode::accept, datagrams, &address, 0), -EOPNOTSUPP);
    close(unconnected);
    close(datagrams);
}

// --- helper calls -------------------------------------------------------------------------------

TEST_P(backend_waiting, a_helper_call_runs_beside_the_loop) {
    make();
    std::atomic<bool> release{false};
    counting_call blocked;
    blocked.release = &release;
    operation first(opcode::call, -1, static_cast<helper_call*>(&blocked));
    submit_all({&first});
    raw_pair streams;
    char byte = 0;
    operation recv(opcode::recv, streams.first.fd(), &byte, 1);
    operation send(opcode::send, streams.second.fd(), &byte, 1);
    submit_all({&recv, &send});
    while (recv.state != op_state::done) look_for_nothing();
    EXPECT_EQ(first.state, op_state::in_flight);
    release.store(true);
    release.notify_all();
    collect_all();
    EXPECT_EQ(first.result, 0);
    EXPECT_EQ(blocked.runs, 1);
}

TEST_P(backend_waiting, a_running_helper_call_is_waited_for_when_cancelled) {
    make();
    std::atomic<bool> release{false};
    counting_call blocked;
    blocked.release = &release;
    operation op(opcode::call, -1, static_cast<helper_call*>(&blocked));
    submit_all({&op});
    while (blocked.runs.load() == 0) std::this_thread::yield();
    backend_->cancel(op);
    backend_->cancel(op);
    look();
    EXPECT_EQ(op.state, op_state::in_flight);
    release.store(true);
    release.notify_all();
    collect_all();
    EXPECT_EQ(op.result, 0) << "it ran: its result stands";
}

// Four helpers run, 256 calls wait; what comes on top is refused, and nothing else is.
TEST_P(backend_waiting, helper_calls_beyond_the_queue_are_refused_with_EAGAIN) {
    make();
    std::atomic<bool> release{false};
    std::vector<std::unique_ptr<counting_call>> calls;
    std::vector<std::unique_ptr<operation>> operations;
    const auto add = [&] {
        calls.push_back(std::make_unique<counting_call>());
        calls.back()->release = &release;
        operations.push_back(std::make_unique<operation>(
            opcode::call, -1, static_cast<helper_call*>(calls.back().get())));
        submit_all({operations.back().get()});
        return operations.back()->state == op_state::in_flight;
    };
    const auto running = [&] {
        int count = 0;
        for (const auto& call : calls) count += call->runs.load();
        return count;
    };
    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(add());
        while (running() <= i) std::this_thread::yield();
    }
    for (int i = 0; i < 256; ++i) EXPECT_TRUE(add()) << i;
    for (int i = 0; i < 40; ++i) {
        EXPECT_FALSE(add());
        EXPECT_EQ(operations.back()->result, -EAGAIN);
    }
    for (std::size_t i = 4; i < 260; i += 2) backend_->cancel(*operations[i]);
    for (std::size_t i = 4; i < 260; i += 4) backend_->cancel(*operations[i]);  // twice is once
    look();
    EXPECT_EQ(operations[4]->result, -ECANCELED) << "a queued call ends at once";
    release.store(true);
    release.notify_all();
    collect_all();
    for (std::size_t i = 0; i < 260; ++i) {
        const bool cancelled = i >= 4 && i % 2 == 0;
        EXPECT_EQ(operations[i]->result, cancelled ? -ECANCELED : 0) << i;
        EXPECT_EQ(calls[i]->runs.load(), cancelled ? 0 : 1) << i;
    }
    EXPECT_EQ(results_seen(), 300U);
}

TEST_P(backend_waiting, a_backend_with_idle_helpers_goes_at_once) {
    const std::size_t threads = count_threads();
    for (int round = 0; round < 20; ++round) {
        make();
        counting_call called;
        operation op(opcode::call, -1, static_cast<helper_call*>(&called));
        submit_all({&op});
        collect_all();
        backend_->wake();  // nobody will see it
        backend_.reset();
    }
    // A joined thread may be listed for a moment longer.
    const auto deadline = std::chrono::steady_clock::now() + 2s;
    while (count_threads() > threads + sanitizer_threads &&
           std::chrono::steady_clock::now() < deadline) {
        std::this_thread::yield();
    }
    EXPECT_LE(count_threads(), threads + sanitizer_threads);
}

}  // namespace
}  // namespace anel::test

// backend_contract_test.cpp: the contract at the top of backend.hpp, without loop or coroutines.
// SPDX-License-Identifier: MIT
#include "tests/support/backend_fixture.hpp"

#include <random>

namespace anel::test {
using namespace detail;
namespace {

class backend_contract : public backend_fixture {};
ANEL_OVER_KERNELS(backend_contract);

TEST_P(backend_contract, finishes_each_operation_exactly_once) {
    make();
    const int listener = listen_on("127.0.0.1:0");
    const socket_address here = local_address(listener);
    const int connecting = open(socket_kind::tcp4);
    const int sender = open(socket_kind::udp4);
    const int receiver = open(socket_kind::udp4);
    socket_address any = to_socket_address("127.0.0.1:0");
    ASSERT_EQ(control(opcode::bind, receiver, &any), 0);
    socket_address datagrams = local_address(receiver);

    socket_address peer;
    socket_address target = here;
    operation accept(opcode::accept, listener, &peer);
    operation connect(opcode::connect, connecting, &target);
    raw_pair streams;
    char byte = 0;
    operation recv(opcode::recv, streams.first.fd(), &byte, 1);
    operation send(opcode::send, streams.second.fd(), const_cast<char*>("x"), 1);
    char text[8] = {};
    io_buffer into{text, sizeof text};
    io_buffer from{const_cast<char*>("four"), 4};
    socket_address sender_address;
    sender_address.size = sizeof sender_address.bytes;
    message incoming{};
    incoming.address = &sender_address;
    incoming.buffers = &into;
    incoming.buffer_count = 1;
    message outgoing{};
    outgoing.address = &datagrams;
    outgoing.buffers = &from;
    outgoing.buffer_count = 1;
    operation recvmsg(opcode::recvmsg, receiver, &incoming, sizeof text);
    operation sendmsg(opcode::sendmsg, sender, &outgoing, 4);
    counting_call called;
    operation call(opcode::call, -1, static_cast<helper_call*>(&called));

    submit_all({&accept, &recv, &recvmsg, &call, &connect, &send, &sendmsg});
    collect_all();
    EXPECT_EQ(results_seen(), 7U);
    EXPECT_GE(accept.result, 0);
    EXPECT_EQ(connect.result, 0);
    EXPECT_EQ(recv.result, 1);
    EXPECT_EQ(byte, 'x');
    EXPECT_EQ(send.result, 1);
    EXPECT_EQ(recvmsg.result, 4);
    EXPECT_EQ(std::string_view(text, 4), "four");
    EXPECT_EQ(sendmsg.result, 4);
    EXPECT_EQ(call.result, 0);
    EXPECT_EQ(called.runs, 1);
    EXPECT_EQ(from_socket_address(peer), from_socket_address(local_address(connecting)));
    EXPECT_EQ(backend_->counters().operations, 7U);
    EXPECT_EQ(backend_->counters().completions, 7U);

    // Nothing arrives a second time.
    op_queue none;
    backend_->wait(backend_->now() + 5ms, none);
    EXPECT_TRUE(none.empty());
    for (const int fd : {listener, connecting, sender, receiver, accept.result}) close(fd);
}

TEST_P(backend_contract, a_cancelled_operation_arrives_once_with_ECANCELED) {
    make();
    raw_pair streams;
    char byte = 0;
    for (const bool seen_by_the_kernel : {false, true}) {
        for (const int times : {1, 2, 3}) {
            operation recv(opcode::recv, streams.first.fd(), &byte, 1);
            submit_all({&recv});
            if (seen_by_the_kernel) look();
            for (int i = 0; i < times; ++i) backend_->cancel(recv);
            EXPECT_EQ(recv.state, op_state::in_flight) << "a cancel resumes nobody";
            collect_all();
            EXPECT_EQ(recv.result, -ECANCELED);
        }
    }
    EXPECT_EQ(results_seen(), 6U);
}

TEST_P(backend_contract, a_wait_never_sleeps_while_something_is_done) {
    make();
    raw_pair streams;
    char byte = 0;
    operation recv(opcode::recv, streams.first.fd(), &byte, 1);
    submit_all({&recv});
    backend_->cancel(recv);
    for (int waits = 0; recv.state != op_state::done; ++waits) {
        ASSERT_LT(waits, 100);
        op_queue done;
        backend_->wait(never, done);  // would sleep for ever
    }
    EXPECT_EQ(recv.result, -ECANCELED);
}

// One operation completes at its submission to the kernel, which a tiny queue forces, so its result
// is there, unseen, when the cancel comes.
TEST_P(backend_contract, a_result_that_happened_wins_over_the_cancel) {
    make(2, 8);
    look();
    raw_pair ready;
    raw_pair idle[4];
    char waste[4];
    for (int round = 0; round < 50; ++round) {
        // Exactly what is there: a buffer that stays partly empty says that nothing is left, and
        // the next recv then waits for news.
        char bytes[5] = {};
        ASSERT_TRUE(ready.second.write("hello"));
        operation recv(opcode::recv, ready.first.fd(), bytes, sizeof bytes);
        const bool in_flight = backend_->submit(recv);
        std::vector<operation> others;
        others.reserve(4);
        for (int i = 0; i < 4; ++i) {
            others.emplace_back(opcode::recv, idle[i].first.fd(), &waste[i], 1U);
            submit_all({&others.back()});
        }
        if (in_flight) {
            expect(1);
            backend_->cancel(recv);
        }
        for (operation& other : others) backend_->cancel(other);
        collect_all();
        EXPECT_EQ(recv.result, 5);
        EXPECT_EQ(std::string_view(bytes, 5), "hello");
        for (operation& other : others) EXPECT_EQ(other.result, -ECANCELED);
    }
}

// The same memory is the next operation at once: what the first one still had under way, a late
// cancel above all, must not reach the second.
TEST_P(backend_contract, an_address_can_be_reused_as_soon_as_its_operation_is_done) {
    make(4, 8);
    raw_pair streams;
    alignas(operation) std::byte place[sizeof(operation)];
    unsigned char expected = 0;
    unsigned char written = 0;
    for (int round = 0; round < rounds(3000); ++round) {
        unsigned char byte = 0;
        auto* recv = new (place) operation(opcode::recv, streams.first.fd(), &byte, 1);
        bool in_flight = backend_->submit(*recv);
        if (in_flight) expect(1);
        if (in_flight && round % 3 == 0) look();
        if (in_flight && recv->state == op_state::in_flight) {
            const char next = static_cast<char>(++written);
            ASSERT_TRUE(streams.second.write(std::string_view(&next, 1)));
            if (round % 2 == 0) look_for_nothing();
            if (recv->state == op_state::in_flight) backend_->cancel(*recv);
        }
        collect_all();
        if (recv->result == 1) {
            ++expected;
            ASSERT_EQ(byte, expected) << "a byte was lost or came twice";
        } else {
            ASSERT_EQ(recv->result, -ECANCELED);
        }
        recv->~operation();

        // Nobody cancels this one.
        const char next = static_cast<char>(++written);
        auto* second = new (place) operation(opcode::recv, streams.first.fd(), &byte, 1);
        in_flight = backend_->submit(*second);
        if (in_flight) {
            expect(1);
            look();
        }
        ASSERT_TRUE(streams.second.write(std::string_view(&next, 1)));
        collect_all();
        ASSERT_EQ(second->result, 1) << "hit by the cancel of the operation before it";
        ++expected;
        ASSERT_EQ(byte, expected);
        second->~operation();
        // What a cancel left in the socket comes out here.
        while (expected != written) {
            operation rest(opcode::recv, streams.first.fd(), &byte, 1);
            submit_all({&rest});
            collect_all();
            ASSERT_EQ(rest.result, 1);
            ++expected;
            ASSERT_EQ(byte, expected);
        }
    }
}

// A thread writes a byte while the receive of its round waits, is being cancelled, or has been:
// which of these is a matter of speed, and in every eighth round none.
TEST_P(backend_contract, a_cancelled_recv_consumes_nothing) {
    make();
    raw_pair streams;
    std::atomic<int> turn{0};
    const int count = rounds(5000);
    std::thread writer([&] {
        for (int i = 1; i <= count; ++i) {
            while (turn.load() < i) std::this_thread::yield();
            const char byte = static_cast<char>(i);
            streams.second.write(std::string_view(&byte, 1));
        }
    });
    std::minstd_rand random(1);
    for (int i = 1; i <= count && !HasFailure(); ++i) {
        char byte = 0;
        operation recv(opcode::recv, streams.first.fd(), &byte, 1);
        submit_all({&recv});
        EXPECT_EQ(recv.state, op_state::in_flight);
        if (i % 2 == 0) look();
        if (i % 8 != 0) turn.store(i);
        for (std::size_t spins = random() % (1U << i % 14); spins > 0; --spins)
            static_cast<void>(turn.load());
        if (i % 4 == 0) look();
        if (recv.state == op_state::in_flight) backend_->cancel(recv);
        collect_all();
        if (i % 8 == 0) {
            EXPECT_EQ(recv.result, -ECANCELED);
            turn.store(i);
        }
        if (recv.result != 1) {
            EXPECT_EQ(recv.result, -ECANCELED);
            operation again(opcode::recv, streams.first.fd(), &byte, 1);
            submit_all({&again});
            collect_all();
            EXPECT_EQ(again.result, 1);
        }
        EXPECT_EQ(byte, static_cast<char>(i));
    }
    turn.store(count);
    writer.join();
}

TEST_P(backend_contract, a_thousand_operations_are_cancelled_in_one_turn_through_a_queue_of_four) {
    if (!allow_descriptors(1200)) GTEST_SKIP() << "too few descriptors";
    make(4, 8);
    for (const bool seen_by_the_kernel : {false, true}) {
        std::vector<raw_pair> pairs(500);
        std::vector<char> bytes(1000);
        std::vector<operation> operations;
        operations.reserve(1000);
        for (std::size_t i = 0; i < 1000; ++i) {
            const raw_socket& side = i % 2 == 0 ? pairs[i / 2].first : pairs[i / 2].second;
            operations.emplace_back(opcode::recv, side.fd(), &bytes[i], 1U);
        }
        for (operation& each : operations) submit_all({&each});
        if (seen_by_the_kernel) look();
        for (operation& each : operations) backend_->cancel(each);
        collect_all();
        for (const operation& each : operations) ASSERT_EQ(each.result, -ECANCELED);
        for (raw_pair& pair : pairs) close(pair);
    }
    EXPECT_EQ(results_seen(), 2000U);
}

TEST_P(backend_contract, a_burst_of_completions_beyond_the_queue_loses_none) {
    make(4, 8);
    for (int round = 0; round < 5; ++round) {
        std::vector<raw_pair> pairs(200);
        std::vector<char> bytes(200);
        std::vector<operation> operations;
        operations.reserve(200);
        for (std::size_t i = 0; i < 200; ++i) {
            operations.emplace_back(opcode::recv, pairs[i].first.fd(), &bytes[i], 1U);
            submit_all({&operations.back()});
        }
        look();
        for (std::size_t i = 0; i < 200; ++i) {
            const char identity = static_cast<char>(i);
            ASSERT_TRUE(pairs[i].second.write(std::string_view(&identity, 1)));
        }
        collect_all();
        for (std::size_t i = 0; i < 200; ++i) {
            ASSERT_EQ(operations[i].result, 1);
            ASSERT_EQ(bytes[i], static_cast<char>(i));
            close(pairs[i]);
        }
    }
    EXPECT_EQ(results_seen(), 1000U);
}

TEST_P(backend_contract, a_whole_transfer_says_what_did_not_move) {
    make();
    raw_pair streams;
    std::string bytes(10, '.');
    operation recv(opcode::recv, streams.first.fd(), bytes.data(), bytes.size(), op_flag::whole);
    submit_all({&recv});
    look();
    ASSERT_TRUE(streams.second.write("abc"));
    look_for_nothing();
    ASSERT_TRUE(streams.second.write("def"));
    look_for_nothing();
    EXPECT_EQ(recv.state, op_state::in_flight);
    streams.second.close();
    collect_all();
    EXPECT_EQ(recv.result, 0);
    EXPECT_EQ(recv.size, 4U);
    EXPECT_EQ(bytes, "abcdef....");
}

// The same race as above, for a transfer that is cut short by the cancel.
TEST_P(backend_contract, a_cancelled_whole_transfer_ends_with_ECANCELED_whatever_had_moved) {
    make();
    raw_pair streams;
    std::string bytes(4, '.');
    operation recv(opcode::recv, streams.first.fd(), bytes.data(), bytes.size(), op_flag::whole);
    submit_all({&recv});
    look();
    ASSERT_TRUE(streams.second.write("ab"));
    look_for_nothing();
    backend_->cancel(recv);
    collect_all();
    EXPECT_EQ(recv.result, -ECANCELED);

    const std::string large(8 << 20, 'x');
    operation send(opcode::send, streams.first.fd(), const_cast<char*>(large.data()), large.size(),
                   op_flag::whole);
    submit_all({&send});
    look();
    ASSERT_EQ(send.state, op_state::in_flight);
    backend_->cancel(send);
    collect_all();
    EXPECT_EQ(send.result, -ECANCELED);
}

TEST_P(backend_contract, survives_a_storm_of_signals) {
    make(4, 8);
    struct sigaction action{};
    struct sigaction before{};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, &before);
    std::atomic<bool> stop{false};
    const pthread_t target = ::pthread_self();
    std::thread storm([&] {
        while (!stop.load()) {
            ::pthread_kill(target, SIGUSR1);
            std::this_thread::yield();
        }
    });
    raw_pair streams;
    for (int i = 0; i < rounds(3000); ++i) {
        char in = 0;
        char out = static_cast<char>(i);
        operation recv(opcode::recv, streams.first.fd(), &in, 1);
        operation send(opcode::send, streams.second.fd(), &out, 1);
        submit_all({&recv, &send});
        collect_all();
        ASSERT_EQ(recv.result, 1);
        ASSERT_EQ(send.result, 1);
        ASSERT_EQ(in, out);
    }
    stop.store(true);
    storm.join();
    ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_P(backend_contract, a_port_is_free_as_soon_as_its_listener_is_closed) {
    make();
    const int first = listen_on("127.0.0.1:0");
    socket_address address = local_address(first);
    close(first);
    for (int round = 0; round < 100; ++round) {
        if (round % 2 == 0) make();  // also when the backend goes with it
        const int listener = open(socket_kind::tcp4);
        ASSERT_EQ(control(opcode::bind, listener, &address), 0) << "round " << round;
        ASSERT_EQ(control(opcode::listen, listener, nullptr, 16), 0);
        socket_address peer;
        operation accept(opcode::accept, listener, &peer);
        submit_all({&accept});
        look();
        backend_->cancel(accept);
        collect_all();
        ASSERT_EQ(accept.result, -ECANCELED);
        close(listener);
    }
}

TEST_P(backend_contract, an_operation_destroyed_in_flight_aborts) {
    GTEST_FLAG_SET(death_test_style, death_style());
    const auto destroy = [this] {
        make();
        raw_pair streams;
        char byte = 0;
        auto recv = std::make_unique<operation>(opcode::recv, streams.first.fd(), &byte, 1U);
        backend_->submit(*recv);
        recv.reset();
    };
    EXPECT_DEATH(destroy(), "this must hold and does not");
}

}  // namespace
}  // namespace anel::test

// task_sweep_test.cpp: tasks, groups and what combines them: all that was begun ends, and what was
// owned goes.
// SPDX-License-Identifier: MIT
#include "tests/sweeps/sweep.hpp"

#include <anel/when.hpp>

namespace anel::test {
using namespace detail;
namespace {

/// Counts what is alive, and how much ever was.
struct tally {
    int alive = 0;
    int made = 0;
};
class counted {
public:
    explicit counted(tally& count) noexcept : count_(&count) { born(); }
    counted(const counted& other) noexcept : count_(other.count_) { born(); }
    ~counted() { count_->alive -= 1; }

private:
    void born() noexcept {
        count_->alive += 1;
        count_->made += 1;
    }
    tally* count_;
};

struct with_objects : scenario {
    using scenario::scenario;
    task<> check(const report&) {
        EXPECT_EQ(objects.alive, 0);
        co_return;
    }
    tally objects;
};

struct task_chain : with_objects {
    using with_objects::with_objects;
    static task<int> down(counted parameter, int levels) {
        const counted local(parameter);
        if (levels == 0) {
            co_await next_turn();
            co_return 1;
        }
        auto below = down(local, levels - 1);
        int sum = co_await below;
        co_await yield();
        co_return sum + 1;
    }
    task<> body() {
        const auto never_awaited = down(counted(objects), 3);
        depth = co_await down(counted(objects), 5);
    }
    task<> check(const report& said) {
        EXPECT_EQ(depth, said.completed ? 6 : 0);
        co_await with_objects::check(said);
    }
    int depth = 0;
};
ANEL_SWEEP(task_chain);

struct task_groups : with_objects {
    using with_objects::with_objects;
    task<> body() {
        const auto child = [&](counted, int turns) -> task<> {
            const started here(*this);
            for (int i = 0; i < turns; ++i) co_await next_turn();
        };
        const auto outer_child = [&](counted object) -> task<> {
            const started here(*this);
            co_await with_task_group([&](task_group& group) -> task<> {
                for (int i = 0; i < 3; ++i) group.spawn(child, object, i);
                co_await next_turn();
            });
        };
        value = co_await with_task_group([&](task_group& group) -> task<int> {
            for (int i = 0; i < 3; ++i) group.spawn(outer_child, counted(objects));
            point();
            co_await yield();
            co_return 7;
        });
        running_at_end = running;
    }
    task<> check(const report& said) {
        EXPECT_EQ(running, 0);
        EXPECT_EQ(running_at_end, 0);
        EXPECT_EQ(value, said.completed ? 7 : 0);
        co_await with_objects::check(said);
    }
    struct started {
        explicit started(task_groups& in) noexcept : in_(in) { in_.running += 1; }
        ~started() { in_.running -= 1; }
        started(const started&) = delete;
        started& operator=(const started&) = delete;
        task_groups& in_;
    };
    int running = 0;
    int running_at_end = 0;
    int value = 0;
};
ANEL_SWEEP(task_groups);

/// An acceptor and a receiver at the same time.
struct combined : with_objects {
    using with_objects::with_objects;
    task<> set_up() {
        pair = co_await connected_to_raw();
        listener = co_await tcp_listener::bind("127.0.0.1:0");
        address = listener.local_endpoint();
    }
    task<> beside() {
        for (int i = 0; i < 5; ++i) co_await next_turn();
        pair.peer.write("bytes");
        written = 5;
        for (int i = 0; i < 3; ++i) co_await next_turn();
        client = raw_socket::connected_to(address);
    }
    /// What happened was delivered, or is still to be had.
    task<> check_all(bool nothing_thrown_away) {
        std::array<char, 16> buffer{};
        auto rest = co_await as_result(with_timeout(0s, pair.stream.recv(buffer)));
        if (rest) received += *rest;
        const std::size_t connected = client.fd() >= 0 ? 1 : 0;
        accepted += co_await take_waiting(listener, nothing_thrown_away ? connected - accepted : 0);
        if (nothing_thrown_away) {
            EXPECT_EQ(received, written);
            EXPECT_EQ(accepted, connected);
        }
        EXPECT_LE(received, written);
        EXPECT_LE(accepted, connected);
    }

    raw_stream_pair pair;
    tcp_listener listener;
    endpoint address;
    raw_socket client;
    std::array<char, 16> into{};
    std::size_t written = 0;
    std::size_t received = 0;
    std::size_t accepted = 0;
};

struct all_of_them : combined {
    using combined::combined;
    task<> body() {
        auto both = co_await when_all(pair.stream.recv(into), listener.accept());
        received = std::get<0>(both);
        accepted = 1;
    }
    // One that was cut short takes the others' results with it: there is no tuple to put them in.
    task<> check(const report& said) { co_await check_all(said.completed); }
};
ANEL_SWEEP(all_of_them);

struct any_of_them : combined {
    using combined::combined;
    task<> body() {
        auto either = co_await when_any(pair.stream.recv(into), listener.accept());
        if (std::get<0>(either.results)) received = *std::get<0>(either.results);
        accepted = std::get<1>(either.results) ? 1 : 0;
    }
    // Only an error takes results with it; a cancel does not.
    task<> check(const report& said) { co_await check_all(!said.error); }
};
ANEL_SWEEP(any_of_them);

/// The same as lists of tasks.
struct combined_list : combined {
    using combined::combined;
    task<std::size_t> receives() {
        const counted here(objects);
        const std::size_t count = co_await pair.stream.recv(into);
        co_return count;
    }
    task<std::size_t> accepts() {
        const counted here(objects);
        auto taken = co_await listener.accept();
        co_return 1;
    }
    std::vector<task<std::size_t>> both() {
        std::vector<task<std::size_t>> made;
        made.push_back(receives());
        made.push_back(accepts());
        return made;
    }
    task<> check_list(bool nothing_thrown_away) {
        co_await check_all(nothing_thrown_away);
        EXPECT_EQ(objects.alive, 0);
    }
};

struct all_of_a_list : combined_list {
    using combined_list::combined_list;
    task<> body() {
        auto results = co_await when_all(both());
        received = results[0];
        accepted = results[1];
    }
    task<> check(const report& said) { co_await check_list(said.completed); }
};
ANEL_SWEEP(all_of_a_list);

struct any_of_a_list : combined_list {
    using combined_list::combined_list;
    task<> body() {
        auto either = co_await when_any(both());
        received = either.results[0].value_or(0);
        accepted = either.results[1].value_or(0);
    }
    task<> check(const report& said) { co_await check_list(!said.error); }
};
ANEL_SWEEP(any_of_a_list);

/// Timeouts and results in turn, around an operation.
struct timed : scenario {
    using scenario::scenario;
    task<> set_up() { pair = co_await connected_to_raw(); }
    task<> beside() {
        for (int i = 0; i < 4; ++i) {
            co_await next_turn();
            co_await next_turn();
            pair.peer.write("ab");
            written += 2;
        }
    }
    task<> body() {
        std::array<char, 16> buffer{};
        while (received < 8) {
            auto n = co_await as_result(with_timeout(0s, pair.stream.recv(buffer)));
            if (n) received += *n;
            else if (n.error() != std::errc::timed_out) throw io_error(n.error(), "recv", {});
        }
        try {
            co_await with_timeout(50us, sleep_for(1h));
        } catch (const io_error&) {
            timed_out = true;
        }
    }
    static bool handles(opcode, int error) { return error == ETIMEDOUT; }
    task<> check(const report& said) {
        if (said.completed) {
            EXPECT_TRUE(timed_out);
        }
        pair.peer.shutdown_write();
        const std::string rest = co_await receive_all(pair.stream);
        EXPECT_EQ(received + rest.size(), written);
    }
    raw_stream_pair pair;
    std::size_t written = 0;
    std::size_t received = 0;
    bool timed_out = false;
};
ANEL_SWEEP(timed);

/// No cancel from outside reaches the farewell; its own timeout does.
struct shield : scenario {
    using scenario::scenario;
    task<> set_up() { pair = co_await connected_to_raw(); }
    task<> beside() {
        for (int i = 0; i < 5; ++i) co_await next_turn();
        pair.peer.write("bye");
    }
    task<> farewell() {
        begun = true;
        co_await pair.stream.send("goodbye");
        std::array<char, 3> answer{};
        co_await pair.stream.recv_exact(answer);
        ended = true;
    }
    task<> body() {
        co_await shielded(with_timeout(10s, farewell()));
        co_await yield();
    }
    task<> check(const report& said) {
        if (!said.error) {
            EXPECT_EQ(begun, ended) << "the shield was broken";
        }
        co_return;
    }
    raw_stream_pair pair;
    bool begun = false;
    bool ended = false;
};
ANEL_SWEEP(shield);

/// Every error arrives as a value.
struct results : scenario {
    using scenario::scenario;
    task<> set_up() {
        pair = co_await connected_to_raw();
        datagrams = co_await udp_socket::bind("127.0.0.1:0");
        address = datagrams.local_endpoint();
    }
    task<> beside() {
        for (int i = 0; i < 5; ++i) co_await next_turn();
        pair.peer.write("x");
    }
    task<> body() {
        std::array<char, 4> buffer{};
        auto received = co_await as_result(pair.stream.recv(buffer));
        error = received.error();
        auto sent = co_await as_result(pair.stream.send("y"));
        if (!error) error = sent.error();
        auto told = co_await as_result(datagrams.sendto("z", address));
        if (!error) error = told.error();
        auto ended = co_await as_result(pair.stream.shutdown_send());
        if (!error) error = ended.error();
    }
    static bool handles(opcode, int) { return true; }
    task<> check(const report& said) {
        if (said.failure != 0) {
            EXPECT_EQ(error, code(said.failure));
        }
        co_return;
    }
    raw_stream_pair pair;
    udp_socket datagrams;
    endpoint address;
    std::error_code error;
};
ANEL_SWEEP(results);

}  // namespace
}  // namespace anel::test

// deadlocked.cpp: two tasks that wait for each other's mutex, beside a server with idle sessions.
// share/gdb/anel-gdb.py is tried on it.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

extern "C" [[gnu::noinline]] void everybody_waits() { asm volatile(""); }  // for a breakpoint

namespace {

using namespace std::chrono_literals;
constexpr std::size_t sessions = 20;

anel::task<> echo(anel::tcp_stream conn) {
    std::string line(16, '\0');
    for (;;) {
        const std::size_t received = co_await conn.recv(line);
        if (received == 0) co_return;
        const anel::const_buffer reply(line.data(), received);
        co_await conn.send(reply);
    }
}

anel::task<> take_both(anel::mutex& first, anel::mutex& second) {
    auto one = co_await first.lock();
    co_await anel::sleep_for(1ms);
    auto other = co_await second.lock();
}

anel::task<> tell_when_idle() {
    co_await anel::sleep_for(50ms);
    everybody_waits();
    co_await anel::sleep_for(1h);
}

anel::task<> serve_all(anel::tcp_listener listener) {
    co_await anel::serve(std::move(listener), echo);
}

anel::task<> program() {
    anel::tcp_listener listener = co_await anel::tcp_listener::bind("127.0.0.1:0");
    const anel::endpoint address = listener.local_endpoint();
    anel::mutex left;
    anel::mutex right;
    std::vector<anel::tcp_stream> clients;
    co_await anel::with_task_group([&](anel::task_group& group) -> anel::task<> {
        group.spawn(&serve_all, std::move(listener));
        group.spawn(&take_both, std::ref(left), std::ref(right));
        group.spawn(&take_both, std::ref(right), std::ref(left));
        for (std::size_t i = 0; i < sessions; ++i) {
            anel::tcp_stream client = co_await anel::connect(address);
            clients.push_back(std::move(client));
        }
        group.spawn(&tell_when_idle);
    });
}

}  // namespace

int main() {
    anel::run_options how;
    how.signals = false;
    return anel::run(program(), how);
}

// udp_retries.cpp: questions in datagrams, with numbers, asked again until they are answered.
//
// With ANEL_SIM_CANARY there is a bug in it, the usual one: the client takes any answer for the
// answer to its last question. A batch of seeds must find that.
// SPDX-License-Identifier: MIT
#include "tests/sim/scenarios.hpp"

#include <anel/anel.hpp>

#include <array>
#include <charconv>
#include <string>
#include <string_view>

namespace anel::test {
namespace {

using namespace std::chrono_literals;

#ifdef ANEL_SIM_CANARY
constexpr bool checks_numbers = false;
#else
constexpr bool checks_numbers = true;
#endif

task<udp_socket> patient_bind(endpoint where) {
    for (;;) {
        auto bound = co_await as_result(udp_socket::bind(where));
        if (bound) co_return std::move(*bound);
        co_await sleep_for(100ms);
    }
}

task<> squares() {
    auto socket = co_await patient_bind("0.0.0.0:53");
    std::array<char, 64> buffer{};
    for (;;) {
        auto asked = co_await as_result(socket.recvfrom(buffer));
        if (!asked) continue;
        const std::string_view text(buffer.data(), asked->size);
        unsigned long long number = 0;
        std::from_chars(text.data(), text.data() + text.size(), number);
        const std::string answer = std::string(text) + " " + std::to_string(number * number);
        std::ignore = co_await as_result(socket.sendto(answer, asked->from));
    }
}

struct asking {
    int sent_again = 0;
    int stale = 0;
};

task<> asker(sim::world& in, asking& counts) {
    auto socket = co_await patient_bind("0.0.0.0:0");
    std::array<char, 64> buffer{};
    for (unsigned number = 10; number < 40; ++number) {
        const std::string question = std::to_string(number);
        const std::string expected = question + " " + std::to_string(number * number);
        for (bool answered = false; !answered;) {
            std::ignore = co_await as_result(socket.sendto(question, "10.0.0.1:53"));
            auto got = co_await as_result(with_timeout(200ms, socket.recvfrom(buffer)));
            if (!got) {
                counts.sent_again += 1;
                continue;
            }
            const std::string_view text(buffer.data(), got->size);
            answered = !checks_numbers || text.starts_with(question + " ");
            counts.stale += !answered;
            in.always(!answered || text == expected, "an answer belongs to its question");
        }
    }
}

}  // namespace

void udp_retries(sim::world& in) {
    asking counts;
    in.host("server", "10.0.0.1", squares);
    in.client("client", "10.0.0.2", [&] { return asker(in, counts); });
    in.run(600s);
    in.sometimes(counts.sent_again > 0, "a question is asked again");
    in.sometimes(counts.stale > 0 || !checks_numbers, "an answer comes too late");
}

}  // namespace anel::test

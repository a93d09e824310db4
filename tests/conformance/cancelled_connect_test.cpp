// cancelled_connect_test.cpp: a connect that waits for room in a unix listener's backlog, given up.
//
// There io_uring's kernel first tries, then finds the socket "ready" for it, and only then hands
// the connect to a worker. A cancel that comes in between finds nothing to cancel.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <filesystem>

namespace anel::test {
namespace {

class cancelled_connect : public over_backends {};
ANEL_OVER_BACKENDS(cancelled_connect);

TEST_P(cancelled_connect, ends_whenever_the_cancel_comes) {
    const std::string path =
        (std::filesystem::temp_directory_path() / ("anel_crowd_" + std::to_string(::getpid())))
            .string();
    run([&]() -> task<> {
        listen_options tiny;
        tiny.backlog = 0;
        const endpoint address("unix:" + path);
        auto crowded = co_await tcp_listener::bind(address, tiny);
        const std::vector<raw_socket> crowd = fill_backlog(address);
        const auto try_to = [&]() -> task<> { co_await connect(address); };
        for (int turns = 0; turns < 4; ++turns) {
            for (int yields = 0; yields < 3; ++yields) {
                co_await with_task_group([&](task_group& group) -> task<> {
                    group.spawn(try_to);
                    for (int i = 0; i < yields; ++i) co_await yield();
                    for (int i = 0; i < turns; ++i) co_await next_turn();
                    group.cancel();
                });
            }
        }
    });
}

}  // namespace
}  // namespace anel::test

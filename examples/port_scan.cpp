// port_scan.cpp: finds the ports of a host on which somebody listens.
//
//   port_scan HOST [FIRST-LAST]
//
// Tries a hundred ports at a time and waits 200 ms for each. A port that refuses is closed; one
// that says nothing is filtered: a firewall swallows what is sent to it.
// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <anel/anel.hpp>

#include <charconv>
#include <iostream>
#include <stdexcept>
#include <string_view>

using namespace anel;
using namespace std::chrono_literals;

struct scan {
    int next = 1;
    int last = 1000;
    int open = 0;
    int closed = 0;
    int filtered = 0;
};

// A hundred of these share one `scan`. They run on one thread and give way only where they await,
// so they need no lock.
task<> take_ports(endpoint host, scan& all) {
    while (all.next <= all.last) {
        const endpoint target = host.with_port(static_cast<std::uint16_t>(all.next++));
        auto conn = co_await as_result(with_timeout(200ms, connect(target)));
        if (conn) {
            all.open += 1;
            std::cout << target << " open" << std::endl;
        } else if (conn.error() == std::errc::connection_refused) {
            all.closed += 1;
        } else if (conn.error() == std::errc::timed_out ||
                   conn.error() == std::errc::host_unreachable) {
            all.filtered += 1;
        } else {  // not the port's affair: no route, no descriptors
            throw io_error(conn.error(), "connect", target.to_string());
        }
    }
}

task<> scan_ports(std::string host, scan all) {
    auto found = co_await resolve(host, 0);
    const int count = all.last - all.next + 1;
    const time_point start = co_await current_time();
    co_await with_task_group([&](task_group& group) -> task<> {
        for (int i = 0; i < 100; ++i) group.spawn(take_ports, found.front(), std::ref(all));
        co_return;
    });
    const time_point end = co_await current_time();
    const std::chrono::duration<double> seconds = end - start;
    std::cout << count << " ports of " << host << " in " << seconds.count() << " s: " << all.open
              << " open, " << all.closed << " closed, " << all.filtered << " filtered\n";
}

scan parse(std::string_view text) {
    scan ports;
    const char* end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, ports.next);
    if (first.ec == std::errc() && first.ptr != end && *first.ptr == '-') {
        const auto last = std::from_chars(first.ptr + 1, end, ports.last);
        const bool whole = last.ec == std::errc() && last.ptr == end;
        if (whole && 1 <= ports.next && ports.next <= ports.last && ports.last <= 65535)
            return ports;
    }
    throw std::invalid_argument("bad ports \"" + std::string(text) + "\"");
}

int main(int argc, char** argv) try {
    const arguments given(argc, argv, "usage: port_scan HOST [FIRST-LAST]", 1, 2);
    return run(scan_ports(given.positional[0], parse(given.get(1, "1-1000"))));
} catch (const std::exception& error) {
    std::cerr << "port_scan: " << error.what() << '\n';
    return 1;
}

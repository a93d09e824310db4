// servers.cpp: the servers a comparison can name, and how each is started.
//
// See servers.hpp.
//
// SPDX-License-Identifier: MIT
#include "servers.hpp"

#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "text.hpp"

namespace anel_bench {
namespace {

using namespace std::chrono_literals;

constexpr auto start_timeout = 5s;

}  // namespace

std::vector<server_spec> known_servers() {
    const std::string echo = "../examples/tcp_echo";
    const char* variable = "ANEL_BACKEND";
    std::vector<server_spec> specs{
        {"uring", "servers/uring_echo", "uring", {}, "hand-written, io_uring through liburing"},
        {"epoll", "servers/epoll_echo", "epoll", {}, "hand-written, level-triggered epoll"},
        {"poll", "servers/poll_echo", "poll", {}, "hand-written, poll(2)"},
        {"threads", "servers/threads_echo", "threads", {}, "hand-written, a thread a connection"},
        {"anel-io_uring", echo, "io_uring", {{variable, "io_uring"}}, "anel on io_uring"},
        {"anel-epoll", echo, "epoll", {{variable, "epoll"}}, "anel on epoll"},
        {"anel-poll", echo, "poll", {{variable, "poll"}}, "anel on poll(2)"},
    };
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    for (server_spec& spec : specs) {
        spec.program = (here / spec.program).lexically_normal().string();
    }
    return specs;
}

bool is_built(const server_spec& spec) { return access(spec.program.c_str(), X_OK) == 0; }

running_server start_server(const server_spec& spec, std::optional<int> cpu,
                            const interrupts& ctrl_c) {
    pipe_ends output = make_pipe();
    running_server server{child::execute({.path = spec.program,
                                          .arguments = {"127.0.0.1:0"},
                                          .environment = spec.environment,
                                          .cpu = cpu,
                                          .descriptors = {{output.write.get(), STDOUT_FILENO}}}),
                          {},
                          std::move(output.read)};
    output.write.reset();

    const auto until = std::chrono::steady_clock::now() + start_timeout;
    const std::string announcement = "listening on ";
    while (const auto line = read_line(server.output.get(), ctrl_c, until)) {
        const auto found = line->find(announcement);
        if (found == std::string::npos) continue;
        const auto begin = found + announcement.size();
        server.address = line->substr(begin, line->find(' ', begin) - begin);
        if (line->find("(" + spec.announces + ")") == std::string::npos) {
            throw std::runtime_error(format("%s should have announced (%s), but printed \"%s\"",
                                            spec.name.c_str(), spec.announces.c_str(),
                                            line->c_str()));
        }
        return server;
    }
    std::string why =
        format("nothing within %lld s", static_cast<long long>(start_timeout.count()));
    if (std::chrono::steady_clock::now() < until) {
        // Its output has ended, so it is about to have ended itself.
        why = server.process.stop(0, 1000ms, ctrl_c).text();
    }
    throw std::runtime_error(format("%s (%s) did not print \"listening on ADDRESS:PORT\": %s",
                                    spec.name.c_str(), spec.program.c_str(), why.c_str()));
}

}  // namespace anel_bench

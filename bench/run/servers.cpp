// servers.cpp: the servers a comparison can name, and how each is started.
//
// See servers.hpp.
//
// SPDX-License-Identifier: MIT
#include "run/servers.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "common/text.hpp"
#include "load/tls.hpp"

namespace anel_bench {
namespace {

using namespace std::chrono_literals;

constexpr auto start_timeout = 5s;
constexpr std::size_t at_once_max = 64 * 1024;  // bytes that a socket takes for a peer that reads

}  // namespace

std::vector<server_spec> known_servers() {
    const auto anel = [](const char* backend, const char* what, bool quick) {
        server_spec spec{std::string("anel-") + backend, what, "anel", backend};
        spec.environment = {{"ANEL_BACKEND", backend}};
        spec.udp = spec.tls = true;
        spec.quick = quick;
        return spec;
    };
    // A connection takes three descriptors, of which a process often has 20,000.
    server_spec nginx{"nginx", "nginx, stream, njs, epoll", "nginx_server.py", "nginx"};
    nginx.connections_max = 6000;
    nginx.computes = nginx.resumes = false;
    std::vector<server_spec> specs{
        {"uring", "by hand, io_uring, one-shot", "uring", "uring", {}, {}, true, 60'000, true},
        {"uring-multishot",
         "by hand, io_uring, multishot and a buffer ring",
         "uring_multishot",
         "uring-multishot",
         {},
         {},
         false,
         60'000,
         true},
        {"uring-adaptive",
         "by hand, io_uring, multishot, one-shot or recv(2), as suits each connection",
         "uring_adaptive", "uring-adaptive"},
        {"epoll", "by hand, epoll, level-triggered", "epoll", "epoll", {}, {}, true, 60'000, true},
        {"epoll-edge", "by hand, epoll, edge-triggered", "epoll", "epoll-edge", {"--edge"}},
        {"poll", "by hand, poll(2)", "poll", "poll"},
        {"threads",
         "by hand, a blocking thread for each connection",
         "threads",
         "threads",
         {},
         {},
         true,
         60'000,
         true},
        {"pool", "by hand, 1,024 blocking threads", "pool", "pool", {}, {}, false, 1000},
        anel("io_uring", "anel on io_uring", true),
        anel("epoll", "anel on epoll", true),
        anel("poll", "anel on poll(2)", false),
        {"asio", "Asio, awaitable, epoll", "asio", "asio", {}, {}, true},
        {"asio-io_uring", "Asio, awaitable, io_uring", "asio_uring", "asio-io_uring", {}, {}, true},
        {"condy", "condy, io_uring", "condy", "condy"},
        {"libuv", "libuv, epoll", "libuv", "libuv"},
        {"libevent", "libevent, bufferevent, epoll", "libevent", "libevent"},
        {"libev", "libev, epoll", "libev", "libev"},
        {"go", "Go, net", "go_server", "go"},
        {"tokio", "Rust, tokio, epoll", "tokio_server", "tokio", {}, {}, true},
        nginx,
        {"node", "Node, net", "node_server.js", "node"},
        {"asyncio", "Python, asyncio", "asyncio_server.py", "asyncio"},
    };
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "servers";
    for (server_spec& spec : specs) {
        spec.program = (here / spec.program).string();
        for (const char* name : {"asio", "asio-io_uring", "go", "nginx", "node"}) {
            spec.tls = spec.tls || spec.name == name;
        }
    }
    return specs;
}

std::string cannot_serve(const server_spec& spec, const load_options& load) {
    if (load.udp && !spec.udp) return "has no UDP";
    if (load.tls && !spec.tls) return "has no TLS";
    if (load.work.count() > 0 && !spec.computes) return "cannot compute for an answer";
    const std::size_t in_flight = load.size * load.times * load.pipeline;
    if (!spec.resumes && (load.slow > 0 || in_flight > at_once_max)) {
        return "never sends what a socket does not take at once";
    }
    const std::size_t connections = load.connections + load.idle + load.slow;
    if (connections <= spec.connections_max) return "";
    return format("serves %zu connections, not %zu", spec.connections_max, connections);
}

bool is_built(const server_spec& spec) { return access(spec.program.c_str(), X_OK) == 0; }

running_server start_server(const server_spec& spec, const load_options& load,
                            const placement& places, const interrupts& ctrl_c) {
    pipe_ends output = make_pipe();
    std::optional<int> network;
    if (places.veth) network = places.veth->server_network();
    std::vector<std::string> arguments = spec.arguments;
    const std::size_t buffer = std::clamp<std::size_t>(load.size * load.pipeline, 4096, 65536);
    for (const auto& [name, value] : {std::pair("--times", load.times), {"--buffer", buffer}}) {
        arguments.insert(arguments.end(), {name, std::to_string(value)});
    }
    if (load.work.count() > 0) {
        arguments.insert(arguments.end(), {"--work", std::to_string(load.work.count())});
    }
    if (load.udp) arguments.emplace_back("--udp");
    if (load.tls) arguments.insert(arguments.end(), {"--tls", tls_identity()});
    arguments.emplace_back(places.host() + ":0");
    running_server server{child::execute({.path = spec.program,
                                          .arguments = arguments,
                                          .environment = spec.environment,
                                          .cpu = places.server,
                                          .network = network,
                                          .descriptors = {{output.write.get(), STDOUT_FILENO}}}),
                          {},
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
        const std::string kind = "(" + spec.announces + ")";
        const auto kind_at = line->find(kind);
        if (kind_at == std::string::npos) {
            throw std::runtime_error(format("%s should have announced (%s), but printed \"%s\"",
                                            spec.name.c_str(), spec.announces.c_str(),
                                            line->c_str()));
        }
        const auto details = line->find_first_not_of(' ', kind_at + kind.size());
        if (details != std::string::npos) server.details = line->substr(details);
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

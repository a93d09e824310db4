// workloads.cpp: what servers are asked to do: each load with a name and a reason.
//
// See workloads.hpp.
//
// SPDX-License-Identifier: MIT
#include "run/workloads.hpp"

#include <stdexcept>

#include "common/text.hpp"
#include "load/load_report.hpp"

namespace anel_bench {
namespace {

using namespace std::chrono_literals;

/// The map of connections and sizes: what the other loads leave out of it.
workload echo(std::size_t connections, std::size_t size, const char* count) {
    return {.name = format("echo-%zuk-%zu", size / 1024, connections),
            .title = format("echo of %s, %s connection%s", size_text(size).c_str(), count,
                            connections == 1 ? "" : "s"),
            .shows = "how size and number go together",
            .load = {.connections = connections, .size = size},
            .some_servers = true};
}

}  // namespace

std::vector<workload> known_workloads() {
    return {
        {.name = "ping-pong",
         .title = "ping-pong, 64 connections, 64 B",
         .shows = "the usual server: some clients, small messages",
         .load = {.connections = 64, .size = 64},
         .quick = true},
        {.name = "one-connection",
         .title = "ping-pong, 1 connection, 64 B",
         .shows = "nothing to gather: every wait is a sleep and a wake-up",
         .load = {.connections = 1, .size = 64},
         .quick = true},
        {.name = "pipelined",
         .title = "pipelined, 64 connections, 64 B, 16 in flight each",
         .shows = "many messages in one receive: the waiting is shared",
         .load = {.connections = 64, .size = 64, .pipeline = 16},
         .quick = true},
        {.name = "light-load",
         .title = "open loop: 64 connections, 64 B, at 10 % of the maximum",
         .shows = "what most servers do most of the time: they wait, and little comes at once",
         .load = {.connections = 64, .size = 64, .mode = load_mode::poisson},
         .quick = true,
         .share = 0.1,
         .share_of = "ping-pong"},
        {.name = "half-load",
         .title = "open loop: 64 connections, 64 B, at 50 % of the maximum",
         .shows = "the same requests at the same times for all: here tails can be compared",
         .load = {.connections = 64, .size = 64, .mode = load_mode::poisson},
         .share = 0.5,
         .share_of = "ping-pong"},
        {.name = "ping-pong-512",
         .title = "ping-pong, 512 connections, 64 B",
         .shows = "more connections: more completions in one wait",
         .load = {.connections = 512, .size = 64}},
        {.name = "ping-pong-4000",
         .title = "ping-pong, 4,000 connections, 64 B",
         .shows = "what each connection has of its own no longer fits into the cache",
         .load = {.connections = 4000, .size = 64}},
        {.name = "work",
         .title = "ping-pong, 64 connections, 64 B, 20 µs of work for each answer",
         .shows = "a server that has something to do: how much the waiting matters then",
         .load = {.connections = 64, .size = 64, .work = 20us}},
        {.name = "request-reply-1k",
         .title = "request 64 B, reply 1 KiB, 64 connections",
         .shows = "a question and a longer answer",
         .load = {.connections = 64, .size = 64, .times = 16}},
        {.name = "request-reply-16k",
         .title = "request 64 B, reply 16 KiB, 64 connections",
         .shows = "the copying in the kernel begins to dominate",
         .load = {.connections = 64, .size = 64, .times = 256}},
        {.name = "echo-4k",
         .title = "echo of 4 KiB, 64 connections",
         .shows = "messages of a page",
         .load = {.connections = 64, .size = 4096}},
        {.name = "echo-16k",
         .title = "echo of 16 KiB, 64 connections",
         .shows = "large messages both ways, received in one piece",
         .load = {.connections = 64, .size = 16384}},
        {.name = "echo-64k",
         .title = "echo of 64 KiB, 64 connections",
         .shows = "whether a message is received in one piece",
         .load = {.connections = 64, .size = 65536}},
        echo(1, 4096, "1"),
        echo(1, 65536, "1"),
        echo(512, 4096, "512"),
        echo(512, 65536, "512"),
        echo(4000, 4096, "4,000"),
        {.name = "stream",
         .title = "stream to the client in answers of 64 KiB, 8 connections, 4 in flight",
         .shows = "bytes in one direction, as fast as they go",
         .load = {.connections = 8, .size = 64, .times = 1024, .pipeline = 4}},
        {.name = "churn",
         .title = "a connection for each request, 64 at a time",
         .shows = "accept and close are part of the work",
         .load = {.connections = 64, .size = 64, .churn = true}},
        {.name = "churn-half-load",
         .title = "open loop: a connection for each request, at 50 % of the maximum",
         .shows = "what connections cost that come whether the server is ready or not",
         .load = {.connections = 64, .size = 64, .mode = load_mode::poisson, .churn = true},
         .share = 0.5,
         .share_of = "churn"},
        {.name = "idle-mass",
         .title = "100 active among 10,000 idle connections, 64 B",
         .shows = "what connections cost that say nothing",
         .load = {.connections = 100, .size = 64, .idle = 10'000}},
        {.name = "slow-readers",
         .title = "64 active connections beside 64 that hardly read, 64 B to 1 KiB",
         .shows = "whether those that wait hold up the others",
         .load = {.connections = 64, .size = 64, .times = 16, .slow = 64}},
        {.name = "udp",
         .title = "UDP, 64 sockets, datagrams of 64 B",
         .shows =
             "no stream to gather from; up to 64 datagrams a call, but for threads, asio, tokio",
         .load = {.connections = 64, .size = 64, .udp = true}},
        {.name = "udp-half-load",
         .title = "open loop: UDP, 64 sockets, 64 B, at 50 % of the maximum",
         .shows = "datagrams that come whether the server is ready or not: what is lost",
         .load = {.connections = 64, .size = 64, .mode = load_mode::poisson, .udp = true},
         .share = 0.5,
         .share_of = "udp"},
    };
}

workload workload_named(const std::string& name) {
    for (workload& one : known_workloads()) {
        if (one.name == name) return one;
    }
    throw std::invalid_argument("unknown workload " + name);
}

workload own_workload(const load_options& load) {
    return {.name = "yours",
            .title = describe(load),
            .shows = "the load that was asked for",
            .load = load};
}

std::size_t all_connections(const load_options& load) {
    return load.connections + load.idle + load.slow;
}

}  // namespace anel_bench

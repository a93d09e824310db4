// workloads.cpp: what servers are asked to do: each load with a name and a reason.
//
// See workloads.hpp.
//
// SPDX-License-Identifier: MIT
#include "workloads.hpp"

namespace anel_bench {
namespace {

workload make(std::string name, std::string title, std::string shows, bool quick,
              load_options load) {
    return {std::move(name), std::move(title), std::move(shows), std::move(load), quick};
}

load_options load(std::size_t connections, std::size_t size, std::size_t times = 1,
                  std::size_t pipeline = 1) {
    load_options options;
    options.connections = connections;
    options.size = size;
    options.times = times;
    options.pipeline = pipeline;
    return options;
}

}  // namespace

std::vector<workload> known_workloads() {
    std::vector<workload> all;
    all.push_back(make("ping-pong", "ping-pong, 64 connections, 64 B",
                       "the usual server: some clients, small messages", true, load(64, 64)));
    all.push_back(make("one-connection", "ping-pong, 1 connection, 64 B",
                       "nothing to gather: every wait is a sleep and a wake-up", true,
                       load(1, 64)));
    all.push_back(make("pipelined", "pipelined, 64 connections, 64 B, 16 in flight each",
                       "many messages in one receive: the waiting is shared", true,
                       load(64, 64, 1, 16)));
    all.push_back(make("ping-pong-512", "ping-pong, 512 connections, 64 B",
                       "more connections: more completions in one wait", false, load(512, 64)));
    all.push_back(make("ping-pong-4000", "ping-pong, 4,000 connections, 64 B",
                       "what each connection has of its own no longer fits into the cache", false,
                       load(4000, 64)));
    all.push_back(make("request-reply-1k", "request 64 B, reply 1 KiB, 64 connections",
                       "a question and a longer answer", false, load(64, 64, 16)));
    all.push_back(make("request-reply-16k", "request 64 B, reply 16 KiB, 64 connections",
                       "the copying in the kernel begins to dominate", false, load(64, 64, 256)));
    all.push_back(make("echo-4k", "echo of 4 KiB, 64 connections", "messages of a page", false,
                       load(64, 4096)));
    all.push_back(make("echo-16k", "echo of 16 KiB, 64 connections",
                       "large messages both ways, received in one piece", false, load(64, 16384)));
    all.push_back(make("echo-64k", "echo of 64 KiB, 64 connections",
                       "whether a message is received in one piece", false, load(64, 65536)));
    all.push_back(make("stream",
                       "stream to the client in answers of 64 KiB, 8 connections, 4 in flight",
                       "bytes in one direction, as fast as they go", false, load(8, 64, 1024, 4)));
    all.push_back(make("churn", "a connection for each request, 64 at a time",
                       "accept and close are part of the work", false, load(64, 64)));
    all.back().load.churn = true;
    all.push_back(make("idle-mass", "100 active among 10,000 idle connections, 64 B",
                       "what connections cost that say nothing", false, load(100, 64)));
    all.back().load.idle = 10'000;
    all.push_back(make("slow-readers",
                       "64 active connections beside 64 that hardly read, 64 B to 1 KiB",
                       "whether those that wait hold up the others", false, load(64, 64, 16)));
    all.back().load.slow = 64;
    all.push_back(make("udp", "UDP, 64 sockets, datagrams of 64 B",
                       "one datagram a call, no stream to gather from", false, load(64, 64)));
    all.back().load.udp = true;
    return all;
}

std::size_t all_connections(const load_options& load) {
    return load.connections + load.idle + load.slow;
}

}  // namespace anel_bench

// main.cpp: the command line of anel-bench: load, compare, env.
//
// Parses, calls, prints, and turns every way to fail into one line on stderr and an exit code.
// Knows the options; measures nothing.
//
// SPDX-License-Identifier: MIT
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "compare.hpp"
#include "environment.hpp"
#include "json.hpp"
#include "load.hpp"
#include "load_report.hpp"
#include "process.hpp"

namespace {

using namespace anel_bench;

const auto some_connections = CLI::Range(1, 60'000).description("1 to 60000");
const auto some_bytes = CLI::Range(1, 16 << 20).description("1 to 16 Mi");
const auto some_in_flight = CLI::Range(1, 4096).description("1 to 4096");
const auto some_rounds = CLI::Range(1, 1000).description("1 to 1000");
const auto some_seconds = CLI::Range(0.05, 86'400.0).description("0.05 to 86400");
const auto some_warmup = CLI::Range(0.0, 86'400.0).description("0 to 86400");

std::chrono::nanoseconds from_seconds(double seconds) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(seconds));
}

int load_command(const load_options& options, bool as_json) {
    const load_result result = run_load(options, [](load_event) {});
    if (as_json) {
        json_writer json;
        json.begin_object();
        json.field("tool", "anel-bench load");
        json.field("server", options.server);
        add_load_fields(json, options, result);
        json.end_object();
        std::printf("%s\n", json.text().c_str());
    } else {
        std::fputs(load_text(options, result).c_str(), stdout);
    }
    return result.errors() == 0 && result.requests > 0 ? 0 : 1;
}

int environment_command(bool as_json) {
    if (as_json) {
        json_writer json;
        json.begin_object();
        add_environment_fields(json, read_environment());
        json.end_object();
        std::printf("%s\n", json.text().c_str());
    } else {
        std::fputs(environment_text(read_environment()).c_str(), stdout);
    }
    return 0;
}

int parse_and_run(int argc, char** argv) {
    CLI::App app("Measures echo servers: anel's, and the same by hand on io_uring, epoll, poll(2) "
                 "and blocking threads.");
    app.require_subcommand(1);
    app.get_formatter()->column_width(42);
    app.option_defaults()->always_capture_default();

    load_options load;
    double load_seconds = 2, load_warmup = 0.5;
    bool as_json = false;
    auto* load_app = app.add_subcommand("load", "closed-loop load on a TCP echo server");
    load_app->add_option("server", load.server, "IPv4 ADDRESS:PORT")->required();
    load_app->add_option("--connections", load.connections, "opened before it begins")
        ->check(some_connections);
    load_app->add_option("--size", load.size, "bytes of a request")->check(some_bytes);
    load_app->add_option("--pipeline", load.pipeline, "requests in flight on each connection")
        ->check(some_in_flight);
    load_app->add_option("--seconds", load_seconds, "what is measured")->check(some_seconds);
    load_app->add_option("--warmup", load_warmup, "seconds before that")->check(some_warmup);
    load_app->add_option("--server-pid", load.server_pid, "report this process's CPU time too");
    load_app->add_flag("--json", as_json, "one JSON object instead of text");

    compare_options compare;
    double compare_seconds = 2;
    bool quick = false;
    auto* compare_app = app.add_subcommand("compare", "servers against each other, in rounds");
    const auto list = [&](const char* name, auto& values, const char* what) {
        return compare_app->add_option(name, values, what)->delimiter(',')->allow_extra_args(false);
    };
    compare_app->add_flag("--quick", quick, "anel and threads, two rounds of 1 s: under 20 s");
    list("--servers", compare.servers, "the first is the reference; default: all that are built")
        ->default_str("");
    list("--connections", compare.connections, "one table for each")->check(some_connections);
    list("--sizes", compare.sizes, "bytes of a request")->check(some_bytes);
    list("--pipeline", compare.pipelines, "requests in flight on each connection")
        ->check(some_in_flight);
    auto* rounds = compare_app->add_option("--rounds", compare.rounds, "runs of each server")
                       ->check(some_rounds);
    auto* seconds = compare_app->add_option("--seconds", compare_seconds, "measured in each run")
                        ->check(some_seconds);
    compare_app->add_option("--json", compare.json_file, "also write everything to this file");
    compare_app->add_flag("--syscalls", compare.count_syscalls,
                          "count system calls in a run of their own (perf, else strace)");

    auto* env_app = app.add_subcommand("env", "what the figures of this machine depend on");
    env_app->add_flag("--json", as_json, "one JSON object instead of text");

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }

    if (load_app->parsed()) {
        load.window = from_seconds(load_seconds);
        load.warmup = from_seconds(load_warmup);
        return load_command(load, as_json);
    }
    if (env_app->parsed()) return environment_command(as_json);

    compare.leave_out_missing = compare.servers.empty();
    if (quick) {
        const compare_options preset = quick_comparison();
        if (compare.servers.empty()) compare.servers = preset.servers;
        if (rounds->count() == 0) compare.rounds = preset.rounds;
        compare.window = preset.window;
        compare.warmup = preset.warmup;
    }
    if (!quick || seconds->count() > 0) compare.window = from_seconds(compare_seconds);
    const interrupts ctrl_c;
    return run_compare(compare, ctrl_c);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return parse_and_run(argc, argv);
    } catch (const anel_bench::interrupted& stop) {
        std::fprintf(stderr, "anel-bench: interrupted; every child has been stopped\n");
        return 128 + stop.signal;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "anel-bench: %s\n", error.what());
        return 1;
    }
}

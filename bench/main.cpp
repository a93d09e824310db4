// main.cpp: the command line of anel-bench: load, compare, duel, doctor, env, page.
//
// Parses, calls, prints, and turns every way to fail into one line on stderr and an exit code.
// Knows the options; measures nothing.
//
// SPDX-License-Identifier: MIT
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/environment.hpp"
#include "common/process.hpp"
#include "common/topology.hpp"
#include "compare/compare.hpp"
#include "doctor/doctor.hpp"
#include "duel/duel.hpp"
#include "duel/duel_report.hpp"
#include "load/load.hpp"
#include "load/load_report.hpp"
#include "report/report.hpp"
#include "run/servers.hpp"
#include "run/workloads.hpp"

namespace {

using namespace anel_bench;

const auto some_connections = CLI::Range(1, 60'000).description("1 to 60000");
const auto some_bytes = CLI::Range(1, 16 << 20).description("1 to 16 Mi");
const auto some_times = CLI::Range(1, 16384).description("1 to 16384");
const auto some_in_flight = CLI::Range(1, 4096).description("1 to 4096");
const auto some_rounds = CLI::Range(1, 1000).description("1 to 1000");
const auto some_starts = CLI::Range(2, 1000).description("2 to 1000");
const auto some_slice = CLI::Range(10.0, 200.0).description("10 to 200");
const auto some_seconds = CLI::Range(0.05, 86'400.0).description("0.05 to 86400");
const auto some_warmup = CLI::Range(0.0, 86'400.0).description("0 to 86400");

std::chrono::nanoseconds from_seconds(double seconds) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(seconds));
}

int load_command(const load_options& options, bool as_json, const std::string& hdr_file) {
    const load_result result = run_load(options);
    if (as_json) {
        nlohmann::ordered_json json{{"tool", "anel-bench load"}, {"server", options.server}};
        json.update(load_json(options, result));
        std::printf("%s\n", json.dump(1).c_str());
    } else {
        std::fputs(load_text(options, result).c_str(), stdout);
    }
    if (!hdr_file.empty()) write_file(hdr_file, hdr_text(result.latency));
    return result.errors() == 0 && result.requests > 0 ? 0 : 1;
}

int environment_command(bool as_json) {
    if (!as_json) {
        std::fputs(environment_text(read_environment()).c_str(), stdout);
        return 0;
    }
    nlohmann::ordered_json json;
    for (const auto& group : read_environment()) {
        for (const auto& [name, value] : group.facts) json[group.name][name] = value;
    }
    std::printf("%s\n", json.dump(1).c_str());
    return 0;
}

int doctor_command(bool as_json) {
    const doctor::findings all = doctor::examine();
    std::fputs((as_json ? doctor::json_of(all) : doctor::text_of(all)).c_str(), stdout);
    return doctor::any_bad(all) ? 1 : 0;
}

int page_command(const std::string& data_file) {
    std::ifstream file(data_file);
    if (!file) throw std::runtime_error("cannot read " + data_file);
    const auto data = nlohmann::ordered_json::parse(file);
    if (data.value("schema", 0) != data_schema) {
        throw std::runtime_error(data_file + ": its schema is " +
                                 std::to_string(data.value("schema", 0)) + ", not " +
                                 std::to_string(data_schema));
    }
    std::fputs(page_of(data).c_str(), stdout);
    return 0;
}

template <class Named>
std::string names_of(const std::vector<Named>& all) {
    std::string text;
    for (const auto& one : all) text += (text.empty() ? "" : ",") + one.name;
    return text;
}

/// What a load is like: options of `load`, and of `compare` for one that has no name.
struct load_description {
    load_options load;
    double rate = 0;
    bool poisson = false;
    std::vector<CLI::Option*> options;

    void add_to(CLI::App& sub) {
        const std::string group = "What the load is like";
        const auto add = [&](const char* name, auto& value, const char* what) {
            options.push_back(sub.add_option(name, value, what)->group(group));
            return options.back();
        };
        const auto flag = [&](const char* name, bool& value, const char* what) {
            options.push_back(sub.add_flag(name, value, what)->group(group));
        };
        add("--connections", load.connections, "opened before it begins")->check(some_connections);
        add("--size", load.size, "bytes of a request")->check(some_bytes);
        add("--times", load.times, "how often the server sends each byte back")->check(some_times);
        add("--pipeline", load.pipeline, "requests in flight on each connection")
            ->check(some_in_flight);
        add("--rate", rate, "open loop: requests/s of all connections; 0: closed loop")
            ->check(CLI::Range(0.0, 1e8));
        flag("--poisson", poisson, "open loop: random arrivals instead of even ones");
        add("--idle", load.idle, "further connections that say nothing");
        add("--slow", load.slow, "further connections that hardly read");
        flag("--churn", load.churn, "a connection for each request");
        flag("--udp", load.udp, "datagrams, with those that are lost");
        flag("--tls", load.tls, "TLS 1.3, to servers that have it");
        flag("--resume", load.resume, "with --tls --churn: sessions are resumed");
    }
    [[nodiscard]] bool given() const {
        return std::any_of(options.begin(), options.end(),
                           [](const CLI::Option* one) { return one->count() > 0; });
    }
    [[nodiscard]] load_options described() const {
        if (poisson && rate == 0) throw std::invalid_argument("--poisson needs a --rate");
        load_options all = load;
        all.rate = rate;
        if (rate > 0) all.mode = poisson ? load_mode::poisson : load_mode::fixed_rate;
        return all;
    }
};

/// Of servers that are started here; `load` has to take them as they are.
CLI::Option* add_work(CLI::App& sub, std::size_t& microseconds) {
    return sub.add_option("--work", microseconds, "µs of CPU time for each answer")
        ->check(CLI::Range(1, 1'000'000))
        ->group("What the load is like");
}

struct load_command_line {
    load_description what;
    std::string server;
    double seconds = 2, warmup = 0.5;
    bool sleeps = false, as_json = false;
    pid_t server_pid = 0;
    std::string hdr_file;

    CLI::App* add_to(CLI::App& app) {
        auto* sub = app.add_subcommand("load", "load on any server that sends back what it gets");
        sub->add_option("server", server, "127.0.0.1:7777 or [::1]:7777")->required();
        what.add_to(*sub);
        sub->add_flag("--sleep", sleeps, "give the CPU away between events");
        sub->add_option("--seconds", seconds, "what is measured")->check(some_seconds);
        sub->add_option("--warmup", warmup, "seconds before that")->check(some_warmup);
        sub->add_option("--server-pid", server_pid, "report this process's CPU time too");
        sub->add_option("--hdr", hdr_file, "write the latencies as HdrHistogram prints them");
        sub->add_flag("--json", as_json, "one JSON object instead of text");
        return sub;
    }
    [[nodiscard]] int run() const {
        load_options load = what.described();
        load.server = server;
        load.server_pid = server_pid;
        load.window = from_seconds(seconds);
        load.warmup = from_seconds(warmup);
        load.sleeps = sleeps || !plan_placement().load;  // fewer than two CPUs
        return load_command(load, as_json, hdr_file);
    }
};

struct compare_command_line {
    bool quick = false, full = false, no_curves = false, no_calls = false, busy_machine = false;
    std::vector<std::string> servers, workloads;
    std::size_t starts = 5, rounds = 7;
    double slice_ms = 50, minutes = 0, patience = 10;
    std::string directory, turns_file, topology = "loopback";
    load_description own;
    std::size_t work_us = 0;
    CLI::Option* work_option = nullptr;

    CLI::App* add_to(CLI::App& app) {
        auto* sub =
            app.add_subcommand("compare", "servers against each other, in duels with the first");
        const auto list = [&](const char* name, auto& values, const std::string& what) {
            sub->add_option(name, values, what)
                ->delimiter(',')
                ->allow_extra_args(false)
                ->default_str("");
        };
        auto* quick_flag = sub->add_flag("--quick", quick, "the default: less than three minutes");
        sub->add_flag("--full", full, "everything, about half an hour")->excludes(quick_flag);
        list("--servers", servers, "the first is the reference: " + names_of(known_servers()));
        list("--workloads", workloads, names_of(known_workloads()));
        sub->add_option("--starts", starts, "of all servers of a workload")->check(some_starts);
        auto* rounds_option =
            sub->add_option("--rounds", rounds, "of each start")->check(some_rounds);
        sub->add_option("--minutes", minutes, "choose the rounds so that it takes about so long")
            ->check(CLI::Range(1.0, 1440.0).description("1 to 1440"))
            ->excludes(rounds_option)
            ->default_str("");
        sub->add_option("--slice", slice_ms, "ms that a server is asked for at a time")
            ->check(some_slice);
        sub->add_flag("--no-curves", no_curves, "leave latency against rate out");
        sub->add_flag("--no-calls", no_calls, "leave the counting of system calls out");
        sub->add_option("--patience", patience,
                        "curves: seconds to wait, in all, for a quiet machine")
            ->check(CLI::Range(0.0, 86'400.0));
        sub->add_flag("--busy-machine", busy_machine, "curves: count disturbed runs as well");
        sub->add_option("--out", directory, "write data.json, index.html and repro.sh there");
        sub->add_option("--topology", topology, "between server and load")
            ->check(CLI::IsMember({"loopback", "veth"}));
        sub->add_option("--turns", turns_file,
                        "hold this lock while measuring, as others who use this machine do");
        own.add_to(*sub);
        work_option = add_work(*sub, work_us);
        return sub;
    }
    int run(int argc, char** argv) const {
        compare_options options = full ? full_comparison() : quick_comparison();
        options.servers = servers;
        options.workloads = workloads;
        if (own.given() || work_option->count() > 0) {
            options.own_load = own.described();
            options.own_load->work = std::chrono::microseconds(work_us);
            check_load(*options.own_load);
        }
        options.starts = starts;
        options.rounds = rounds;
        options.slice = from_seconds(slice_ms / 1000);
        if (minutes > 0) options.time = from_seconds(60 * minutes);
        options.curves = !no_curves;
        options.count_calls = !no_calls;
        options.count_disturbed = busy_machine;
        options.patience = from_seconds(patience);
        options.directory = directory;
        options.turns_file = turns_file;
        options.veth = topology == "veth";
        options.command = "anel-bench";
        for (int i = 1; i < argc; ++i) {
            if (argv[i] == std::string("--turns")) ++i;  // concerns only this machine
            else options.command += std::string(" ") + argv[i];
        }
        const interrupts ctrl_c;
        return run_compare(options, ctrl_c);
    }
};

/// "2%" as 0.02.
double share_of_percent(const std::string& text) {
    std::size_t end = 0;
    double percent = 0;
    try {
        percent = std::stod(text, &end);
    } catch (const std::logic_error&) {  // no number at all: `end` says so
        end = 0;
    }
    if (end == 0 || text.substr(end) != "%" || !(percent > 0) || percent > 100) {
        throw std::invalid_argument("--within: not a share such as 2%: " + text);
    }
    return percent / 100;
}

struct duel_command_line {
    std::string a, b, within = "2%";
    load_description what;
    double slice_ms = 100, seconds = 60;
    std::size_t starts = 5;
    std::uint64_t seed = 1;
    std::size_t work_us = 0;
    bool no_causes = false, as_json = false;

    CLI::App* add_to(CLI::App& app) {
        auto* sub = app.add_subcommand("duel", "two living servers in turn: what B needs of A");
        const std::string named = "a command with {port}, or one of " + names_of(known_servers());
        sub->add_option("A", a, named)->required();
        sub->add_option("B", b, "the same")->required();
        what.add_to(*sub);
        sub->add_option("--within", within, "goes on until the interval reaches no further");
        sub->add_option("--time", seconds, "seconds after which it ends all the same")
            ->check(CLI::Range(1.0, 86'400.0).description("1 to 86400"));
        sub->add_option("--starts", starts, "of all servers, at least")->check(some_starts);
        sub->add_option("--slice", slice_ms, "ms that a server is asked for at a time")
            ->check(some_slice);
        sub->add_option("--seed", seed, "of the order of slices");
        sub->add_flag("--no-causes", no_causes, "leave out where the difference comes from");
        add_work(*sub, work_us);
        sub->add_flag("--json", as_json, "one JSON object instead of text");
        return sub;
    }
    [[nodiscard]] int run() const {
        duel_options options;
        options.a = a;
        options.b = b;
        options.load = what.described();
        options.load.work = std::chrono::microseconds(work_us);
        options.causes = !no_causes;
        options.within = share_of_percent(within);
        options.slice = from_seconds(slice_ms / 1000);
        options.time = from_seconds(seconds);
        options.starts = starts;
        options.seed = seed;
        const interrupts ctrl_c;
        const duel_result result = run_duel(options, ctrl_c);
        if (as_json) std::printf("%s\n", duel_json(options, result).dump(1).c_str());
        else std::fputs(duel_text(options, result).c_str(), stdout);
        return result.b.cpu.known() ? 0 : 1;
    }
};

int parse_and_run(int argc, char** argv) {
    CLI::App app("Measures servers: anel's, the same by hand on io_uring, epoll, poll(2) and "
                 "blocking threads, and other libraries'.");
    app.require_subcommand(1);
    app.get_formatter()->column_width(42);
    app.option_defaults()->always_capture_default();

    load_command_line load;
    auto* load_app = load.add_to(app);
    compare_command_line compare;
    auto* compare_app = compare.add_to(app);
    duel_command_line duel;
    auto* duel_app = duel.add_to(app);
    bool as_json = false;
    auto* env_app = app.add_subcommand("env", "what the figures of this machine depend on");
    env_app->add_flag("--json", as_json, "one JSON object instead of text");
    auto* doctor_app = app.add_subcommand("doctor", "what will bite here, and what mends it");
    doctor_app->add_flag("--json", as_json, "one JSON object instead of text");
    doctor_app->footer("Exits with 0 when nothing is bad, 1 when something is, 2 for wrong usage.");
    std::string data_file;
    auto* page_app = app.add_subcommand("page", "makes index.html again from a data.json");
    page_app->add_option("data", data_file, "the file")->required();

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (load_app->parsed()) return load.run();
    if (env_app->parsed()) return environment_command(as_json);
    if (doctor_app->parsed()) return doctor_command(as_json);
    if (page_app->parsed()) return page_command(data_file);
    if (duel_app->parsed()) return duel.run();
    if (compare_app->parsed()) return compare.run(argc, argv);
    return 2;
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

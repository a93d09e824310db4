// cross_check.cpp: the same point measured by a tool that nobody here wrote: redis-benchmark.
//
// See cross_check.hpp.
//
// SPDX-License-Identifier: MIT
#include "cross_check.hpp"

#include <unistd.h>

#include <csignal>
#include <sstream>
#include <system_error>
#include <vector>

#include "load_report.hpp"
#include "text.hpp"

namespace anel_bench {
namespace {

constexpr std::size_t connections = 64;
constexpr std::size_t size = 64;

/// `"PING …","52938.06","0.826","0.040","0.319",…`: the fields without their quotes.
std::vector<std::string> fields_of(const std::string& line) {
    std::vector<std::string> fields;
    std::istringstream rest(line);
    for (std::string field; std::getline(rest, field, ',');) {
        std::erase(field, '"');
        fields.push_back(field);
    }
    return fields;
}

/// What a program prints, line by line, until it ends or `until`.
std::vector<std::string> output_of(const command& program, deadline until,
                                   const interrupts& ctrl_c) {
    pipe_ends output = make_pipe();
    command with_pipe = program;
    with_pipe.descriptors = {{output.write.get(), STDOUT_FILENO}};
    const child running = child::execute(with_pipe);
    output.write.reset();
    std::vector<std::string> lines;
    while (auto line = read_line(output.read.get(), ctrl_c, until)) lines.push_back(*line);
    return lines;
}

}  // namespace

std::optional<outside_measurement> check_with_outside_tool(const server_spec& spec,
                                                           std::chrono::nanoseconds window,
                                                           const cpu_plan& cpus,
                                                           const interrupts& ctrl_c) {
    outside_measurement result;
    result.server = spec.name;
    const auto soon = [] { return std::chrono::steady_clock::now() + std::chrono::seconds(60); };
    command tool;
    tool.path = "redis-benchmark";
    tool.arguments = {"--version"};
    try {
        for (const auto& line : output_of(tool, soon(), ctrl_c)) result.tool = line;
    } catch (const std::system_error&) {
        return {};
    }

    load_options load;
    load.connections = connections;
    load.size = size;
    load.window = window;
    load.warmup = window / 2;
    const run_result own = run_once(spec, load, cpus, false, ctrl_c);
    result.error = own.error;
    if (!result.error.empty()) return result;
    result.own_rate = requests_per_second(own.load);
    result.own_p50_us = static_cast<double>(own.load.latency.percentile(50).count()) / 1e3;

    try {
        running_server server = start_server(spec, load, cpus.server, ctrl_c);
        const auto requests = result.own_rate * std::chrono::duration<double>(window).count();
        // *2 $4 PING $43 <43 bytes>, each with its line end, is 64 bytes.
        tool.arguments = {"-h",
                          "127.0.0.1",
                          "-p",
                          server.address.substr(server.address.find(':') + 1),
                          "-c",
                          std::to_string(connections),
                          "-n",
                          std::to_string(static_cast<std::uint64_t>(requests) + 1),
                          "--csv",
                          "PING",
                          std::string(size - 21, 'x')};
        tool.cpu = cpus.load;
        for (const auto& line : output_of(tool, soon(), ctrl_c)) {
            const auto fields = fields_of(line);
            if (fields.size() < 5 || !fields[0].starts_with("PING")) continue;
            result.rate = std::atof(fields[1].c_str());
            result.p50_us = 1000 * std::atof(fields[4].c_str());
        }
        if (result.rate == 0) result.error = "it printed no figure";
        server.process.stop(SIGTERM, std::chrono::seconds(3), ctrl_c);
    } catch (const std::exception& error) {
        result.error = error.what();
    }
    return result;
}

}  // namespace anel_bench

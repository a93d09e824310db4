// cross_check.cpp: the same point measured by a tool that nobody here wrote: redis-benchmark.
//
// See cross_check.hpp.
//
// SPDX-License-Identifier: MIT
#include "cross_check.hpp"

#include <unistd.h>

#include <csignal>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "load_report.hpp"
#include "statistics.hpp"
#include "text.hpp"

namespace anel_bench {
namespace {

constexpr std::size_t connections = 64;
constexpr std::size_t size = 64;
constexpr int rounds = 5;

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

std::vector<std::string> arguments_for(const std::string& host, const std::string& address,
                                       double requests) {
    return {"-h", host, "-p", address.substr(address.find(':') + 1), "-c",
            std::to_string(connections), "-n",
            std::to_string(static_cast<std::uint64_t>(requests) + 1), "--csv",
            // *2 $4 PING $43 <43 bytes>, each with its line end, is 64 bytes.
            "PING", std::string(size - 21, 'x')};
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
                                                           const placement& places,
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
    load.warmup = window / 4;
    std::string disturbed;
    std::vector<double> own_rates, own_p50s, rates, p50s;
    try {
        for (int round = 0; round < rounds; ++round) {  // in turn, like everything that is compared
            const run_result own = run_once(spec, load, places, false, ctrl_c);
            if (!own.error.empty()) throw std::runtime_error(own.error);
            if (!own.disturbed.empty()) {  // then the tool's run would be as well
                disturbed = own.disturbed;
                continue;
            }
            own_rates.push_back(requests_per_second(own.load));
            own_p50s.push_back(static_cast<double>(own.load.latency.percentile(50).count()) / 1e3);

            running_server server = start_server(spec, load, places, ctrl_c);
            const auto requests = own_rates.back() * std::chrono::duration<double>(window).count();
            tool.arguments = arguments_for(places.host(), server.address, requests);
            tool.cpu = places.load;
            for (const auto& line : output_of(tool, soon(), ctrl_c)) {
                const auto fields = fields_of(line);
                if (fields.size() < 5 || !fields[0].starts_with("PING")) continue;
                rates.push_back(std::atof(fields[1].c_str()));
                p50s.push_back(1000 * std::atof(fields[4].c_str()));
            }
            server.process.stop(SIGTERM, std::chrono::seconds(3), ctrl_c);
        }
        if (rates.empty()) {
            throw std::runtime_error(disturbed.empty() ? "it printed no figure" : disturbed);
        }
    } catch (const std::exception& error) {
        result.error = error.what();
    }
    result.rate = median(rates);
    result.own_rate = median(own_rates);
    result.p50_us = median(p50s);
    result.own_p50_us = median(own_p50s);
    return result;
}

}  // namespace anel_bench

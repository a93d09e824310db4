// cross_check.cpp: the same points measured by a tool that nobody here wrote: wrk.
//
// See cross_check.hpp.
//
// SPDX-License-Identifier: MIT
#include "run/cross_check.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "common/clocks.hpp"
#include "common/text.hpp"
#include "load/load_report.hpp"
#include "load/peer.hpp"

namespace anel_bench {
namespace {

constexpr std::size_t connections = 64;
constexpr double full_share = 0.95;  // of a core: no time is left
// wrk checks the first thing the script gives it, and wants a request there.
constexpr std::string_view script = R"(
local asked = false
local answer = "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n" .. string.rep("x", 25)  -- 64 bytes
function request()
  if asked then return answer end
  asked = true
  return "GET / HTTP/1.1\r\n\r\n"
end
)";

unique_fd script_file() {
    unique_fd file(memfd_create("echo.lua", MFD_CLOEXEC));  // the tool opens it by its number
    if (!file ||
        write(file.get(), script.data(), script.size()) != static_cast<ssize_t>(script.size())) {
        fail("memfd_create");
    }
    return file;
}

/// What a program prints, line by line, until it ends.
std::vector<std::string> output_of(const command& program, const interrupts& ctrl_c) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    pipe_ends output = make_pipe();
    command with_pipe = program;
    with_pipe.descriptors.emplace_back(output.write.get(), STDOUT_FILENO);
    child running = child::execute(with_pipe);
    output.write.reset();
    std::vector<std::string> lines;
    while (auto line = read_line(output.read.get(), ctrl_c, until)) lines.push_back(*line);
    running.stop(0, std::chrono::seconds(1), ctrl_c);
    return lines;
}

/// "626.00us", "1.20ms", "1.01s": µs.
double microseconds(const std::string& text) {
    char* unit = nullptr;
    const double value = std::strtod(text.c_str(), &unit);
    if (std::string_view(unit) == "us") return value;
    return value * (std::string_view(unit) == "ms" ? 1e3 : 1e6);
}

/// Of all children that have ended.
double cpu_of_children() {
    rusage used{};
    if (getrusage(RUSAGE_CHILDREN, &used) != 0) fail("getrusage");
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

void run_wrk(const server_spec& spec, client_figures& figures, const placement& places,
             const interrupts& ctrl_c) {
    running_server server = start_server(spec, {}, places, ctrl_c);
    const pid_t pid = server.process.pid();
    const unique_fd file = script_file();
    command wrk;
    wrk.path = "wrk";
    wrk.arguments = {"-t1",       format("-c%zu", connections),    "-d1", "--latency", "-s",
                     "/dev/fd/9", "http://" + server.address + "/"};
    wrk.cpu = places.load;
    wrk.descriptors = {{file.get(), 9}};
    const auto server_before = read_process(pid).value_or(process_usage{}).cpu;
    const double client_before = cpu_of_children();
    double rate = 0, p50 = 0, requests = 0, seconds = 0;
    for (const auto& line : output_of(wrk, ctrl_c)) {
        std::array<char, 32> text{};
        std::sscanf(line.c_str(), " 50%% %31s", text.data());
        if (text[0] != '\0') p50 = microseconds(text.data());
        std::sscanf(line.c_str(), "Requests/sec: %lf", &rate);
        std::sscanf(line.c_str(), " %lf requests in %lfs", &requests, &seconds);
        if (line.find("Socket errors") != line.npos || line.find("Non-2xx") != line.npos) {
            throw std::runtime_error("wrk:" + line);
        }
    }
    if (!(rate > 0 && requests > 0 && seconds > 0)) throw std::runtime_error("wrk gave no figure");
    const std::chrono::duration<double, std::nano> server_cpu =
        read_process(pid).value_or(process_usage{}).cpu - server_before;
    figures.rates.push_back(rate);
    figures.p50s.push_back(p50);
    figures.server_cpu.push_back(server_cpu.count() / requests);
    figures.client_shares.push_back((cpu_of_children() - client_before) / seconds);
    server.process.stop(SIGTERM, std::chrono::seconds(3), ctrl_c);
}

/// False when something else disturbed the run.
bool run_ours(const server_spec& spec, client_figures& figures, const load_options& own,
              const placement& places, const interrupts& ctrl_c) {
    load_options load = own;
    load.connections = connections;
    load.sleeps = true;  // as wrk does
    const run_result run = run_once(spec, load, places, ctrl_c);
    if (!run.error.empty()) throw std::runtime_error(run.error);
    if (!run.disturbed.empty()) return false;
    figures.rates.push_back(requests_per_second(run.load));
    figures.p50s.push_back(static_cast<double>(run.load.latency.percentile(50).count()) / 1e3);
    figures.server_cpu.push_back(server_cpu_ns_per_request(run.load));
    figures.client_shares.push_back(generator_share(run.load));
    return true;
}

}  // namespace

double outside_point::ratio() const {
    return theirs.rates.empty() ? 0 : median(ours.rates) / median(theirs.rates);
}
interval outside_point::ratio_range() const { return ratio_of_medians(ours.rates, theirs.rates); }
const char* outside_point::verdict() const {
    if (theirs.rates.size() < 3) return "too few";  // runs, to call anything
    if (std::abs(ratio() - 1) <= agreement_within) return "agree";
    const double fuller = std::max(median(theirs.client_shares), median(ours.client_shares));
    if (fuller > full_share) return "client-bound";
    const interval range = ratio_range();
    return range.low <= 1 && range.high >= 1 ? "tie" : "differ";
}

std::optional<outside_measurement> check_with_outside_tool(const std::vector<server_spec>& specs,
                                                           std::size_t rounds,
                                                           const load_options& own,
                                                           const placement& places,
                                                           const interrupts& ctrl_c) {
    outside_measurement result;
    command tool;
    tool.path = "wrk";
    tool.arguments = {"--version"};
    try {
        const auto lines = output_of(tool, ctrl_c);  // wrk 4.1.0 [epoll] Copyright …
        result.tool = lines.empty() ? "wrk" : lines.front().substr(0, lines.front().find(" ["));
    } catch (const std::system_error&) {
        return {};
    }
    for (const server_spec& spec : specs) {
        outside_point& point = result.points.emplace_back();
        point.server = spec.name;
        try {
            const std::size_t tries = 2 * rounds;
            for (std::size_t n = 0; n < tries && point.theirs.rates.size() < rounds; ++n) {
                // In turn, like all the others. When our run is disturbed theirs would be as well.
                if (!run_ours(spec, point.ours, own, places, ctrl_c)) continue;
                run_wrk(spec, point.theirs, places, ctrl_c);
            }
            if (point.theirs.rates.empty()) throw std::runtime_error("every run was disturbed");
        } catch (const std::exception& error) {
            point.error = error.what();
        }
    }
    return result;
}

}  // namespace anel_bench

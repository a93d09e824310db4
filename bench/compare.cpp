// compare.cpp: measures servers against each other in interleaved rounds, a cell a workload.
//
// Rounds alternate in direction (A B C, C B A, …), so that what drifts slowly, such as a clock
// frequency, meets every server alike.
//
// SPDX-License-Identifier: MIT
#include "compare.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "compare_report.hpp"
#include "text.hpp"

namespace anel_bench {
namespace {

/// A line on the terminal that is overwritten; nothing at all when stderr is not one.
class progress {
public:
    explicit progress(std::size_t steps) : steps_(steps) {}
    ~progress() { erase(); }
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

    void step(const std::string& what) {
        ++step_;
        if (shown_) std::fprintf(stderr, "\r\033[K[%zu/%zu] %s", step_, steps_, what.c_str());
    }
    void erase() const {
        if (shown_) std::fprintf(stderr, "\r\033[K");
    }

private:
    bool shown_ = isatty(STDERR_FILENO) != 0;
    std::size_t steps_;
    std::size_t step_ = 0;
};

std::vector<server_spec> choose_servers(const std::vector<std::string>& names) {
    auto known = known_servers();
    if (names.empty()) return known;
    std::vector<server_spec> chosen;
    for (const std::string& name : names) {
        const auto found = std::find_if(known.begin(), known.end(),
                                        [&](const server_spec& spec) { return spec.name == name; });
        if (found == known.end()) {
            std::string all;
            for (const auto& spec : known) all.append(" ").append(spec.name);
            throw std::invalid_argument("unknown server \"" + name + "\"; known:" + all);
        }
        chosen.push_back(*found);
    }
    return chosen;
}

/// A default list is cut to what has been built, with a word, so that a partial build can be
/// measured too; a server somebody asked for has to be there.
std::vector<server_spec> keep_built(std::vector<server_spec> specs, bool leave_out_missing) {
    for (const server_spec& spec : specs) {
        if (is_built(spec)) continue;
        const auto text = format("%s is not built: %s", spec.name.c_str(), spec.program.c_str());
        if (!leave_out_missing) throw std::invalid_argument(text);
        std::printf("left out: %s\n", text.c_str());
    }
    std::erase_if(specs, [](const server_spec& spec) { return !is_built(spec); });
    if (specs.empty()) throw std::invalid_argument("none of the servers to compare is built");
    return specs;
}

std::vector<measured_cell> plan_cells(const compare_options& options,
                                      const std::vector<server_spec>& specs) {
    measured_cell cell;
    cell.load.warmup = options.warmup;
    cell.load.window = options.window;
    for (const server_spec& spec : specs) cell.servers.emplace_back().spec = spec;
    cell.servers.emplace_back().spec = specs.front();
    cell.servers.back().reference_again = true;

    std::vector<measured_cell> cells;
    for (const std::size_t connections : options.connections) {
        for (const std::size_t size : options.sizes) {
            for (const std::size_t pipeline : options.pipelines) {
                cell.load.connections = connections;
                cell.load.size = size;
                cell.load.pipeline = pipeline;
                cells.push_back(cell);
            }
        }
    }
    return cells;
}

void measure(measured_cell& cell, const compare_options& options, const cpu_plan& cpus,
             progress& line, const interrupts& ctrl_c) {
    for (std::size_t round = 0; round < options.rounds; ++round) {
        for (std::size_t i = 0; i < cell.servers.size(); ++i) {
            const std::size_t at = round % 2 == 0 ? i : cell.servers.size() - 1 - i;
            measured_server& server = cell.servers[at];
            line.step(format("round %zu: %s", round + 1, server.spec.name.c_str()));
            server.runs.push_back(run_once(server.spec, cell.load, cpus, false, ctrl_c));
        }
    }
    if (!options.count_syscalls) return;
    for (measured_server& server : cell.servers) {
        if (server.reference_again) continue;
        line.step("system calls: " + server.spec.name);
        server.syscall_run = run_once(server.spec, cell.load, cpus, true, ctrl_c);
    }
}

}  // namespace

compare_options quick_comparison() {
    compare_options options;
    options.servers = {"anel-io_uring", "anel-epoll", "anel-poll", "threads"};
    options.rounds = 2;
    options.window = std::chrono::seconds(1);
    options.warmup = std::chrono::milliseconds(250);
    return options;
}

int run_compare(const compare_options& options, const interrupts& ctrl_c) {
    const auto specs = keep_built(choose_servers(options.servers), options.leave_out_missing);
    auto cells = plan_cells(options, specs);
    std::ofstream json;
    if (!options.json_file.empty()) {  // opened first: not to find out after half an hour
        json.open(options.json_file);
        if (!json) {
            throw std::system_error(errno, std::generic_category(), "open " + options.json_file);
        }
    }
    const cpu_plan cpus = plan_cpus();
    std::fputs(compare_heading(options, cpus).c_str(), stdout);
    std::fflush(stdout);

    const std::size_t counting = options.count_syscalls ? specs.size() : 0;
    progress line(cells.size() * ((specs.size() + 1) * options.rounds + counting));
    bool all_counted = true;
    for (measured_cell& cell : cells) {
        measure(cell, options, cpus, line, ctrl_c);
        line.erase();
        std::fputs(cell_text(cell, cpus).c_str(), stdout);
        std::fflush(stdout);
        all_counted = all_counted && every_run_counted(cell);
    }
    if (json.is_open()) {
        json << compare_json(options, cpus, cells) << "\n";
        json.close();
        if (!json) throw std::runtime_error("write " + options.json_file + ": failed");
    }
    return all_counted ? 0 : 1;
}

}  // namespace anel_bench

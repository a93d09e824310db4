// environment.hpp: what a figure depends on besides the program: machine, kernel, limits, compiler.
//
// Only reads. A fact the system does not expose is reported as "not exposed", never guessed.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace anel_bench {

/// A group of facts, in a fixed order: {"kernel", {{"release", "6.1.0"}, …}}.
struct fact_group {
    std::string name;
    std::vector<std::pair<std::string, std::string>> facts;
};

std::vector<fact_group> read_environment();

std::string environment_text(const std::vector<fact_group>& groups);

/// One line for the head of a report: kernel, CPU, cores, hypervisor.
std::string environment_line();

/// Whether this program, and so most likely everything built with it, was optimised.
bool built_optimised();

/// What it takes to enter the kernel and leave it again, in ns: getppid(2), the best of many tries.
/// Mitigations, and what the processor forgets meanwhile, make it dearer in a real program.
double empty_system_call_ns();

}  // namespace anel_bench

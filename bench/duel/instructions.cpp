// instructions.cpp: instructions in user space for one request, with callgrind.
//
// See causes.hpp. valgrind runs the server on a processor of its own making, many times slower, and
// counts exactly what it does there; the kernel is not in it.
//
// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "common/unique_fd.hpp"
#include "duel/causes.hpp"
#include "load/peer.hpp"
#include "run/own_server.hpp"
#include "run/workloads.hpp"

namespace anel_bench {
namespace {

using namespace std::chrono_literals;

constexpr auto warmup = 200ms, length = 500ms;
constexpr std::size_t connections_max = 512;  // beyond, opening them takes too long

/// A folder for what valgrind reads and writes, which goes with its owner.
class workshop {
public:
    workshop() {
        std::string name = (std::filesystem::temp_directory_path() / "callgrind.XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) fail("mkdtemp " + name);
        folder_ = name;
    }
    ~workshop() {
        std::error_code gone;
        std::filesystem::remove_all(folder_, gone);
    }
    workshop(const workshop&) = delete;
    workshop& operator=(const workshop&) = delete;

    /// The program without debug information: valgrind 3.19 gives up on that of clang 19. Itself
    /// where there is no strip, or nothing to strip.
    [[nodiscard]] std::string stripped(const std::string& program, const interrupts& ctrl_c) const {
        const std::string copy = (folder_ / "server").string();
        const unique_fd nowhere(open("/dev/null", O_WRONLY | O_CLOEXEC));
        command strip;
        strip.path = "strip";
        strip.arguments = {"--strip-debug", "-o", copy, program};
        strip.descriptors = {{nowhere.get(), STDERR_FILENO}};
        try {
            child running = child::execute(strip);
            if (running.stop(0, 5000ms, ctrl_c).success()) return copy;
        } catch (const std::system_error&) {  // not installed
        }
        return program;
    }
    /// What valgrind has to know to run a server here.
    [[nodiscard]] std::vector<std::string> options() const {
        return {"--tool=callgrind", "--callgrind-out-file=" + (folder_ / "out").string(),
                "--log-file=" + (folder_ / "log").string(), vgdb_prefix()};
    }
    /// Has valgrind write what was counted so far, and begin again. A process that sleeps in the
    /// kernel is reached as well, which a signal does not.
    [[nodiscard]] std::optional<double> take_count(pid_t pid, const interrupts& ctrl_c) {
        const unique_fd nowhere(open("/dev/null", O_WRONLY | O_CLOEXEC));
        command dump;
        dump.path = "vgdb";
        dump.arguments = {vgdb_prefix(), "--pid=" + std::to_string(pid), "dump"};
        dump.descriptors = {{nowhere.get(), STDOUT_FILENO}, {nowhere.get(), STDERR_FILENO}};
        child running = child::execute(dump);
        if (!running.stop(0, 5000ms, ctrl_c).success()) return {};
        std::ifstream file((folder_ / "out").string() + "." + std::to_string(++dumps_));
        const std::string word = "summary: ";
        for (std::string line; std::getline(file, line);) {
            if (line.starts_with(word)) return std::atof(line.c_str() + word.size());
        }
        return {};
    }

private:
    [[nodiscard]] std::string vgdb_prefix() const {
        return "--vgdb-prefix=" + (folder_ / "vgdb").string();
    }

    std::filesystem::path folder_;
    int dumps_ = 0;
};

std::optional<double> watch(const contestant& server, const load_options& load,
                            const placement& places, const interrupts& ctrl_c) {
    workshop shop;
    contestant watched = server;
    if (watched.spec) {
        auto& words = watched.spec->arguments;
        words.insert(words.begin(), shop.stripped(watched.spec->program, ctrl_c));
        const auto options = shop.options();
        words.insert(words.begin(), options.begin(), options.end());
        watched.spec->program = "valgrind";
    } else {
        watched.name = "valgrind";
        for (const std::string& option : shop.options()) watched.name += " " + option;
        watched.name += " " + server.name;
    }
    living_server living(watched, load, places, ctrl_c);
    living.slice(warmup);
    if (!shop.take_count(living.pid(), ctrl_c)) return {};
    living.begin_life();
    living.slice(length);
    const auto count = shop.take_count(living.pid(), ctrl_c);
    const std::uint64_t requests = living.end_life().load.requests;
    if (!count || requests == 0) return {};
    return *count / static_cast<double>(requests);
}

}  // namespace

std::optional<double> count_instructions(const contestant& server, const load_options& load,
                                         const placement& places, const interrupts& ctrl_c) {
    if (all_connections(load) > connections_max) return {};
    try {
        return watch(server, load, places, ctrl_c);
    } catch (const std::exception&) {
        return {};  // not installed, or it cannot run this server
    }
}

}  // namespace anel_bench

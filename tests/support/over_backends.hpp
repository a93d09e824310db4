// over_backends.hpp: the fixture of every test that must hold on each backend of this system.
//
// A test body is a coroutine; run() runs it on the backend of the test. A body that does not end is
// cancelled after a while, and the failure says what each of its tasks waited for. At the end of
// every test the process has the descriptors it had before; that nothing is left in flight is
// asserted by the loop itself.
// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/simulated.hpp"

#include "runtime/system/sanitizer.hpp"

#include <anel/anel.hpp>
#include <anel/sim.hpp>
#include <anel/task_tree.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace anel {
using namespace detail;

// How gtest prints the parameter of a test.
inline void PrintTo(backend_kind kind, std::ostream* out) { *out << name_of(kind); }

namespace test {

using namespace std::chrono_literals;

/// How much longer than on a processor of its own a test may take: `ANEL_TEST_PATIENCE=10` where
/// programs are emulated.
inline int slowness() {
    const char* given = std::getenv("ANEL_TEST_PATIENCE");
    return given ? std::clamp(std::atoi(given), 1, 100) : 1;
}

inline const auto patience = 20s * slowness();

/// How a death test begins: it executes the program again, which an emulated processor cannot.
inline const char* death_style() { return slowness() > 1 ? "fast" : "threadsafe"; }

#if defined(__SANITIZE_THREAD__)
inline constexpr bool slow_build = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr bool slow_build = true;
#else
inline constexpr bool slow_build = address_sanitizer;
#endif
#else
inline constexpr bool slow_build = address_sanitizer;
#endif

/// ThreadSanitizer starts a thread of its own with the program's first.
#ifdef ANEL_THREAD_SANITIZER
inline constexpr std::size_t sanitizer_threads = 1;
#else
inline constexpr std::size_t sanitizer_threads = 0;
#endif

/// How often something is tried: `times`, or less where each try takes longer.
inline int rounds(int times) { return std::max(1, times / (slow_build ? 5 : 1) / slowness()); }

/// Whether this run may take its time: `./dev check --long`.
inline const bool long_run = std::getenv("ANEL_LONG") != nullptr;

/// The backends over a real kernel that start here; what this build or this system refuses is left
/// out. Found out once, in a child process: the kernel takes a ring apart some time after it was
/// closed, and keeps interrupting the sleep of a process that has had one.
inline const std::vector<backend_kind>& kernels_here() {
    static const std::vector<backend_kind> found = [] {
        constexpr backend_kind candidates[] = {backend_kind::io_uring, backend_kind::epoll,
                                               backend_kind::poll};
        std::vector<backend_kind> kinds;
        for (const backend_kind kind : candidates) {
            const pid_t child = ::fork();
            if (child == 0) {
                backend_options options;
                options.kind = kind;
                try {
                    static_cast<void>(make_backend(options));
                    ::_exit(0);
                } catch (const io_error&) {
                    ::_exit(1);
                }
            }
            int status = 0;
            // Neither "yes" nor "no": tests must not be left out because of it.
            if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) std::abort();
            if (WEXITSTATUS(status) == 0) kinds.push_back(kind);
        }
        return kinds;
    }();
    return found;
}

/// These, and the simulated network.
inline std::vector<backend_kind> backends_here() {
    std::vector<backend_kind> kinds = kernels_here();
    kinds.push_back(backend_kind::sim);
    return kinds;
}

inline std::string name_of_parameter(const testing::TestParamInfo<backend_kind>& info) {
    return name_of(info.param);
}

inline std::error_code code(int error) { return {error, std::system_category()}; }

/// Names of directory entries, such as the descriptors in /proc/self/fd.
inline std::vector<std::string> entries(const char* directory) {
    std::vector<std::string> names;
    if (DIR* opened = ::opendir(directory)) {
        while (const dirent* entry = ::readdir(opened)) {
            const std::string_view name = entry->d_name;
            if (name != "." && name != "..") names.emplace_back(name);
        }
        ::closedir(opened);
    }
    return names;
}
inline std::size_t count_descriptors() {
    return simulated ? simulated->open_descriptors() : entries("/proc/self/fd").size();
}
inline bool is_descriptor(int fd) {
    return simulated ? simulated->find(fd) != nullptr : ::fcntl(fd, F_GETFD) >= 0;
}
inline std::size_t count_threads() { return entries("/proc/self/task").size(); }

/// Lets this process have so many descriptors at least, where it may.
inline bool allow_descriptors(rlim_t count) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= count) return true;
    limit.rlim_cur = std::min(count, limit.rlim_max);
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= count;
}

/// While it lives, this process, or the simulated host, cannot open another descriptor.
class no_descriptors_left {
public:
    no_descriptors_left() {
        if (simulated) {
            most_before_ =
                std::exchange(simulated->host().descriptors_max, simulated->open_descriptors());
            return;
        }
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit limit = before_;
        // Descriptors may lie above the first free number: each hole below it is filled.
        while (true) {
            const int fd = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
            if (fd < 0) break;
            if (fd >= highest()) {
                ::close(fd);
                limit.rlim_cur = static_cast<rlim_t>(fd);
                break;
            }
            held_.push_back(fd);
        }
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    no_descriptors_left(const no_descriptors_left&) = delete;
    no_descriptors_left& operator=(const no_descriptors_left&) = delete;
    ~no_descriptors_left() { end(); }

    /// Descriptors can be had again.
    void end() {
        if (simulated) {
            simulated->host().descriptors_max = most_before_;
            return;
        }
        ::setrlimit(RLIMIT_NOFILE, &before_);
        for (const int fd : held_) ::close(fd);
        held_.clear();
    }

private:
    static int highest() {
        int top = 0;
        for (const std::string& name : entries("/proc/self/fd")) {
            const int fd = std::stoi(name);
            // The listing's own descriptor is gone by now.
            if (::fcntl(fd, F_GETFD) >= 0) top = std::max(top, fd);
        }
        return top;
    }

    rlimit before_{};
    std::size_t most_before_ = 0;  // of the simulated host
    std::vector<int> held_;
};

class over_backends : public testing::TestWithParam<backend_kind> {
protected:
    void SetUp() override {
        descriptors_ = count_descriptors();
        // The last resort, for what does not even react to a cancel.
        struct sigaction action{};
        action.sa_handler = &give_up;
        ::sigaction(SIGALRM, &action, nullptr);
        ::alarm(55 * static_cast<unsigned>(slowness()));
    }

    void TearDown() override {
        ::alarm(0);
        // Only a name lookup that was left behind may still hold one, until it has its answer or
        // the resolver has asked twice for 5 s.
        const auto deadline = std::chrono::steady_clock::now() + 15s;
        while (count_descriptors() != descriptors_ && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield();
        }
        EXPECT_EQ(count_descriptors(), descriptors_) << "descriptors leaked";
    }

    /// Runs the task that `body()` makes, to its end.
    void run(const std::function<task<>()>& body, backend_options options = {}) {
        if (GetParam() == backend_kind::sim) return run_simulated(body);
        options.kind = GetParam();
        run_options how;
        how.backend = options;
        how.signals = false;
        bool ended = false;
        anel::run(guarded(body(), ended), how);
        EXPECT_TRUE(ended) << "the body of the test was cancelled";
    }

private:
    /// One host in a world where nothing goes wrong, and everything takes its turn.
    static void run_simulated(const std::function<task<>()>& body) {
        sim::world_options calm;
        calm.swarm = false;
        calm.first_in_first_out = true;
        calm.descriptors_max = 4096;
        sim::world world(1, calm);
        bool ended = false;
        world.client("test", "10.0.0.1 fd00::1 fe80::1", [&]() -> task<> {
            frame& self = co_await detail::this_frame();
            const on_simulated_host here(self.scope->owner());
            co_await guarded(body(), ended);
        });
        try {
            world.run(240h);
            EXPECT_TRUE(ended) << "the body of the test was cancelled";
        } catch (const sim::failure& failed) {
            ADD_FAILURE() << failed.what();
        }
    }

    static task<> guarded(task<> body, bool& ended) {
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(&watch, std::ref(group.scope()));
            co_await body;
            ended = true;
            group.cancel();
        });
    }

    /// A test that stands still is cancelled. One that goes on has until the alarm: what takes long
    /// on a busy machine is no failure.
    static task<> watch(cancel_scope& watched) {
        constexpr std::uint64_t few = 50;
        std::uint64_t seen = 0;
        for (std::uint64_t now = few; now >= seen + few;) {
            seen = watched.owner().counters().resumes;
            co_await sleep_for(slow_build ? 2 * patience : patience);
            now = watched.owner().counters().resumes;
        }
        ADD_FAILURE() << "the test does not end; it waits for\n" << task_tree(watched);
        watched.cancel();
    }

    static void give_up(int) {
        constexpr std::string_view text = "the test does not end, and ignores being cancelled\n";
        static_cast<void>(!::write(2, text.data(), text.size()));
        std::abort();
    }

    std::size_t descriptors_ = 0;
};

/// Instantiates a suite for the backends over a kernel only: bodies that use threads, or calls of
/// the system's own, have no place on the simulated network.
#define ANEL_OVER_KERNELS(suite)                                                                   \
    INSTANTIATE_TEST_SUITE_P(, suite, testing::ValuesIn(::anel::test::kernels_here()),             \
                             ::anel::test::name_of_parameter)

/// Instantiates a suite for every backend: `suite.states_a_fact/io_uring`, `/sim` among them.
#define ANEL_OVER_BACKENDS(suite)                                                                  \
    INSTANTIATE_TEST_SUITE_P(, suite, testing::ValuesIn(::anel::test::backends_here()),            \
                             ::anel::test::name_of_parameter)

/// The text of what `inner` throws.
template <awaitable A>
task<std::string> failure_of(A inner) {
    std::string text = "no error";
    try {
        static_cast<void>(co_await inner);
    } catch (const io_error& error) {
        text = error.what();
    }
    co_return text;
}

/// The error of what `inner` throws; none when it has a value.
template <awaitable A>
task<std::error_code> error_of(A inner) {
    std::error_code error;
    try {
        static_cast<void>(co_await inner);
    } catch (const io_error& failed) {
        error = failed.code();
    }
    co_return error;
}

/// One turn of the loop: what is submitted gets to the kernel, what is done comes back. A yield()
/// only lets the tasks run that are ready already.
inline auto next_turn() { return sleep_for(0s); }

/// The counters of the backend that runs this task.
inline task<backend_counters> current_counters() {
    frame& self = co_await detail::this_frame();
    co_return self.scope->owner().backend().counters();
}

/// Bytes that tell where they stand in the stream: byte `at` is the lowest of
/// at * 31 + at / 251 + at / 65'521. Copied in runs, for some tests make megabytes again and again.
inline std::string pattern(std::size_t size, std::size_t from = 0) {
    static const auto steps = [] {  // twice round: i * 31
        std::array<char, 512> made{};
        for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<char>(i * 31 & 0xff);
        return made;
    }();
    constexpr std::size_t inverse = 223;  // 31 * 223 is 1, of 256
    std::string bytes(size, '\0');
    for (std::size_t done = 0; done < size;) {
        const std::size_t at = from + done;
        const std::size_t begin = (at + (at / 251 + at / 65'521) * inverse) & 0xff;
        const std::size_t run = std::min({251 - at % 251, 65'521 - at % 65'521, size - done});
        std::memcpy(bytes.data() + done, steps.data() + begin, run);
        done += run;
    }
    return bytes;
}

}  // namespace test
}  // namespace anel

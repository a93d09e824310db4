// metrics.cpp: reading a loop from another thread, and its numbers as text.
// SPDX-License-Identifier: MIT
#include <anel/metrics.hpp>

#include "runtime/core/gate.hpp"

#include <anel/error.hpp>

#include <array>
#include <mutex>

namespace anel {
using namespace detail;

std::shared_ptr<loop_gate> loop::gate() {
    if (!gate_) {
        gate_ = std::make_shared<loop_gate>();
        gate_->of = this;
    }
    return gate_;
}

void session_counters::fail(int error) noexcept {
    kind* at = failed.data();
    for (kind& each : failed) {
        if (&each == failed.data() || error == 0) continue;
        if (each.count == 0) each.error = static_cast<std::uint64_t>(error);
        if (each.error != static_cast<std::uint64_t>(error)) continue;
        at = &each;
        break;
    }
    at->count += 1;
}

std::optional<metrics> metrics_source::read() const {
    const std::lock_guard held(gate_->mutex);
    const loop* of = gate_->of;
    if (!of) return std::nullopt;
    const loop_counters turned = of->counters();
    const backend_counters& done = of->backend().counters();
    metrics now;
    now.backend = name_of(of->backend().kind());
    now.turns = turned.turns;
    now.resumes = turned.resumes;
    now.resumes_max = turned.resumes_max;
    now.frames_new = turned.frames_new;
    now.timers_fired = turned.timers_fired;
    const auto ns = [](std::uint64_t count) {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(count));
    };
    now.timers_late = ns(turned.timers_late);
    now.timers_late_max = ns(turned.timers_late_max);
    now.completions = done.completions;
    now.operations = done.operations;
    now.in_flight = of->backend().in_flight();
    now.cancels = done.cancels;
    now.waits = done.waits;
    now.calls = done.calls;
    now.bytes = done.bytes;
    now.chunks = done.chunks;
    now.chunks_max = done.chunks_max;
    now.helper_calls = done.helper_calls;
    const session_counters& sessions = of->sessions();
    now.sessions_ended = sessions.ended;
    now.sessions_begun = sessions.begun;
    now.accepts_failed = sessions.accepts_failed;
    for (const session_counters::kind& each : sessions.failed) {
        const std::uint64_t count = each.count;
        if (count > 0) now.sessions_failed.emplace_back(static_cast<int>(each.error), count);
    }
    return now;
}

namespace {

struct family {
    const char* name;
    const char* help;
    const char* type;
    std::uint64_t metrics::* value;
};

constexpr std::array families{
    family{"anel_turns", "Rounds of the loop.", "counter", &metrics::turns},
    family{"anel_resumes", "Coroutines that ran.", "counter", &metrics::resumes},
    family{"anel_resumes_max", "Coroutines that ran in one turn, at most.", "gauge",
           &metrics::resumes_max},
    family{"anel_frames_new", "Frames that had to be allocated.", "counter", &metrics::frames_new},
    family{"anel_timers_fired", "Timers that fired.", "counter", &metrics::timers_fired},
    family{"anel_operations", "Operations submitted.", "counter", &metrics::operations},
    family{"anel_completions", "Operations done.", "counter", &metrics::completions},
    family{"anel_in_flight", "Operations submitted and not done.", "gauge", &metrics::in_flight},
    family{"anel_cancels", "Cancels of operations.", "counter", &metrics::cancels},
    family{"anel_waits", "System calls that wait.", "counter", &metrics::waits},
    family{"anel_calls", "System calls for operations.", "counter", &metrics::calls},
    family{"anel_bytes", "Bytes that these calls moved.", "counter", &metrics::bytes},
    family{"anel_chunks", "Pieces of memory for receives in use.", "gauge", &metrics::chunks},
    family{"anel_chunks_max", "The most that were in use.", "gauge", &metrics::chunks_max},
    family{"anel_helper_calls", "Calls with helper threads.", "gauge", &metrics::helper_calls},
    family{"anel_sessions_begun", "Sessions begun.", "counter", &metrics::sessions_begun},
    family{"anel_sessions_ended", "Sessions ended.", "counter", &metrics::sessions_ended},
    family{"anel_accepts_failed", "Accepts that failed for want of something.", "counter",
           &metrics::accepts_failed},
};

class page {
public:
    explicit page(std::span<const metrics> loops) : loops_(loops) {}

    void begin(std::string_view name, std::string_view help, std::string_view type) {
        const bool counts = type == "counter";
        name_ = name;
        if (counts) name_ += "_total";
        // What reads the older text format knows a counter by its whole name, and what reads
        // OpenMetrics takes either.
        text_.append("# HELP ").append(name_).append(" ").append(help).append("\n# TYPE ");
        text_.append(name_).append(" ").append(type).append("\n");
    }
    void add(std::size_t loop, const std::string& value, std::string_view label = {}) {
        text_.append(name_).append("{loop=\"").append(std::to_string(loop)).append("\",backend=\"");
        text_.append(loops_[loop].backend).append("\"").append(label).append("} ");
        text_.append(value).append("\n");
    }
    std::string& text() noexcept { return text_; }

private:
    std::span<const metrics> loops_;
    std::string name_;
    std::string text_;
};

/// 1234567890 ns are "1.234567890".
std::string in_seconds(std::chrono::nanoseconds time) {
    const std::string fraction = std::to_string(time.count() % 1'000'000'000);
    return std::to_string(time.count() / 1'000'000'000) + "." +
           std::string(9 - fraction.size(), '0') + fraction;
}

}  // namespace

std::string openmetrics(std::span<const metrics> loops) {
    page all(loops);
    for (const family& each : families) {
        all.begin(each.name, each.help, each.type);
        for (std::size_t i = 0; i < loops.size(); ++i) {
            all.add(i, std::to_string(loops[i].*each.value));
        }
    }
    all.begin("anel_timers_late_seconds", "How late timers fired, altogether.", "counter");
    for (std::size_t i = 0; i < loops.size(); ++i) all.add(i, in_seconds(loops[i].timers_late));
    all.begin("anel_timers_late_max_seconds", "How late a timer fired at most.", "gauge");
    for (std::size_t i = 0; i < loops.size(); ++i) all.add(i, in_seconds(loops[i].timers_late_max));
    all.begin("anel_sessions_failed", "Sessions that ended by an error.", "counter");
    for (std::size_t i = 0; i < loops.size(); ++i) {
        for (const auto& [error, count] : loops[i].sessions_failed) {
            std::string name(errno_name(error));
            if (name.empty()) name = error == 0 ? "other" : std::to_string(error);
            all.add(i, std::to_string(count), ",error=\"" + name + "\"");
        }
    }
    return std::move(all.text() += "# EOF\n");
}

}  // namespace anel

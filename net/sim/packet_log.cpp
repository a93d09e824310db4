// packet_log.cpp: the record of a simulated run as JSON, which share/trace draws.
// SPDX-License-Identifier: MIT
#include "net/sim/packet_log.hpp"

#include "runtime/core/recorder.hpp"
#include "runtime/system/system.hpp"

#include <algorithm>
#include <charconv>

namespace anel::sim {
namespace {

std::int64_t number_of(time_point at) noexcept { return at.time_since_epoch().count(); }

void append_key(std::string& to, const char* key) {
    if (to.back() != '{') to += ", ";
    to.append("\"").append(key).append("\": ");
}
void append(std::string& to, const char* key, std::int64_t value) {
    append_key(to, key);
    to += std::to_string(value);
}
void append(std::string& to, const char* key, std::string_view value) {
    append_key(to, key);
    append_json(to, value);
}

/// Begins the next element of a list.
void append_next(std::string& to) { to += to.ends_with('}') ? ",\n{" : "\n{"; }

}  // namespace

void packet_log::add_fault(time_point at, time_point until, std::string_view kind,
                           std::vector<std::uint32_t> hosts) {
    if (on_) faults_.push_back({at, until, std::string(kind), std::move(hosts)});
}

void packet_log::heal(time_point at) noexcept {
    for (fault_seen& each : faults_) {
        const bool heals = each.kind.ends_with("partition") || each.kind == "clog";
        if (heals && each.until > at) each.until = at;
    }
}

void packet_log::fail(time_point at, std::string_view why) {
    if (!on_ || !failed_.empty()) return;
    failed_at_ = at;
    failed_ = why.substr(0, why.find('\n'));
}

void packet_log::take(loop& of, std::uint32_t host) {
    if (!of.record()) return;
    std::string text;
    of.record()->append_events(text, host);
    overwritten_ += of.record()->overwritten();
    of.end_record();
    for (std::size_t from = 0; from < text.size();) {
        const std::size_t to = std::min(text.find(",\n", from), text.size());
        std::int64_t at = 0;
        std::from_chars(text.data() + text.find(' ', from) + 1, text.data() + to, at);
        events_.push_back({at, events_.size(), text.substr(from, to - from)});
        from = to + 2;
    }
    std::sort(events_.begin(), events_.end(), [](const event_seen& one, const event_seen& other) {
        return one.at != other.at ? one.at < other.at : one.order < other.order;
    });
}

void packet_log::append_network(std::string& text) const {
    text += "\"network\": [";
    for (const packet& one : packets_) {
        append_next(text);
        append(text, "at", number_of(one.sent));
        if (one.arrives != never) append(text, "arrives", number_of(one.arrives));
        append(text, "kind", one.kind);
        append(text, "from", one.from);
        append(text, "to", one.to);
        append(text, "bytes", static_cast<std::int64_t>(one.bytes));
        append(text, "ports",
               std::to_string(one.ports.first) + " > " + std::to_string(one.ports.second));
        append(text, "fate", one.fate);
        text += '}';
    }
    text += "],\n";
}

void packet_log::append_faults(std::string& text) const {
    text += "\"faults\": [";
    for (const fault_seen& one : faults_) {
        append_next(text);
        append(text, "at", number_of(one.at));
        if (one.until != never) append(text, "until", number_of(one.until));
        append(text, "kind", one.kind);
        append_key(text, "hosts");
        text += '[';
        for (const std::uint32_t host : one.hosts) {
            if (text.back() != '[') text += ", ";
            text += std::to_string(host);
        }
        text += "], \"text\": \"\"}";
    }
    text += "],\n";
}

std::string packet_log::print(std::uint64_t seed,
                              const std::vector<std::pair<std::string, std::string>>& hosts) const {
    std::string text = "{\"anel_record\": 1, \"program\": ";
    append_json(text, program_name());
    text += ", \"virtual\": true, \"overwritten\": " + std::to_string(overwritten_) +
            ", \"seed\": " + std::to_string(seed) + ",\n\"loops\": [";
    for (const auto& [name, addresses] : hosts) {
        append_next(text);
        append(text, "backend", "sim");
        append(text, "name", name);
        text += '}';
    }
    text += "],\n\"hosts\": [";
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        append_next(text);
        append(text, "index", static_cast<std::int64_t>(i));
        append(text, "name", hosts[i].first);
        append(text, "address", hosts[i].second);
        text += '}';
    }
    text += "],\n";
    append_network(text);
    append_faults(text);
    if (!failed_.empty()) {
        text += "\"failure\": {";
        append(text, "at", number_of(failed_at_));
        append(text, "text", failed_);
        text += "},\n";
    }
    text += "\"events\": [\n";
    for (std::size_t i = 0; i < events_.size(); ++i) {
        text.append(i == 0 ? "" : ",\n").append(events_[i].line);
    }
    return text += "\n]}\n";
}

}  // namespace anel::sim

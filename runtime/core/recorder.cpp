// recorder.cpp: the records as JSON, which share/trace draws.
// SPDX-License-Identifier: MIT
#include "runtime/core/recorder.hpp"

#include "runtime/core/places.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

namespace anel::detail {
namespace {

constexpr std::array kinds{"begin", "end",      "resume", "suspend", "submit", "submit", "enter",
                           "leave", "complete", "timer",  "cancel",  "grant",  "wake",   "mark"};

void append_number(std::string& to, std::string_view key, std::int64_t value) {
    to.append(", \"").append(key).append("\": ").append(std::to_string(value));
}

void append_text(std::string& to, std::string_view key, std::string_view value) {
    to.append(", \"").append(key).append("\": ");
    append_json(to, value);
}

void append_call(std::string& to, const happened& one) {
    append_number(to, "op", static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(one.op)));
    append_text(to, "call", one.text);
    append_number(to, "fd", one.fd);
}

void append_place_of(std::string& to, const happened& one) {
    std::string place;
    if (one.file) append_place(place, one.file, one.line);
    append_text(to, "place", place);
}

void append_fields(std::string& to, const happened& one, std::string_view name_of_task) {
    const auto number = static_cast<std::int64_t>(one.number);
    switch (static_cast<happening>(one.what)) {
        case happening::begin:
            append_number(to, "by", number);
            append_text(to, "name", name_of_task);
            break;
        case happening::end: append_text(to, "how", one.text); break;
        case happening::resume: append_place_of(to, one); break;
        case happening::suspend:
            append_place_of(to, one);
            append_text(to, "wait", one.text ? one.text : "");
            if (one.op) {
                const auto op = reinterpret_cast<std::uintptr_t>(one.op);
                append_number(to, "op", static_cast<std::int64_t>(op));
            }
            break;
        case happening::submit:
        case happening::at_once:
            append_call(to, one);
            append_number(to, "bytes", number);
            if (one.what == static_cast<std::uint8_t>(happening::at_once))
                append_number(to, "result", one.result);
            break;
        case happening::enter:
            if (number != never.time_since_epoch().count()) append_number(to, "until", number);
            break;
        case happening::leave: append_number(to, "done", number); break;
        case happening::complete:
            append_call(to, one);
            append_number(to, "result", one.result);
            break;
        case happening::timer: append_number(to, "late", number); break;
        case happening::cancel:
        case happening::wake: break;
        case happening::grant: append_number(to, "by", number); break;
        case happening::mark: append_text(to, "text", one.text); break;
    }
}

}  // namespace

void append_json(std::string& to, std::string_view text) {
    to += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') to.append("\\").append(1, c);
        else if (byte >= 0x20) to += c;
        else {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
            to += escaped;
        }
    }
    to += '"';
}

void recorder::append_events(std::string& text, unsigned loop) const {
    const std::uint64_t first = overwritten();
    std::map<std::uint32_t, std::string_view> names_of_tasks;  // which come after they have begun
    for (std::uint64_t i = first; i < count_; ++i) {
        const happened& one = ring_[i % capacity];
        if (one.what == static_cast<std::uint8_t>(happening::resume) && one.text)
            names_of_tasks[one.task] = one.text;
    }
    for (std::uint64_t i = first; i < count_; ++i) {
        const happened& one = ring_[i % capacity];
        if (text.ends_with('}')) text += ",\n";
        text.append("{\"at\": ").append(std::to_string(one.at.time_since_epoch().count()));
        append_number(text, "loop", loop);
        append_text(text, "kind", kinds[one.what]);
        if (one.task != 0) append_number(text, "task", one.task);
        const auto name = names_of_tasks.find(one.task);
        append_fields(text, one, name == names_of_tasks.end() ? "" : name->second);
        text += '}';
    }
}

}  // namespace anel::detail

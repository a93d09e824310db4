// doctor.cpp: the parts of an examination in their order, and findings as text and as JSON.
//
// Knows how a report looks; judges nothing itself.
//
// SPDX-License-Identifier: MIT
#include "doctor/doctor.hpp"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "common/text.hpp"
#include "doctor/parts.hpp"

namespace anel_bench::doctor {
namespace {

constexpr std::size_t columns = 100;

// A release of a kernel, a variable of the environment: nobody knows what they hold.
std::string printable(std::string_view text) {
    std::string clean(text);
    std::replace_if(
        clean.begin(), clean.end(), [](char one) { return one < ' ' || one > '~'; }, '?');
    return clean;
}

// Appends `text`, broken at spaces, where the line of `out` that it begins on is `used` long.
void append(std::string& out, std::string_view text, std::size_t used, std::size_t indent) {
    bool first = true;
    while (!text.empty()) {
        const std::size_t room = columns - indent;
        const auto word = text.substr(0, std::min(text.find(' '), room));
        text.remove_prefix(word.size());
        if (text.starts_with(' ')) text.remove_prefix(1);
        if (used + (first ? 0 : 1) + word.size() > columns) {
            out += '\n' + std::string(indent, ' ');
            used = indent;
            first = true;
        }
        if (!first) out += ' ';
        out += word;
        used += word.size() + (first ? 0 : 1);
        first = false;
    }
    out += '\n';
}

}  // namespace

const char* name_of(state how) noexcept {
    switch (how) {
        case state::ok: return "ok";
        case state::note: return "note";
        case state::bad: return "bad";
    }
    return "unknown";
}

findings examine() {
    const facts environment = read_environment();
    findings all;
    for (auto* part :
         {examine_machine, examine_io_uring, examine_limits, examine_measuring, examine_build}) {
        findings found = part(environment);
        std::move(found.begin(), found.end(), std::back_inserter(all));
    }
    return all;
}

bool any_bad(const findings& all) {
    return std::any_of(all.begin(), all.end(),
                       [](const finding& one) { return one.how == state::bad; });
}

std::string text_of(const findings& all) {
    constexpr std::size_t indent = 6;  // below the name
    std::size_t longest = 0;
    for (const auto& one : all) longest = std::max(longest, one.name.size());
    std::string text;
    for (const auto& one : all) {
        const std::string begin =
            format("%-4s  %-*s  ", name_of(one.how), static_cast<int>(longest), one.name.c_str());
        text += begin;
        append(text, printable(one.value), begin.size(), indent + 2);
        for (const auto& [lead, words] : {std::pair("", one.means), std::pair("-> ", one.mend)}) {
            if (words.empty()) continue;
            text += std::string(indent, ' ');
            append(text, lead + printable(words), indent, indent + 2);
        }
    }
    const auto count = [&](state how) {
        return std::count_if(all.begin(), all.end(),
                             [&](const finding& one) { return one.how == how; });
    };
    return text + format("%td bad, %td to note, %td ok\n", count(state::bad), count(state::note),
                         count(state::ok));
}

std::string json_of(const findings& all) {
    nlohmann::ordered_json json{{"findings", nlohmann::ordered_json::array()}};
    for (const auto& one : all) {
        json["findings"].push_back({{"state", name_of(one.how)},
                                    {"name", one.name},
                                    {"value", one.value},
                                    {"means", one.means},
                                    {"mend", one.mend}});
    }
    // What is not UTF-8 becomes U+FFFD instead of an exception.
    return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace anel_bench::doctor

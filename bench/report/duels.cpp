// duels.cpp: duels as intervals on a line with a mark at 1, sorted.
//
// See plots.hpp. A line is HTML and not SVG: it is as wide as the page lets it, and its text stays
// readable on a phone. Losses have the strength of colour that wins have; ties have none.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "common/text.hpp"
#include "report/plots.hpp"
#include "report/svg.hpp"

namespace anel_bench {
namespace {

struct line {
    std::string name;
    json found;        // ratio, low, high; the last two null when they are not known
    std::string is;    // tie, lower or higher
    double floor = 0;  // 0: not known
};

// What is further off is an arrow: one slow server must not make all others a single dot.
constexpr double far = 1.5;
constexpr std::array ticks{0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4};

/// Places in % along a line, the same for half as much and twice as much.
class scale {
public:
    explicit scale(const std::vector<line>& lines) {
        for (const line& one : lines) {
            const double ratio = one.found.at("ratio");
            for (const char* key : {"ratio", "low", "high"}) {
                if (one.found.at(key).is_null() || ratio > far || ratio < 1 / far) continue;
                reach_ = std::max(reach_, std::abs(std::log(one.found.at(key).get<double>())));
            }
        }
        reach_ = std::min(reach_ * 1.05, std::log(far));
    }
    [[nodiscard]] double operator()(double ratio) const {
        return 50 + 50 * std::clamp(std::log(ratio) / reach_, -1.0, 1.0);
    }
    [[nodiscard]] bool holds(double ratio) const { return std::abs(std::log(ratio)) <= reach_; }

private:
    double reach_ = std::log(1.12);
};

std::string piece(const char* what, double from, double to) {
    return format("<i class=\"%s\" style=\"left:%.2f%%;width:%.2f%%\"></i>", what, from, to - from);
}

std::string row_of(const line& one, const scale& at) {
    const double ratio = one.found.at("ratio");
    const bool known = !one.found.at("low").is_null();
    std::string track, range = "unknown";
    if (one.floor > 0 && one.floor < 1) {
        track += piece("floor", at(1 - one.floor), at(1 + one.floor));
    }
    track += "<i class=\"one\"></i>";
    int digits = 2;
    if (known) {
        const double low = one.found.at("low"), high = one.found.at("high");
        if (high / ratio < 1.01) digits = 3;
        range = format("%.*f–%.*f", digits, low, digits, high);
        track += piece("range", at(low), at(high));
    }
    if (at.holds(ratio)) track += format("<i class=\"dot\" style=\"left:%.2f%%\"></i>", at(ratio));
    else track += ratio > 1 ? "<b class=\"right\">▸</b>" : "<b class=\"left\">◂</b>";
    const char* is = one.is == "tie" ? "tie" : one.is == "lower" ? "win" : "loss";
    return format("<div class=\"duel %s\"><span class=\"who\">%s</span><span class=\"track\">%s"
                  "</span><span class=\"ratio\">%.*f <small>%s</small></span></div>\n",
                  is, escaped(one.name).c_str(), track.c_str(), digits, ratio, range.c_str());
}

std::string lines_text(std::vector<line> lines) {
    std::sort(lines.begin(), lines.end(), [](const line& one, const line& other) {
        const double mine = one.found.at("ratio"), its = other.found.at("ratio");
        return mine != its ? mine < its : one.name < other.name;
    });
    const scale at(lines);
    std::string text = "<div class=\"duels\">\n";
    for (const line& one : lines) text += row_of(one, at);
    text += "<div class=\"duel axis\"><span class=\"who\"></span><span class=\"track\">";
    for (const double tick : ticks) {
        if (!at.holds(tick)) continue;
        text += format("<b style=\"left:%.2f%%\">%.1f</b>", at(tick), tick);
    }
    return text + "</span><span class=\"ratio\"></span></div></div>\n";
}

double floor_of(const json& cell) {
    return cell.at("noise_floor").is_null() ? 0 : cell.at("noise_floor").get<double>();
}

/// One pair of servers in every workload.
std::string pair_text(const json& data, const std::string& own, const std::string& other) {
    std::vector<line> lines;
    for (const auto& cell : data.at("cells")) {
        for (const auto& duel : cell.at("duels")) {
            if (duel.at("own") != own || duel.at("other") != other) continue;
            lines.push_back({cell.at("workload"), duel, duel.at("cpu_is"), floor_of(cell)});
        }
    }
    if (lines.empty()) return "";
    const auto count = [&](const char* is) {
        return std::count_if(lines.begin(), lines.end(),
                             [&](const line& one) { return one.is == is; });
    };
    return "<h4>" + escaped(own) + " ÷ " + escaped(other) +
           format(": less in %td, ties in %td, more in %td</h4>\n", count("lower"), count("tie"),
                  count("higher")) +
           lines_text(std::move(lines));
}

}  // namespace

std::string duels_over_workloads(const json& data) {
    std::string text;
    for (const auto& [own, other] :
         {std::pair("anel-io_uring", "uring"), std::pair("anel-epoll", "epoll"),
          std::pair("uring", "epoll"), std::pair("anel-io_uring", "anel-epoll")}) {
        text += pair_text(data, own, other);
    }
    if (text.empty()) return "";
    return figure(
        "duels", "Duels: the CPU time that one needs of the other’s", text,
        "Each line a workload: the ratio of CPU time for a request with its 95 % interval, "
        "from pairs of slices. Left of 1 (blue) the first named needs less, right of 1 "
        "(orange) more; hollow grey is a tie. Shaded: the noise floor, the reference "
        "against itself. An arrow stands for what is beyond the scale.");
}

std::string duels_of_workload(const json& cell) {
    std::vector<line> lines;
    for (const auto& server : cell.at("servers")) {
        if (!server.contains("cpu_against_reference")) continue;
        const auto& found = server.at("cpu_against_reference");
        if (found.at("ratio").is_null()) continue;
        std::string name = server.at("server");
        if (server.at("reference_again") == true) name += " again";
        lines.push_back({name, found, found.at("cpu_is"), floor_of(cell)});
    }
    if (lines.empty()) return "";
    const std::string name = cell.at("workload");
    return figure("duels-" + name,
                  "CPU time for a request, against " + cell.at("reference").get<std::string>() +
                      ": " + name,
                  lines_text(std::move(lines)),
                  "Left of 1 needs less CPU time than the reference, right of 1 more.");
}

}  // namespace anel_bench

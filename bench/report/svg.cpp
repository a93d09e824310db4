// svg.cpp: a drawing with axes, as text: just enough SVG for the figures of a report.
//
// See svg.hpp.
//
// SPDX-License-Identifier: MIT
#include "report/svg.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "common/text.hpp"

namespace anel_bench {
namespace {

std::string places(const std::vector<point>& points) {
    std::string text;
    for (const point& p : points) text += format("%.1f,%.1f ", p.x, p.y);
    return text;
}

std::string with_tip(const std::string& tip, const char* element) {
    if (tip.empty()) return "/>\n";
    return "><title>" + escaped(tip) + "</title></" + element + ">\n";
}

}  // namespace

std::string escaped(const std::string& text) {
    std::string safe;
    for (const char c : text) {
        switch (c) {
            case '&': safe += "&amp;"; break;
            case '<': safe += "&lt;"; break;
            case '>': safe += "&gt;"; break;
            case '"': safe += "&quot;"; break;
            default: safe += c;
        }
    }
    return safe;
}

axis::axis(kind what, double low, double high, double from, double to)
    : kind_(what), low_(low), high_(high), from_(from), to_(to) {
    if (kind_ == kind::logarithmic) low_ = std::max(low_, 1e-9);
    if (!(high_ > low_)) high_ = kind_ == kind::linear ? low_ + 1 : low_ * 10;
}

double axis::operator()(double value) const {
    const double inside = std::clamp(value, low_, high_);
    const double share = kind_ == kind::linear ? (inside - low_) / (high_ - low_)
                                               : std::log(inside / low_) / std::log(high_ / low_);
    return from_ + share * (to_ - from_);
}

std::vector<double> axis::ticks() const {
    std::vector<double> all;
    if (kind_ == kind::logarithmic) {
        const bool few = high_ < 300 * low_;  // tens alone would be one or two
        for (double power = std::pow(10, std::floor(std::log10(low_))); power <= high_;
             power *= 10) {
            for (const double step : {1.0, 2.0, 5.0}) {
                const double tick = step * power;
                const bool wanted = step == 1 || few;
                if (wanted && tick >= low_ * 0.999 && tick <= high_ * 1.001) all.push_back(tick);
            }
        }
        return all;
    }
    const double rough = (high_ - low_) / 5;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    double step = power;
    for (const double factor : {2.0, 5.0, 10.0}) {
        if (step < rough) step = factor * power;
    }
    for (double tick = std::ceil(low_ / step) * step; tick <= high_ * 1.0001; tick += step) {
        all.push_back(tick);
    }
    return all;
}

void drawing::line(point from, point to, const std::string& classes) {
    body_ += format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n",
                    from.x, from.y, to.x, to.y, classes.c_str());
}

void drawing::polyline(const std::vector<point>& points, const std::string& classes) {
    body_ += "<polyline points=\"" + places(points) + "\" class=\"" + classes + "\"/>\n";
}

void drawing::band(const std::vector<point>& above, std::vector<point> below,
                   const std::string& classes) {
    std::reverse(below.begin(), below.end());
    body_ +=
        "<polygon points=\"" + places(above) + places(below) + "\" class=\"" + classes + "\"/>\n";
}

void drawing::box(point corner, double width, double height, const std::string& classes,
                  const std::string& tip) {
    body_ += format("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"%s\"",
                    corner.x, corner.y, std::max(width, 0.0), height, classes.c_str()) +
             with_tip(tip, "rect");
}

void drawing::dot(point at, const std::string& classes, const std::string& tip) {
    body_ += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" class=\"%s\"", at.x, at.y,
                    classes.c_str()) +
             with_tip(tip, "circle");
}

void drawing::text(point at, const std::string& content, const std::string& classes) {
    body_ += format("<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", at.x, at.y, classes.c_str()) +
             escaped(content) + "</text>\n";
}

std::string drawing::done() const {
    return format("<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", width_, height_,
                  escaped(label_).c_str()) +
           body_ + "</svg>\n";
}

std::string short_number(double value) {
    struct unit {
        double size;
        const char* name;
    };
    for (const unit& one : {unit{1e9, "G"}, unit{1e6, "M"}, unit{1e3, "k"}}) {
        if (value >= one.size) return format("%.3g%s", value / one.size, one.name);
    }
    return format("%.3g", value);
}

std::string short_time(double ns) { return human(std::chrono::nanoseconds(std::llround(ns))); }

}  // namespace anel_bench

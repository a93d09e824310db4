// svg.hpp: a drawing with axes, as text: just enough SVG for the figures of a report.
//
// Colours are classes of the page's style sheet, so that a figure follows dark mode.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace anel_bench {

/// `&`, `<`, `>` and quotes made harmless in HTML.
std::string escaped(const std::string& text);

/// Maps values to places along an axis.
class axis {
public:
    enum class kind { linear, logarithmic };
    axis(kind what, double low, double high, double from, double to);

    [[nodiscard]] double operator()(double value) const;
    /// Round values that lie on the axis.
    [[nodiscard]] std::vector<double> ticks() const;

private:
    kind kind_;
    double low_, high_, from_, to_;
};

struct point {
    double x, y;
};

class drawing {
public:
    drawing(int width, int height, std::string label)
        : width_(width), height_(height), label_(std::move(label)) {}

    void line(point from, point to, const std::string& classes);
    void polyline(const std::vector<point>& points, const std::string& classes);
    /// The area between two lines over the same x.
    void band(const std::vector<point>& above, std::vector<point> below,
              const std::string& classes);
    void box(point corner, double width, double height, const std::string& classes,
             const std::string& tip = "");
    void dot(point at, const std::string& classes, const std::string& tip);
    void text(point at, const std::string& content, const std::string& classes);

    [[nodiscard]] std::string done() const;

private:
    int width_, height_;
    std::string label_;
    std::string body_;
};

/// 12500 → "12.5k".
std::string short_number(double value);
/// Nanoseconds, as a reader says them: "12.3 µs".
std::string short_time(double ns);

}  // namespace anel_bench

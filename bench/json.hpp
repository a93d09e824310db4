// json.hpp: a writer of JSON text, nesting and commas included.
//
// Write-only and append-only: `begin`/`end` pairs, `key`, `value`. The caller keeps the pairs in
// order; the writer puts the commas and escapes. Non-finite numbers become null.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "text.hpp"

namespace anel_bench {

class json_writer {
public:
    json_writer& begin_object() { return open('{'); }
    json_writer& end_object() { return close('}'); }
    json_writer& begin_array() { return open('['); }
    json_writer& end_array() { return close(']'); }

    json_writer& key(std::string_view name) {
        value(name);
        text_ += ':';
        comma_ = false;
        return *this;
    }

    json_writer& value(std::string_view string) {
        separate();
        text_ += '"';
        for (const char c : string) {
            if (c == '"' || c == '\\') text_ += '\\';
            if (static_cast<unsigned char>(c) < 0x20) text_ += format("\\u%04x", c);
            else text_ += c;
        }
        text_ += '"';
        return *this;
    }
    json_writer& value(const char* string) { return value(std::string_view(string)); }
    json_writer& value(std::integral auto number) {
        separate();
        text_ += std::to_string(number);
        return *this;
    }
    json_writer& value(bool truth) {
        separate();
        text_ += truth ? "true" : "false";
        return *this;
    }
    json_writer& value(double number) {
        separate();
        text_ += std::isfinite(number) ? format("%.12g", number) : std::string("null");
        return *this;
    }

    /// A key with its value.
    json_writer& field(std::string_view name, const auto& content) {
        key(name);
        return value(content);
    }

    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    void separate() {
        if (comma_) text_ += ',';
        comma_ = true;
    }
    json_writer& open(char bracket) {
        separate();
        text_ += bracket;
        comma_ = false;
        return *this;
    }
    json_writer& close(char bracket) {
        text_ += bracket;
        comma_ = true;
        return *this;
    }

    std::string text_;
    bool comma_ = false;
};

}  // namespace anel_bench

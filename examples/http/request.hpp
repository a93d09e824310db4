// request.hpp: what an HTTP/1.1 request says: llhttp reads it, this keeps it.
//
// Knows: HTTP. Must not know: files, and what carries the bytes.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/anel.hpp>

#include <llhttp.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

using namespace anel;

constexpr std::size_t head_max = 16U << 10, body_max = 1U << 20, message_max = 8U << 20;  // bytes
constexpr int ended = -1;  // instead of a status: the client has gone

struct request {
    llhttp_t parser{};
    std::string target, field, value, range, body, upgrade, websocket_key, websocket_version;
    std::size_t size = 0, hosts = 0, codings = 0;  // bytes; headers of these names
    char last = 0;                                 // of the head, so far
    bool malformed = false;                        // although the parser takes it
    bool expects = false, any_range = true, whole_head = false, whole = false, keep = false;

    /// Ready for the next request of the same connection.
    void begin();
    /// Looks for a line that begins with a space: some readers take it for more of the one before.
    void look_for_folds(std::string_view head) {
        for (const char c : head) {
            if (last == '\n' && (c == ' ' || c == '\t')) malformed = true;
            last = c;
        }
    }
    /// Why the parser stopped.
    [[nodiscard]] std::string reason() const {
        const bool stopped = llhttp_get_errno(&parser) != HPE_OK;
        return stopped ? llhttp_get_error_reason(&parser) : "refused";
    }
};
inline request& of(llhttp_t* parser) { return *static_cast<request*>(parser->data); }
template <std::string request::* text>
int append(llhttp_t* parser, const char* at, std::size_t size) {
    (of(parser).*text).append(at, size);
    return 0;
}
inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
inline bool same(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char c, char d) { return lower(c) == lower(d); });
}
inline bool only_chunked(std::string_view codings) {
    return same(codings.substr(0, codings.find_last_not_of(" \t") + 1), "chunked");
}
inline void note_header(request& now) {
    std::transform(now.field.begin(), now.field.end(), now.field.begin(), lower);
    if (now.field.empty()) now.malformed = true;
    if (now.field == "host") now.hosts += 1;
    if (now.field == "transfer-encoding") now.codings += only_chunked(now.value) ? 1 : 2;
    if (now.field == "range") now.range = now.value;
    if (now.field == "if-range") now.any_range = false;  // we name no version of a file
    if (now.field == "upgrade") now.upgrade = now.value;
    if (now.field == "sec-websocket-key") now.websocket_key = now.value;
    if (now.field == "sec-websocket-version") now.websocket_version = now.value;
    if (now.field == "expect") now.expects = true;
}
inline int end_header(llhttp_t* parser) {
    request& now = of(parser);
    if (!now.whole_head) note_header(now);  // a trailer is not of the head
    now.field.clear();
    now.value.clear();
    return 0;
}
inline int end_head(llhttp_t* parser) {
    parser->upgrade = 0;  // to nothing: HTTP goes on
    of(parser).whole_head = true;
    return HPE_PAUSED;
}
inline int end_message(llhttp_t* parser) {
    of(parser).keep = llhttp_should_keep_alive(parser) != 0;
    of(parser).whole = true;
    return HPE_PAUSED;
}
inline const llhttp_settings_t callbacks = [] {
    llhttp_settings_t to;
    llhttp_settings_init(&to);
    to.on_url = append<&request::target>;
    to.on_header_field = append<&request::field>;
    to.on_header_value = append<&request::value>;
    to.on_header_value_complete = end_header;
    to.on_headers_complete = end_head;
    to.on_body = append<&request::body>;
    to.on_message_complete = end_message;
    return to;
}();

inline void request::begin() {
    const bool first = parser.data == nullptr;
    const llhttp_t at = parser;
    *this = {};
    parser = at;
    if (first) llhttp_init(&parser, HTTP_REQUEST, &callbacks);
    parser.data = this;
}

/// What is refused once the head is there; 0: nothing.
inline int refusal(const request& now) {
    const auto method = now.parser.method;
    if (now.parser.http_major != 1 || now.parser.http_minor > 1) return 505;
    if (now.hosts > 1 || (now.hosts == 0 && now.parser.http_minor == 1)) return 400;
    if (now.malformed || now.codings > now.parser.http_minor) return 400;  // HTTP/1.0 has none
    if (method != HTTP_GET && method != HTTP_HEAD && method != HTTP_POST) return 405;
    const bool counted = (now.parser.flags & F_CONTENT_LENGTH) != 0;
    return counted && now.parser.content_length > body_max ? 413 : 0;
}

/// Reads until `done`, which is the parser's to say. Returns the status of a refusal, 0, or ended.
inline task<int> read(buffered_reader& reader, request& into, const bool& done) {
    for (;;) {
        const auto held = reader.held();
        const auto error = llhttp_execute(&into.parser, held.data(), held.size());
        const char* const stop = llhttp_get_error_pos(&into.parser);
        const auto used = error == HPE_OK ? held.size() : std::size_t(stop - held.data());
        reader.consume(used);
        into.size += used;
        if (error == HPE_PAUSED) llhttp_resume(&into.parser);
        else if (error != HPE_OK) co_return 400;
        if (&done == &into.whole_head) {
            into.look_for_folds(held.substr(0, used));
            if (into.size > head_max) co_return 431;
        }
        if (into.size > message_max || into.body.size() > body_max) co_return 413;
        if (done) co_return 0;
        if (error == HPE_PAUSED) continue;
        const std::size_t received = co_await reader.fill();
        if (received == 0) co_return ended;
    }
}

/// The path under the folder; nothing when it would lead out of it.
inline std::optional<std::string> path_of(std::string_view target) {
    std::string path;
    target = target.substr(0, target.find('?'));
    for (std::size_t i = 0; i < target.size(); ++i) {
        unsigned char c = static_cast<unsigned char>(target[i]);
        if (c == '%') {
            if (i + 2 >= target.size()) return std::nullopt;
            const auto [end, error] = std::from_chars(&target[i + 1], &target[i + 1] + 2, c, 16);
            if (error != std::errc() || end != &target[i + 1] + 2 || c == 0) return std::nullopt;
            i += 2;
        }
        path += static_cast<char>(c);
    }
    if (!path.starts_with('/') || (path + '/').find("/../") != path.npos) return std::nullopt;
    return path.ends_with('/') ? path + "index.html" : path;
}

struct part {
    int status = 200;
    std::uint64_t from = 0, size = 0;
};
/// What a Range header asks for of a file: one range; several, and what is none, are the whole.
inline part part_of(std::string_view range, std::uint64_t size) {
    std::optional<std::uint64_t> ends[2];
    const std::size_t dash = range.find('-');
    if (!range.starts_with("bytes=") || dash == range.npos) return {200, 0, size};
    const std::string_view texts[2] = {range.substr(6, dash - 6), range.substr(dash + 1)};
    for (int i : {0, 1}) {
        const auto [end, error] =
            std::from_chars(texts[i].begin(), texts[i].end(), ends[i].emplace());
        if (texts[i].empty()) ends[i].reset();
        else if (end != texts[i].end() || error != std::errc()) return {200, 0, size};
    }
    if ((!ends[0] && !ends[1]) || (ends[0] && ends[1] && *ends[1] < *ends[0]))
        return {200, 0, size};
    const auto from = ends[0] ? *ends[0] : size - std::min(*ends[1], size);
    if (from >= size) return {416, 0, 0};
    const auto last = ends[0] && ends[1] ? std::min(*ends[1], size - 1) : size - 1;
    return {206, from, last - from + 1};
}

/// What a file that could not be opened is to a client.
inline int status_of(std::error_code error) {
    const bool busy = error == std::errc::too_many_files_open ||
                      error == std::errc::resource_unavailable_try_again;
    return busy ? 503 : 404;
}

/// The head of a reply, with `more` fields.
inline std::string head(int status, std::uint64_t size, bool open, const std::string& more = "") {
    std::string text = "HTTP/1.1 " + std::to_string(status) + ' ';
    text += llhttp_status_name(static_cast<llhttp_status_t>(status));
    text += "\r\nContent-Length: " + std::to_string(size);
    text += open ? "\r\nConnection: keep-alive\r\n" : "\r\nConnection: close\r\n";
    if (status == 405) text += "Allow: GET, HEAD, POST\r\n";
    return text + more + "\r\n";
}

/// The header fields of a reply that is `sent` of a file of `size` bytes.
inline std::string fields_of(const part& sent, std::string_view path, std::uint64_t size) {
    if (sent.status == 416) return "Content-Range: bytes */" + std::to_string(size) + "\r\n";
    std::string text = "Accept-Ranges: bytes\r\nContent-Type: ";
    text += path.ends_with(".html") ? "text/html\r\n" : "application/octet-stream\r\n";
    if (sent.status == 206) {
        text += "Content-Range: bytes " + std::to_string(sent.from) + '-' +
                std::to_string(sent.from + sent.size - 1) + '/' + std::to_string(size) + "\r\n";
    }
    return text;
}

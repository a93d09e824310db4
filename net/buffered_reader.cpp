// buffered_reader.cpp: the search for a delimiter, and the room for the rest of what is read.
// SPDX-License-Identifier: MIT
#include <anel/buffered_reader.hpp>

#include <anel/any_stream.hpp>
#include <anel/error.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

namespace anel {
using namespace detail;
namespace {
constexpr std::size_t first_size = 4096;

std::string_view without_return(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

std::size_t saturated_sum(std::size_t size, std::size_t more) {
    return size > SIZE_MAX - more ? SIZE_MAX : size + more;
}

[[noreturn]] void too_long(const char* reading, std::size_t size_max) {
    throw io_error(errc::message_too_long, reading,
                   "(at most " + std::to_string(size_max) + " bytes)");
}
}  // namespace

// A receive from the stream, whichever it is. tcp_stream is called as if this were a template.
class buffered_reader::receiving {
public:
    receiving(stream_ref from, std::span<char> into) noexcept : direct_(!from.table) {
        if (direct_) ::new (&tcp_) recv_wait(*static_cast<tcp_stream*>(from.stream), into);
        else ::new (&other_) erased_recv(resolved(from), into);
    }
    receiving(const receiving&) = delete;
    receiving& operator=(const receiving&) = delete;
    ~receiving() {
        if (direct_) tcp_.~recv_wait();
    }
    bool start(cancel_scope& scope, frame& caller) {
        return direct_ ? tcp_.start(scope, caller) : other_.start(scope, caller);
    }
    std::size_t finish() { return direct_ ? tcp_.finish() : other_.finish(); }

private:
    const bool direct_;
    union {
        recv_wait tcp_;
        erased_recv other_;  // nothing is left to be done when it goes
    };
};

bool buffered_reader::line_ready() const noexcept {
    return begin_ != end_ && std::memchr(buffer_.data() + begin_, '\n', buffered()) != nullptr;
}

// Room for what arrives next, at least a byte. Moves what is left to the front, and grows the
// buffer when it is full: doubling, and at most to `size_max`, so that memory follows what has
// arrived and not what a peer announced.
std::span<char> buffered_reader::room(std::size_t size_max) {
    if (begin_ == end_) begin_ = end_ = 0;
    if (begin_ > 0) {
        std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
                  buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
        end_ -= begin_;
        begin_ = 0;
    }
    if (end_ == buffer_.size()) {
        const std::size_t doubled = std::max(first_size, 2 * buffer_.size());
        buffer_.resize(std::min(doubled, std::max(size_max, first_size)));
    }
    return std::span(buffer_).subspan(end_);
}

buffered_reader::receiving buffered_reader::receive(std::size_t size_max) {
    return {from_, room(size_max)};
}

std::string_view buffered_reader::take(std::size_t size, std::size_t delimiter) noexcept {
    const std::string_view taken = held().substr(0, size);
    begin_ += size + delimiter;
    return taken;
}

void buffered_reader::consume(std::size_t size) noexcept {
    if (size > buffered()) rule_broken("consume() of more bytes than are held", nullptr);
    begin_ += size;
}

void buffered_reader::ended_early(const char* reading) const {
    const stream_ref from = resolved({from_.stream, from_.table ? from_.table : &tcp_table});
    const std::string peer = from.table->peer_text(from.stream);
    throw io_error(errc::unexpected_eof, reading, peer);
}

task<std::optional<std::string_view>> buffered_reader::read_line(std::size_t size_max) {
    std::size_t scanned = 0;  // no "\n" before this
    for (;;) {
        if (scanned < buffered()) {
            const std::size_t found = held().find('\n', scanned);
            const bool whole = found != std::string_view::npos;
            const std::string_view line = without_return(held().substr(0, found));
            if (line.size() > size_max) too_long("read_line", size_max);
            if (whole) {
                begin_ += found + 1;
                co_return line;
            }
        }
        scanned = buffered();
        const std::size_t received = co_await receive(saturated_sum(size_max, 2));  // "\r\n"
        end_ += received;
        if (received > 0) continue;
        if (buffered() == 0) co_return std::nullopt;
        ended_early("read_line");
    }
}

task<std::optional<std::string_view>> buffered_reader::read_until(const_buffer bytes,
                                                                  std::size_t size_max) {
    const std::string_view delimiter(static_cast<const char*>(bytes.data), bytes.size);
    if (delimiter.empty()) {
        const frame& here = co_await this_frame();
        rule_broken("read_until() of an empty delimiter", &here);
    }
    const std::size_t part = delimiter.size() - 1;  // of a delimiter, which may have arrived
    std::size_t scanned = 0;
    for (;;) {
        const std::size_t found = held().find(delimiter, scanned);
        const bool whole = found != std::string_view::npos;
        const std::size_t surely = whole ? found : buffered() - std::min(buffered(), part);
        if (surely > size_max) too_long("read_until", size_max);
        if (whole) co_return take(found, delimiter.size());
        scanned = surely;
        const std::size_t received = co_await receive(saturated_sum(size_max, delimiter.size()));
        end_ += received;
        if (received > 0) continue;
        if (buffered() == 0) co_return std::nullopt;
        ended_early("read_until");
    }
}

// Waits until `size` bytes are there. Returns false when the stream ended before the first.
task<bool> buffered_reader::hold(std::size_t size, const char* reading) {
    while (buffered() < size) {
        const std::size_t received = co_await receive(size);
        end_ += received;
        if (received > 0) continue;
        if (buffered() == 0) co_return false;
        ended_early(reading);
    }
    co_return true;
}

task<std::string_view> buffered_reader::read_exact(std::size_t size, std::size_t size_max) {
    if (size > size_max) too_long("read_exact", size_max);
    const bool there = co_await hold(size, "read_exact");
    if (!there) ended_early("read_exact");
    co_return take(size);
}

task<std::size_t> buffered_reader::fill(std::size_t size_max) {
    if (buffered() >= size_max) too_long("fill", size_max);
    const std::size_t received = co_await receive(size_max);
    end_ += received;
    co_return received;
}

task<bool> buffered_reader::wait() { return hold(1, "wait"); }

}  // namespace anel

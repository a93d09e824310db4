// buffered_reader.cpp: the search for a line's end, and the room for the rest of it.
// SPDX-License-Identifier: MIT
#include <anel/buffered_reader.hpp>

#include <anel/error.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace anel {
namespace {
constexpr std::size_t first_size = 4096;

std::string_view without_return(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}
}  // namespace

bool buffered_reader::line_ready() const noexcept {
    return begin_ != end_ && std::memchr(buffer_.data() + begin_, '\n', end_ - begin_) != nullptr;
}

// Moves what is left to the front, and grows the buffer when it is full: at most to a line of
// `size_max` with its end, so that a peer decides nothing about memory.
void buffered_reader::make_room(std::size_t size_max) {
    if (begin_ > 0) {
        std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
                  buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
        end_ -= begin_;
        scanned_ -= begin_;
        begin_ = 0;
    }
    const std::size_t largest = size_max > SIZE_MAX - 2 ? SIZE_MAX : size_max + 2;  // "\r\n"
    if (end_ < buffer_.size()) return;
    buffer_.resize(
        std::min(std::max(first_size, 2 * buffer_.size()), std::max(largest, first_size)));
}

task<std::optional<std::string_view>> buffered_reader::read_line(std::size_t size_max) {
    for (;;) {
        const std::string_view unseen(buffer_.data() + scanned_, end_ - scanned_);
        const std::size_t found = unseen.find('\n');
        const std::size_t stop = found == std::string_view::npos ? end_ : scanned_ + found;
        const std::string_view held(buffer_.data() + begin_, stop - begin_);
        if (without_return(held).size() > size_max) {
            throw io_error(make_error_code(errc::message_too_long), "read_line",
                           "(at most " + std::to_string(size_max) + " bytes)");
        }
        if (found != std::string_view::npos) {
            begin_ = scanned_ = stop + 1;
            co_return without_return(held);
        }
        scanned_ = end_;
        make_room(size_max);
        const std::size_t room = buffer_.size() - end_;
        const std::size_t received = co_await from_.recv(std::span(buffer_.data() + end_, room));
        if (received > 0) {
            end_ += received;
            continue;
        }
        if (begin_ == end_) co_return std::nullopt;
        throw io_error(errc::unexpected_eof, "read_line", from_.peer_endpoint().to_string());
    }
}

}  // namespace anel

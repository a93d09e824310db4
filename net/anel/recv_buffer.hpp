// recv_buffer.hpp: bytes that a stream received, in memory which the loop lends.
//
// A stream that waits holds no memory; bytes that arrive are put into a chunk of the loop's, the
// one that was used last and is still in the cache. The chunk goes back when the recv_buffer goes.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/backend.hpp>
#include <anel/detail/byte_memory.hpp>

#include <cstddef>
#include <iosfwd>
#include <span>
#include <string_view>
#include <utility>

namespace anel {

/// What tcp_stream::recv() gives. Move-only. False, and empty, at the end of the stream.
/// Lifetime  must be gone before run() ends, which is asserted. A loop lends 4,096 of them; when
///           all are held, receivers wait for one to come back, so hold few and not for long.
/// Thread    that of the loop it came from.
class [[nodiscard]] recv_buffer {
public:
    recv_buffer() noexcept = default;
    recv_buffer(recv_buffer&& other) noexcept
        : lender_(std::exchange(other.lender_, nullptr)), bytes_(std::exchange(other.bytes_, {})) {}
    recv_buffer& operator=(recv_buffer&& other) noexcept {
        std::swap(lender_, other.lender_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~recv_buffer() { release(); }

    /// Whether there are bytes: false at the end of the stream, and after release().
    explicit operator bool() const noexcept { return !bytes_.empty(); }
    /// Bytes received, at most 64 KiB.
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    /// Where they are; they may be changed in place.
    [[nodiscard]] std::byte* data() const noexcept { return bytes_.data(); }
    /// The bytes.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
    /// The bytes as text.
    [[nodiscard]] std::string_view text() const noexcept {
        return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
    }

    /// Lifetime  the view is good for as long as the recv_buffer.
    operator std::string_view() const& noexcept { return text(); }
    operator std::string_view() && = delete;
    template <class Char, class Traits>
    friend std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                                        const recv_buffer& bytes) {
        return out << bytes.text();
    }

    /// Gives the memory back; then it is empty.
    void release() noexcept {
        if (lender_) std::exchange(lender_, nullptr)->give_back(bytes_.data());
        else detail::give_back_byte_memory(bytes_.data());
        bytes_ = {};
    }
    /// Keeps the first `size` bytes, which are not more than there are.
    void shorten(std::size_t size) noexcept {
        if (size == 0) release();
        else bytes_ = bytes_.first(size);
    }

    /// For a stream whose bytes are none that arrived, such as deciphered ones: memory of its own.
    /// Errors  std::bad_alloc.
    static recv_buffer with_room_for(std::size_t size) {
        recv_buffer made;
        if (size > 0) made.bytes_ = {detail::take_byte_memory(size), size};
        return made;
    }

    /// For a stream. `bytes` is what `lender` lent; it is not empty.
    recv_buffer(detail::backend& lender, std::span<std::byte> bytes) noexcept
        : lender_(&lender), bytes_(bytes) {}

private:
    detail::backend* lender_ = nullptr;  // null: the bytes, if any, are its own
    std::span<std::byte> bytes_;
};

}  // namespace anel

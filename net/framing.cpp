// framing.cpp: the four bytes before a message.
// SPDX-License-Identifier: MIT
#include <anel/framing.hpp>

#include <anel/any_stream.hpp>
#include <anel/error.hpp>
#include <anel/tcp.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>

namespace anel {
using namespace detail;
namespace {

constexpr std::size_t header_size = 4;

std::uint32_t decode(const char* header) noexcept {
    std::uint32_t size = 0;
    for (std::size_t i = 0; i < header_size; ++i) {
        size = size << 8 | static_cast<unsigned char>(header[i]);
    }
    return size;
}

std::array<char, header_size> encode(std::uint32_t size) noexcept {
    return {static_cast<char>(size >> 24), static_cast<char>(size >> 16),
            static_cast<char>(size >> 8), static_cast<char>(size)};
}

[[noreturn]] void too_long(const char* operation, std::size_t size, std::size_t size_max) {
    throw io_error(errc::message_too_long, operation,
                   "(" + std::to_string(size) + " bytes, at most " + std::to_string(size_max) +
                       ")");
}

task<> recv_all(stream_ref from, std::span<char> into) {
    while (!into.empty()) {
        const std::size_t received = co_await erased_recv(from, into);
        if (received == 0) {
            const std::string peer = from.table->peer_text(from.stream);
            throw io_error(errc::unexpected_eof, "recv", peer);
        }
        into = into.subspan(received);
    }
}

}  // namespace

task<std::optional<std::string>> read_frame(tcp_stream& from, std::size_t size_max) {
    std::array<char, header_size> header{};
    const std::size_t first = co_await from.recv(header);
    if (first == 0) co_return std::nullopt;
    co_await from.recv_exact(std::span(header).subspan(first));
    const std::size_t size = decode(header.data());
    if (size > size_max) too_long("read_frame", size, size_max);
    std::string content(size, '\0');
    co_await from.recv_exact(content);
    co_return content;
}

task<std::optional<std::string>> detail::read_frame_of(stream_ref of, std::size_t size_max) {
    const stream_ref from = resolved(of);
    std::array<char, header_size> header{};
    const std::size_t first = co_await erased_recv(from, header);
    if (first == 0) co_return std::nullopt;
    co_await recv_all(from, std::span(header).subspan(first));
    const std::size_t size = decode(header.data());
    if (size > size_max) too_long("read_frame", size, size_max);
    std::string content(size, '\0');
    co_await recv_all(from, content);
    co_return content;
}

task<std::optional<std::string_view>> read_frame(buffered_reader& from, std::size_t size_max) {
    const bool more = co_await from.hold(header_size, "read_frame");
    if (!more) co_return std::nullopt;
    const std::size_t size = decode(from.held().data());
    if (size > size_max) too_long("read_frame", size, size_max);
    co_await from.hold(header_size + size, "read_frame");
    from.take(header_size);
    co_return from.take(size);
}

task<> write_frame(tcp_stream& to, const_buffer content) {
    if (content.size > UINT32_MAX) too_long("write_frame", content.size, UINT32_MAX);
    const auto header = encode(static_cast<std::uint32_t>(content.size));
    co_await to.send(std::span(header), content);
}

// A length by itself would be a packet, or a record of TLS, by itself.
task<> detail::write_frame_to(stream_ref of, const_buffer content) {
    if (content.size > UINT32_MAX) too_long("write_frame", content.size, UINT32_MAX);
    const stream_ref to = resolved(of);
    const auto header = encode(static_cast<std::uint32_t>(content.size));
    std::array<char, 1024> begin;
    const std::size_t beside = std::min(content.size, begin.size() - header_size);
    std::copy(header.begin(), header.end(), begin.begin());
    if (beside > 0) std::memcpy(begin.data() + header_size, content.data, beside);
    co_await erased_send(to, std::span(begin).first(header_size + beside));
    if (beside == content.size) co_return;
    const const_buffer rest(static_cast<const char*>(content.data) + beside, content.size - beside);
    co_await erased_send(to, rest);
}

}  // namespace anel

// send_file.cpp: a file on a stream: opened by a helper thread if it is not yet, then sent.
//
// Nothing here waits for a disk on the loop's thread: what is not in memory is read by a helper
// before it is sent.
// SPDX-License-Identifier: MIT
#include <anel/tcp.hpp>

#include "runtime/system/file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace anel {
using namespace detail;
namespace {

// What a helper reads at once, and what goes before another look at whether the rest is in memory.
constexpr std::size_t piece_size = 1U << 20;

struct transfer {
    readable_file opened;  // here, unless the caller has it open
    const readable_file* from;
    file_part part;
    std::uint64_t end = 0;  // in the file

    transfer(std::string path, const readable_file* given, const_buffer head) noexcept
        : opened(detail::file_opener::at(std::move(path))), from(given ? given : &opened) {
        part.head = {const_cast<void*>(head.data), head.size};
    }
    transfer(const transfer&) = delete;
    transfer& operator=(const transfer&) = delete;

    [[nodiscard]] std::uint64_t left() const noexcept { return end - part.offset; }
    [[nodiscard]] std::size_t all_left() const noexcept {
        const std::uint64_t most = SIZE_MAX - part.head.size;
        return part.head.size + static_cast<std::size_t>(std::min(left(), most));
    }
};

std::int32_t open_file(transfer& with) noexcept { return detail::file_opener::open(with.opened); }

std::int32_t read_piece(transfer& with) noexcept {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(with.left(), piece_size));
    const std::int32_t error = read_into_memory(with.part.fd, with.part.offset, size);
    with.part.in_memory_until = with.part.offset + size;
    return error;
}

/// A call that may wait for a disk. It is the socket's, which is in use meanwhile: a close waits
/// for it, and then nothing is sent.
class disk_wait : public io<disk_wait, stream_use> {
public:
    using work = std::int32_t (*)(transfer&) noexcept;

    disk_wait(tcp_stream& on, transfer& with, work what) noexcept : io(on, opcode::call) {
        call_.run = [](helper_call& call) noexcept {
            auto& self = static_cast<call_type&>(call);
            self.result = self.what(*self.with);
        };
        call_.waits_for_disk = true;
        call_.with = &with;
        call_.what = what;
    }
    void prepare(const frame&) noexcept { data = static_cast<helper_call*>(&call_); }
    std::error_code failure() const noexcept {
        if (result < 0) return error_of_result();
        if (call_.result < 0) return {-call_.result, std::system_category()};
        return use().between_two(*this);
    }
    void value() const noexcept {}
    io_error describe(std::error_code error) const {
        const std::string& path = call_.with->from->path();
        if (call_.what == &open_file) return detail::file_opener::failure(error, path);
        return io_error(error, "read", path);
    }

private:
    struct call_type : helper_call {
        transfer* with = nullptr;
        work what = nullptr;
        std::int32_t result = 0;
    };

    call_type call_;
};

/// Sends what is left, or as much as is in memory. Returns whether all of it has gone.
class file_wait : public io<file_wait, stream_use> {
public:
    file_wait(tcp_stream& on, transfer& with) noexcept
        : io(on, opcode::send_file, &with.part, with.all_left(), op_flag::whole), with_(with) {}
    std::error_code failure() const noexcept {
        if (result == -EAGAIN) return use().between_two(*this);
        if (result == 0 && size > 0) return make_error_code(errc::file_too_short);
        return error_of_result();
    }
    bool value() const noexcept { return result == 0; }
    io_error describe(std::error_code error) const {
        const std::string peer = use().stream().peer_endpoint().to_string();
        return io_error(error, "send_file", with_.from->path() + " to " + peer);
    }

private:
    transfer& with_;
};

std::uint64_t length_of(const readable_file& what, std::uint64_t offset,
                        const std::optional<std::uint64_t>& length) {
    const std::uint64_t size = what.size();
    if (offset <= size && length.value_or(0) <= size - offset)
        return length.value_or(size - offset);
    std::string wanted = what.path() + " from " + std::to_string(offset);
    if (length) wanted += ", " + std::to_string(*length) + " bytes";
    throw io_error(errc::file_too_short, "send_file",
                   wanted + " (it has " + std::to_string(size) + ")");
}

// One coroutine, so that nobody else runs between two of its operations: a close() that comes
// meanwhile meets one of them.
task<std::uint64_t> transfer_file(tcp_stream& to, std::string path, const readable_file* given,
                                  const_buffer head, std::uint64_t offset,
                                  std::optional<std::uint64_t> length) {
    transfer what(std::move(path), given, head);
    if (!given) {
        disk_wait opening(to, what, &open_file);
        co_await opening;
    }
    what.part.fd = what.from->native_handle();
    what.part.offset = offset;
    const std::uint64_t all = length_of(*what.from, offset, length);
    what.end = offset + all;
    while (what.all_left() > 0) {
        file_wait sending(to, what);
        const bool sent = co_await sending;
        if (sent) continue;
        disk_wait reading(to, what, &read_piece);
        co_await reading;
    }
    co_return all;
}

}  // namespace

task<std::uint64_t> tcp_stream::send_file(std::string path, std::uint64_t offset,
                                          std::optional<std::uint64_t> length) {
    return transfer_file(*this, std::move(path), nullptr, std::string_view(), offset, length);
}

task<std::uint64_t> tcp_stream::send_file(const readable_file& what, std::uint64_t offset,
                                          std::optional<std::uint64_t> length) {
    return transfer_file(*this, {}, &what, std::string_view(), offset, length);
}

task<std::uint64_t> tcp_stream::send_file(const_buffer head, const readable_file& what,
                                          std::uint64_t offset,
                                          std::optional<std::uint64_t> length) {
    return transfer_file(*this, {}, &what, head, offset, length);
}

}  // namespace anel

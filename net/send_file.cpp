// send_file.cpp: a file on a stream: opened by a helper thread, then sent, a piece at a time.
//
// Nothing here waits for a disk on the loop's thread: what is not in memory is read by a helper
// before it is sent.
// SPDX-License-Identifier: MIT
#include <anel/tcp.hpp>

#include "runtime/file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace anel {
namespace {

// What a helper reads at once, and what goes before another look at whether the rest is in memory.
constexpr std::size_t piece_size = 1U << 20;

struct transfer {
    const std::string& path;
    readable_file file;
    file_part part;
    std::uint64_t left = 0;

    explicit transfer(const std::string& which) noexcept : path(which) {}
};

/// A call that may wait for a disk. It is the socket's, which is in use meanwhile: a close waits
/// for it, and then nothing is sent.
class disk_wait : public socket_io<disk_wait> {
public:
    using work = std::int32_t (*)(transfer&) noexcept;

    disk_wait(tcp_stream& on, transfer& with, const char* name, work what) noexcept
        : socket_io(on, opcode::call), name_(name) {
        call_.run = [](helper_call& call) noexcept {
            auto& self = static_cast<call_type&>(call);
            self.result = self.what(*self.with);
        };
        call_.waits_for_disk = true;
        call_.with = &with;
        call_.what = what;
    }
    bool start(cancel_scope& in, frame& who) noexcept {
        data = static_cast<helper_call*>(&call_);
        return socket_io::start(in, who);
    }
    std::error_code failure() const noexcept {
        if (result < 0) return socket_io::failure();
        if (call_.result < 0) return {-call_.result, std::system_category()};
        return between_two();
    }
    void value() const noexcept {}
    io_error describe(std::error_code error) const {
        std::string what = call_.with->path;
        if (call_.result == -EINVAL) what += ", not a regular file";
        return io_error(error, name_, what);
    }

private:
    struct call_type : helper_call {
        transfer* with = nullptr;
        work what = nullptr;
        std::int32_t result = 0;
    };

    const char* name_;
    call_type call_;
};

/// Sends what is left, or as much as is in memory. Returns whether all of it has gone.
class file_wait : public socket_io<file_wait> {
public:
    file_wait(tcp_stream& on, transfer& with) noexcept
        : socket_io(on, opcode::send_file, &with.part,
                    static_cast<std::size_t>(std::min<std::uint64_t>(with.left, SIZE_MAX)),
                    op_flag::whole),
          with_(with) {}
    std::error_code failure() const noexcept {
        if (result == -EAGAIN) return between_two();
        if (result == 0 && size > 0) return make_error_code(errc::file_too_short);
        return socket_io::failure();
    }
    bool value() const noexcept { return result == 0; }
    io_error describe(std::error_code error) const {
        const auto& peer = static_cast<const tcp_stream&>(socket_);
        return io_error(error, "send_file", with_.path + " to " + peer.peer_endpoint().to_string());
    }

private:
    transfer& with_;
};

std::int32_t open_file(transfer& with) noexcept {
    const std::int32_t opened = with.file.open(with.path.c_str());
    with.part.fd = with.file.descriptor();
    return opened;
}

std::int32_t read_piece(transfer& with) noexcept {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(with.left, piece_size));
    const std::int32_t error = read_into_memory(with.part.fd, with.part.offset, size);
    with.part.in_memory_until = with.part.offset + size;
    return error;
}

std::uint64_t length_of(const transfer& what, std::uint64_t offset,
                        const std::optional<std::uint64_t>& length) {
    const std::uint64_t size = what.file.size();
    if (offset <= size && length.value_or(0) <= size - offset)
        return length.value_or(size - offset);
    std::string wanted = what.path + " from " + std::to_string(offset);
    if (length) wanted += ", " + std::to_string(*length) + " bytes";
    throw io_error(errc::file_too_short, "send_file",
                   wanted + " (it has " + std::to_string(size) + ")");
}

}  // namespace

task<std::uint64_t> tcp_stream::send_file(std::string path, std::uint64_t offset,
                                          std::optional<std::uint64_t> length) {
    if (path.find('\0') != path.npos) {
        throw_errno(EINVAL, "open",
                    path.substr(0, path.find('\0')) + ", with a zero byte behind it");
    }
    transfer what(path);
    disk_wait opened(*this, what, "open", &open_file);
    co_await opened;
    what.part.offset = offset;
    what.left = length_of(what, offset, length);
    const std::uint64_t all = what.left;
    while (what.left > 0) {
        file_wait sending(*this, what);
        co_await sending;
        what.left = offset + all - what.part.offset;
        if (what.left == 0) break;
        disk_wait read(*this, what, "read", &read_piece);
        co_await read;
    }
    co_return all;
}

}  // namespace anel

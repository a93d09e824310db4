// pipe.hpp: one end of a pipe, as a stream of bytes, and a pair of them.
//
// Knows: a descriptor that is read or written. Must not know: who has the other end.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/buffer.hpp>
#include <anel/socket.hpp>
#include <anel/task.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace anel {

class pipe_stream;

namespace detail {
class pipe_recv_wait;
class pipe_send_wait;
class pipe_shutdown_wait;
struct pipe_maker;

/// A read or write of a regular file, which a helper thread makes.
struct file_call : helper_call {
    int fd = -1;
    void* data = nullptr;
    std::size_t size = 0;
    std::int32_t result = 0;  ///< bytes read, 0 when all is written, or -errno
    bool writes = false;
};

/// What an operation on a pipe uses: errors name the call and the pipe.
class pipe_use : public socket_use {
public:
    pipe_use(pipe_stream& on) noexcept;  // NOLINT: implicit on purpose
    /// In the direction that the pipe has not, it ends with EBADF.
    bool start(used_operation<pipe_use>& op, cancel_scope& scope, frame& caller) noexcept;
    void finish(operation& op) noexcept;
    void describe_wait(const operation& op, std::string& text) const;
    io_error describe(const char* operation, std::error_code error) const;
    /// Makes of an operation on a regular file the call of a helper thread.
    void hand_over(operation& op) const noexcept;
    /// What `op` ended with: that call's result, where it was one.
    [[nodiscard]] std::int32_t result_of(const operation& op) const noexcept;

private:
    [[nodiscard]] pipe_stream& stream() const noexcept;
    [[nodiscard]] bool allows(const operation& op) const noexcept;
};
}  // namespace detail

/// One end of a pipe: a byte_stream that either receives or sends. A call in the other direction
/// fails with EBADF. Move-only. Made by pipe() and by spawn_process().
/// Lifetime  may outlive its run(); then it can only be closed.
class pipe_stream : private socket_handle {
public:
    /// A closed one.
    pipe_stream() noexcept = default;

    /// Receives at least one byte and at most `buffer.size` bytes.
    /// Returns  bytes received; 0 once every writing end is closed, or when `buffer` is empty.
    /// Errors   `read PIPE: …` EBADF for a writing end and a closed one; ECANCELED when close()
    ///          ended it. A cancel loses nothing.
    /// Lifetime `buffer` must outlive the co_await.
    /// Cost     no allocation. io_uring: a poll in the ring, and a read(2). Else a read(2).
    /// Source   read(2), pipe(7).
    [[nodiscard("co_await it")]] detail::pipe_recv_wait recv(mutable_buffer buffer) noexcept;

    /// Sends all bytes of `buffer`: waits while the pipe is full.
    /// Errors   `write PIPE: …` EPIPE once nobody can read any more, and no SIGPIPE; EBADF for a
    ///          reading end and a closed one; ECANCELED. After an error, and after a cancel, some
    ///          bytes may have been sent.
    /// Lifetime `buffer` must outlive the co_await.
    /// Cost     no allocation. A write(2), and three calls that keep SIGPIPE back; where the pipe
    ///          is full, a wait besides.
    /// Source   write(2), pipe(7).
    [[nodiscard("co_await it")]] detail::pipe_send_wait send(const_buffer buffer
                                                             [[clang::lifetimebound]]) noexcept;

    /// Closes a writing end, if no other task sends: the reader receives what was sent, and the
    /// end, unless somebody else has that end too.
    /// Errors   EBADF for a reading end and a closed one; EBUSY while another task sends.
    [[nodiscard("co_await it")]] detail::pipe_shutdown_wait shutdown_send() noexcept;

    using socket_handle::close;
    using socket_handle::close_now;
    using socket_handle::close_wait;
    using socket_handle::is_open;
    using socket_handle::native_handle;

    /// What it is, for the text of an error: `standard output of sh (process 4711)`.
    [[nodiscard]] const std::string& peer_text() const noexcept { return name_; }
    /// Whether it is an end to write to.
    [[nodiscard]] bool is_writing_end() const noexcept { return writes_; }

private:
    friend detail::pipe_maker;
    friend detail::pipe_use;
    friend detail::pipe_shutdown_wait;
    pipe_stream(detail::loop& owner, int fd, bool writes, std::string name) noexcept
        : socket_handle(owner, fd), writes_(writes), name_(std::move(name)) {}

    bool writes_ = false;
    detail::file_mode mode_ = detail::file_mode::does_not_block;
    std::unique_ptr<detail::file_call> file_;  // only for a regular file
    std::string name_;
};

/// A pipe of the system.
/// Returns  the end to read from, and the end to write to: `auto [from, to] = co_await pipe();`
/// Errors   `pipe: …` EMFILE, ENFILE; EOPNOTSUPP on the simulated network, where
///          memory_stream_pair() is one.
/// Cost     never waits. Four system calls on Linux.
/// Source   pipe2(2), with O_CLOEXEC and O_NONBLOCK.
task<std::pair<pipe_stream, pipe_stream>> pipe();

namespace detail {

/// A read or a write.
template <class Derived>
class pipe_wait : public io<Derived, pipe_use> {
public:
    using io<Derived, pipe_use>::io;
    void prepare(const frame&) noexcept { this->use().hand_over(*this); }
    std::error_code failure() const noexcept {
        const std::int32_t ended_with = this->use().result_of(*this);
        return ended_with < 0 ? error_in(ended_with) : std::error_code();
    }
};

class pipe_recv_wait : public pipe_wait<pipe_recv_wait> {
public:
    static constexpr const char* name = "read";
    pipe_recv_wait(pipe_stream& on, mutable_buffer into) noexcept
        : pipe_wait(on, opcode::read_input, into.data, into.size) {}
    std::size_t value() const noexcept { return static_cast<std::size_t>(use().result_of(*this)); }
};

class pipe_send_wait : public pipe_wait<pipe_send_wait> {
public:
    static constexpr const char* name = "write";
    pipe_send_wait(pipe_stream& on, const_buffer from) noexcept
        : pipe_wait(on, opcode::write_output, from.data, from.size, op_flag::whole) {}
    void value() const noexcept {}
};

/// Never waits.
class pipe_shutdown_wait {
public:
    explicit pipe_shutdown_wait(pipe_stream& on) noexcept : on_(on) {}
    bool start(cancel_scope& scope, frame& caller) noexcept;
    void finish();

private:
    pipe_stream& on_;
    int error_ = 0;
    bool cancelled_ = false;
};

}  // namespace detail

inline detail::pipe_recv_wait pipe_stream::recv(mutable_buffer buffer) noexcept {
    return {*this, buffer};
}
inline detail::pipe_send_wait pipe_stream::send(const_buffer buffer
                                                [[clang::lifetimebound]]) noexcept {
    return {*this, buffer};
}
inline detail::pipe_shutdown_wait pipe_stream::shutdown_send() noexcept {
    return detail::pipe_shutdown_wait(*this);
}

}  // namespace anel

// stream_wait.hpp: what is awaited on a stream and on a listener: recv, send, shutdown, accept. The
// end of tcp.hpp, which says what each of them promises.
//
// Knows: operations on a socket. Must not know: which backend runs.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/tcp.hpp>

#include <array>
#include <cerrno>
#include <utility>

namespace anel {

namespace detail {

/// What an operation on a stream uses: errors name the call and the peer.
class stream_use : public socket_use {
public:
    stream_use(tcp_stream& on) noexcept : socket_use(on) {}  // NOLINT: implicit on purpose

    [[nodiscard]] tcp_stream& stream() const noexcept { return static_cast<tcp_stream&>(socket()); }
    io_error describe(const char* operation, std::error_code error) const {
        return io_error(error, operation, stream().peer_endpoint().to_string());
    }
    /// `from 192.0.2.7:4711 (fd 9), at most 1024 bytes to go`.
    void describe_wait(const operation& op, std::string& text) const;
    [[nodiscard]] bool lost_its_peer() const noexcept { return stream().lost_its_peer(); }
    /// What 0 bytes mean: `at_end`, unless the connection was reset.
    [[nodiscard]] std::error_code end(std::error_code at_end = {}) const noexcept {
        if (!stream().reset_told_to_sender()) return at_end;
        return {ECONNRESET, std::system_category()};
    }
};

/// A control call, done inside start(): a recv or send of another task may be in flight.
class stream_call : public stream_use {
public:
    using stream_use::stream_use;
    template <class Op>
    bool start(Op& op, cancel_scope& scope, frame& caller) noexcept {
        op.fd = socket().native_handle();
        return begin(op, scope, caller, refusal(scope.owner()));
    }
    static void finish(operation&) noexcept {}
};

class recv_wait : public io<recv_wait, stream_use> {
public:
    static constexpr const char* name = "recv";
    recv_wait(tcp_stream& on, mutable_buffer into) noexcept
        : io(on, opcode::recv, into.data, into.size) {}
    std::error_code failure() const noexcept {
        return result == 0 && size > 0 ? use().end() : error_of_result();
    }
    std::size_t value() const noexcept { return static_cast<std::size_t>(result); }
};

class recv_chunk_wait : public io<recv_chunk_wait, stream_use> {
public:
    static constexpr const char* name = "recv";
    explicit recv_chunk_wait(tcp_stream& on) noexcept : io(on, opcode::recv_chunk) {}
    std::error_code failure() const noexcept {
        return result == 0 ? use().end() : error_of_result();
    }
    recv_buffer value() const noexcept {
        if (result == 0) return {};
        std::span bytes(static_cast<std::byte*>(data), static_cast<std::size_t>(result));
        return {wait_scope->owner().backend(), bytes};
    }
};

class recv_exact_wait : public io<recv_exact_wait, stream_use> {
public:
    static constexpr const char* name = "recv";
    recv_exact_wait(tcp_stream& on, mutable_buffer into) noexcept
        : io(on, opcode::recv, into.data, into.size, op_flag::whole) {}
    std::error_code failure() const noexcept {
        // On io_uring the kernel tells what moved before a reset, and forgets the reset.
        if (result == 0 && size > 0) {
            if (use().lost_its_peer()) return {ECONNRESET, std::system_category()};
            return use().end(make_error_code(errc::unexpected_eof));
        }
        return error_of_result();
    }
    void value() const noexcept {}
};

class send_wait : public io<send_wait, stream_use> {
public:
    static constexpr const char* name = "send";
    send_wait(tcp_stream& on, const_buffer from) noexcept
        : io(on, opcode::send, from.data, from.size, op_flag::whole) {}
    void value() const noexcept {}
};

class send_zc_wait : public io<send_zc_wait, stream_use> {
public:
    static constexpr const char* name = "send";
    send_zc_wait(tcp_stream& on, const_buffer from) noexcept
        : io(on, opcode::send, from.data, from.size, op_flag::whole) {
        if (from.size > 0 && on.zero_copy_pays()) flags |= op_flag::zero_copy;
        tried_ = (flags & op_flag::zero_copy) != 0;
    }
    void value() const noexcept {
        constexpr std::uint32_t paid = op_flag::zero_copy | op_flag::not_copied;
        if (!tried_ || (flags & paid) == paid) return;
        use().stream().zero_copy_does_not_pay();
    }

private:
    bool tried_ = false;
};

class send_some_wait : public io<send_some_wait, stream_use> {
public:
    static constexpr const char* name = "send";
    send_some_wait(tcp_stream& on, const_buffer from) noexcept
        : io(on, opcode::send, from.data, from.size) {}
    std::size_t value() const noexcept { return static_cast<std::size_t>(result); }
};

template <std::size_t Parts>
class send_parts_wait : public io<send_parts_wait<Parts>, stream_use> {
    using base = io<send_parts_wait<Parts>, stream_use>;

public:
    static constexpr const char* name = "send";
    /// At most `Parts` of them.
    send_parts_wait(tcp_stream& on, std::span<const const_buffer> parts) noexcept
        : base(on, opcode::sendmsg, nullptr, 0, op_flag::whole) {
        for (std::size_t i = 0; i < parts.size(); ++i) {
            parts_[i] = {const_cast<void*>(parts[i].data), parts[i].size};
            this->size += parts[i].size;
        }
        message_.buffer_count = static_cast<std::uint32_t>(parts.size());
    }
    void prepare(const frame&) noexcept {
        message_.buffers = parts_.data();
        this->data = &message_;
    }
    void value() const noexcept {}

private:
    std::array<io_buffer, Parts> parts_;
    message message_;
};

class shutdown_wait : public io<shutdown_wait, stream_call> {
public:
    static constexpr const char* name = "shutdown";
    explicit shutdown_wait(tcp_stream& on) noexcept
        : io(on, opcode::shutdown, nullptr, 0, static_cast<std::uint32_t>(shutdown_side::send)) {}
    void value() const noexcept { use().stream().said_end_ = true; }
};

class accept_wait : public io<accept_wait, socket_use> {
public:
    explicit accept_wait(tcp_listener& on) noexcept
        : io(on, opcode::accept, nullptr, on.adopted_ ? 1 : 0) {}
    void prepare(const frame&) noexcept { data = &peer_; }
    tcp_stream value() const noexcept;
    io_error describe(std::error_code error) const;

private:
    socket_address peer_;
};

}  // namespace detail

inline detail::recv_wait tcp_stream::recv(mutable_buffer buffer) noexcept {
    return {*this, buffer};
}
inline detail::recv_chunk_wait tcp_stream::recv() noexcept {
    return detail::recv_chunk_wait(*this);
}
inline detail::recv_exact_wait tcp_stream::recv_exact(mutable_buffer buffer) noexcept {
    return {*this, buffer};
}
inline detail::send_wait tcp_stream::send(const_buffer buffer [[clang::lifetimebound]]) noexcept {
    return {*this, buffer};
}
inline detail::send_zc_wait tcp_stream::send_zc(const_buffer buffer
                                                [[clang::lifetimebound]]) noexcept {
    return {*this, buffer};
}
inline detail::send_some_wait tcp_stream::send_some(const_buffer buffer
                                                    [[clang::lifetimebound]]) noexcept {
    return {*this, buffer};
}
inline detail::shutdown_wait tcp_stream::shutdown_send() noexcept {
    return detail::shutdown_wait(*this);
}
template <class... Parts>
    requires(sizeof...(Parts) > 0 && (std::convertible_to<Parts, const_buffer> && ...))
detail::send_parts_wait<1 + sizeof...(Parts)> tcp_stream::send(const_buffer first,
                                                               Parts&&... rest) noexcept {
    const const_buffer parts[] = {first, std::forward<Parts>(rest)...};
    return {*this, parts};
}
inline detail::accept_wait tcp_listener::accept() noexcept { return detail::accept_wait(*this); }

}  // namespace anel

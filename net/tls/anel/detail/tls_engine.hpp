// tls_engine.hpp: TLS without any input or output of its own: bytes of either kind go in and come
// out.
//
// Whoever drives it sends what output() holds after every call, the last one of the handshake too:
// session tickets are in it.
// Knows: OpenSSL, by name. Must not know: sockets, tasks, time.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/time.hpp>
#include <anel/tls_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

struct ssl_st;
struct bio_st;

namespace anel {

/// What is known of a peer's certificate.
struct tls_peer_certificate {
    std::string subject;                 ///< "CN=api.example.com"
    std::vector<std::string> dns_names;  ///< those it is made for
    std::string sha256;                  ///< of all its bytes, in hexadecimal digits
};

namespace detail {

struct tls_credentials;

/// Bytes that are appended behind and sent from the front. Its memory goes once all were sent.
class byte_queue {
public:
    byte_queue() noexcept = default;
    byte_queue(byte_queue&& other) noexcept
        : memory_(std::exchange(other.memory_, nullptr)),
          room_(std::exchange(other.room_, 0)),
          begin_(std::exchange(other.begin_, 0)),
          end_(std::exchange(other.end_, 0)) {}
    byte_queue& operator=(byte_queue&& other) noexcept {
        std::swap(memory_, other.memory_);
        std::swap(room_, other.room_);
        std::swap(begin_, other.begin_);
        std::swap(end_, other.end_);
        return *this;
    }
    ~byte_queue() { clear(); }

    [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
    [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
        return {memory_ + begin_, size()};
    }
    /// Makes room for `size` more bytes. Returns false when there is no memory.
    [[nodiscard]] bool reserve(std::size_t size) noexcept;
    /// Returns false when there is no memory, and then nothing was appended.
    [[nodiscard]] bool append(std::span<const std::byte> bytes) noexcept;
    /// Forgets the first `size` bytes.
    void drop(std::size_t size) noexcept {
        begin_ += size;
        if (begin_ == end_) clear();
    }
    void clear() noexcept;

private:
    std::byte* memory_ = nullptr;
    std::size_t room_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

/// How a call of the engine ended.
enum class tls_step : std::uint8_t {
    done,     ///< what was asked for
    starved,  ///< not before more of the peer's bytes were fed
    ended,    ///< the peer has said its end
    failed,   ///< see error()
};

class tls_engine {
public:
    /// `host` is that of the server, for a client; `place` tells its servers apart, a port say.
    /// Errors  std::invalid_argument when a client does not know its host, or a server names one;
    ///         std::bad_alloc.
    tls_engine(const tls_context& context, std::string_view host, std::string_view place);
    tls_engine(const tls_engine&) = delete;
    tls_engine& operator=(const tls_engine&) = delete;
    ~tls_engine();

    /// What the peer has sent; read before the next call of feed(), or kept.
    void feed(std::span<const std::byte> received) noexcept { input_ = received; }
    /// Copies what was fed and not read yet. Returns false when there is no memory for it.
    [[nodiscard]] bool keep() noexcept;
    /// Whether something of that is left.
    [[nodiscard]] bool has_input() const noexcept { return !input_.empty(); }
    /// At most so many bytes can be read of what is here.
    [[nodiscard]] std::size_t readable_max() const noexcept;

    /// Goes on with the handshake. `now` is for the rotation of ticket keys.
    tls_step shake(time_point now) noexcept;
    [[nodiscard]] bool is_ready() const noexcept { return ready_; }
    /// Deciphers into `into` until it is full or nothing is left. Tells of an end, and of a
    /// failure, only when `count` is 0.
    tls_step read(std::span<std::byte> into, std::size_t& count) noexcept;
    /// Enciphers all of `bytes`, or nothing: starved in the middle of a message of the peer.
    tls_step write(std::span<const std::byte> bytes) noexcept;
    /// Says that nothing more will be written: close_notify. Starved in the middle of a message of
    /// the peer; failed, maybe without an error(), when it cannot be said any more, or not without
    /// memory.
    tls_step say_end() noexcept;
    [[nodiscard]] bool has_said_end() const noexcept { return said_end_; }
    /// Asks for new keys on both sides, as TLS 1.3 can.
    tls_step update_keys() noexcept;

    /// What is to be sent to the peer.
    byte_queue output;

    /// Why a step failed.
    [[nodiscard]] std::error_code error() const noexcept { return error_; }
    /// What the error is about, for its text: ` (certificate CN=old.example.com)`, or nothing.
    [[nodiscard]] const std::string& about() const noexcept { return about_; }

    [[nodiscard]] std::string_view alpn() const noexcept;
    [[nodiscard]] std::string_view server_name() const noexcept;
    [[nodiscard]] const char* version() const noexcept;
    [[nodiscard]] const char* cipher() const noexcept;
    [[nodiscard]] bool is_resumed() const noexcept;
    [[nodiscard]] std::optional<tls_peer_certificate> peer_certificate() const;
    [[nodiscard]] std::chrono::nanoseconds handshake_timeout() const noexcept;
    [[nodiscard]] bool is_server() const noexcept;

private:
    friend tls_config;
    friend struct tls_callbacks;
    tls_step failed() noexcept;
    tls_step step_of(int result) noexcept;

    std::shared_ptr<tls_config> config_;
    std::shared_ptr<const tls_credentials> credentials_;  // those that the handshake began with
    ssl_st* ssl_ = nullptr;
    std::span<const std::byte> input_;  // not read yet
    byte_queue kept_;                   // what input_ may point into
    time_point now_{};                  // of the handshake
    std::string place_;                 // host and place, for a client
    std::string about_;
    std::error_code error_;
    bool ready_ = false;
    bool said_end_ = false;
    bool out_of_memory_ = false;  // in a callback, where nothing may be thrown
};

}  // namespace detail
}  // namespace anel

// raw_peer.hpp: the other end of a TLS connection without the library's streams: a raw socket and
// an engine.
//
// What a failed allocation does to it is std::bad_alloc, as for whoever runs beside a test's body.
// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/raw_socket.hpp"

#include <anel/detail/tls_engine.hpp>

#include <array>
#include <cstddef>
#include <new>
#include <span>
#include <string>
#include <string_view>

namespace anel::test {

class raw_tls_peer {
public:
    /// A client's end.
    raw_tls_peer(raw_socket below, const tls_context& context, std::string_view host)
        : socket_(std::move(below)), engine_(context, host, {}) {
        socket_.set_blocking(false);
        received_.reserve(1 << 20);
    }

    /// Takes what has come, and goes on with the handshake.
    void shake() {
        take();
        feed();
        require(engine_.shake({}));
        send_raw(take_output());
    }
    [[nodiscard]] bool is_ready() const { return engine_.is_ready(); }

    /// Enciphers, and keeps it: take_output() gives it.
    void write(std::string_view text) { require(engine_.write(std::as_bytes(std::span(text)))); }
    void update_keys() { require(engine_.update_keys()); }
    void say_end() { EXPECT_EQ(engine_.say_end(), tls_step::done); }
    [[nodiscard]] std::string take_output() {
        const auto bytes = engine_.output.bytes();
        std::string taken(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        engine_.output.clear();
        return taken;
    }
    void send_raw(std::string_view bytes) { socket_.write(bytes); }

    /// Takes what has come.
    void take() { received_ += socket_.read(300'000); }
    /// All that has come, deciphered; and whether the other end has said its end.
    [[nodiscard]] std::string read_to_end(bool& said_end) {
        socket_.set_blocking(true);
        received_ += socket_.read_to_end();
        feed();
        std::string text;
        std::array<std::byte, 20'000> some;
        for (;;) {
            std::size_t count = 0;
            const tls_step step = engine_.read(some, count);
            text.append(reinterpret_cast<const char*>(some.data()), count);
            said_end = step == tls_step::ended;
            if (count == 0) return text;
        }
    }
    void shutdown_write() { socket_.shutdown_write(); }

private:
    void feed() {
        engine_.feed(std::as_bytes(std::span(received_)).subspan(fed_));
        fed_ = received_.size();
    }
    void require(tls_step step) const {
        if (step != tls_step::failed) return;
        if (engine_.error() == std::errc::not_enough_memory) throw std::bad_alloc();
        ADD_FAILURE() << engine_.error().message();
    }

    raw_socket socket_;
    tls_engine engine_;
    std::string received_;
    std::size_t fed_ = 0;
};

}  // namespace anel::test

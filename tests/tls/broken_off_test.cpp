// broken_off_test.cpp: handshakes over sockets whose peer goes at every byte: each is an error at
// once, and nothing is left of it.
//
// A long run makes 10,000 for each side and backend, a short one some of them. Under
// AddressSanitizer nothing may leak.
// SPDX-License-Identifier: MIT
#include "tests/tls/tls_pair.hpp"

#include <anel/detail/tls_engine.hpp>

#include <limits>

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

namespace anel::test {
namespace {

class tls_broken_off : public over_backends {};
ANEL_OVER_BACKENDS(tls_broken_off);

/// Bytes that are allocated now; 0 where the C library does not tell, or a sanitizer allocates.
std::size_t bytes_in_use() {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    const auto now = ::mallinfo2();
    return now.uordblks + now.hblkhd;
#else
    return 0;
#endif
}

/// An engine at a raw socket that goes when it has sent so many bytes.
class leaving_peer {
public:
    leaving_peer(raw_socket below, const tls_context& context, std::string_view host,
                 std::size_t allowed, bool resets)
        : socket_(std::move(below)),
          engine_(context, host, {}),
          allowed_(allowed),
          resets_(resets) {
        socket_.set_blocking(false);
    }
    /// Returns false once it has gone.
    bool go_on() {
        const std::string heard = socket_.read(100'000);
        engine_.feed(std::as_bytes(std::span(heard)));
        EXPECT_NE(engine_.shake({}), tls_step::failed) << engine_.error().message();
        EXPECT_TRUE(engine_.keep());
        const auto bytes = engine_.output.bytes();
        const std::size_t size = std::min(bytes.size(), allowed_ - sent_);
        socket_.write({reinterpret_cast<const char*>(bytes.data()), size});
        engine_.output.clear();
        sent_ += size;
        if (sent_ < allowed_ && !engine_.is_ready()) return true;
        if (resets_) socket_.reset();
        else socket_.close();
        return false;
    }
    [[nodiscard]] std::size_t sent() const { return sent_; }

private:
    raw_socket socket_;
    tls_engine engine_;
    std::size_t allowed_;
    std::size_t sent_ = 0;
    bool resets_;
};

/// Which end of a handshake goes, and when.
struct departure {
    bool of_client;
    std::size_t allowed;  // bytes before it
    bool resets;
};

/// What the end says that stays, which waits for more once the handshake is over; `sent` becomes
/// what the other one has sent.
task<std::string> broken_off(const tls_contexts& contexts, departure how, std::size_t& sent) {
    auto pair = co_await connected_to_raw();
    // One of its own: it keeps sessions for every port that it has spoken to.
    const auto client = tls_context::client(tls_contexts::trusting(contexts.made.authority));
    const tls_context& staying = how.of_client ? contexts.server : client;
    const tls_context& leaving = how.of_client ? client : contexts.server;
    const std::string host = "localhost";
    tls_stream end(std::move(pair.stream), staying, how.of_client ? std::string() : host);
    leaving_peer peer(std::move(pair.peer), leaving, how.of_client ? host : std::string(),
                      how.allowed, how.resets);
    std::string said;
    co_await with_task_group([&](task_group& group) -> task<> {
        const auto goes_on = [&]() -> task<> {
            while (peer.go_on()) co_await next_turn();
        };
        group.spawn(goes_on);
        try {
            co_await end.handshake();
            std::ignore = co_await end.recv();
        } catch (const io_error& failed) {
            said = failed.what();
        }
    });
    sent = peer.sent();
    co_return said;
}

// A client is ready before the last bytes of a server, which are tickets.
bool says_why(const std::string& said, const departure& how) {
    const bool in_handshake = said.starts_with("TLS handshake with 127.0.0.1:");
    const bool after_it = !how.of_client && said.starts_with("recv 127.0.0.1:");
    if (!(in_handshake || after_it) || said.find('\n') != said.npos) return false;
    return said.ends_with(": the peer closed the connection early") ||
           (how.resets && (said.ends_with("(ECONNRESET)") || said.ends_with("(EPIPE)")));
}

TEST_P(tls_broken_off, a_peer_that_goes_at_any_byte_leaves_an_error_and_nothing_else) {
    const tls_contexts contexts;
    const int times = long_run ? 10'000 : rounds(100);
    run([&]() -> task<> {
        for (const bool of_client : {true, false}) {
            std::size_t whole = 0;
            departure how{of_client, std::numeric_limits<std::size_t>::max(), false};
            std::string said = co_await broken_off(contexts, how, whole);
            EXPECT_TRUE(said.starts_with("recv ")) << said;
            EXPECT_GT(whole, 300U);
            const std::size_t step = 7919;  // a prime: every byte in the end, and soon all parts
            std::size_t descriptors = 0;
            std::size_t in_use = 0;
            for (int i = 0; i < times; ++i) {
                if (i == times / 10) {  // whatever is kept for the next one is there
                    descriptors = entries("/proc/self/fd").size();
                    in_use = bytes_in_use();
                }
                how.allowed = static_cast<std::size_t>(i) * step % (whole - 1);
                how.resets = i % 3 == 0;
                std::size_t sent = 0;
                said = co_await broken_off(contexts, how, sent);
                EXPECT_TRUE(says_why(said, how))
                    << how.allowed << " of " << whole << ": \"" << said << '"';
            }
            EXPECT_EQ(entries("/proc/self/fd").size(), descriptors);
            // A simulated host knows the ports that linger, and its clock hardly moves.
            if (!simulated) {
                EXPECT_LT(bytes_in_use(), in_use + 64U * 1024);
            }
        }
    });
}

}  // namespace
}  // namespace anel::test

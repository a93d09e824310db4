// buffer_types_test.cpp: whatever holds bytes in one piece can be sent, and received into when it
// can be written to; what does not hold bytes, or would be gone, does not compile.
// SPDX-License-Identifier: MIT
#include "tests/support/streams.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace anel::test {
using namespace detail;
namespace {

// --- what compiles ------------------------------------------------------------------------------

template <class T>
concept sends = requires(tcp_stream& c, udp_socket& u, datagram_batch& batch, T given) {
    c.send(static_cast<T>(given));
    c.send_some(static_cast<T>(given));
    c.send_zc(static_cast<T>(given));
    c.send("a header", static_cast<T>(given));
    c.send(static_cast<T>(given), "a trailer");
    u.send(static_cast<T>(given));
    u.sendto(static_cast<T>(given), endpoint());
    write_frame(c, static_cast<T>(given));
    batch.push(static_cast<T>(given));
    batch[0].assign(static_cast<T>(given));
};
template <class T>
concept sends_at_all = requires(tcp_stream& c, T given) { c.send(static_cast<T>(given)); } ||
                       requires(tcp_stream& c, T given) { c.send("x", static_cast<T>(given)); } ||
                       requires(tcp_stream& c, T given) { write_frame(c, static_cast<T>(given)); };
template <class T>
concept receives = requires(tcp_stream& c, udp_socket& u, T given) {
    c.recv(static_cast<T>(given));
    c.recv_exact(static_cast<T>(given));
    u.recvfrom(static_cast<T>(given));
};
template <class T>
concept receives_at_all = requires(tcp_stream& c, T given) { c.recv(static_cast<T>(given)); };

template <class T>
constexpr bool goes_both_ways = sends<T&> && sends<const T&> && sends<T> && receives<T&> &&
                                !receives_at_all<const T&> && !receives_at_all<T>;
template <class T>
constexpr bool is_a_view =
    sends<T&> && sends<const T&> && sends<T> && receives<T&> && receives<const T&> && receives<T>;
template <class T>
constexpr bool is_read_only =
    sends<T&> && sends<const T&> && sends<T> && !receives_at_all<T&> && !receives_at_all<T>;
template <class T>
constexpr bool is_refused = !sends_at_all<T&> && !sends_at_all<const T&> && !sends_at_all<T> &&
                            !receives_at_all<T&> && !receives_at_all<T>;

template <class Byte>
constexpr bool every_form_of =
    goes_both_ways<std::array<Byte, 8>> && goes_both_ways<std::vector<Byte>> &&
    goes_both_ways<std::basic_string<Byte>> && is_a_view<std::span<Byte>> &&
    is_a_view<std::span<Byte, 8>> && is_read_only<std::span<const Byte>> &&
    is_read_only<std::span<const Byte, 8>> && is_read_only<std::array<const Byte, 8>> &&
    is_read_only<std::basic_string_view<Byte>> && sends<Byte (&)[8]> && sends<const Byte (&)[8]> &&
    receives<Byte (&)[8]> && !receives_at_all<const Byte (&)[8]> && !receives_at_all<Byte (&&)[8]>;
static_assert(every_form_of<char>);
static_assert(every_form_of<char8_t>);
template <class Byte>  // of these there is no std::basic_string
constexpr bool every_form_but_text_of =
    goes_both_ways<std::array<Byte, 8>> && goes_both_ways<std::vector<Byte>> &&
    is_a_view<std::span<Byte>> && is_a_view<std::span<Byte, 8>> &&
    is_read_only<std::span<const Byte>> && is_read_only<std::span<const Byte, 8>> &&
    sends<Byte (&)[8]> && sends<const Byte (&)[8]> && receives<Byte (&)[8]> &&
    !receives_at_all<const Byte (&)[8]> && !receives_at_all<Byte (&&)[8]>;
static_assert(every_form_but_text_of<std::uint8_t>);
static_assert(every_form_but_text_of<std::int8_t>);
static_assert(every_form_but_text_of<std::byte>);

static_assert(sends<const char*> && sends<const char* const&> && sends<decltype("literal")>);
static_assert(sends<const_buffer> && sends<recv_buffer&> && sends<const recv_buffer&>);
static_assert(receives<mutable_buffer>);
static_assert(!receives_at_all<const char*>);

static_assert(is_refused<int*> && is_refused<char*> && is_refused<std::uint8_t*>);
static_assert(is_refused<const std::uint8_t*> && is_refused<void*> && is_refused<std::nullptr_t>);
static_assert(!sends_at_all<int (&)[8]> && !receives_at_all<int (&)[8]>);
static_assert(!sends_at_all<bool (&)[8]> && !receives_at_all<bool (&)[8]>);
static_assert(!sends_at_all<decltype(L"wide")> && !sends_at_all<decltype(u"wide")>);
static_assert(!sends_at_all<char (&)[2][8]> && !receives_at_all<char (&)[2][8]>);
static_assert(is_refused<std::vector<int>> && is_refused<std::vector<bool>>);
static_assert(is_refused<std::wstring> && is_refused<std::span<const wchar_t>>);
static_assert(is_refused<int> && is_refused<std::size_t> && is_refused<endpoint>);
static_assert(!std::is_constructible_v<const_buffer, int*, std::size_t>);
static_assert(!std::is_constructible_v<mutable_buffer, const char*, std::size_t>);
static_assert(!std::is_constructible_v<mutable_buffer, const void*, std::size_t>);

// --- what is sent -------------------------------------------------------------------------------

std::string bytes_of(const_buffer given) {
    return {static_cast<const char*>(given.data), given.size};
}

TEST(const_buffer, of_an_array_that_can_be_written_to_is_all_of_it) {
    char raw[8] = {1, 2, 0, 3, 4, 5, 6, 0};
    EXPECT_EQ(bytes_of(raw), std::string(raw, 8));
    char no_zero[3] = {'a', 'b', 'c'};
    EXPECT_EQ(bytes_of(no_zero), "abc");
    std::uint8_t unsigned_raw[2] = {0, 0};
    EXPECT_EQ(bytes_of(unsigned_raw).size(), 2U);
}

TEST(const_buffer, of_a_literal_leaves_out_the_zero_that_ends_it_and_no_other) {
    EXPECT_EQ(bytes_of("abc"), "abc");
    EXPECT_EQ(bytes_of(""), "");
    EXPECT_EQ(bytes_of("\0"), std::string(1, '\0'));
    EXPECT_EQ(bytes_of("a\0b\0"), std::string("a\0b\0", 4));
    EXPECT_EQ(bytes_of(u8"\u00e9"), "\xc3\xa9");
    const char* const chosen = "chosen\0at run time";
    EXPECT_EQ(bytes_of(chosen), "chosen");
}

TEST(const_buffer, of_a_const_array_without_a_zero_at_its_end_is_all_of_it) {
    const char no_zero[4] = {'\0', 'a', '\0', 'b'};
    EXPECT_EQ(bytes_of(no_zero), std::string(no_zero, 4));
    const std::uint8_t not_text[3] = {'a', 'b', 0};
    EXPECT_EQ(bytes_of(not_text), std::string("ab\0", 3));
    const std::array<char, 3> counted{'a', 'b', 0};
    EXPECT_EQ(bytes_of(counted), std::string("ab\0", 3));
}

TEST(const_buffer, of_a_pointer_and_a_size_is_as_long_as_the_size_says) {
    EXPECT_EQ(bytes_of({"a\0b\0c", 4}), std::string("a\0b\0", 4));
    const std::uint32_t number = 0;
    EXPECT_EQ(bytes_of({static_cast<const void*>(&number), sizeof number}).size(), 4U);
    const std::byte* nothing = nullptr;
    EXPECT_EQ(bytes_of({nothing, 0}), "");
}

// --- on every backend ---------------------------------------------------------------------------

class buffer_types : public over_backends {};
ANEL_OVER_BACKENDS(buffer_types);

const std::string eight = std::string("ab\0cdef\0", 8);

template <class T>
T holding(std::string_view bytes) {
    T made{};
    if constexpr (requires { made.resize(bytes.size()); }) made.resize(bytes.size());
    std::memcpy(std::data(made), bytes.data(), bytes.size());
    return made;
}

/// A pair of `T` that hold eight bytes each: the first is sent, the second received into.
template <class T>
task<> exchange(stream_pair& pair, T& out, T& in) {
    co_await pair.client.send(out);
    co_await pair.server.recv_exact(in);
    EXPECT_EQ(bytes_of(in), eight);

    co_await pair.client.send("<", out, std::string_view(">"));
    const std::string framed = co_await receive(pair.server, 10);
    EXPECT_EQ(framed, "<" + eight + ">");

    co_await pair.client.send_zc(out);
    const std::size_t some = co_await pair.server.recv(in);
    EXPECT_EQ(some, 8U);
    const std::size_t sent = co_await pair.client.send_some(out);
    EXPECT_EQ(sent, 8U);
    const mutable_buffer room(std::data(in), std::size(in));
    co_await pair.server.recv_exact(room);
    EXPECT_EQ(bytes_of(in), eight);

    co_await write_frame(pair.client, out);
    auto frame = co_await read_frame(pair.server, 8);
    EXPECT_EQ(frame, eight);
}

template <class T>
task<> exchange_containers(stream_pair& pair) {
    T out = holding<T>(eight);
    T in = holding<T>("........");
    co_await exchange(pair, out, in);
}

template <class Byte>
struct raw_bytes {
    Byte bytes[8];
    raw_bytes() = default;
};
template <class Byte>
task<> exchange_arrays(stream_pair& pair) {
    raw_bytes<Byte> out;
    raw_bytes<Byte> in;
    std::memcpy(out.bytes, eight.data(), 8);
    co_await exchange(pair, out.bytes, in.bytes);
}

template <class Byte>
task<> exchange_all(stream_pair& pair) {
    co_await exchange_arrays<Byte>(pair);
    co_await exchange_containers<std::array<Byte, 8>>(pair);
    co_await exchange_containers<std::vector<Byte>>(pair);
    std::array<Byte, 8> out = holding<std::array<Byte, 8>>(eight);
    std::array<Byte, 8> in{};
    std::span<Byte> out_view(out);
    std::span<Byte> in_view(in);
    co_await exchange(pair, out_view, in_view);
}

TEST_P(buffer_types, every_kind_of_byte_travels_both_ways_over_a_stream) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        co_await exchange_all<char>(pair);
        co_await exchange_all<unsigned char>(pair);
        co_await exchange_all<signed char>(pair);
        co_await exchange_all<char8_t>(pair);
        co_await exchange_all<std::byte>(pair);
        co_await exchange_containers<std::string>(pair);
        co_await exchange_containers<std::u8string>(pair);
    });
}

TEST_P(buffer_types, every_kind_of_byte_travels_both_ways_in_datagrams) {
    run([&]() -> task<> {
        auto one = co_await udp_socket::bind("127.0.0.1:0");
        auto other = co_await udp_socket::bind("127.0.0.1:0");
        const endpoint to = other.local_endpoint();
        co_await one.connect(to);
        const auto both_ways = [&](auto& out, auto& in) -> task<> {
            co_await one.sendto(out, to);
            auto got = co_await other.recvfrom(in);
            EXPECT_EQ(got.size, 8U);
            EXPECT_EQ(bytes_of(in), eight);
            co_await one.send(out);
            const mutable_buffer room(std::data(in), std::size(in));
            auto again = co_await other.recvfrom(room);
            EXPECT_EQ(again.size, 8U);
        };
        std::vector<std::uint8_t> out(eight.begin(), eight.end());
        std::vector<std::uint8_t> in(8);
        co_await both_ways(out, in);
        raw_bytes<char> raw_out;
        raw_bytes<char> raw_in;
        std::memcpy(raw_out.bytes, eight.data(), 8);
        co_await both_ways(raw_out.bytes, raw_in.bytes);
    });
}

TEST_P(buffer_types, a_temporary_lives_until_its_bytes_were_sent) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const auto reply = [](char what) { return std::string(100'000, what); };
        const auto take = [&]() -> task<> {
            const std::string all = co_await receive(pair.server, 200'000);
            EXPECT_EQ(all, std::string(100'000, 'a') + std::string(100'000, 'b'));
        };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(take);
            co_await pair.client.send(reply('a'));
            co_await pair.client.send(reply('b'));
        });
    });
}

// --- lists --------------------------------------------------------------------------------------

TEST_P(buffer_types, a_list_is_sent_in_order_however_long_it_is) {
    run([&]() -> task<> {
        const std::string all = pattern(100'000);
        const std::string_view bytes = all;
        for (const std::size_t count : {0UL, 1UL, 63UL, 64UL, 65UL, 128UL, 1024UL, 5000UL}) {
            std::vector<const_buffer> parts;
            std::size_t size = 0;
            for (std::size_t i = 0; i < count; ++i) {
                const std::size_t length = i % 5 == 0 ? 0 : i % 23;
                parts.push_back(bytes.substr(size, length));
                size += length;
            }
            auto pair = co_await connected_pair();
            std::string received;
            const auto take = [&]() -> task<> { received = co_await receive_all(pair.server); };
            co_await with_task_group([&](task_group& group) -> task<> {
                group.spawn(take);
                co_await pair.client.send(parts);
                co_await pair.client.shutdown_send();
            });
            EXPECT_EQ(received, bytes.substr(0, size)) << count << " buffers";
        }
    });
}

TEST_P(buffer_types, a_list_larger_than_the_socket_holds_arrives_whole) {
    run([&]() -> task<> {
        listen_options small;
        small.send_buffer = 1;
        auto pair = co_await connected_pair("127.0.0.1:0", small);
        const std::string all = pattern(3'000'000);
        const std::string_view bytes = all;
        std::vector<const_buffer> parts;
        for (std::size_t at = 0; at < bytes.size(); at += 30'000) {
            parts.push_back(bytes.substr(at, 30'000));
        }
        std::string received;
        const auto take = [&]() -> task<> { received = co_await receive_all(pair.server); };
        co_await with_task_group([&](task_group& group) -> task<> {
            group.spawn(take);
            co_await pair.client.send(parts);
            co_await pair.client.shutdown_send();
        });
        EXPECT_TRUE(received == bytes);
    });
}

TEST_P(buffer_types, an_error_of_a_list_names_the_call_and_the_peer) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::string peer = pair.client.peer_endpoint().to_string();
        co_await pair.client.shutdown_send();
        const std::vector<const_buffer> parts(100, const_buffer("x"));
        const std::string text = co_await failure_of(pair.client.send(parts));
        EXPECT_EQ(text, "send " + peer + ": Broken pipe (EPIPE)");
    });
}

TEST_P(buffer_types, a_delimiter_is_found_as_it_is_written_zeros_included) {
    run([&]() -> task<> {
        auto pair = co_await connected_pair();
        const std::string sent("one\0two\0\0", 9);
        co_await pair.client.send(sent);
        buffered_reader reader(pair.server);
        auto first = co_await reader.read_until("\0", 10);
        EXPECT_EQ(first, "one");
        const std::array<std::uint8_t, 2> two_zeros{};
        auto second = co_await reader.read_until(two_zeros, 10);
        EXPECT_EQ(second, "two");
    });
}

}  // namespace
}  // namespace anel::test

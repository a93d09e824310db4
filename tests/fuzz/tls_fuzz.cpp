// tls_fuzz.cpp: recorded handshakes, changed anywhere, for an engine of either side; and records
// that no sane peer sends, enciphered as they must be, for one that is ready.
//
// Random numbers are the same in every run, so what was recorded once fits every fresh engine, up
// to the byte that was changed. An input is a byte that names the recording, one for how it
// arrives, and the bytes of the handshake; or of TLS 1.3's messages, which are enciphered then; or
// steps of what follows it.
// SPDX-License-Identifier: MIT
#define OPENSSL_SUPPRESS_DEPRECATED  // RAND_set_rand_method has no successor that is as short

#include "tests/fuzz/tls_sealer.hpp"
#include "tests/tls/certificates.hpp"

#include <anel/detail/tls_engine.hpp>

#include "net/tls/openssl.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/rand.h>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max);

namespace anel::test {
namespace {
using namespace detail;

// --- chance that repeats itself -----------------------------------------------------------------

std::uint64_t& random_state() {
    static std::uint64_t state = 1;
    return state;
}

std::uint64_t next_random(std::uint64_t& state) {  // splitmix64
    std::uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

int give_random(unsigned char* into, int size) {
    for (int i = 0; i < size; ++i)
        into[i] = static_cast<unsigned char>(next_random(random_state()));
    return 1;
}

int is_seeded() { return 1; }

void be_deterministic() {
    static const RAND_METHOD method{nullptr, give_random, nullptr, nullptr, give_random, is_seeded};
    require(::RAND_set_rand_method(&method) == 1);
}

/// Makes a call with random numbers of its own: two ends take turns.
template <class Call>
auto with_random(std::uint64_t& mine, Call call) {
    struct turn {
        std::uint64_t& state;
        explicit turn(std::uint64_t& of) : state(of) { std::swap(state, random_state()); }
        turn(const turn&) = delete;
        turn& operator=(const turn&) = delete;
        ~turn() { std::swap(state, random_state()); }
    } const here(mine);
    return call();
}

// --- what is recorded ---------------------------------------------------------------------------

struct recording {
    tls_context tested;
    std::string host;        // empty for a server
    std::string peer_bytes;  // all that the other end says in a handshake
    std::string shown;       // whose certificate alone it can have shown; empty: none
    tls_sealer sealer;       // what the other end goes on with
    std::string messages;    // of TLS 1.3: what it says enciphered in the handshake
    tls_sealer shaking;      // and with what
};

class tested_end {
public:
    explicit tested_end(const recording& as) {
        static std::uint64_t count = 0;
        count += 1;  // of a place of its own a client knows no session
        with_random(random_, [&] { engine.emplace(as.tested, as.host, std::to_string(count)); });
    }
    template <class Call>
    tls_step step(Call call) {
        return with_random(random_, [&] { return call(*engine); });
    }
    std::string take_output() {
        const auto bytes = engine->output.bytes();
        std::string taken(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        engine->output.clear();
        return taken;
    }

    std::optional<tls_engine> engine;

private:
    std::uint64_t random_ = 100;
};

/// The other end while something is recorded: OpenSSL itself.
class recorded_end {
public:
    recorded_end(bool is_server, int version, const test_certificate& shown, SSL_SESSION* session)
        : context_(::SSL_CTX_new(is_server ? ::TLS_server_method() : ::TLS_client_method())) {
        SSL_CTX* context = context_.get();
        require(::SSL_CTX_set_max_proto_version(context, version) == 1);
        ::SSL_CTX_use_certificate_chain_file(context, shown.chain_file.c_str());
        ::SSL_CTX_use_PrivateKey_file(context, shown.key_file.c_str(), SSL_FILETYPE_PEM);
        ::SSL_CTX_set_keylog_callback(context, [](const SSL* of, const char* line) {
            static_cast<recorded_end*>(SSL_get_app_data(of))->secrets_ += std::string(line) + '\n';
        });
        ::SSL_CTX_set_msg_callback(context, &keep_message);
        static const unsigned char protocols[] = {2, 'h', '2'};
        ::SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols);
        ssl_.reset(::SSL_new(context));
        SSL_set_app_data(ssl_.get(), this);
        ::SSL_set_bio(ssl_.get(), ::BIO_new(::BIO_s_mem()), ::BIO_new(::BIO_s_mem()));
        if (is_server) {
            ::SSL_set_accept_state(ssl_.get());
        } else {
            ::SSL_set_connect_state(ssl_.get());
            SSL_set_tlsext_host_name(ssl_.get(), "localhost");
        }
        if (session) ::SSL_set_session(ssl_.get(), session);
    }
    /// What it says to `heard`.
    std::string answer(const std::string& heard) {
        return with_random(random_, [&] {
            char some[100];
            ::BIO_write(::SSL_get_rbio(ssl_.get()), heard.data(), static_cast<int>(heard.size()));
            static_cast<void>(::SSL_read(ssl_.get(), some, sizeof some));
            ::ERR_clear_error();
            char* begin = nullptr;
            const long size = BIO_get_mem_data(::SSL_get_wbio(ssl_.get()), &begin);
            std::string said(begin, static_cast<std::size_t>(size));
            BIO_reset(::SSL_get_wbio(ssl_.get()));
            return said;
        });
    }
    [[nodiscard]] bool is_ready() const { return ::SSL_is_init_finished(ssl_.get()) == 1; }
    /// Only the last thing that is asked of it makes its session one to be resumed.
    [[nodiscard]] ssl_session_ptr session() const {
        ::SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        return ssl_session_ptr(::SSL_get1_session(ssl_.get()));
    }
    [[nodiscard]] tls_sealer sealer() const {
        const bool is_server = ::SSL_is_server(ssl_.get()) == 1;
        if (is_1_3()) {
            return tls_sealer::of_1_3(
                secret(is_server ? "SERVER_TRAFFIC_SECRET_0" : "CLIENT_TRAFFIC_SECRET_0"),
                is_server ? 2 : 0);  // two tickets
        }
        std::string randoms(64, '\0');
        auto* into = reinterpret_cast<unsigned char*>(randoms.data());
        ::SSL_get_server_random(ssl_.get(), into, 32);
        ::SSL_get_client_random(ssl_.get(), into + 32, 32);
        return tls_sealer::of_1_2(secret("CLIENT_RANDOM"), randoms, is_server);
    }

    void tell_messages(recording& of) const {
        if (!is_1_3()) return;
        of.messages = messages_;
        of.shaking = tls_sealer::of_1_3(secret(::SSL_is_server(ssl_.get()) == 1
                                                   ? "SERVER_HANDSHAKE_TRAFFIC_SECRET"
                                                   : "CLIENT_HANDSHAKE_TRAFFIC_SECRET"),
                                        0);
    }

private:
    [[nodiscard]] bool is_1_3() const { return ::SSL_version(ssl_.get()) == TLS1_3_VERSION; }
    static void keep_message(int written, int, int type, const void* bytes, std::size_t size,
                             SSL* of, void*) {
        const auto* text = static_cast<const char*>(bytes);
        if (written == 0 || type != SSL3_RT_HANDSHAKE) return;
        // The first ones are not enciphered, and the tickets come after the handshake.
        if (*text == SSL3_MT_CLIENT_HELLO || *text == SSL3_MT_SERVER_HELLO ||
            *text == SSL3_MT_NEWSESSION_TICKET) {
            return;
        }
        static_cast<recorded_end*>(SSL_get_app_data(of))->messages_.append(text, size);
    }
    // A line is `LABEL RANDOM SECRET`.
    [[nodiscard]] std::string secret(std::string_view label) const {
        const std::size_t line = secrets_.find(label);
        require(line != secrets_.npos);
        const std::size_t at = secrets_.find(' ', line + label.size() + 1) + 1;
        std::string bytes;
        for (std::size_t i = at; secrets_[i] != '\n'; i += 2) {
            bytes += static_cast<char>(std::stoi(secrets_.substr(i, 2), nullptr, 16));
        }
        return bytes;
    }

    ssl_ctx_ptr context_;
    std::unique_ptr<SSL, freed_by<SSL_free>> ssl_;
    std::string secrets_;
    std::string messages_;
    std::uint64_t random_ = 200;
};

/// Lets both ends shake hands. Returns the session of the other one.
ssl_session_ptr record(recording& made, int version, const test_certificate& of_peer,
                       SSL_SESSION* session = nullptr) {
    tested_end tested(made);
    recorded_end peer(!made.host.empty(), version, of_peer, session);
    made.peer_bytes.clear();
    std::string said;
    for (int turn = 0; turn < 5; ++turn) {
        const std::string heard = peer.answer(said);
        made.peer_bytes += heard;
        tested.engine->feed(std::as_bytes(std::span(heard)));
        require(tested.step([](tls_engine& e) { return e.shake({}); }) != tls_step::failed);
        require(tested.engine->keep());
        said = tested.take_output();
    }
    require(peer.is_ready() && tested.engine->is_ready());
    require(tested.engine->is_resumed() == (session != nullptr));
    made.sealer = peer.sealer();
    peer.tell_messages(made);
    if (const auto shown = tested.engine->peer_certificate()) made.shown = shown->subject;
    return peer.session();
}

/// Valid from a day on that all of thirty days have in common: what was found is found again.
certificate_wish dated(certificate_wish wish) {
    constexpr long days = 30L * 24 * 3600;
    wish.valid_from = -(static_cast<long>(std::time(nullptr)) % days);
    wish.valid_until = wish.valid_from + 2 * days;
    return wish;
}

std::vector<recording> make_recordings() {
    be_deterministic();
    static const test_certificate root(dated(for_authority("anel test root")));
    static const test_certificate host(dated(for_names("localhost", "DNS:localhost")), &root);
    static const test_certificate alice(dated(for_names("alice", "")), &root);
    static const test_certificate other(dated(for_names("other", "DNS:other")), &root);
    const auto server = [&](bool asks) {
        tls_server_options options;
        options.alpn = {"h2", "http/1.1"};
        options.more.push_back({other.chain_file, other.key_file, {}});
        if (asks) options.client_roots = root.chain_file;
        tls_context context = tls_context::server(host.chain_file, host.key_file, options);
        const tls_ticket_key key = tls_ticket_key::random();
        context.set_ticket_keys({&key, 1});
        return context;
    };
    tls_client_options options;
    options.roots = root.chain_file;
    options.alpn = {"h2"};
    const tls_context client = tls_context::client(options);
    std::vector<recording> all;
    for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
        for (const bool asks : {false, true}) {
            all.push_back({server(asks), {}, {}, {}, {}, {}, {}});
            record(all.back(), version, alice);
        }
        all.push_back({server(false), {}, {}, {}, {}, {}, {}});
        const ssl_session_ptr session = record(all.back(), version, alice);
        record(all.back(), version, alice, session.get());
        all.push_back({client, "localhost", {}, {}, {}, {}, {}});
        record(all.back(), version, host);
    }
    return all;
}

// --- what must be so ----------------------------------------------------------------------------

// OpenSSL is not instrumented: how an engine ends tells the fuzzer that an input is new.
[[gnu::section("__libfuzzer_extra_counters")]] std::uint8_t endings[4096];

void check_failure(const tls_engine& engine) {
    const std::error_code error = engine.error();
    require(static_cast<bool>(error));
    const std::string said = error.message() + engine.about();
    require(!said.empty());
    for (const char each : said) require((each >= ' ' && each < 127) || each < 0);
    endings[static_cast<std::size_t>(error.value() ^ (engine.is_ready() ? 2048 : 0)) % 4096] = 1;
}

// Whoever gets through is who it must be.
void check_peer(const tls_engine& engine, const recording& as) {
    const auto shown = engine.peer_certificate();
    require((shown ? shown->subject : std::string()) == as.shown);
    if (as.host.empty()) require(engine.alpn() == "h2");  // the recorded server chooses none
}

/// Returns false when the engine has failed, or has been told the end.
bool hear(tested_end& end, std::string_view all) {
    tls_engine& engine = *end.engine;
    // In memory of its own: whatever is read beyond it is found.
    std::vector<char> heard(all.begin(), all.end());
    engine.feed(std::as_bytes(std::span(heard)));
    tls_step step = tls_step::done;
    if (!engine.is_ready()) step = end.step([](tls_engine& e) { return e.shake({}); });
    std::array<std::byte, 4096> text;
    for (std::size_t count = 1; engine.is_ready() && count > 0;) {
        step = end.step([&](tls_engine& e) { return e.read(text, count); });
    }
    require(engine.keep());
    require(engine.output.size() <= 8192 + 4 * all.size());
    engine.output.clear();
    if (step == tls_step::failed) check_failure(engine);
    return step == tls_step::starved;
}

bool hear_in_pieces(tested_end& end, std::string_view all, std::uint8_t pace) {
    std::uint64_t sizes = pace;
    while (!all.empty()) {
        const std::size_t size = pace == 0 ? all.size() : 1 + next_random(sizes) % (pace * 8U);
        if (!hear(end, all.substr(0, size))) return false;
        all.remove_prefix(std::min(size, all.size()));
    }
    return true;
}

// Behind what is not enciphered, in records of any size.
void hear_messages(tested_end& end, const recording& as, std::string_view messages,
                   std::uint8_t pace) {
    std::size_t clear = 0;
    while (as.peer_bytes[clear] != 0x17) {
        clear += 5U + static_cast<std::uint8_t>(as.peer_bytes[clear + 3]) * 256U +
                 static_cast<std::uint8_t>(as.peer_bytes[clear + 4]);
    }
    require(hear(end, as.peer_bytes.substr(0, clear)));
    tls_sealer sealer = as.shaking;
    std::uint64_t sizes = pace;
    while (!messages.empty()) {
        const std::size_t size = pace == 0 ? messages.size() : 1 + next_random(sizes) % 1000;
        const std::string record = sealer.seal(22, std::string(messages.substr(0, size)));
        if (!hear(end, record)) return;
        messages.remove_prefix(std::min(size, messages.size()));
    }
}

// Records of any type, true ones and others, and what the tested end does by itself meanwhile.
void follow(tested_end& end, tls_sealer sealer, std::string_view script) {
    const auto next = [&](std::size_t size) {
        const std::string_view taken = script.substr(0, size);
        script.remove_prefix(taken.size());
        return std::string(taken);
    };
    while (script.size() >= 2) {
        const auto what = static_cast<std::uint8_t>(next(1)[0]);
        const auto size = static_cast<std::uint8_t>(next(1)[0]);
        std::string bytes = next(size);
        if (what >= 0x80) bytes.resize(bytes.size() * 64);  // zeros behind it: up to a whole record
        tls_step step = tls_step::done;
        switch (what & 7) {
            case 4:
                if (!hear(end, bytes)) return;
                break;
            case 5:
                step = end.step(
                    [&](tls_engine& e) { return e.write(std::as_bytes(std::span(bytes))); });
                break;
            case 6: step = end.step([](tls_engine& e) { return e.update_keys(); }); break;
            case 7: step = end.step([](tls_engine& e) { return e.say_end(); }); break;
            default: {  // alert, handshake, data, or the change of ciphers of old
                const auto type = static_cast<std::uint8_t>(20 + (what & 3));
                if (!hear(end, sealer.seal(type, std::move(bytes)))) return;
                break;
            }
        }
        end.engine->output.clear();
        if (step == tls_step::failed && end.engine->error()) return check_failure(*end.engine);
    }
}

/// An end that has said what it says first.
void begin(tested_end& end, const recording& as) {
    if (as.host.empty()) return;
    require(end.step([](tls_engine& e) { return e.shake({}); }) == tls_step::starved);
}

const std::vector<recording>& recordings() {
    static const std::vector<recording> checked = [] {
        std::vector<recording> made = make_recordings();
        for (const recording& each : made) {
            if (each.messages.empty()) continue;
            tested_end end(each);
            begin(end, each);
            hear_messages(end, each, each.messages, 0);
            require(end.engine->is_ready());  // else nothing but refusals would be tried
        }
        return made;
    }();
    return checked;
}

void try_input(std::string_view input) {
    if (input.size() < 2) return;
    const auto which = static_cast<std::uint8_t>(input[0]);
    const auto pace = static_cast<std::uint8_t>(input[1]);
    const recording& as = recordings()[(which & 0x3fU) % recordings().size()];
    tested_end end(as);
    begin(end, as);
    input.remove_prefix(2);
    if (which < 0x80) {
        if (which >= 0x40 && !as.messages.empty()) hear_messages(end, as, input, pace);
        else hear_in_pieces(end, input, pace);
        if (end.engine->is_ready()) check_peer(*end.engine, as);
        return;
    }
    require(hear_in_pieces(end, as.peer_bytes, pace));
    require(end.engine->is_ready());
    check_peer(*end.engine, as);
    follow(end, as.sealer, input);
}

// --- where it begins ----------------------------------------------------------------------------

/// A recording as it is, or steps that go well.
std::string good_input(std::uint64_t chance) {
    const std::size_t which = chance % recordings().size();
    std::string made(1, static_cast<char>(which));
    made += static_cast<char>(chance >> 8 & 3);
    const recording& as = recordings()[which];
    if ((chance >> 16) % 3 == 0) return made + as.peer_bytes;
    if ((chance >> 16) % 3 == 1 && !as.messages.empty()) {
        made[0] = static_cast<char>(which | 0x40);
        return made + as.messages;
    }
    made[0] = static_cast<char>(which | 0x80);
    static const std::string_view steps[] = {{"\x03\x05hello", 7},
                                             {"\x02\x05\x18\0\0\1\1", 7},
                                             {"\x02\x05\x18\0\0\1\0", 7},
                                             {"\x02\x04\0\0\0\0", 6},
                                             {"\x01\x02\1\0", 4},
                                             {"\x01\x02\1\x64", 4},
                                             {"\x05\x05world", 7},
                                             {"\x06\0", 2},
                                             {"\x07\0", 2},
                                             {"\x04\x05\x17\3\3\0\1", 7},
                                             {"\x83\xff"
                                              "much",
                                              6},
                                             {"\x02\x09\x04\0\0\5\0\0\0\0\0", 11}};
    for (std::uint64_t left = chance >> 24 & 7; left > 0; --left) {
        made += steps[next_random(chance) % std::size(steps)];
    }
    return made;
}

}  // namespace
}  // namespace anel::test

// The fuzzer's runtime calls these names.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 0) anel::test::try_input({reinterpret_cast<const char*>(data), size});
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max, unsigned int seed) {
    std::uint64_t chance = seed;
    anel::test::next_random(chance);
    // Otherwise what was new by itself is all that it would go on from.
    if (seed % 2 == 0 || size < 2) {
        const std::string good = anel::test::good_input(anel::test::next_random(chance));
        size = std::min(good.size(), max);
        std::copy_n(good.begin(), size, data);
    }
    const std::size_t times = seed % 64 == 0 ? 0 : 1 + seed / 64 % 3;
    for (std::size_t i = 0; i < times; ++i) size = LLVMFuzzerMutate(data, size, max);
    return size;
}

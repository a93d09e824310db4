// load_tcp.cpp: the load generator for TCP: connections, requests in flight, verification.
//
// A connection is byte counts into two streams: what it sends is the pattern, and what it receives
// must be the pattern with every byte repeated. What is allowed is sent as far as the socket takes
// it; what arrives is compared and never kept. A connection that shows an error is closed and takes
// no further part; the run goes on with the others.
//
// SPDX-License-Identifier: MIT
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "common/text.hpp"
#include "load/connection.hpp"
#include "load/load.hpp"
#include "load/pattern.hpp"
#include "load/peer.hpp"
#include "load/schedule.hpp"
#include "load/tls.hpp"
#include "load/window.hpp"

namespace anel_bench {
namespace {

using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto silence_max = 2s;  // at the end: no byte for so long, and the rest is given up
constexpr auto spin = 50us;       // an open loop that sleeps does not when something is due so soon
constexpr auto slow_tick = 10ms;  // how often slow readers read …
constexpr std::size_t slow_read = 4096;           // … and how much
constexpr std::uint64_t slow_owed = 1024 * 1024;  // bytes of replies they ask for in advance
constexpr std::size_t events_max = 1024;
// Requests that are due and find every connection busy: what is answered in some seconds.
constexpr std::size_t held_max = 1 << 20;
constexpr std::size_t held_max_of_churn = 1 << 17;

class generator {
public:
    explicit generator(const load_options& options)
        : options_(options),
          address_(parse_address(options.server)),
          started_(options.connections * options.pipeline),
          window_(options, result_) {
        if (options.tls) tls_.emplace(options.resume);
    }

    load_result run();
    void connect_all();
    load_result slice(std::chrono::nanoseconds length);

private:
    // Life of a run.
    void begin();
    void turn(clock::time_point until);
    void end();
    // One connection.
    void handle(connection& c, std::uint32_t events);
    void receive(connection& c);
    void receive_some(connection& c);
    [[nodiscard]] bool verify(connection& c, std::size_t size);
    void replies_arrived(connection& c, std::size_t size, clock::time_point now);
    void reply_complete(clock::time_point started, clock::time_point now);
    void start_request(connection& c, clock::time_point when);
    void begin_request(connection& c, clock::time_point when);
    void send_allowed(connection& c);
    void watch(int operation, connection& c, std::uint32_t events);
    void wait_to_send(connection& c, bool on);
    void finish(connection& c);
    void give_up(connection& c, std::uint64_t& counter, const std::string& what);
    void close(connection& c);
    // Those that are not part of the measured load.
    void read_slowly();
    // The open loop.
    void start_what_is_due();
    [[nodiscard]] bool is_open_loop() const { return options_.mode != load_mode::closed; }
    [[nodiscard]] std::size_t held_limit() const {
        return options_.churn ? held_max_of_churn : held_max;
    }

    [[nodiscard]] std::size_t index_of(const connection& c) const {
        return static_cast<std::size_t>(&c - connections_.data());
    }
    [[nodiscard]] bool is_active(const connection& c) const {
        return index_of(c) < options_.connections;
    }
    [[nodiscard]] bool is_slow(const connection& c) const {
        return index_of(c) >= options_.connections + options_.idle;
    }

    const load_options& options_;
    server_address address_;
    pattern pattern_;
    std::optional<tls_client> tls_;
    std::vector<connection> connections_;     // active, then idle, then slow
    std::vector<clock::time_point> started_;  // `pipeline` slots for each active one, in turn
    std::vector<char> buffer_ = std::vector<char>(pattern::piece_max);
    std::array<epoll_event, events_max> events_{};
    unique_fd epoll_{epoll_create1(EPOLL_CLOEXEC)};
    std::size_t open_ = 0;
    bool ending_ = false;   // no request begins any more
    bool pausing_ = false;  // … until the next slice
    clock::time_point last_byte_;
    clock::time_point next_slow_read_ = clock::time_point::max();
    std::optional<schedule> due_;
    std::deque<std::size_t> free_;        // open loop: connections that can take a request
    std::deque<clock::time_point> held_;  // open loop: due, and no connection was free
    load_result result_;
    histogram setup_;  // of the connections that are opened before the load begins
    measured_window window_;
};

load_result generator::run() {
    if (options_.server_pid != 0 && !read_process(options_.server_pid)) {
        throw std::invalid_argument(format("no process %d", options_.server_pid));
    }
    connect_all();
    result_.setup = setup_;
    begin();
    const auto opens = clock::now() + options_.warmup;
    while (open_ > 0 && clock::now() < opens) turn(opens);
    window_.open();
    const auto closes = window_.opened() + options_.window;
    while (open_ > 0 && clock::now() < closes) turn(closes);
    window_.close(due_);
    end();
    return result_;
}

/// Between slices nothing is in flight and every stream stays open.
load_result generator::slice(std::chrono::nanoseconds length) {
    result_ = {};
    result_.setup = std::exchange(setup_, {});
    ending_ = pausing_ = false;
    window_.open();
    begin();
    const auto pauses = window_.opened() + length;
    while (open_ > 0 && clock::now() < pauses) turn(pauses);
    const std::uint64_t unsent = due_ ? due_->left_between(window_.opened(), pauses) : 0;
    ending_ = pausing_ = true;
    next_slow_read_ = clock::time_point::max();
    held_.clear();
    last_byte_ = clock::now();
    const auto active = std::span(connections_).first(options_.connections);
    while (clock::now() < last_byte_ + silence_max &&
           std::any_of(active.begin(), active.end(),
                       [](const connection& c) { return c.fd && c.in_flight > 0; })) {
        turn(last_byte_ + silence_max);
    }
    window_.close({});
    result_.unsent = unsent;
    result_.offered += unsent;
    for (connection& c : active) {
        if (c.fd && c.in_flight > 0) give_up(c, result_.unanswered, "no reply");
    }
    return result_;
}

void generator::connect_all() {
    if (!epoll_) fail("epoll_create1");
    const std::size_t all = options_.connections + options_.idle + options_.slow;
    raise_file_limit(all);
    come_and_go(address_, options_.server);
    connections_.resize(all);
    for (connection& c : connections_) {
        const auto begins = clock::now();
        c.fd = begin_connect(address_);
        const auto name = format("connect %s (connection %zu of %zu)", options_.server.c_str(),
                                 index_of(c) + 1, all);
        finish_connect(c.fd.get(), name);
        if (tls_) {
            c.tls = tls_->begin(c.fd.get());
            c.tls.handshake(c.fd.get(), name);
        }
        setup_.record(clock::now() - begins);
        ++open_;
        if (is_slow(c)) continue;  // read when its time has come
        watch(EPOLL_CTL_ADD, c, EPOLLIN);
    }
}

void generator::begin() {
    const auto now = clock::now();
    if (options_.slow > 0) next_slow_read_ = now;
    if (is_open_loop()) {
        due_.emplace(now, options_.rate, options_.mode == load_mode::poisson);
        free_.clear();
        for (std::size_t n = 0; n < options_.pipeline; ++n) {
            for (std::size_t i = 0; i < options_.connections; ++i) free_.push_back(i);
        }
        return;
    }
    for (std::size_t i = 0; i < options_.connections; ++i) {
        for (std::size_t n = 0; n < options_.pipeline; ++n) start_request(connections_[i], now);
        send_allowed(connections_[i]);
    }
}

/// Handles all that is ready, and waits for it until `until` when there is nothing.
void generator::turn(clock::time_point until) {
    if (due_ && !ending_) start_what_is_due();
    const auto before = clock::now();
    clock::duration left = 0ns;
    if (options_.sleeps || (ending_ && !pausing_)) {
        left = std::min(until, next_slow_read_) - before;
        if (due_ && !ending_) left = std::min(left, due_->due() - before - spin);
        left = std::max<clock::duration>(left, 0ns);
    }
    const timespec timeout{std::chrono::floor<std::chrono::seconds>(left).count(),
                           (left % 1s).count()};
    const int n = epoll_pwait2(epoll_.get(), events_.data(), static_cast<int>(events_.size()),
                               &timeout, nullptr);
    if (n < 0 && errno != EINTR) fail("epoll_wait");
    const bool nothing_due = !due_ || !due_->is_behind(before);
    if (n == 0 && nothing_due && window_.is_open()) result_.spare += clock::now() - before;
    for (int i = 0; i < n; ++i) {
        const epoll_event& event = events_[static_cast<std::size_t>(i)];
        handle(*static_cast<connection*>(event.data.ptr), event.events);
        if (due_ && !ending_) start_what_is_due();
    }
    if (clock::now() >= next_slow_read_) read_slowly();
}

void generator::end() {
    ending_ = true;  // what was due and is held still gets its answer, and its latency
    next_slow_read_ = clock::time_point::max();
    last_byte_ = clock::now();
    for (connection& c : connections_) {
        if (c.over) continue;
        if (is_slow(c) || !c.fd) close(c);
        else if (c.in_flight == 0) finish(c);
    }
    while (open_ > 0 && clock::now() < last_byte_ + silence_max) turn(last_byte_ + silence_max);
    for (connection& c : connections_) {
        if (!c.fd) continue;
        give_up(c, result_.unanswered,
                c.finished ? "the server did not end the stream after the client had"
                           : format("no reply: %zu requests in flight after %lld s of silence",
                                    c.in_flight, static_cast<long long>(silence_max.count())));
    }
}

void generator::handle(connection& c, std::uint32_t events) {
    if (!c.fd) return;  // given up since the wait, by a request that was due
    if ((events & EPOLLOUT) != 0) {
        if (c.connecting) {
            if (const int error = socket_error(c.fd.get())) {
                return give_up(c, result_.broken, std::string("connect: ") + std::strerror(error));
            }
            c.connecting = false;
            if (tls_) c.tls = tls_->begin(c.fd.get());
            if (window_.is_open()) result_.setup.record(clock::now() - c.began);
        }
        send_allowed(c);
    }
    if (c.fd && (events & ~EPOLLOUT) != 0) receive(c);
}

void generator::receive(connection& c) {
    do receive_some(c);
    while (c.fd && c.tls.holds_more());
}

void generator::receive_some(connection& c) {
    const auto into = std::span(buffer_).first(is_slow(c) ? slow_read : buffer_.size());
    const ssize_t n = take(c, into);
    const auto now = clock::now();
    if (n < 0 && errno == EAGAIN) {
        // Of a handshake, whose end lets a send go on.
        if (c.tls && !c.waits_to_send) send_allowed(c);
        return;
    }
    if (n < 0 && errno == EINTR) return;
    if (n < 0) return give_up(c, result_.broken, why(c, "recv"));
    if (n == 0 && c.finished) return close(c);  // the orderly end
    if (n == 0) return give_up(c, result_.broken, "the server closed the connection early");
    if (!verify(c, static_cast<std::size_t>(n))) return;
    last_byte_ = now;
    c.received += static_cast<std::size_t>(n);
    if (!is_active(c)) return;
    replies_arrived(c, static_cast<std::size_t>(n), now);
    if (!c.fd) return;
    if (ending_ && !pausing_ && c.in_flight == 0) return finish(c);
    if (!c.waits_to_send) send_allowed(c);
}

bool generator::verify(connection& c, std::size_t size) {
    const std::uint64_t total = c.received + size;
    if (total > c.sent * options_.times) {
        give_up(c, result_.corrupted,
                format("%llu bytes came back for %llu sent", static_cast<unsigned long long>(total),
                       static_cast<unsigned long long>(c.sent)));
        return false;
    }
    const std::span bytes(buffer_.data(), size);
    if (pattern_.matches(bytes, index_of(c), c.received, options_.times)) return true;
    give_up(c, result_.corrupted,
            format("a wrong byte among the %zu after byte %llu of the stream", size,
                   static_cast<unsigned long long>(c.received)));
    return false;
}

void generator::replies_arrived(connection& c, std::size_t size, clock::time_point now) {
    const std::size_t reply = options_.size * options_.times;
    if (window_.is_open()) result_.reply_bytes += size;
    c.of_reply += size;
    if (c.of_reply < reply) return;
    // The clock is read again, because comparing 64 KiB takes its time too: it belongs to neither
    // the request that has just ended nor the one that starts.
    const auto next_starts = clock::now();
    for (; c.of_reply >= reply; c.of_reply -= reply) {
        const auto started = started_[index_of(c) * options_.pipeline + c.oldest];
        c.oldest = c.oldest + 1 == options_.pipeline ? 0 : c.oldest + 1;
        c.in_flight -= 1;
        reply_complete(started, now);
        if (ending_ && held_.empty()) continue;
        if (options_.churn) {
            if (c.tls) c.tls.end();
            end_connection(std::move(c.fd));
            c = {};
        }
        if (!is_open_loop()) {
            begin_request(c, next_starts);
        } else if (!held_.empty()) {
            const auto due = held_.front();
            held_.pop_front();
            begin_request(c, due);
        } else {
            free_.push_back(index_of(c));
        }
        if (options_.churn) return;  // of the next connection nothing has arrived yet
    }
}

void generator::reply_complete(clock::time_point started, clock::time_point now) {
    ++result_.requests_run;
    if (window_.is_open()) ++result_.requests;
    // An open loop counts what was due in the window, also when its answer comes later: leaving out
    // the late ones would flatter the server.
    const bool counts = is_open_loop() ? window_.contains(started) : window_.is_open();
    if (counts) result_.latency.record(now - started);
}

void generator::start_request(connection& c, clock::time_point when) {
    const std::size_t slot = (c.oldest + c.in_flight) % options_.pipeline;
    started_[index_of(c) * options_.pipeline + slot] = when;
    c.in_flight += 1;
    c.allowed += options_.size;
}

/// The same for one that is not the first: churn gives it a connection of its own.
void generator::begin_request(connection& c, clock::time_point when) {
    if (options_.churn) {
        c.tls = {};
        c.fd.reset();  // one from before the load began
        c.began = clock::now();
        c.fd = begin_connect(address_);
        c.connecting = true;
        c.waits_to_send = true;
        watch(EPOLL_CTL_ADD, c, EPOLLIN | EPOLLOUT);
    }
    start_request(c, when);
}

void generator::start_what_is_due() {
    for (std::size_t n = 0; n < schedule::at_once_max; ++n) {
        const auto due = due_->due();
        if (due > clock::now()) return;
        due_->advance();
        const bool counts = window_.contains(due);
        if (counts) ++result_.offered;
        while (!free_.empty() && connections_[free_.front()].over) free_.pop_front();
        if (free_.empty()) {
            if (held_.size() < held_limit()) held_.push_back(due);
            continue;
        }
        connection& c = connections_[free_.front()];
        free_.pop_front();
        begin_request(c, due);
        if (!c.waits_to_send) send_allowed(c);
        if (counts) result_.slip.record(clock::now() - due);
    }
}

void generator::send_allowed(connection& c) {
    if (c.connecting) return;
    while (c.sent < c.allowed) {
        const auto size = std::min<std::uint64_t>(c.allowed - c.sent, pattern::piece_max);
        const ssize_t n =
            put(c, {pattern_.at(index_of(c), c.sent), static_cast<std::size_t>(size)});
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return wait_to_send(c, !(c.tls && c.tls.waits_for_peer()));
        if (n < 0) return give_up(c, result_.broken, why(c, "send"));
        c.sent += static_cast<std::uint64_t>(n);
    }
    wait_to_send(c, false);
}

void generator::watch(int operation, connection& c, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &c;
    if (epoll_ctl(epoll_.get(), operation, c.fd.get(), &event) != 0) fail("epoll_ctl");
}

void generator::wait_to_send(connection& c, bool on) {
    if (c.waits_to_send == on || is_slow(c)) return;
    c.waits_to_send = on;
    watch(EPOLL_CTL_MOD, c, on ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void generator::read_slowly() {
    next_slow_read_ = clock::now() + slow_tick;
    const auto first = static_cast<std::ptrdiff_t>(options_.connections + options_.idle);
    for (auto at = connections_.begin() + first; at != connections_.end(); ++at) {
        connection& c = *at;
        if (!c.fd) continue;
        while (c.allowed * options_.times < c.received + slow_owed) c.allowed += options_.size;
        send_allowed(c);
        if (c.fd) receive(c);
    }
}

/// Everything sent has been answered: ends our side of the stream and waits for the server's end.
void generator::finish(connection& c) {
    if (c.finished) return;
    c.finished = true;
    if (c.tls) c.tls.end();
    if (shutdown(c.fd.get(), SHUT_WR) != 0 && !c.connecting) {
        give_up(c, result_.broken, std::string("shutdown: ") + std::strerror(errno));
    }
}

void generator::give_up(connection& c, std::uint64_t& counter, const std::string& what) {
    ++counter;
    if (result_.first_error[0] == '\0') {
        const auto text = format("connection %zu: %s", index_of(c) + 1, what.c_str());
        text.copy(result_.first_error.data(), result_.first_error.size() - 1);
    }
    close(c);
}

void generator::close(connection& c) {
    c.tls = {};
    c.fd.reset();
    c.over = true;
    --open_;
}

/// A generator with what it refers to.
struct lasting {
    explicit lasting(const load_options& wanted) : options(wanted) { loads.connect_all(); }

    load_options options;
    generator loads{options};
};

}  // namespace

sliced_load connect_sliced_tcp_load(const load_options& options) {
    return [one = std::make_shared<lasting>(options)](std::chrono::nanoseconds length) {
        return one->loads.slice(length);
    };
}

load_result run_tcp_load(const load_options& options) { return generator(options).run(); }

}  // namespace anel_bench

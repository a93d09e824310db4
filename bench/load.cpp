// load.cpp: a closed-loop load generator for TCP echo servers that checks every byte.
//
// A connection is three byte counts into its stream of pattern bytes: received <= sent <= allowed.
// Every complete reply allows one more request; what is allowed is sent as far as the socket takes
// it; what arrives is compared with the pattern and never kept. A connection that shows an error is
// closed and takes no further part; the run goes on with the others.
//
// SPDX-License-Identifier: MIT
#include "load.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "clocks.hpp"
#include "pattern.hpp"
#include "text.hpp"
#include "unique_fd.hpp"

namespace anel_bench {
namespace {

using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto connect_timeout = 5s;  // for each connection
constexpr auto silence_max = 2s;      // at the end: no byte for so long, and the rest is given up
constexpr std::size_t events_max = 1024;

[[noreturn]] void fail(const std::string& operation, int error = errno) {
    throw std::system_error(error, std::generic_category(), operation);
}

sockaddr_in parse_address(const std::string& text) {
    std::array<char, 16> host{};
    char excess = 0;
    unsigned port = 0;
    sockaddr_in address{};
    if (std::sscanf(text.c_str(), "%15[0-9.]:%5u%c", host.data(), &port, &excess) != 2 ||
        port == 0 || port > 65535 || inet_pton(AF_INET, host.data(), &address.sin_addr) != 1) {
        throw std::invalid_argument("not an IPv4 ADDRESS:PORT: " + text);
    }
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<in_port_t>(port));
    return address;
}

void raise_file_limit(std::size_t connections) {
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) fail("getrlimit RLIMIT_NOFILE");
    const rlim_t needed = connections + 16;  // standard streams, epoll, pipes to the parent
    if (files.rlim_cur >= needed) return;
    if (files.rlim_max < needed) {
        throw std::invalid_argument(
            format("%zu connections need more descriptors than the limit of "
                   "%llu (ulimit -Hn)",
                   connections, static_cast<unsigned long long>(files.rlim_max)));
    }
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) fail("setrlimit RLIMIT_NOFILE");
}

struct connection {
    unique_fd fd;
    std::uint64_t allowed = 0;   // bytes the closed loop lets out
    std::uint64_t sent = 0;      // bytes the socket has taken
    std::uint64_t received = 0;  // bytes that came back and were right
    std::size_t of_reply = 0;    // bytes of the current reply that are here
    std::size_t oldest = 0;      // slot of the start time of the oldest request in flight
    bool waits_to_send = false;  // EPOLLOUT is on
    bool finished = false;       // everything answered, our side of the stream is shut down
};

enum class phase { warmup, window, ending };

class generator {
public:
    generator(const load_options& options, const std::function<void(load_event)>& notify)
        : options_(options), notify_(notify), started_(options.connections * options.pipeline) {}

    load_result run();

private:
    void connect_all();
    unique_fd connect_one(const sockaddr_in& address, std::size_t index) const;
    void turn(clock::time_point until);
    void receive(connection& c);
    [[nodiscard]] bool verify(connection& c, std::size_t size);
    void replies_arrived(connection& c, std::size_t size, clock::time_point now);
    void send_allowed(connection& c);
    void watch(connection& c, bool for_output);
    void open_window();
    void close_window();
    void finish(connection& c);
    void give_up(connection& c, std::uint64_t& counter, const std::string& what);

    [[nodiscard]] std::size_t index_of(const connection& c) const {
        return static_cast<std::size_t>(&c - connections_.data());
    }

    const load_options& options_;
    const std::function<void(load_event)>& notify_;
    pattern pattern_;
    std::vector<connection> connections_;
    std::vector<clock::time_point> started_;  // `pipeline` slots for each connection, used in turn
    std::vector<char> buffer_ = std::vector<char>(pattern::piece_max);
    std::array<epoll_event, events_max> events_{};
    unique_fd epoll_{epoll_create1(EPOLL_CLOEXEC)};
    std::size_t open_ = 0;
    phase phase_ = phase::warmup;
    clock::time_point window_opened_;
    clock::time_point last_byte_;
    load_result result_;
};

load_result generator::run() {
    if (!epoll_) fail("epoll_create1");
    if (options_.server_pid != 0 && !process_cpu(options_.server_pid)) {
        throw std::invalid_argument(format("no process %d", options_.server_pid));
    }
    connect_all();

    const auto opens = clock::now() + options_.warmup;
    for (connection& c : connections_) {
        const auto slots =
            started_.begin() + static_cast<std::ptrdiff_t>(index_of(c) * options_.pipeline);
        std::fill_n(slots, options_.pipeline, clock::now());
        c.allowed = options_.pipeline * options_.size;
        send_allowed(c);
    }
    while (open_ > 0 && clock::now() < opens) turn(opens);

    open_window();
    const auto closes = window_opened_ + options_.window;
    while (open_ > 0 && clock::now() < closes) turn(closes);
    close_window();

    phase_ = phase::ending;
    last_byte_ = clock::now();
    for (connection& c : connections_) {
        if (c.fd && c.received == c.allowed) finish(c);
    }
    while (open_ > 0 && clock::now() < last_byte_ + silence_max) turn(last_byte_ + silence_max);
    for (connection& c : connections_) {
        if (!c.fd) continue;
        const auto owed = static_cast<unsigned long long>(c.allowed - c.received);
        give_up(c, result_.unanswered,
                c.finished ? "the server did not end the stream after the client had"
                           : format("no reply: %llu bytes owed after %lld s of silence", owed,
                                    static_cast<long long>(silence_max.count())));
    }
    return result_;
}

void generator::connect_all() {
    const sockaddr_in address = parse_address(options_.server);
    raise_file_limit(options_.connections);
    connections_.resize(options_.connections);
    for (connection& c : connections_) {
        c.fd = connect_one(address, index_of(c));
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = &c;
        if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, c.fd.get(), &event) != 0) fail("epoll_ctl");
        ++open_;
    }
}

unique_fd generator::connect_one(const sockaddr_in& address, std::size_t index) const {
    const auto name = [&] {
        return format("connect %s (connection %zu of %zu)", options_.server.c_str(), index + 1,
                      options_.connections);
    };
    unique_fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) fail("socket");
    const int one = 1;
    if (setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) fail("TCP_NODELAY");
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (connect(fd.get(), generic, sizeof address) == 0) return fd;
    if (errno != EINPROGRESS) fail(name());
    pollfd waiting{fd.get(), POLLOUT, 0};
    const auto timeout = std::chrono::milliseconds(connect_timeout).count();
    int ready = 0;
    do {
        ready = poll(&waiting, 1, static_cast<int>(timeout));
    } while (ready < 0 && errno == EINTR);
    if (ready < 0) fail("poll");
    if (ready == 0) fail(name(), ETIMEDOUT);
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) fail("SO_ERROR");
    if (error != 0) fail(name(), error);
    return fd;
}

/// Waits until something is ready or `until`, and handles all that is ready.
void generator::turn(clock::time_point until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
    const int n = epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()),
                             static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (n < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < n; ++i) {
        const epoll_event& event = events_[static_cast<std::size_t>(i)];
        connection& c = *static_cast<connection*>(event.data.ptr);
        if ((event.events & EPOLLOUT) != 0) send_allowed(c);
        if (c.fd && (event.events & ~EPOLLOUT) != 0) receive(c);
    }
}

void generator::receive(connection& c) {
    const ssize_t n = recv(c.fd.get(), buffer_.data(), buffer_.size(), 0);
    const auto now = clock::now();
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n < 0) {
        return give_up(c, result_.broken, std::string("recv: ") + std::strerror(errno));
    }
    if (n == 0 && c.finished) {
        c.fd.reset();  // the orderly end
        --open_;
        return;
    }
    if (n == 0) return give_up(c, result_.broken, "the server closed the connection early");
    if (!verify(c, static_cast<std::size_t>(n))) return;
    last_byte_ = now;
    replies_arrived(c, static_cast<std::size_t>(n), now);
    if (phase_ == phase::ending && c.received == c.allowed) return finish(c);
    if (!c.waits_to_send) send_allowed(c);
}

bool generator::verify(connection& c, std::size_t size) {
    const std::uint64_t total = c.received + size;
    if (total > c.sent) {
        give_up(c, result_.corrupted,
                format("%llu bytes came back for %llu sent", static_cast<unsigned long long>(total),
                       static_cast<unsigned long long>(c.sent)));
        return false;
    }
    const char* expected = pattern_.at(index_of(c), c.received);
    if (std::memcmp(buffer_.data(), expected, size) == 0) return true;
    const auto wrong = std::mismatch(expected, expected + size, buffer_.begin());
    const auto offset = c.received + static_cast<std::uint64_t>(wrong.first - expected);
    give_up(c, result_.corrupted,
            format("byte %llu of the stream is 0x%02x, expected 0x%02x",
                   static_cast<unsigned long long>(offset),
                   static_cast<unsigned>(static_cast<unsigned char>(*wrong.second)),
                   static_cast<unsigned>(static_cast<unsigned char>(*wrong.first))));
    return false;
}

void generator::replies_arrived(connection& c, std::size_t size, clock::time_point now) {
    c.received += size;
    c.of_reply += size;
    if (c.of_reply < options_.size) return;
    // The clock is read again, because comparing 64 KiB takes its time too: it belongs to neither
    // the request that has just ended nor the one that starts.
    const auto next_starts = clock::now();
    const std::size_t base = index_of(c) * options_.pipeline;
    for (; c.of_reply >= options_.size; c.of_reply -= options_.size) {
        clock::time_point& started = started_[base + c.oldest];
        if (phase_ == phase::window) {
            ++result_.requests;
            result_.latency.record(now - started);
        }
        ++result_.requests_run;
        started = next_starts;
        c.oldest = c.oldest + 1 == options_.pipeline ? 0 : c.oldest + 1;
        if (phase_ != phase::ending) c.allowed += options_.size;
    }
}

void generator::send_allowed(connection& c) {
    while (c.sent < c.allowed) {
        const auto size = std::min<std::uint64_t>(c.allowed - c.sent, pattern::piece_max);
        const ssize_t n = send(c.fd.get(), pattern_.at(index_of(c), c.sent),
                               static_cast<std::size_t>(size), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return watch(c, true);
        if (n < 0) {
            return give_up(c, result_.broken, std::string("send: ") + std::strerror(errno));
        }
        c.sent += static_cast<std::uint64_t>(n);
    }
    watch(c, false);
}

void generator::watch(connection& c, bool for_output) {
    if (c.waits_to_send == for_output) return;
    c.waits_to_send = for_output;
    epoll_event event{};
    event.events = for_output ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.ptr = &c;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, c.fd.get(), &event) != 0) fail("epoll_ctl");
}

void generator::open_window() {
    notify_(load_event::window_opens);
    phase_ = phase::window;
    const machine_time machine = read_machine_time();
    // Negative now, so that adding the readings at the end leaves the difference.
    result_.machine_busy = -machine.busy;
    result_.machine_stolen = -machine.stolen;
    result_.own_cpu = -process_cpu(0).value_or(0ns);
    if (options_.server_pid != 0) {
        result_.server_cpu = -process_cpu(options_.server_pid).value_or(0ns);
    }
    window_opened_ = clock::now();
}

void generator::close_window() {
    result_.elapsed = clock::now() - window_opened_;
    // A server that has died has no clock any more: then its connections are broken, which counts.
    if (options_.server_pid != 0) {
        const auto server = process_cpu(options_.server_pid);
        result_.server_cpu = server ? result_.server_cpu + *server : 0ns;
    }
    result_.own_cpu += process_cpu(0).value_or(0ns);
    const machine_time machine = read_machine_time();
    result_.machine_busy += machine.busy;
    result_.machine_stolen += machine.stolen;
    notify_(load_event::window_closes);
}

/// Everything sent has been answered: ends our side of the stream and waits for the server's end.
void generator::finish(connection& c) {
    if (c.finished) return;
    c.finished = true;
    if (shutdown(c.fd.get(), SHUT_WR) != 0) {
        give_up(c, result_.broken, std::string("shutdown: ") + std::strerror(errno));
    }
}

void generator::give_up(connection& c, std::uint64_t& counter, const std::string& what) {
    ++counter;
    if (result_.first_error[0] == '\0') {
        const auto text = format("connection %zu: %s", index_of(c) + 1, what.c_str());
        text.copy(result_.first_error.data(), result_.first_error.size() - 1);
    }
    c.fd.reset();
    --open_;
}

}  // namespace

load_result run_load(const load_options& options, const std::function<void(load_event)>& notify) {
    return generator(options, notify).run();
}

}  // namespace anel_bench

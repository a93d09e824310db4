// load_udp.cpp: the load generator for UDP: sockets with numbered datagrams, and those that vanish.
//
// Each socket keeps `pipeline` datagrams on their way. A datagram is its number and pattern bytes;
// the answer must be the same bytes. One that has not come back after 100 ms is lost: counted, and
// its place taken by the next number, so that a late answer is recognised and ignored.
//
// SPDX-License-Identifier: MIT
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "load.hpp"
#include "pattern.hpp"
#include "peer.hpp"
#include "text.hpp"
#include "window.hpp"

namespace anel_bench {
namespace {

using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto lost_after = 100ms;

struct flight {
    std::uint32_t number = 0;
    clock::time_point started;
};

struct endpoint {
    unique_fd fd;
    std::uint32_t next_number = 0;
    std::vector<flight> flights;
};

class generator {
public:
    generator(const load_options& options, const load_notice& notify)
        : options_(options), window_(options, result_, notify) {}

    load_result run();

private:
    void open_all();
    void turn(clock::time_point until);
    void receive(endpoint& from);
    void launch(endpoint& from, flight& slot, clock::time_point now);
    void replace_lost(clock::time_point now);
    void write_datagram(std::size_t index, std::uint32_t number);
    void give_up(endpoint& which, std::uint64_t& counter, const std::string& what);

    [[nodiscard]] std::size_t index_of(const endpoint& e) const {
        return static_cast<std::size_t>(&e - endpoints_.data());
    }

    const load_options& options_;
    pattern pattern_;
    std::vector<endpoint> endpoints_;
    std::vector<char> datagram_ = std::vector<char>(options_.size);
    std::vector<char> buffer_ = std::vector<char>(65536);
    unique_fd epoll_{epoll_create1(EPOLL_CLOEXEC)};
    std::size_t open_ = 0;
    bool ending_ = false;
    clock::time_point next_look_;  // for datagrams that are lost
    load_result result_;
    measured_window window_;
};

load_result generator::run() {
    if (options_.size < sizeof(std::uint32_t) || options_.size > 65507) {
        throw std::invalid_argument("a datagram takes 4 to 65507 bytes");
    }
    open_all();
    const auto begins = clock::now();
    for (endpoint& e : endpoints_) {
        for (flight& slot : e.flights) launch(e, slot, begins);
    }
    const auto opens = begins + options_.warmup;
    while (open_ > 0 && clock::now() < opens) turn(opens);
    window_.open();
    const auto closes = window_.opened() + options_.window;
    while (open_ > 0 && clock::now() < closes) turn(closes);
    window_.close();
    ending_ = true;
    const auto gives_up = clock::now() + lost_after;  // what is on its way may still be wrong
    while (open_ > 0 && clock::now() < gives_up) turn(gives_up);
    return result_;
}

void generator::open_all() {
    const sockaddr_in address = parse_address(options_.server);
    raise_file_limit(options_.connections);
    endpoints_.resize(options_.connections);
    for (endpoint& e : endpoints_) {
        e.fd = unique_fd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!e.fd) fail("socket");
        const auto* generic = reinterpret_cast<const sockaddr*>(&address);
        if (connect(e.fd.get(), generic, sizeof address) != 0) fail("connect " + options_.server);
        e.flights.resize(options_.pipeline);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = &e;
        if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, e.fd.get(), &event) != 0) fail("epoll_ctl");
        ++open_;
    }
}

void generator::turn(clock::time_point until) {
    const auto now = clock::now();
    const bool sleeps = options_.sleeps || ending_;
    const auto left = sleeps ? std::min<clock::duration>(until - now, lost_after / 4) : 0ns;
    std::array<epoll_event, 256> events{};
    const int n = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                             static_cast<int>(std::max<std::int64_t>(
                                 std::chrono::ceil<std::chrono::milliseconds>(left).count(), 0)));
    if (n < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < n; ++i) {
        receive(*static_cast<endpoint*>(events[static_cast<std::size_t>(i)].data.ptr));
    }
    const auto after = clock::now();
    if (n == 0 && window_.is_open()) result_.spare += after - now;
    if (after >= next_look_) replace_lost(after);
}

void generator::receive(endpoint& from) {
    const ssize_t n = recv(from.fd.get(), buffer_.data(), buffer_.size(), 0);
    const auto now = clock::now();
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n < 0) return give_up(from, result_.broken, std::string("recv: ") + std::strerror(errno));
    std::uint32_t number = 0;
    const auto size = static_cast<std::size_t>(n);
    if (size == options_.size) std::memcpy(&number, buffer_.data(), sizeof number);
    write_datagram(index_of(from), number);
    if (size != options_.size || std::memcmp(buffer_.data(), datagram_.data(), size) != 0) {
        return give_up(from, result_.corrupted, format("a wrong datagram of %zu bytes", size));
    }
    const auto slot = std::find_if(from.flights.begin(), from.flights.end(),
                                   [&](const flight& f) { return f.number == number; });
    if (slot == from.flights.end()) return;  // late, and counted as lost already
    ++result_.requests_run;
    if (window_.is_open()) {
        ++result_.requests;
        result_.reply_bytes += size;
        result_.latency.record(now - slot->started);
    }
    slot->number = 0;
    if (!ending_) launch(from, *slot, clock::now());
}

void generator::launch(endpoint& from, flight& slot, clock::time_point now) {
    slot = {++from.next_number, now};
    write_datagram(index_of(from), slot.number);
    const ssize_t n = send(from.fd.get(), datagram_.data(), datagram_.size(), 0);
    if (n < 0 && errno != EAGAIN && errno != ENOBUFS) {  // those two: it is lost at once
        give_up(from, result_.broken, std::string("send: ") + std::strerror(errno));
    }
}

void generator::replace_lost(clock::time_point now) {
    next_look_ = now + lost_after / 4;
    for (endpoint& e : endpoints_) {
        if (!e.fd) continue;
        for (flight& slot : e.flights) {
            if (slot.number == 0 || now - slot.started < lost_after) continue;
            if (window_.is_open()) ++result_.lost;
            slot.number = 0;
            if (!ending_) launch(e, slot, now);
            if (!e.fd) break;
        }
    }
}

void generator::write_datagram(std::size_t index, std::uint32_t number) {
    std::memcpy(datagram_.data(), pattern_.at(index, number), datagram_.size());
    std::memcpy(datagram_.data(), &number, sizeof number);
}

void generator::give_up(endpoint& which, std::uint64_t& counter, const std::string& what) {
    ++counter;
    if (result_.first_error[0] == '\0') {
        const auto text = format("socket %zu: %s", index_of(which) + 1, what.c_str());
        text.copy(result_.first_error.data(), result_.first_error.size() - 1);
    }
    which.fd.reset();
    --open_;
}

}  // namespace

load_result run_udp_load(const load_options& options, const load_notice& notify) {
    return generator(options, notify).run();
}

}  // namespace anel_bench

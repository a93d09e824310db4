// load_udp.cpp: the load generator for UDP: sockets with numbered datagrams, and those that vanish.
//
// A datagram is its number and pattern bytes; the answer must be the same bytes. One that has not
// come back after 100 ms is lost: counted, and an answer that comes later is known and ignored.
// Closed loop: each socket keeps `pipeline` datagrams on their way, and the next takes the place of
// one that was answered or lost. Open loop: the sockets take turns with what is due, however many
// are on their way.
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
#include <stdexcept>
#include <system_error>
#include <vector>

#include "common/text.hpp"
#include "load/load.hpp"
#include "load/pattern.hpp"
#include "load/peer.hpp"
#include "load/schedule.hpp"
#include "load/window.hpp"

namespace anel_bench {
namespace {

using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto lost_after = 100ms;
constexpr auto spin = 50us;  // an open loop that sleeps does not when something is due so soon

struct flight {
    clock::time_point started;
    clock::time_point sent;
    bool answered = false;
};

struct endpoint {
    unique_fd fd;
    std::uint32_t first_number = 1;  // of flights.front()
    std::deque<flight> flights;      // from the oldest that has no answer on
};

class generator {
public:
    explicit generator(const load_options& options)
        : options_(options), window_(options, result_) {}

    load_result run();
    void open_all();
    load_result slice(std::chrono::nanoseconds length);

private:
    void begin();
    void wait_for_answers();
    [[nodiscard]] bool awaits_any() const;
    void turn(clock::time_point until);
    void receive(endpoint& from);
    void launch(endpoint& from, clock::time_point started, clock::time_point now);
    void launch_what_is_due();
    void find_lost(clock::time_point now);
    [[nodiscard]] bool is_open_loop() const { return options_.mode != load_mode::closed; }
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
    std::optional<schedule> due_;
    std::size_t next_ = 0;         // open loop: whose turn it is
    clock::time_point next_look_;  // for datagrams that are lost
    load_result result_;
    measured_window window_;
};

load_result generator::run() {
    open_all();
    const auto opens = clock::now() + options_.warmup;
    begin();
    while (open_ > 0 && clock::now() < opens) turn(opens);
    window_.open();
    const auto closes = window_.opened() + options_.window;
    while (open_ > 0 && clock::now() < closes) turn(closes);
    window_.close(due_);
    wait_for_answers();
    return result_;
}

/// Between slices no datagram is on its way.
load_result generator::slice(std::chrono::nanoseconds length) {
    result_ = {};
    ending_ = false;
    window_.open();
    begin();
    const auto pauses = window_.opened() + length;
    while (open_ > 0 && clock::now() < pauses) turn(pauses);
    const std::uint64_t unsent = due_ ? due_->left_between(window_.opened(), pauses) : 0;
    wait_for_answers();
    window_.close({});
    result_.unsent = unsent;
    result_.offered += unsent;
    return result_;
}

void generator::begin() {
    const auto now = clock::now();
    if (is_open_loop()) {
        due_.emplace(now, options_.rate, options_.mode == load_mode::poisson);
        return;
    }
    for (endpoint& e : endpoints_) {
        for (std::size_t n = 0; n < options_.pipeline && e.fd; ++n) launch(e, now, now);
    }
}

/// What is on its way may still be wrong.
void generator::wait_for_answers() {
    ending_ = true;
    const auto gives_up = clock::now() + lost_after;
    while (awaits_any() && clock::now() < gives_up) turn(gives_up);
    find_lost(clock::now());
}

bool generator::awaits_any() const {
    return std::any_of(endpoints_.begin(), endpoints_.end(),
                       [](const endpoint& e) { return e.fd && !e.flights.empty(); });
}

void generator::open_all() {
    if (options_.size < sizeof(std::uint32_t) || options_.size > 65507) {
        throw std::invalid_argument("a datagram takes 4 to 65507 bytes");
    }
    const server_address address = parse_address(options_.server);
    raise_file_limit(options_.connections);
    endpoints_.resize(options_.connections);
    for (endpoint& e : endpoints_) {
        e.fd = unique_fd(socket(address.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!e.fd) fail("socket");
        if (connect(e.fd.get(), address.get(), address.length) != 0) {
            fail("connect " + options_.server);
        }
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = &e;
        if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, e.fd.get(), &event) != 0) fail("epoll_ctl");
        ++open_;
    }
}

void generator::turn(clock::time_point until) {
    if (due_ && !ending_) launch_what_is_due();
    const auto now = clock::now();
    clock::duration left = 0ns;
    if (options_.sleeps || ending_) {
        left = std::min<clock::duration>(until - now, lost_after / 4);
        if (due_ && !ending_) left = std::min(left, due_->due() - now - spin);
        left = std::max<clock::duration>(left, 0ns);
    }
    const timespec timeout{0, left.count()};  // below lost_after
    std::array<epoll_event, 256> events{};
    const int n = epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()),
                               &timeout, nullptr);
    if (n < 0 && errno != EINTR) fail("epoll_wait");
    const bool nothing_due = !due_ || !due_->is_behind(now);
    if (n == 0 && nothing_due && window_.is_open()) result_.spare += clock::now() - now;
    for (int i = 0; i < n; ++i) {
        receive(*static_cast<endpoint*>(events[static_cast<std::size_t>(i)].data.ptr));
        if (due_ && !ending_) launch_what_is_due();
    }
    const auto after = clock::now();
    if (after >= next_look_) find_lost(after);
}

void generator::receive(endpoint& from) {
    if (!from.fd) return;  // given up since the wait: another's turn may send here
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
    const std::uint32_t place = number - from.first_number;  // wraps where it is older than all
    if (place >= from.flights.size()) return;                // late, and counted as lost already
    flight& answered = from.flights[place];
    if (answered.answered) return;  // a datagram may come twice
    answered.answered = true;
    const auto started = answered.started;
    while (!from.flights.empty() && from.flights.front().answered) {
        from.flights.pop_front();
        ++from.first_number;
    }
    ++result_.requests_run;
    if (window_.is_open()) {
        ++result_.requests;
        result_.reply_bytes += size;
    }
    // An open loop counts what was due in the window, also when its answer comes later.
    if (is_open_loop() ? window_.contains(started) : window_.is_open()) {
        result_.latency.record(now - started);
    }
    if (is_open_loop() || ending_) return;
    const auto again = clock::now();
    launch(from, again, again);
}

void generator::launch(endpoint& from, clock::time_point started, clock::time_point now) {
    const auto number = from.first_number + static_cast<std::uint32_t>(from.flights.size());
    from.flights.push_back({started, now});
    write_datagram(index_of(from), number);
    const ssize_t n = send(from.fd.get(), datagram_.data(), datagram_.size(), 0);
    if (n < 0 && errno != EAGAIN && errno != ENOBUFS) {  // those two: it is lost at once
        give_up(from, result_.broken, std::string("send: ") + std::strerror(errno));
    }
}

void generator::launch_what_is_due() {
    for (std::size_t n = 0; n < schedule::at_once_max && open_ > 0; ++n) {
        const auto due = due_->due();
        if (due > clock::now()) return;
        due_->advance();
        const bool counts = window_.contains(due);
        if (counts) ++result_.offered;
        while (!endpoints_[next_].fd) next_ = (next_ + 1) % endpoints_.size();
        launch(endpoints_[next_], due, clock::now());
        next_ = (next_ + 1) % endpoints_.size();
        if (counts) result_.slip.record(clock::now() - due);
    }
}

/// What was sent long ago and has no answer. Numbers are in order of sending, so it is in front.
void generator::find_lost(clock::time_point now) {
    next_look_ = now + lost_after / 4;
    for (endpoint& e : endpoints_) {
        while (e.fd && !e.flights.empty()) {
            const flight oldest = e.flights.front();
            if (!oldest.answered && now - oldest.sent < lost_after) break;
            e.flights.pop_front();
            ++e.first_number;
            if (oldest.answered) continue;
            const bool counts =
                is_open_loop() ? window_.contains(oldest.started) : window_.is_open();
            if (counts) ++result_.lost;
            if (!is_open_loop() && !ending_) launch(e, now, now);
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

/// A generator with what it refers to.
struct lasting {
    explicit lasting(const load_options& wanted) : options(wanted) { loads.open_all(); }

    load_options options;
    generator loads{options};
};

}  // namespace

load_result run_udp_load(const load_options& options) { return generator(options).run(); }

sliced_load connect_sliced_udp_load(const load_options& options) {
    return [one = std::make_shared<lasting>(options)](std::chrono::nanoseconds length) {
        return one->loads.slice(length);
    };
}

}  // namespace anel_bench

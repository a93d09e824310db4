// serve.cpp: the list of sessions, and what to do when accept fails.
// SPDX-License-Identifier: MIT
#include <anel/serve.hpp>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <tuple>

namespace anel::detail {
namespace {

using namespace std::chrono_literals;
constexpr auto shortest_pause = 10ms;
constexpr auto longest_pause = 1000ms;

bool any_of(std::error_code error, std::initializer_list<std::errc> codes) {
    return std::any_of(codes.begin(), codes.end(), [&](std::errc code) { return error == code; });
}

// What was wrong with one connection, which is gone; Linux passes on errors of the network through
// accept(2). The next connection can be accepted at once.
bool concerns_one_connection(std::error_code error) {
    return any_of(error,
                  {std::errc::connection_aborted, std::errc::connection_reset,
                   std::errc::protocol_error, std::errc::network_down,
                   std::errc::network_unreachable, std::errc::host_unreachable,
                   std::errc::no_protocol_option, std::errc::timed_out, std::errc::interrupted});
}

// The listener itself is unusable.
bool is_fatal(std::error_code error) {
    return any_of(error, {std::errc::bad_file_descriptor, std::errc::invalid_argument,
                          std::errc::not_a_socket, std::errc::operation_not_supported,
                          std::errc::bad_address, std::errc::operation_canceled});
}

}  // namespace

session_place::session_place(open_sessions& list) noexcept : list_(&list) { list.count_ += 1; }

session_place::~session_place() {
    if (!list_) return;
    list_->count_ -= 1;
    list_->ended_.set();
    if (list_->count_ == 0) list_->none_left_.set();
}

// Looks at a session come four to the shorter timeout.
open_sessions::open_sessions(const serve_options& options) noexcept : options_(options) {
    for (const auto timeout : {options.idle_timeout, options.request_timeout}) {
        if (timeout <= duration::zero()) continue;
        const duration period = std::max<duration>(timeout / 4, 1ms);
        look_period_ = look_period_ > duration::zero() ? std::min(look_period_, period) : period;
    }
}

session_record::session_record(open_sessions& list, tcp_stream& connection,
                               cancel_scope& scope) noexcept
    : timer(&session_record::on_look),
      list_(list),
      scope_(scope),
      socket_(connection),
      next_(list.first_),
      seen_(connection.activity()) {
    if (next_) next_->previous_ = this;
    list.first_ = this;
    if (list.draining_) connection.shutdown_receive();  // accepted before, begun after
    look_later();
}

session_record::~session_record() {
    scope_.owner().cancel(static_cast<timer&>(*this));
    (previous_ ? previous_->next_ : list_.first_) = next_;
    if (next_) next_->previous_ = previous_;
}

void session_record::look_later() noexcept {
    if (list_.look_period_ > duration::zero()) {
        scope_.owner().start(static_cast<timer&>(*this), list_.look_period_);
    }
}

void session_record::on_look(timer& item) noexcept {
    auto& self = static_cast<session_record&>(item);
    const socket* connection = self.socket_.watched();
    if (!connection) return;  // closed: what the session still does is its own affair
    const serve_options& options = self.list_.options_;
    const socket_activity now = connection->activity();
    const bool unanswered = now.exchanges % 2 == 1 && now.exchanges == self.seen_.exchanges;
    self.idle_looks_ = now == self.seen_ ? self.idle_looks_ + 1 : 0;
    self.request_looks_ = unanswered ? self.request_looks_ + 1 : 0;
    self.seen_ = now;
    const auto reached = [&](std::uint32_t looks, duration timeout) {
        return timeout > duration::zero() && looks * self.list_.look_period_ >= timeout;
    };
    if (reached(self.idle_looks_, options.idle_timeout)) self.overdue_ = "idle timeout of";
    if (reached(self.request_looks_, options.request_timeout)) self.overdue_ = "request timeout of";
    if (self.overdue_) self.scope_.cancel();
    else self.look_later();
}

task<tcp_stream> open_sessions::next(tcp_listener& listener) {
    for (;;) {
        if (count_ >= options_.connections_max) {
            ended_.reset();
            co_await ended_.wait();
            continue;
        }
        auto accepted = co_await as_result(listener.accept());
        if (accepted) {
            pause_ = 0ms;
            co_return std::move(*accepted);
        }
        const std::error_code error = accepted.error();
        if (is_fatal(error)) throw io_error(error, "accept", listener.local_endpoint().to_string());
        if (concerns_one_connection(error)) continue;
        // No descriptors, no memory, or a filter that says no. Trying again at once would spin: the
        // connection is still there. A session that ends may free what is missing.
        if (pause_ == 0ms && options_.accept_failed) options_.accept_failed(error);
        pause_ = std::clamp<std::chrono::nanoseconds>(2 * pause_, shortest_pause, longest_pause);
        ended_.reset();
        std::ignore = co_await as_result(with_timeout(pause_, ended_.wait()));
    }
}

void open_sessions::end_input() noexcept {
    draining_ = true;
    for (session_record* at = first_; at; at = at->next_) {
        if (socket* connection = at->socket_.watched()) connection->shutdown_receive();
    }
}

event::wait_type open_sessions::all_ended() noexcept {
    if (count_ == 0) none_left_.set();
    else none_left_.reset();
    return none_left_.wait();
}

void open_sessions::failed(const packed_endpoint& packed, const char* overdue) const noexcept {
    if (!options_.session_failed) return;
    const endpoint peer = unpack(packed);
    std::exception_ptr error = std::current_exception();
    if (overdue) {
        try {
            throw_errno(ETIMEDOUT, overdue, peer.to_string());
        } catch (...) {
            error = std::current_exception();  // or std::bad_alloc: the hook is told in any case
        }
    }
    options_.session_failed(peer, std::move(error));
}

}  // namespace anel::detail

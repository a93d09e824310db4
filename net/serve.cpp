// serve.cpp: the list of sessions, and what to do when accept fails.
// SPDX-License-Identifier: MIT
#include <anel/serve.hpp>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <string>
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

/// The errno that an error has; 0: it has none.
int errno_in(const std::exception_ptr& error) noexcept {
    try {
        std::rethrow_exception(error);
    } catch (const std::system_error& known) {
        const bool has = known.code().category() == std::system_category() ||
                         known.code().category() == std::generic_category();
        return has ? known.code().value() : 0;
    } catch (...) {
        return 0;
    }
}

}  // namespace

// Looks at a session come four to the shorter timeout.
open_sessions::open_sessions(const serve_options& options, loop& owner) noexcept
    : timer(&open_sessions::on_look), options_(options), owner_(owner) {
    for (const auto timeout : {options.idle_timeout, options.request_timeout}) {
        if (timeout <= duration::zero()) continue;
        const duration period = std::max<duration>(timeout / 4, 1ms);
        look_period_ = look_period_ > duration::zero() ? std::min(look_period_, period) : period;
    }
}

session_record::session_record(open_sessions& list, const accepted_connection& connection)
    : list_(&list),
      socket_(connection.socket),
      peer_(connection.peer),
      accepted_(list.owner_.now()) {
    if (!connection.socket && list.look_period_ > duration::zero()) {
        throw_errno(EOPNOTSUPP, "serve with a timeout", "(a stream without a socket)");
    }
    if (list.options_.linger > duration::zero()) socket_.keep_open();
    if (list.look_period_ > duration::zero()) {
        timeouts_ = std::make_unique<session_timeouts>(list.options_, list.look_period_);
    }
    list.count_ += 1;
    list.owner_.sessions().begun += 1;
    next_ = list.first_;
    link();
}

session_record::session_record(session_record&& other) noexcept
    : list_(std::exchange(other.list_, nullptr)),
      previous_(other.previous_),
      next_(other.next_),
      socket_(std::move(other.socket_)),
      timeouts_(std::move(other.timeouts_)),
      peer_(other.peer_),
      input_ended_(other.input_ended_),
      accepted_(other.accepted_) {
    link();
}

// Makes the neighbours point here.
void session_record::link() noexcept {
    (previous_ ? previous_->next_ : list_->first_) = this;
    if (next_) next_->previous_ = this;
}

session_record::~session_record() {
    if (!list_) return;
    (previous_ ? previous_->next_ : list_->first_) = next_;
    if (next_) next_->previous_ = previous_;
    list_->count_ -= 1;
    list_->owner_.sessions().ended += 1;
    list_->ended_.set();
    if (list_->count_ == 0) list_->none_left_.set();
}

tcp_stream session_record::left_open() noexcept {
    const auto [fd, lent] = socket_.take_kept();
    return fd < 0 ? tcp_stream() : tcp_stream(list_->owner_, fd, peer_, lent);
}

std::chrono::nanoseconds session_record::linger() const noexcept { return list_->options_.linger; }

void session_record::failed(std::exception_ptr error) const noexcept {
    const serve_options& options = list_->options_;
    if (list_->owner_.record()) list_->owner_.note_error(error);
    session_counters& counts = list_->owner_.sessions();
    if (!options.session_failed && !list_->owner_.is_measured()) return;
    const char* overdue = timeouts_ ? timeouts_->overdue() : nullptr;
    const bool cancelled = (overdue || list_->cancelled_) && is_cancel(error);
    if (cancelled && !overdue) return;
    counts.fail(cancelled ? ETIMEDOUT : errno_in(error));
    if (!options.session_failed) return;
    const endpoint peer = unpack(peer_);
    if (cancelled) {
        try {
            throw_errno(ETIMEDOUT, overdue, peer.to_string());
        } catch (...) {
            error = std::current_exception();  // or std::bad_alloc: the hook is told in any case
        }
    }
    options.session_failed(peer, std::move(error));
}

session_timeouts::session_timeouts(const serve_options& options, duration period) noexcept
    : timer(&session_timeouts::on_look), options_(options), period_(period) {}

void session_timeouts::begin(session_record& session, cancel_scope& scope) noexcept {
    session_ = &session;
    scope_ = &scope;
    if (const socket_handle* connection = session.connection()) seen_ = connection->activity();
    scope.owner().start(static_cast<timer&>(*this), period_);
}

void session_timeouts::on_look(timer& item) noexcept {
    auto& self = static_cast<session_timeouts&>(item);
    const socket_handle* connection = self.session_->connection();
    if (!connection) return;  // closed: what the session still does is its own affair
    const socket_activity now = connection->activity();
    const bool unanswered = now.exchanges % 2 == 1 && now.exchanges == self.seen_.exchanges;
    self.idle_looks_ = now == self.seen_ ? self.idle_looks_ + 1 : 0;
    self.request_looks_ = unanswered ? self.request_looks_ + 1 : 0;
    self.seen_ = now;
    const auto reached = [&](std::uint32_t looks, duration timeout) {
        return timeout > duration::zero() && looks * self.period_ >= timeout;
    };
    if (reached(self.idle_looks_, self.options_.idle_timeout)) {
        self.overdue_ = "idle timeout of";
    }
    if (reached(self.request_looks_, self.options_.request_timeout)) {
        self.overdue_ = "request timeout of";
    }
    if (self.overdue_) self.scope_->cancel();
    else self.scope_->owner().start(item, self.period_);
}

template task<bool> open_sessions::next(tcp_listener& listener,
                                        std::optional<tcp_stream>& connection);

task<> open_sessions::wait_for_room() {
    while (count_ >= options_.connections_max) {
        ended_.reset();
        co_await ended_.wait();
    }
}

task<> open_sessions::wait_out(std::error_code error, const socket_handle* listener) {
    if (is_fatal(error)) {
        if (listener) throw accept_error(*listener, error);
        throw io_error(error, "accept", {});
    }
    if (concerns_one_connection(error)) co_return;
    // No descriptors, no memory, or a filter that says no. Trying again at once would spin: the
    // connection is still there. A session that ends may free what is missing.
    owner_.sessions().accepts_failed += 1;
    if (pause_ == 0ms && options_.accept_failed) options_.accept_failed(error);
    pause_ = std::clamp<std::chrono::nanoseconds>(2 * pause_, shortest_pause, longest_pause);
    ended_.reset();
    std::ignore = co_await as_result(with_timeout(pause_, ended_.wait()));
}

void open_sessions::begin_drain() noexcept {
    draining_ = true;
    began_ = owner_.now();
    pause_ = 0ms;
    if (options_.draining) options_.draining->set();
    end_inputs();
}

void open_sessions::on_look(timer& item) noexcept {
    static_cast<open_sessions&>(item).end_inputs();
}

// Looks again thirty-two times in the longer grace: a session may have answered meanwhile, and
// connections are still accepted.
void open_sessions::end_inputs() noexcept {
    const time_point now = owner_.now();
    for (session_record* at = first_; at; at = at->next_) {
        socket_handle* connection = at->connection();
        if (!connection || at->input_ended_ || end_of_input(*at) > now) continue;
        connection->shutdown_receive();
        at->input_ended_ = true;
    }
    const duration longest = std::max<duration>(options_.first_request_grace, options_.input_grace);
    owner_.start(static_cast<timer&>(*this), std::clamp<duration>(longest / 32, 10ms, 1s));
}

time_point open_sessions::end_of_input(const session_record& of) const noexcept {
    const time_point due = after(began_, options_.input_grace);
    const bool answered = of.connection()->activity().exchanges >= 2;
    return answered ? due : std::max(due, after(of.accepted_, options_.first_request_grace));
}

event::wait_type open_sessions::all_ended() noexcept {
    if (count_ == 0) none_left_.set();
    else none_left_.reset();
    return none_left_.wait();
}

}  // namespace anel::detail

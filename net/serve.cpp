// serve.cpp: the list of sessions, and what to do when accept fails.
// SPDX-License-Identifier: MIT
#include <anel/serve.hpp>

#include <algorithm>
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

session_record::session_record(open_sessions& list, tcp_stream& connection) noexcept
    : list_(list), socket_(connection), next_(list.first_) {
    if (next_) next_->previous_ = this;
    list.first_ = this;
    if (list.draining_) connection.shutdown_receive();  // accepted before, begun after
}

session_record::~session_record() {
    (previous_ ? previous_->next_ : list_.first_) = next_;
    if (next_) next_->previous_ = previous_;
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

void open_sessions::failed(const endpoint& peer) const noexcept {
    if (options_.session_failed) options_.session_failed(peer, std::current_exception());
}

}  // namespace anel::detail

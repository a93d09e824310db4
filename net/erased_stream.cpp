// erased_stream.cpp: the tables of tcp_stream and of no stream, the waits that call a table, and
// the end of a conversation on any stream.
// SPDX-License-Identifier: MIT
#include <anel/any_stream.hpp>
#include <anel/lingering_close.hpp>

#include <array>
#include <cerrno>
#include <string>
#include <tuple>
#include <utility>

namespace anel {
using namespace detail;

namespace {

// --- an empty any_stream is a closed stream ------------------------------------------------------

constexpr const char* call_names[] = {"recv", "send", "shutdown"};

/// A wait for the call of that name, which fails.
template <class T, std::size_t Name>
class closed_wait {
public:
    bool start(cancel_scope& scope, frame&) noexcept {
        cancelled_ = scope.cancelled();
        return false;
    }
    T finish() const {
        if (cancelled_) throw task_cancelled{};
        throw_errno(EBADF, call_names[Name], {});
    }

private:
    bool cancelled_ = false;
};

struct closed_already {
    static constexpr bool start(cancel_scope&, frame&) noexcept { return false; }
    static constexpr void finish() noexcept {}
};

template <class T, class Wait, class... Buffer>
constexpr erased_operation<T, Buffer...> of_no_stream() noexcept {
    using slot = wait_in_slot<T, Wait>;
    return {[](void* where, void*, Buffer..., cancel_scope& scope, frame& caller) {
                return slot::start(where, scope, caller, [] { return Wait(); });
            },
            &slot::finish, &slot::try_finish};
}

task<> drop_input(stream_ref from, std::size_t bytes_max) {
    std::array<std::byte, 8192> waste;
    for (std::size_t dropped = 0; dropped < bytes_max;) {
        erased_recv received(from, waste);
        const std::size_t count = co_await received;
        if (count == 0) break;
        dropped += count;
    }
}

}  // namespace

const stream_table detail::tcp_table = model_of<tcp_stream>::make();
const stream_table detail::empty_table{
    of_no_stream<std::size_t, closed_wait<std::size_t, 0>, mutable_buffer>(),
    of_no_stream<void, closed_wait<void, 1>, const_buffer>(),
    of_no_stream<void, closed_wait<void, 2>>(),
    of_no_stream<void, closed_already>(),
    [](const void*) { return std::string(); },
    [](const void*) { return endpoint(); },
    [](void*) noexcept -> socket_handle* { return nullptr; },
    [](void*) noexcept {}};
const stream_table detail::holder_table{};

any_stream::any_stream(any_stream&& other) noexcept
    : stream_(std::exchange(other.stream_, nullptr)),
      table_(std::exchange(other.table_, &empty_table)) {}

any_stream& any_stream::operator=(any_stream&& other) noexcept {
    any_stream moved(std::move(other));
    std::swap(stream_, moved.stream_);
    std::swap(table_, moved.table_);
    return *this;
}

bool detail::erased_recv::start(cancel_scope& scope, frame& caller) {
    return on_.table->recv.start(slot_, on_.stream, into_, scope, caller);
}
std::size_t detail::erased_recv::finish() { return on_.table->recv.finish(slot_); }
result<std::size_t> detail::erased_recv::try_finish() { return on_.table->recv.try_finish(slot_); }

bool detail::erased_send::start(cancel_scope& scope, frame& caller) {
    return on_.table->send.start(slot_, on_.stream, from_, scope, caller);
}
void detail::erased_send::finish() { on_.table->send.finish(slot_); }
result<void> detail::erased_send::try_finish() { return on_.table->send.try_finish(slot_); }

bool detail::erased_shutdown::start(cancel_scope& scope, frame& caller) {
    return on_.table->shutdown_send.start(slot_, on_.stream, scope, caller);
}
void detail::erased_shutdown::finish() { on_.table->shutdown_send.finish(slot_); }
result<void> detail::erased_shutdown::try_finish() {
    return on_.table->shutdown_send.try_finish(slot_);
}

bool detail::erased_close::start(cancel_scope& scope, frame& caller) {
    return on_.table->close.start(slot_, on_.stream, scope, caller);
}
void detail::erased_close::finish() { on_.table->close.finish(slot_); }
result<void> detail::erased_close::try_finish() { return on_.table->close.try_finish(slot_); }

task<> detail::linger_on(stream_ref on, std::chrono::nanoseconds time, std::size_t bytes_max) {
    on = resolved(on);
    frame& self = co_await this_frame();
    const time_point deadline = after(self.scope->owner().now(), time);
    // A stream that enciphers waits in its shutdown for a peer that does not read.
    auto told = co_await as_result(with_timeout(deadline, erased_shutdown(on)));
    if (told) std::ignore = co_await as_result(with_timeout(deadline, drop_input(on, bytes_max)));
    erased_close closed(on);
    co_await closed;
}

}  // namespace anel

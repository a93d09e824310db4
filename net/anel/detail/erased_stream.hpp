// erased_stream.hpp: any byte_stream behind one table of functions: what any_stream, the reader and
// the frames are made of, so that they are compiled once.
//
// A wait makes the stream's own awaiter when it starts, in a slot of its own: nothing is allocated.
// Where an awaiter does not fit, a coroutine awaits it, whose frame is recycled like any other.
//
// Knows: byte_stream, tcp_stream. Must not know: who owns the stream.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/byte_stream.hpp>
#include <anel/error.hpp>
#include <anel/task.hpp>
#include <anel/tcp.hpp>
#include <anel/timeout.hpp>

#include <concepts>
#include <cstddef>
#include <new>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

namespace anel {
class any_stream;
}

namespace anel::detail {

/// Bytes for an awaiter in a slot; that of a socket's recv has 72.
inline constexpr std::size_t slot_size = 96;
/// That of a close. A coroutine that closes needs a shield, and that a scope.
inline constexpr std::size_t close_slot_size = 160;

template <class Wait, std::size_t Size>
concept fits_in_slot = sizeof(Wait) <= Size && alignof(Wait) <= alignof(void*);

/// The functions of one operation. `start` makes the awaiter in `slot` and starts it; the others
/// end it, and it is gone. When `start` throws it is gone, too.
template <class T, class... Arguments>
struct erased_operation {
    bool (*start)(void* slot, void* stream, Arguments..., cancel_scope&, frame& caller);
    T (*finish)(void* slot);
    result<T> (*try_finish)(void* slot);
};

/// Of one type of stream.
struct stream_table {
    erased_operation<std::size_t, mutable_buffer> recv;
    erased_operation<void, const_buffer> send;
    erased_operation<void> shutdown_send;
    erased_operation<void> close;
    std::string (*peer_text)(const void* stream);
    endpoint (*peer_endpoint)(const void* stream);
    socket_handle* (*underlying_socket)(void* stream) noexcept;
    void (*destroy)(void* stream) noexcept;
};

/// A stream of any type, somewhere else.
struct stream_ref {
    void* stream;
    const stream_table* table;
};

/// What `Wait` gives, as a `T`.
template <class T, class Wait>
T finish_as(Wait& wait) {
    if constexpr (std::is_void_v<T>) static_cast<void>(wait.finish());
    else return wait.finish();
}

template <class T, class Wait>
struct wait_in_slot {
    static Wait& in(void* slot) noexcept { return *std::launder(static_cast<Wait*>(slot)); }

    /// `make()` returns the awaiter.
    template <class Make>
    static bool start(void* slot, cancel_scope& scope, frame& caller, const Make& make) {
        Wait* made = ::new (slot) Wait(make());
        if constexpr (noexcept(made->start(scope, caller))) {
            return made->start(scope, caller);
        } else {
            try {
                return made->start(scope, caller);
            } catch (...) {
                made->~Wait();
                throw;
            }
        }
    }
    static T finish(void* slot) {
        const ending end{in(slot)};
        return finish_as<T>(end.wait);
    }
    static result<T> try_finish(void* slot) {
        const ending end{in(slot)};
        if constexpr (std::same_as<awaited_t<Wait>, T>) {
            return finish_as_result(end.wait);
        } else {
            try {
                if constexpr (std::is_void_v<T>) return finish_as<T>(end.wait), result<T>();
                else return finish_as<T>(end.wait);
            } catch (const std::system_error& error) {
                return result<T>::failure(error.code());
            }
        }
    }

private:
    struct ending {
        Wait& wait;
        ~ending() { wait.~Wait(); }
    };
};

/// The functions of `S`.
template <byte_stream S>
class model_of {
    static S& of(void* stream) noexcept { return *static_cast<S*>(stream); }
    static const S& of(const void* stream) noexcept { return *static_cast<const S*>(stream); }

    // Where the awaiter does not fit.
    static task<std::size_t> recv_in_frame(S& stream, mutable_buffer into) {
        auto wait = stream.recv(into);
        const std::size_t count = co_await wait;
        co_return count;
    }
    static task<> send_in_frame(S& stream, const_buffer from) {
        auto wait = stream.send(from);
        co_await wait;
    }
    static task<> shutdown_in_frame(S& stream) {
        auto wait = stream.shutdown_send();
        co_await wait;
    }
    static task<> close_in_frame(S& stream) {
        auto wait = stream.close();
        co_await wait;
    }

    template <class T, std::size_t Size, auto Plain, auto InFrame, class... Arguments>
    static constexpr erased_operation<T, Arguments...> operation_of() noexcept {
        using wait =
            std::remove_reference_t<std::invoke_result_t<decltype(Plain), S&, Arguments...>>;
        constexpr bool fits = fits_in_slot<wait, Size>;
        using in_slot =
            std::conditional_t<fits, wait,
                               std::invoke_result_t<decltype(InFrame), S&, Arguments...>>;
        static_assert(fits_in_slot<in_slot, Size>);
        using slot = wait_in_slot<T, in_slot>;
        return {
            [](void* where, void* stream, Arguments... given, cancel_scope& scope, frame& caller) {
                const auto make = [&] {
                    if constexpr (fits) return Plain(of(stream), given...);
                    else return InFrame(of(stream), given...);
                };
                return slot::start(where, scope, caller, make);
            },
            &slot::finish, &slot::try_finish};
    }
    static shield_wait<task<>> shielded_close(S& stream) {
        return shield_wait<task<>>(close_in_frame(stream));
    }
    static endpoint endpoint_of(const void* stream) {
        if constexpr (requires { of(stream).peer_endpoint(); }) return of(stream).peer_endpoint();
        else return endpoint();
    }

    static constexpr auto recv = [](S& on, mutable_buffer into) { return on.recv(into); };
    static constexpr auto send = [](S& on, const_buffer from) { return on.send(from); };
    static constexpr auto shutdown = [](S& on) { return on.shutdown_send(); };
    static constexpr auto close = [](S& on) { return on.close(); };

public:
    static constexpr stream_table make() noexcept {
        return {operation_of<std::size_t, slot_size, recv, &recv_in_frame, mutable_buffer>(),
                operation_of<void, slot_size, send, &send_in_frame, const_buffer>(),
                operation_of<void, slot_size, shutdown, &shutdown_in_frame>(),
                operation_of<void, close_slot_size, close, &shielded_close>(),
                [](const void* stream) { return std::string(of(stream).peer_text()); },
                &endpoint_of,
                [](void* stream) noexcept { return socket_below(of(stream)); },
                [](void* stream) noexcept { delete static_cast<S*>(stream); }};
    }
    static constexpr stream_table table = make();
};

extern const stream_table tcp_table;

/// Of an any_stream that is empty.
extern const stream_table empty_table;

/// Stands for the table of an any_stream, which may hold another stream later: see resolved().
extern const stream_table holder_table;

template <byte_stream S>
const stream_table& table_of() noexcept {
    if constexpr (std::same_as<S, tcp_stream>) return tcp_table;
    else return model_of<S>::table;
}

template <byte_stream S>
stream_ref ref_to(S& stream) noexcept {
    if constexpr (std::same_as<S, any_stream>) return {&stream, &holder_table};
    else return {&stream, &table_of<S>()};
}

/// The waits for these operations. Movable until they start.
class erased_recv {
public:
    erased_recv(stream_ref on, mutable_buffer into) noexcept : on_(on), into_(into) {}
    erased_recv(erased_recv&& other) noexcept : on_(other.on_), into_(other.into_) {}
    bool start(cancel_scope& scope, frame& caller);
    std::size_t finish();
    result<std::size_t> try_finish();

private:
    stream_ref on_;
    mutable_buffer into_;
    alignas(void*) std::byte slot_[slot_size];
};

class erased_send {
public:
    erased_send(stream_ref on, const_buffer from) noexcept : on_(on), from_(from) {}
    erased_send(erased_send&& other) noexcept : on_(other.on_), from_(other.from_) {}
    bool start(cancel_scope& scope, frame& caller);
    void finish();
    result<void> try_finish();

private:
    stream_ref on_;
    const_buffer from_;
    alignas(void*) std::byte slot_[slot_size];
};

class erased_shutdown {
public:
    explicit erased_shutdown(stream_ref on) noexcept : on_(on) {}
    erased_shutdown(erased_shutdown&& other) noexcept : on_(other.on_) {}
    bool start(cancel_scope& scope, frame& caller);
    void finish();
    result<void> try_finish();

private:
    stream_ref on_;
    alignas(void*) std::byte slot_[slot_size];
};

class erased_close {
public:
    explicit erased_close(stream_ref on) noexcept : on_(on) {}
    erased_close(erased_close&& other) noexcept : on_(other.on_) {}
    bool start(cancel_scope& scope, frame& caller);
    void finish();
    result<void> try_finish();

private:
    stream_ref on_;
    alignas(void*) std::byte slot_[close_slot_size];
};

}  // namespace anel::detail

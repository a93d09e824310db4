// io.hpp: the awaitable form of an operation. Between it and each awaiter stand used_operation,
// which adds what it uses, and io.
//
// Submits an operation to the loop when the coroutine suspends and, when it runs again, gives the
// result or throws. A socket's recv, send, accept … derive from it and say what the result means;
// what they use besides memory, a socket or a turn to send, is a part of it (`Use`).
//
// Knows: operations and the loop. Must not know: what an opcode does.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/awaitable.hpp>
#include <anel/detail/loop.hpp>
#include <anel/error.hpp>

#include <array>
#include <cerrno>
#include <string>
#include <type_traits>
#include <utility>

namespace anel::detail {

/// An operation, and what it uses besides memory: a socket, or a turn to send.
template <class Use>
struct used_operation : operation {
    using operation::operation;
    used_operation(operation&& op, Use with) noexcept : operation(std::move(op)), used(with) {}
    [[no_unique_address]] Use used;
};

template <class Use>
void describe_used(const suspension& wait, std::string& text) {
    const auto& op = static_cast<const used_operation<Use>&>(wait);
    op.used.describe_wait(op, text);
}

/// What a task listing says of a wait for such an operation, and how it is cancelled.
template <class Use>
inline constexpr auto wait_kinds = [] {
    std::array<wait_kind, opcode_table.size()> kinds{};
    for (const opcode_row& row : opcode_table) {
        kinds[static_cast<std::size_t>(row.code)] = {row.name, &cancel_operation,
                                                     &describe_used<Use>};
    }
    return kinds;
}();
template <class Use>
constexpr const wait_kind& wait_kind_of(opcode code) noexcept {
    return wait_kinds<Use>[static_cast<std::size_t>(code)];
}

/// Registers the wait with its scope and submits the operation. In a cancelled scope nothing is
/// submitted, and finish() throws. With `refused` < 0 the wait ends at once, with that result.
/// Returns  whether the coroutine must wait.
template <class Use>
bool begin(used_operation<Use>& op, cancel_scope& scope, frame& caller,
           std::int32_t refused = 0) noexcept {
    if (!scope.begin_wait(op, caller, wait_kind_of<Use>(op.code))) {
        op.wait_scope = nullptr;
        return false;
    }
    if (refused == 0) return scope.owner().start(op);
    op.state = op_state::done;
    op.result = refused;
    return false;
}

/// An operation that uses nothing but its memory.
struct nothing_else {
    template <class Op>
    static bool start(Op& op, cancel_scope& scope, frame& caller) noexcept {
        return begin(op, scope, caller);
    }
    static void finish(operation&) noexcept {}
    static void describe_wait(const operation&, std::string&) noexcept {}
};

/// An operation that can be awaited. `Derived` has
///   value()                         makes the awaited value of a result >= 0;
///   io_error describe(std::error_code)  what is thrown: names operation and address. Or a `name`,
///                                       and `Use` describes;
///   void prepare(const frame& caller)   (optional) puts together what the kernel is to see: until
///                                       then the awaiter may be moved;
///   void ended()                        (optional) comes before the result is looked at;
///   std::error_code failure()           (optional) an error in a result >= 0: an early end, say.
/// `Use` has
///   bool start(used_operation<Use>&, cancel_scope&, frame&)   takes what it needs, and begin()s;
///   void finish(used_operation<Use>&)                         gives it back;
///   void describe_wait(const operation&, std::string&)        what a task listing says of it.
template <class Derived, class Use = nothing_else>
class io : public used_operation<Use> {
public:
    io(opcode what, int descriptor, void* where = nullptr, std::size_t bytes = 0) noexcept
        : used_operation<Use>(what, descriptor, where, bytes) {}
    /// The descriptor is that of `on`, once it starts. The kernel only reads what a send names.
    template <class Used>
    io(Used& on, opcode what, const void* where = nullptr, std::size_t bytes = 0,
       std::uint32_t how = 0) noexcept
        : used_operation<Use>(operation(what, -1, const_cast<void*>(where), bytes, how), on) {}

    template <class Forgotten = void>
    explicit operator bool() const {
        static_assert(!std::is_void_v<Forgotten>,
                      "anel: this is a wait, and no value: co_await it");
        return false;
    }

    bool start(cancel_scope& scope, frame& caller) noexcept {
        self().prepare(caller);
        return this->used.start(*this, scope, caller);
    }

    decltype(auto) finish() {
        settle();
        if (const std::error_code error = self().failure()) throw self().describe(error);
        return self().value();
    }

    // Derived is not complete yet where this is declared; the parameter puts the look-up off.
    template <class Complete = Derived>
    auto try_finish() -> anel::result<decltype(std::declval<Complete&>().value())> {
        using value_type = decltype(std::declval<Complete&>().value());
        settle();
        if (const std::error_code error = self().failure()) {
            return anel::result<value_type>::failure(error);
        }
        if constexpr (std::is_void_v<value_type>) {
            return {};
        } else {
            return self().value();
        }
    }

    void prepare(const frame&) noexcept {}
    void ended() noexcept {}
    std::error_code failure() const noexcept { return error_of_result(); }
    io_error describe(std::error_code error) const { return use().describe(Derived::name, error); }

protected:
    [[nodiscard]] const Use& use() const noexcept { return this->used; }
    [[nodiscard]] std::error_code error_of_result() const noexcept {
        const std::int32_t ended_with = this->result;
        return ended_with < 0 ? error_in(ended_with) : std::error_code();
    }

private:
    Derived& self() noexcept { return static_cast<Derived&>(*this); }

    /// Ends the wait. A result that happened stands, also in a scope cancelled meanwhile.
    void settle() {
        self().ended();
        this->used.finish(*this);
        if (!this->wait_scope) throw task_cancelled{};  // refused by begin(): nothing was submitted
        this->wait_scope->end_wait(*this);
        if (this->result == -ECANCELED && this->wait_scope->cancelled()) throw task_cancelled{};
    }
};

}  // namespace anel::detail

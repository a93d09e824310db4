// operation.hpp: what a coroutine waits for, as data.
//
// An operation is one record shaped like a submission entry. It lives in the awaiter, inside the
// frame of the coroutine that waits: no allocation, no virtual function. Nothing here performs
// anything; how far an operation came is counted here.
//
// Knows: nothing but its fields. Must not know: backends, coroutine types, addresses.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/assert.hpp>
#include <anel/detail/opcode.hpp>
#include <anel/detail/operands.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace anel::detail {

class cancel_scope;
struct frame;
struct suspension;

/// A kind of wait: its name in a task listing, and how a wait of this kind is asked to end.
struct wait_kind {
    const char* name;
    /// Asks `wait` to end soon. Resumes nobody: the wait still ends through the ready queue, once.
    void (*cancel)(suspension& wait) noexcept;
    /// Appends what a task listing is to say besides the name. Null: nothing.
    void (*describe)(const suspension& wait, std::string& text) = nullptr;
};

/// A place where a coroutine waits. Base of everything that can be in the ready queue.
struct suspension {
    suspension* next = nullptr;          ///< the one list it is in: ready, or the list it waits in
    frame* waiter = nullptr;             ///< the coroutine to resume
    cancel_scope* wait_scope = nullptr;  ///< the scope that may cancel the wait
    const wait_kind* kind = nullptr;     ///< null: cannot be cancelled
};

/// Intrusive first-in first-out queue of `T`, linked through `suspension::next`. Owns nothing.
template <class T = suspension>
class intrusive_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
    [[nodiscard]] T* front() const noexcept { return static_cast<T*>(head_); }

    void push(T& item) noexcept {
        item.next = nullptr;
        *(head_ ? &tail_->next : &head_) = &item;
        tail_ = &item;
    }

    T* pop() noexcept {
        suspension* first = head_;
        if (first) head_ = first->next;
        return static_cast<T*>(first);
    }

    /// Moves everything in `other` behind what is here.
    void splice(intrusive_queue& other) noexcept {
        if (other.empty()) return;
        *(head_ ? &tail_->next : &head_) = other.head_;
        tail_ = other.tail_;
        other.head_ = nullptr;
    }

    /// Takes `item` out. Returns false when it is not here. Cost: linear.
    bool remove(T& item) noexcept {
        suspension* previous = nullptr;
        for (suspension* at = head_; at; previous = at, at = at->next) {
            if (at != &item) continue;
            (previous ? previous->next : head_) = at->next;
            if (tail_ == at) tail_ = previous;
            return true;
        }
        return false;
    }

private:
    suspension* head_ = nullptr;
    suspension* tail_ = nullptr;  // meaningful only while head_ is set
};

/// A result, below every -errno: the loop that the descriptor belonged to is gone.
inline constexpr std::int32_t loop_has_ended = -0x10003;

enum class op_state : std::uint8_t {
    idle,       ///< not submitted; may be moved
    in_flight,  ///< owned by the backend; must not move, its memory must stay
    done,       ///< result is set; the backend has forgotten it
};

/// Flags of an operation.
namespace op_flag {
/// send, sendmsg, recv, send_file, write_output: go on until all bytes moved. `data` and `size` are
/// advanced, so `size` says at the end what did not move; the result is 0 when all did, or when a
/// recv met the end of stream, or a send_file that of the file.
inline constexpr std::uint32_t whole = 1U << 16;
/// A whole send: the kernel is to read the bytes where they are instead of copying them first. The
/// operation then ends only when it reads them no more: as a rule once the peer's system has
/// acknowledged them. A backend that cannot do it, or finds that it does not pay, copies.
inline constexpr std::uint32_t zero_copy = 1U << 17;
/// Set by a backend: bytes were sent without a copy. With zero_copy still set: all of them.
inline constexpr std::uint32_t not_copied = 1U << 18;
/// send_batch: in calls of one datagram each. A connected socket is told that an earlier one was
/// refused; sendmmsg(2) drops what it is told after the first.
inline constexpr std::uint32_t one_by_one = 1U << 19;
/// recv: its socket has lent memory before, so unread bytes may be held for it. They come first.
inline constexpr std::uint32_t after_lent = 1U << 20;
/// connect: set by a backend once it has begun.
inline constexpr std::uint32_t has_begun = 1U << 21;
/// A control call of a task listing: a record of what programs do leaves it out.
inline constexpr std::uint32_t for_listing = 1U << 22;
/// close: of a session's connection. Nobody minds when it stays open until wait() or settle().
inline constexpr std::uint32_t deferred = 1U << 23;
/// From here on the bits are the backend's own while the operation is in flight.
inline constexpr std::uint32_t first_of_backend = 1U << 24;
}  // namespace op_flag

/// One operation. See backend.hpp for the contract between it and a backend. Its alignment leaves a
/// backend three bits of its address, also where pointers have 4 bytes.
struct alignas(8) operation : suspension {
    opcode code = opcode::recv;
    op_state state : 2 = op_state::idle;
    bool cancel_wanted : 1 = false;  ///< cancel was asked for; at most once per flight
    std::uint8_t owed = 0;     ///< completions the backend still has to see; 0 unless in flight
    std::uint8_t notices = 0;  ///< of these: that memory of a zero-copy send is read no more
    std::int32_t fd = -1;
    std::int32_t result = 0;  ///< >= 0, or -errno
    std::uint32_t flags = 0;
    void* data = nullptr;
    std::size_t size = 0;

    operation() noexcept = default;
    operation(opcode what, int descriptor, void* where = nullptr, std::size_t bytes = 0,
              std::uint32_t how = 0) noexcept
        : code(what), fd(descriptor), flags(how), data(where), size(bytes) {}

    // An awaiter may be handed on until it is submitted; afterwards its address is the kernel's.
    operation(operation&& other) noexcept : operation(static_cast<const operation&>(other)) {
        ANEL_ASSERT(other.state == op_state::idle);
    }
    operation& operator=(operation&&) = delete;
    ~operation() { ANEL_ASSERT(state != op_state::in_flight); }

private:
    operation(const operation&) noexcept = default;
};

using op_queue = intrusive_queue<suspension>;

// --- how far an operation came -------------------------------------------------------------------

/// Most bytes of one call or submission. The kernel moves what it can before it returns: a peer on
/// another processor that reads as fast as we send would keep it there for as long as there are
/// bytes, and every other task waiting.
inline constexpr std::size_t share_bytes = 1U << 20;

/// True for a recv, send or send_file on a stream of no bytes: done at once, or it would wait for
/// data it does not want. Datagrams may well be empty.
constexpr bool moves_nothing(const operation& op) noexcept {
    return op.size == 0 &&
           (op.code == opcode::recv || op.code == opcode::send || op.code == opcode::send_file ||
            op.code == opcode::read_input || op.code == opcode::write_output);
}

/// Drops `moved` bytes from the front of what is still to be moved.
void advance(operation& op, std::size_t moved) noexcept;

/// The first share of a whole sendmsg whose first part is longer than one; else nothing.
io_buffer oversized_part(const operation& op) noexcept;

static_assert(sizeof(operation) <= 64, "one cache line; an echo touches two of them");

}  // namespace anel::detail

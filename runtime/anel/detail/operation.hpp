// operation.hpp: what a coroutine waits for, as data.
//
// An operation is one record shaped like a submission entry. It lives in the awaiter, inside the
// frame of the coroutine that waits: no allocation, no virtual function. What an opcode means is
// written once per backend, in one switch; nothing here performs anything.
//
// Knows: nothing but its fields. Must not know: backends, coroutine types, addresses.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/assert.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace anel::detail {

class cancel_scope;
struct frame;
struct suspension;

/// A kind of wait: its name in a task listing, and how a wait of this kind is asked to end.
struct wait_kind {
    const char* name;
    /// Asks `wait` to end soon. Resumes nobody: the wait still ends through the ready queue, once.
    void (*cancel)(suspension& wait) noexcept;
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

/// What an operation does. The POSIX names mean what POSIX says.
enum class opcode : std::uint8_t {
    // These may take time.
    accept,      ///< fd: listener; data: socket_address* for the peer, or null. Result: descriptor
    connect,     ///< data: socket_address*
    recv,        ///< data, size: the buffer. Result: bytes; 0 at end of stream
    send,        ///< data, size: the bytes
    recvmsg,     ///< data: message*; its address is filled in. Result: bytes
    sendmsg,     ///< data: message*; size: bytes in all its buffers
    recv_chunk,  ///< Result: bytes, at data, which the backend lends; 0 at end: nothing lent
    recv_batch,  ///< data: message_batch*, filled from its beginning. Result: how many
    send_batch,  ///< data: message_batch*. Result: how many of it were sent; the rest failed
    call,        ///< data: helper_call*, run on a helper thread
    resolve,     ///< data: name_lookup*
    send_file,   ///< data: file_part*, advanced; size: bytes of it all. -EAGAIN: not in memory
    read_input,  ///< fd: no socket, but a terminal or a pipe. Result: bytes; 0 at its end
    // Control calls: a backend finishes them inside submit().
    open_socket,    ///< flags: socket_kind. Result: descriptor
    bind,           ///< data: socket_address*
    listen,         ///< size: backlog
    local_address,  ///< data: socket_address*, filled in
    peer_address,   ///< data: socket_address*, filled in
    set_option,     ///< flags: socket_option; size: value
    shutdown,       ///< flags: shutdown_side
    close,
    give_up,        ///< the loop forgets fd, which stays open. Result: 1 when no other can have it
    take_over,      ///< flags: socket_kind; fd is what another loop gave up
    identify_path,  ///< data: socket_path*, whose other members are filled in
    remove_path,    ///< data: socket_path*; removes the file if it is that very one, and a socket
};

/// True for the control calls, which finish inside backend::submit().
constexpr bool finishes_inline(opcode code) noexcept { return code >= opcode::open_socket; }

/// True for what runs on a helper thread instead of in the kernel.
constexpr bool needs_helper(opcode code) noexcept {
    return code == opcode::call || code == opcode::resolve;
}

/// True when the operation moves bytes out or connects; false when it takes something in.
/// At most one operation of each direction may be in flight on a descriptor.
constexpr bool is_outgoing(opcode code) noexcept {
    return code == opcode::connect || code == opcode::send || code == opcode::sendmsg ||
           code == opcode::send_file || code == opcode::send_batch;
}

const char* name_of(opcode code) noexcept;

enum class socket_kind : std::uint32_t { tcp4, tcp6, udp4, udp6, unix_stream };
enum class shutdown_side : std::uint32_t { receive, send, both };
enum class socket_option : std::uint32_t {
    no_delay,
    reuse_address,
    reuse_port,
    v6_only,
    send_buffer,
    receive_buffer,
    linger_reset,  ///< value 1: close() discards and resets instead of finishing politely
};

/// A socket address in the system's own form. Only a backend and net/endpoint.cpp look inside.
struct socket_address {
    alignas(8) std::byte bytes[112];  // sockaddr_un, the longest, is 110 bytes on Linux
    std::uint32_t size = 0;
};

/// The file of a unix socket.
struct socket_path {
    socket_address address;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;   ///< 0: not known
    std::int64_t changed = 0;  ///< its time of change in ns; 0: whenever. Inodes are used again
};

/// One piece of memory; has the layout of the system's iovec, which the backends assert.
struct io_buffer {
    void* data = nullptr;
    std::size_t size = 0;
};

/// What recvmsg and sendmsg work on. Must stay where it is until the operation is done.
struct message {
    socket_address* address = nullptr;  ///< null: a connected socket
    io_buffer* buffers = nullptr;       ///< advanced as bytes move when the operation is `whole`
    std::uint32_t buffer_count = 0;
    bool truncated = false;           ///< recvmsg: the datagram was longer than the buffers
    alignas(8) std::byte native[56];  ///< the backend's msghdr; 56 bytes on 64-bit Linux
};

/// What send_file works on. An attempt never waits for a disk: where the next bytes are not in
/// memory it ends with -EAGAIN, and whoever asked has them read on a helper thread.
struct file_part {
    io_buffer head;        ///< goes first, and counts in the operation's size
    std::int32_t fd = -1;  ///< of the file
    std::uint64_t offset = 0;
    std::uint64_t in_memory_until = 0;  ///< bytes before this offset are known to be
};

/// One datagram of a batch.
struct batch_item {
    io_buffer bytes;                     ///< where it is, and its size
    alignas(8) std::byte address[28]{};  ///< of the sender or receiver, in the system's own form
    std::uint32_t address_size = 0;      ///< 0: none is given, the socket is connected
    std::int32_t error = 0;              ///< 0, or the -errno why it was not sent
    bool truncated = false;              ///< recv_batch: it was longer than the room
};

/// What recv_batch and send_batch work on. Must stay where it is until the operation is done.
struct message_batch {
    static constexpr std::uint32_t capacity = 64;
    static constexpr std::size_t header_bytes = 64;  // Linux: mmsghdr

    std::size_t room = 0;              ///< bytes that each item has at `bytes.data`
    std::uint32_t count = 0;           ///< items that were received, or are to be sent
    std::uint32_t done = 0;            ///< send_batch: the first so many were sent or failed
    std::uint32_t failed = 0;          ///< send_batch: of these
    std::uint32_t spoiled = capacity;  ///< the headers of so many are not ready for a receive
    bool busy = false;                 ///< an operation works on it
    std::int32_t late_error = 0;  ///< recv_batch: met after the last item, and told to nobody yet
    batch_item items[capacity];
    alignas(8) std::byte headers[capacity * header_bytes];  ///< the backend's
};

/// A call for a helper thread: derive from it and set `run`.
struct helper_call {
    void (*run)(helper_call&) noexcept = nullptr;
    /// Asks the call to end soon, on the loop's thread, while it runs. Null: nothing can.
    void (*stop)(helper_call&) noexcept = nullptr;
    bool waits_for_disk = false;  ///< it is the library's, for a file: not behind the program's own
};

/// A name to look up, and its answer. At most `capacity` addresses are kept.
struct name_lookup {
    static constexpr std::uint32_t capacity = 16;
    const char* host = nullptr;     ///< zero-terminated; null: the wildcard or loopback address
    const char* service = nullptr;  ///< zero-terminated; null: port 0
    bool datagram = false;
    bool passive = false;  ///< for bind: no host means every address
    std::uint32_t count = 0;
    std::int32_t name_error = 0;  ///< an EAI_ code; the operation's result is then -EIO
    socket_address addresses[capacity];
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
/// send, sendmsg, recv, send_file: go on until all bytes moved. `data` and `size` are advanced, so
/// `size` says at the end what did not move; the result is 0 when all did, or when a recv met the
/// end of stream, or a send_file that of the file.
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
/// From here on the bits are the backend's own while the operation is in flight.
inline constexpr std::uint32_t first_of_backend = 1U << 20;
}  // namespace op_flag

/// One operation. See backend.hpp for the contract between it and a backend. Its alignment leaves a
/// backend three bits of its address, also where pointers have 4 bytes.
struct alignas(8) operation : suspension {
    opcode code = opcode::recv;
    op_state state = op_state::idle;
    std::uint8_t owed = 0;       ///< completions the backend still has to see; 0 unless in flight
    bool cancel_wanted = false;  ///< cancel was asked for; at most once per flight
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

static_assert(sizeof(operation) <= 64, "one cache line; an echo touches two of them");
static_assert(std::is_trivially_copyable_v<message> && std::is_trivially_copyable_v<name_lookup>);

}  // namespace anel::detail

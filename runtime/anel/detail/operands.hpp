// operands.hpp: what an operation works on, besides a buffer: addresses, messages, files, names.
//
// Each stays where it is until its operation is done.
// Must not know: the system's own types, whose layout some of them have; system/ asserts that.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace anel {
class unique_fd;
}

namespace anel::detail {

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

/// What is known of a datagram besides its bytes and its peer, which travels as control data.
struct datagram_facts {
    alignas(8) std::byte local[28]{};  ///< the address at this end, in the system's own form
    std::uint32_t local_size = 0;      ///< 0: not known; the system chooses
    std::uint32_t interface = 0;       ///< its index; 0: not known
    std::uint32_t segment = 0;  ///< each of several datagrams in one is so long; 0: it is one
    bool incoming = false;      ///< filled by a receive
    bool truncated = false;     ///< received: there was more than fits into `native`
    std::int16_t received_class = not_known;  ///< IPv4's TOS, IPv6's traffic class, 0 to 255
    std::int16_t sent_class = not_known;      ///< the same of what is sent; the socket's otherwise
    std::int64_t received_at = never;         ///< by the system, in ns of CLOCK_REALTIME
    alignas(8) std::byte native[128]{};       ///< the system's control data

    static constexpr std::int16_t not_known = -1;
    static constexpr std::int64_t never = INT64_MIN;

    /// Before a receive, or when it is given to another datagram.
    void clear() noexcept {
        local_size = interface = segment = 0;
        received_class = sent_class = not_known;
        received_at = never;
        truncated = false;
    }
};

/// A group that a socket joins or leaves.
struct group_membership {
    socket_address group;
    const char* interface = nullptr;  ///< its name, zero-terminated; empty: the system chooses
};

/// What recvmsg and sendmsg work on. Must stay where it is until the operation is done.
struct message {
    socket_address* address = nullptr;  ///< null: a connected socket
    datagram_facts* facts = nullptr;    ///< null: no control data
    io_buffer* buffers = nullptr;       ///< advanced as bytes move when the operation is `whole`
    std::uint32_t buffer_count = 0;
    bool truncated = false;           ///< recvmsg: the datagram was longer than the buffers
    alignas(8) std::byte native[56];  ///< the backend's msghdr; 56 bytes on 64-bit Linux
};

/// What recv_passed and send_passed work on: a message over a unix socket, and the descriptors that
/// travel with it.
struct passed_message : message {
    static constexpr std::uint32_t descriptors_max = 253;  // SCM_MAX_FD of Linux
    const int* sent = nullptr;       ///< send_passed: descriptors, which stay their sender's
    unique_fd* received = nullptr;   ///< recv_passed: where they go; null: none are wanted
    std::uint32_t descriptors = 0;   ///< at `sent`; or, once received, at `received`
    std::uint32_t room = 0;          ///< at `received`: further ones are closed
    bool control_truncated = false;  ///< received: there were, or an option's data did not fit
};

/// What send_file works on. An attempt never waits for a disk: where the next bytes are not in
/// memory it ends with -EAGAIN, and whoever asked has them read on a helper thread.
struct file_part {
    io_buffer head;        ///< goes first, and counts in the operation's size
    std::int32_t fd = -1;  ///< of the file
    std::uint64_t offset = 0;
    std::uint64_t in_memory_until = 0;  ///< bytes before this offset are known to be
};

/// What a descriptor is: asked before a loop takes one that it did not make.
struct descriptor_facts {
    enum class file : std::uint8_t { other, socket, regular, directory };
    enum class transfer : std::uint8_t { other, stream, datagram, seqpacket };
    enum class family : std::uint8_t { other, ipv4, ipv6, unix_path };
    file what = file::other;
    transfer by = transfer::other;  ///< this and the following: of a socket
    family addresses = family::other;
    bool listens = false;
    bool connected = false;
    bool joins_datagrams = false;  ///< as socket_option::join_datagrams
    std::uint8_t traffic_class = 0;
    bool can_be_polled = false;  ///< false also for what the simulated network made
};

/// Who connected a unix stream, or listened for it.
struct process_identity {
    std::uint32_t user = 0;
    std::uint32_t group = 0;
    std::int32_t process = 0;  ///< 0: not told
};

/// What a system knows about a TCP connection; what it does not tell is 0.
struct stream_facts {
    std::uint32_t round_trip_us, round_trip_variance_us, round_trip_least_us, retransmit_after_us;
    std::uint32_t last_received_ms, last_sent_ms;
    std::uint32_t segment_size, path_mtu, congestion_window, unacknowledged, lost, retransmitted;
    std::uint32_t unsent;
    std::uint64_t acknowledged, received, delivery_rate;
};

/// One datagram of a batch.
struct batch_item {
    io_buffer bytes;                     ///< where it is, and its size
    datagram_facts* facts = nullptr;     ///< null: the batch has no control data
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

static_assert(std::is_trivially_copyable_v<message> && std::is_trivially_copyable_v<name_lookup>);

}  // namespace anel::detail

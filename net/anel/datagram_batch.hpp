// datagram_batch.hpp: up to 64 datagrams and their memory, to be received or sent at once.
//
// A batch is made once and used again and again: it allocates nothing later. What was received can
// be answered where it lies, because each datagram keeps the address that it came from.
//
// Knows: endpoints and memory. Must not know: sockets, or the system's form of a message.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/buffer.hpp>
#include <anel/detail/operation.hpp>
#include <anel/endpoint.hpp>
#include <anel/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace anel {

namespace detail {
class recv_batch_wait;
class send_batch_wait;
}  // namespace detail

/// The two lowest bits of an IP header's traffic class, with which routers that support it say that
/// they are about to drop packets. Source: RFC 3168.
enum class ecn_codepoint : std::uint8_t {
    not_ect = 0,  ///< the sender does not react to congestion marks: routers drop instead
    ect_1 = 1,    ///< it does, as L4S asks for (RFC 9331)
    ect_0 = 2,    ///< it does
    ce = 3,       ///< a router has met congestion
};

/// A moment on the system's clock, in UTC and nanoseconds: std::chrono::system_clock, which Linux
/// calls CLOCK_REALTIME. It may be set, back too.
using receive_time = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

/// One datagram of a batch: its bytes, whose they are, and what came of sending them. A handle that
/// is copied freely.
/// Lifetime  until its batch receives again, or one before it is erased.
class batched_datagram {
public:
    /// The bytes, which may be changed in place.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept {
        return {static_cast<std::byte*>(item().bytes.data), item().bytes.size};
    }
    /// The bytes as text.
    [[nodiscard]] std::string_view text() const noexcept {
        return {static_cast<const char*>(item().bytes.data), item().bytes.size};
    }
    /// The memory that it has: its bytes, and what they may grow into.
    [[nodiscard]] std::span<std::byte> room() const noexcept {
        return {static_cast<std::byte*>(item().bytes.data), batch_->room};
    }
    /// Makes it `size` bytes long, at most room().size(), which is asserted.
    void resize(std::size_t size) const noexcept {
        ANEL_ASSERT(size <= batch_->room);
        item().bytes.size = size;
    }
    /// Replaces the bytes, also by some of its own. The address stays: it is then the answer.
    /// Errors  EMSGSIZE when they do not fit into its room.
    void assign(const_buffer bytes) const;

    /// Where it came from, or goes to. 0.0.0.0:0 when it goes to the connected peer.
    [[nodiscard]] endpoint peer() const noexcept;
    /// Of a batch with control data: the address of this machine that it came to, or goes from, as
    /// datagram_message::local. What was received is so answered from where it was sent to.
    [[nodiscard]] endpoint local() const noexcept;
    /// Sends it from that address; 0.0.0.0 or [::] leaves the choice to the system. The batch must
    /// have control data, which is asserted.
    void set_local(const endpoint& from) const noexcept;
    /// Of a batch with control data: the interface it came through; 0: not known.
    [[nodiscard]] std::uint32_t interface_index() const noexcept {
        return item().facts ? item().facts->interface : 0;
    }
    /// Of a batch with control data: above 0, it is several datagrams of so many bytes each, the
    /// last one perhaps shorter.
    [[nodiscard]] std::size_t segment_size() const noexcept {
        return item().facts ? item().facts->segment : 0;
    }
    /// Has it cut into datagrams of `size` bytes when it is sent (GSO, Linux 4.18); 0: it is one.
    /// The batch must have control data, which is asserted.
    void set_segment_size(std::uint16_t size) const noexcept;
    /// Of a batch with control data: the codepoint that it was received with; nothing when it is
    /// not known. See udp_options::tell_ecn.
    [[nodiscard]] std::optional<ecn_codepoint> ecn() const noexcept;
    /// Sends it with `ecn`; without, it goes with the codepoint of the socket's traffic class,
    /// whatever it came with. The batch must have control data, which is asserted.
    void set_ecn(std::optional<ecn_codepoint> ecn) const noexcept;
    /// Of a batch with control data: when the system took it; nothing when it is not known. See
    /// udp_options::tell_receive_time.
    [[nodiscard]] std::optional<receive_time> received_at() const noexcept;
    /// Received, and longer than its room: the rest is gone.
    [[nodiscard]] bool truncated() const noexcept { return item().truncated; }
    /// Of a batch with control data: as datagram_message::control_truncated.
    [[nodiscard]] bool control_truncated() const noexcept {
        return item().facts && item().facts->truncated;
    }
    /// Why the last send_batch() did not send it; none when it did.
    [[nodiscard]] std::error_code error() const noexcept { return detail::error_in(item().error); }

private:
    friend class datagram_batch;
    batched_datagram(detail::message_batch& batch, std::size_t index) noexcept
        : batch_(&batch), index_(index) {}
    [[nodiscard]] detail::batch_item& item() const noexcept { return batch_->items[index_]; }
    [[nodiscard]] detail::datagram_facts& facts() const noexcept;

    detail::message_batch* batch_;
    std::size_t index_;
};

/// Datagrams to be received or sent together, in memory of its own. Move-only. One operation at a
/// time works on it, which is asserted.
/// Cost  two allocations when it is made. Each place takes `longest` bytes of address space, and
///       memory for what was in it: with 64 datagrams of 64 bytes 256 KiB, or 8 KiB when `longest`
///       is 64.
class datagram_batch {
public:
    /// Most datagrams in it. Further ones wait in the socket for the next receive.
    static constexpr std::size_t capacity = detail::message_batch::capacity;
    /// Longer than any datagram.
    static constexpr std::size_t longest_possible = 65'535;

    /// Empty, with room for datagrams of at most `longest` bytes: longer ones are cut.
    explicit datagram_batch(std::size_t longest = longest_possible);

    /// The same, with control data: local addresses, interfaces, sizes of segments, ECN and times.
    /// Cost  another allocation, of 14 KiB.
    [[nodiscard]] static datagram_batch with_control(std::size_t longest = longest_possible);

    /// Datagrams in it, at most `capacity`.
    [[nodiscard]] std::size_t size() const noexcept { return batch_->count; }
    /// Whether there is none.
    [[nodiscard]] bool empty() const noexcept { return batch_->count == 0; }
    /// The datagram at `index`, which must be below size(): it is asserted.
    [[nodiscard]] batched_datagram operator[](std::size_t index) const noexcept {
        ANEL_ASSERT(index < size());
        return {*batch_, index};
    }

    /// Takes all datagrams out.
    void clear() noexcept { batch_->count = 0; }
    /// Adds a datagram for `to`.
    /// Returns  false, and adds nothing, when the batch is full.
    /// Errors   EMSGSIZE when `bytes` do not fit into the room of a datagram.
    [[nodiscard]] bool push(const_buffer bytes, const endpoint& to);
    /// Adds a datagram for the peer of a connected socket.
    [[nodiscard]] bool push(const_buffer bytes);
    /// Takes out those for which `unwanted(datagram)` is true; the others keep their order.
    template <class Predicate>
    void erase_if(Predicate unwanted) {
        std::uint32_t kept = 0;
        for (std::uint32_t i = 0; i < batch_->count; ++i) {
            if (unwanted(batched_datagram(*batch_, i))) continue;
            if (kept != i) std::swap(batch_->items[kept], batch_->items[i]);
            kept += 1;
        }
        batch_->count = kept;
    }

    /// Goes through the datagrams: `for (auto datagram : batch)`.
    class iterator {
    public:
        using value_type = batched_datagram;
        using difference_type = std::ptrdiff_t;
        batched_datagram operator*() const noexcept { return {*batch_, index_}; }
        iterator& operator++() noexcept {
            index_ += 1;
            return *this;
        }
        iterator operator++(int) noexcept {
            const iterator before = *this;
            index_ += 1;
            return before;
        }
        bool operator==(const iterator&) const noexcept = default;

    private:
        friend datagram_batch;
        iterator(detail::message_batch& batch, std::size_t index) noexcept
            : batch_(&batch), index_(index) {}
        detail::message_batch* batch_;
        std::size_t index_;
    };
    /// The first datagram.
    [[nodiscard]] iterator begin() const noexcept { return {*batch_, 0}; }
    /// Behind the last one.
    [[nodiscard]] iterator end() const noexcept { return {*batch_, size()}; }

private:
    friend detail::recv_batch_wait;
    friend detail::send_batch_wait;

    detail::batch_item* add(const_buffer bytes);

    std::unique_ptr<std::byte[]> memory_;
    std::unique_ptr<detail::datagram_facts[]> facts_;  // null: no control data
    std::unique_ptr<detail::message_batch> batch_;
};

}  // namespace anel

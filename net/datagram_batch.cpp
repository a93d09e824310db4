// datagram_batch.cpp: the memory of a batch, and putting datagrams into it.
// SPDX-License-Identifier: MIT
#include <anel/datagram_batch.hpp>

#include <anel/error.hpp>

#include "net/address.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace anel {
using namespace detail;
namespace {

// A place begins one cache line further than the one before: memory at multiples of a page shares a
// few sets of the cache.
constexpr std::size_t cache_line = 64;
constexpr std::size_t stride_of(std::size_t longest) noexcept {
    return (longest + cache_line - 1) / cache_line * cache_line + cache_line;
}

void put(const message_batch& batch, batch_item& item, const_buffer bytes) {
    if (bytes.size > batch.room) {
        throw_errno(EMSGSIZE, "datagram_batch", std::to_string(bytes.size) + " bytes");
    }
    if (bytes.size > 0) std::memmove(item.bytes.data, bytes.data, bytes.size);
    item.bytes.size = bytes.size;
}

}  // namespace

datagram_batch::datagram_batch(std::size_t longest) : batch_(std::make_unique<message_batch>()) {
    batch_->room = std::min(longest, longest_possible);
    const std::size_t stride = stride_of(batch_->room);
    memory_ = std::make_unique_for_overwrite<std::byte[]>(capacity * stride);
    for (std::size_t i = 0; i < capacity; ++i) {
        batch_->items[i].bytes.data = memory_.get() + i * stride;
    }
}

datagram_batch datagram_batch::with_control(std::size_t longest) {
    datagram_batch made(longest);
    made.facts_ = std::make_unique<datagram_facts[]>(capacity);
    for (std::size_t i = 0; i < capacity; ++i) made.batch_->items[i].facts = &made.facts_[i];
    return made;
}

batch_item* datagram_batch::add(const_buffer bytes) {
    if (batch_->busy) {
        detail::rule_broken("a datagram is added to a batch that is being sent or received",
                            nullptr);
    }
    if (size() == capacity) return nullptr;
    batch_item& item = batch_->items[batch_->count];
    put(*batch_, item, bytes);
    item.address_size = 0;
    item.error = 0;
    item.truncated = false;
    if (item.facts) item.facts->clear();
    batch_->count += 1;
    batch_->spoiled = std::max(batch_->spoiled, batch_->count);
    return &item;
}

bool datagram_batch::push(const_buffer bytes, const endpoint& to) {
    batch_item* item = add(bytes);
    if (!item) return false;
    const socket_address native = to_socket_address(to);
    // A unix path does not fit; the system refuses what is too short to be an address.
    item->address_size = std::min<std::uint32_t>(native.size, sizeof item->address);
    std::memcpy(item->address, native.bytes, item->address_size);
    return true;
}

bool datagram_batch::push(const_buffer bytes) { return add(bytes) != nullptr; }

void batched_datagram::assign(const_buffer bytes) const { put(*batch_, item(), bytes); }

endpoint batched_datagram::peer() const noexcept {
    return from_socket_address(to_socket_address(item())).value_or(endpoint());
}

endpoint batched_datagram::local() const noexcept {
    return item().facts ? local_of(*item().facts) : endpoint();
}

datagram_facts& batched_datagram::facts() const noexcept {
    if (!item().facts) {
        detail::rule_broken("a batch without control data is given some: make it with "
                            "datagram_batch::with_control()",
                            nullptr);
    }
    return *item().facts;
}

// The header holds the control data: it is made again for what is sent.
void batched_datagram::set_local(const endpoint& from) const noexcept {
    detail::set_local(facts(), from);
}

void batched_datagram::set_segment_size(std::uint16_t size) const noexcept {
    facts().segment = size;
}

std::optional<ecn_codepoint> batched_datagram::ecn() const noexcept {
    return item().facts ? ecn_of(*item().facts) : std::nullopt;
}

void batched_datagram::set_ecn(std::optional<ecn_codepoint> ecn) const noexcept {
    facts().sent_class = ecn ? static_cast<std::int16_t>(*ecn) : datagram_facts::not_known;
}

std::optional<receive_time> batched_datagram::received_at() const noexcept {
    return item().facts ? time_of(*item().facts) : std::nullopt;
}

std::optional<ecn_codepoint> detail::ecn_of(const datagram_facts& facts) noexcept {
    if (facts.received_class == datagram_facts::not_known) return std::nullopt;
    return static_cast<ecn_codepoint>(facts.received_class & 3);
}

std::optional<receive_time> detail::time_of(const datagram_facts& facts) noexcept {
    if (facts.received_at == datagram_facts::never) return std::nullopt;
    return receive_time(std::chrono::nanoseconds(facts.received_at));
}

std::int16_t detail::class_with(std::uint8_t traffic_class, ecn_codepoint ecn) noexcept {
    return static_cast<std::int16_t>((traffic_class & ~3) | static_cast<int>(ecn));
}

void detail::set_local(datagram_facts& facts, const endpoint& local) noexcept {
    const socket_address native = to_socket_address(local);
    const bool known = !local.is_any() && !local.is_unix();
    facts.local_size = known ? native.size : 0;
    std::memcpy(facts.local, native.bytes, facts.local_size);
}

endpoint detail::local_of(const datagram_facts& facts) noexcept {
    socket_address native;
    native.size = facts.local_size;
    std::memcpy(native.bytes, facts.local, facts.local_size);
    return from_socket_address(native).value_or(endpoint());
}

socket_address detail::to_socket_address(const batch_item& item) noexcept {
    socket_address address;
    address.size = item.address_size;
    std::memcpy(address.bytes, item.address, item.address_size);
    return address;
}

}  // namespace anel

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

socket_address detail::to_socket_address(const batch_item& item) noexcept {
    socket_address address;
    address.size = item.address_size;
    std::memcpy(address.bytes, item.address, item.address_size);
    return address;
}

}  // namespace anel

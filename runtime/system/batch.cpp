// batch.cpp: many datagrams in one system call.
//
// The headers that the system reads stay in the batch between two calls: only those that it wrote
// to, or that were sent, are made anew. A receive of one datagram must not pay for 64.
// SPDX-License-Identifier: MIT
#include "runtime/system/posix.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

namespace anel::detail {
namespace {

static_assert(sizeof(counted_message) <= message_batch::header_bytes);

counted_message* headers_of(message_batch& batch) noexcept {
    return std::launder(reinterpret_cast<counted_message*>(batch.headers));
}

void make_header(message_batch& batch, std::uint32_t index) noexcept {
    batch_item& item = batch.items[index];
    auto* header = new (batch.headers + index * sizeof(counted_message)) counted_message{};
    header->msg_hdr.msg_name = item.address_size > 0 ? item.address : nullptr;
    header->msg_hdr.msg_namelen = item.address_size;
    if (item.facts) give_control(header->msg_hdr, *item.facts);
    header->msg_hdr.msg_iov = reinterpret_cast<iovec*>(&item.bytes);
    header->msg_hdr.msg_iovlen = 1;
}

// How many from the next one on can be sent here, at most `most`: all have control data, or none.
unsigned sendable(const message_batch& batch, unsigned most) noexcept {
    if (!batch.items[batch.done].facts) return most;
    unsigned count = 0;
    while (count < most && can_send_with(*batch.items[batch.done + count].facts)) ++count;
    return count;
}

}  // namespace

std::int32_t receive_batch(operation& op) noexcept {
    auto& batch = *static_cast<message_batch*>(op.data);
    for (std::uint32_t i = 0; i < batch.spoiled; ++i) {
        batch.items[i].bytes.size = batch.room;
        batch.items[i].address_size = sizeof batch_item::address;
        if (batch.items[i].facts) batch.items[i].facts->incoming = true;
        make_header(batch, i);
    }
    batch.spoiled = 0;
    const counted_message* headers = headers_of(batch);
    const int received =
        receive_datagrams(op.fd, headers_of(batch), message_batch::capacity, batch.late_error);
    if (received < 0) return received == -EAGAIN ? would_wait : received;
    batch.spoiled = static_cast<std::uint32_t>(received);
    // A receiving side that was shut down: some systems go on with empty datagrams from nobody.
    for (batch.count = 0; batch.count < batch.spoiled; ++batch.count) {
        const counted_message& header = headers[batch.count];
        if (header.msg_hdr.msg_namelen == 0) break;
        batch_item& item = batch.items[batch.count];
        item.bytes.size = header.msg_len;
        item.address_size = header.msg_hdr.msg_namelen;
        item.error = 0;
        if (item.facts) read_control(header.msg_hdr, *item.facts);
        item.truncated = (header.msg_hdr.msg_flags & MSG_TRUNC) != 0;
    }
    return static_cast<std::int32_t>(batch.count);
}

// Goes on after one that failed: the others have nothing to do with it.
std::int32_t send_batch(operation& op) noexcept {
    auto& batch = *static_cast<message_batch*>(op.data);
    for (std::uint32_t i = batch.done; i < batch.count; ++i) {
        if (batch.items[i].facts) batch.items[i].facts->incoming = false;
        make_header(batch, i);
    }
    batch.spoiled = std::max(batch.spoiled, batch.count);
    const std::uint32_t most = (op.flags & op_flag::one_by_one) != 0 ? 1 : message_batch::capacity;
    while (batch.done < batch.count) {
        const unsigned next = sendable(batch, std::min(most, batch.count - batch.done));
        const int sent =
            next == 0 ? -EOPNOTSUPP : send_datagrams(op.fd, headers_of(batch) + batch.done, next);
        if (sent == -EAGAIN) return would_wait;
        if (sent == -EINTR) continue;
        if (sent < 0) batch.failed += 1;
        const std::uint32_t upto = batch.done + static_cast<std::uint32_t>(std::max(sent, 1));
        while (batch.done < upto) batch.items[batch.done++].error = std::min(sent, 0);
    }
    return static_cast<std::int32_t>(batch.count - batch.failed);
}

}  // namespace anel::detail

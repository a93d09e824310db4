// operation.cpp: how far an operation came.
// SPDX-License-Identifier: MIT
#include <anel/detail/operation.hpp>

#include <algorithm>

namespace anel::detail {
namespace {

void drop_front(io_buffer& bytes, std::size_t moved) noexcept {
    ANEL_ASSERT(moved <= bytes.size);
    bytes.data = static_cast<std::byte*>(bytes.data) + moved;
    bytes.size -= moved;
}

void drop_front(file_part& part, std::size_t moved) noexcept {
    const std::size_t of_head = std::min(moved, part.head.size);
    drop_front(part.head, of_head);
    part.offset += moved - of_head;
}

void drop_front(message& parts, std::size_t moved) noexcept {
    while (parts.buffer_count > 0 && moved >= parts.buffers->size) {
        moved -= parts.buffers->size;
        parts.buffers += 1;
        parts.buffer_count -= 1;
    }
    ANEL_ASSERT(moved == 0 || parts.buffer_count > 0);
    if (moved > 0) drop_front(*parts.buffers, moved);
}

}  // namespace

void advance(operation& op, std::size_t moved) noexcept {
    ANEL_ASSERT(moved <= op.size);
    op.size -= moved;
    switch (op.code) {
        case opcode::sendmsg: return drop_front(*static_cast<message*>(op.data), moved);
        case opcode::send_file: return drop_front(*static_cast<file_part*>(op.data), moved);
        default: op.data = static_cast<std::byte*>(op.data) + moved;
    }
}

io_buffer oversized_part(const operation& op) noexcept {
    ANEL_ASSERT(op.code == opcode::sendmsg);
    const auto& parts = *static_cast<const message*>(op.data);
    const bool has = (op.flags & op_flag::whole) != 0 && parts.buffer_count > 0 &&
                     parts.buffers->size > share_bytes;
    return has ? io_buffer{parts.buffers->data, share_bytes} : io_buffer{};
}

}  // namespace anel::detail

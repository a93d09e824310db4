// operation_memory.cpp: the memory that each operation lends to the kernel.
// SPDX-License-Identifier: MIT
#include "runtime/backend/operation_memory.hpp"

#include "runtime/system/sanitizer.hpp"

namespace anel::detail {

bool memory_is_good(const operation& op) noexcept {
    switch (op.code) {
        case opcode::recv:
        case opcode::read_input:
        case opcode::write_output:
        case opcode::send: return !poisoned(op.data, op.size);
        case opcode::send_file: {
            const auto& part = *static_cast<const file_part*>(op.data);
            return !poisoned(op.data, sizeof part) && !poisoned(part.head.data, part.head.size);
        }
        case opcode::accept:
        case opcode::connect: return !poisoned(op.data, sizeof(socket_address));
        case opcode::recv_passed:
        case opcode::send_passed: {
            const auto& data = *static_cast<const passed_message*>(op.data);
            if (poisoned(op.data, sizeof data)) return false;
            if (poisoned(data.received, data.room * sizeof(int))) return false;
            if (poisoned(data.address, sizeof(socket_address))) return false;
            return !poisoned(data.buffers->data, data.buffers->size);
        }
        case opcode::recvmsg:
        case opcode::sendmsg: {
            const auto& data = *static_cast<const message*>(op.data);
            if (poisoned(op.data, sizeof data)) return false;
            if (data.facts && poisoned(data.facts, sizeof *data.facts)) return false;
            for (std::uint32_t i = 0; i < data.buffer_count; ++i) {
                if (poisoned(data.buffers[i].data, data.buffers[i].size)) return false;
            }
            return !poisoned(data.address, sizeof(socket_address));
        }
        case opcode::recv_batch:
        case opcode::send_batch: {
            const auto& batch = *static_cast<const message_batch*>(op.data);
            if (poisoned(op.data, sizeof batch)) return false;
            for (const batch_item& item : batch.items) {
                if (poisoned(item.bytes.data, batch.room)) return false;
            }
            return true;
        }
        default: return true;
    }
}

}  // namespace anel::detail

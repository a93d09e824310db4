// backend.cpp: which backend runs, and the two ends of every operation's flight.
// SPDX-License-Identifier: MIT
#include "runtime/backend/backends.hpp"
#include "runtime/backend/chunk_pool.hpp"
#include "runtime/system/sanitizer.hpp"

#include <anel/detail/backend.hpp>
#include <anel/error.hpp>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string_view>

namespace anel::detail {
namespace {

// All memory that an operation lends to the kernel.
bool memory_is_good(const operation& op) noexcept {
    switch (op.code) {
        case opcode::recv:
        case opcode::read_input:
        case opcode::send: return !poisoned(op.data, op.size);
        case opcode::send_file: {
            const auto& part = *static_cast<const file_part*>(op.data);
            return !poisoned(op.data, sizeof part) && !poisoned(part.head.data, part.head.size);
        }
        case opcode::accept:
        case opcode::connect: return !poisoned(op.data, sizeof(socket_address));
        case opcode::recvmsg:
        case opcode::sendmsg: {
            const auto& data = *static_cast<const message*>(op.data);
            if (poisoned(op.data, sizeof data)) return false;
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

#ifndef ANEL_HAVE_IO_URING
std::unique_ptr<backend> uring_or_throw(const backend_options&) {
    throw_errno(ENOSYS, "io_uring_setup", "(this build has no io_uring)");
}
#else
std::unique_ptr<backend> uring_or_throw(const backend_options& options) {
    return make_uring_backend(options);
}
#endif

#ifndef ANEL_HAVE_EPOLL
std::unique_ptr<backend> epoll_or_throw(const backend_options&) {
    throw_errno(ENOSYS, "epoll_create1", "(this build has no epoll)");
}
#else
std::unique_ptr<backend> epoll_or_throw(const backend_options& options) {
    return make_epoll_backend(options);
}
#endif

std::unique_ptr<backend> make_named(const backend_options& options) {
    switch (options.kind) {
        case backend_kind::io_uring: return uring_or_throw(options);
        case backend_kind::epoll: return epoll_or_throw(options);
        case backend_kind::sim: throw_errno(EOPNOTSUPP, "sim", "(only a sim::world makes one)");
        default: return make_poll_backend(options);
    }
}

backend_kind kind_from_environment() {
    const char* text = std::getenv("ANEL_BACKEND");
    if (!text || std::string_view(text).empty()) return backend_kind::automatic;
    for (const auto kind : {backend_kind::automatic, backend_kind::io_uring, backend_kind::epoll,
                            backend_kind::poll}) {
        if (std::string_view(text) == name_of(kind)) return kind;
    }
    throw std::invalid_argument(std::string("ANEL_BACKEND=") + text +
                                ": not one of auto, io_uring, epoll, poll");
}

}  // namespace

std::unique_ptr<backend> make_backend(const backend_options& options) {
    backend_options wanted = options;
    if (wanted.kind == backend_kind::automatic) wanted.kind = kind_from_environment();
    if (wanted.kind != backend_kind::automatic) return make_named(wanted);

    std::string reason;
    for (const auto kind : {backend_kind::io_uring, backend_kind::epoll}) {
        try {
            wanted.kind = kind;
            auto made = make_named(wanted);
            made->set_reason(std::move(reason));
            return made;
        } catch (const std::exception& error) {
            reason += (reason.empty() ? "" : ", ") + std::string(name_of(kind)) +
                      " cannot start: " + error.what();
        }
    }
    auto made = make_poll_backend(options);
    made->set_reason(std::move(reason));
    return made;
}

backend::backend() noexcept = default;

// What it lent must be back: a recv_buffer that outlives its loop would point to nothing.
backend::~backend() {
    const bool every_recv_buffer_is_gone_before_run_ends = !chunks_ || chunks_->lent() == 0;
    ANEL_ASSERT(every_recv_buffer_is_gone_before_run_ends);
}

chunk_pool& backend::chunks() {
    if (!chunks_) chunks_ = std::make_unique<chunk_pool>();
    return *chunks_;
}

void backend::give_back(const void* memory) noexcept { chunks_->give_back(memory); }

void backend::started(operation& op) noexcept {
    ANEL_ASSERT(op.state == op_state::idle);
    ANEL_ASSERT(memory_is_good(op));
    op.state = op_state::in_flight;
    counters_.operations += 1;
    in_flight_ += 1;
}

void backend::finished(operation& op, op_queue& done) noexcept {
    ANEL_ASSERT(op.state == op_state::in_flight);
    ANEL_ASSERT(op.owed == 0);
    ANEL_ASSERT(memory_is_good(op));  // freed while the kernel could write to it
    ANEL_ASSERT(in_flight_ > 0);
    op.state = op_state::done;
    counters_.completions += 1;
    in_flight_ -= 1;
    done.push(op);
}

bool backend::finished_inline(operation& op, std::int32_t result) noexcept {
    ANEL_ASSERT(op.state == op_state::idle);
    ANEL_ASSERT(op.owed == 0);
    op.state = op_state::done;
    op.result = result;
    if (!finishes_inline(op.code)) {
        counters_.operations += 1;
        counters_.completions += 1;
    }
    return false;
}

}  // namespace anel::detail

namespace anel {

const char* name_of(backend_kind kind) noexcept {
    switch (kind) {
        case backend_kind::automatic: return "auto";
        case backend_kind::io_uring: return "io_uring";
        case backend_kind::epoll: return "epoll";
        case backend_kind::poll: return "poll";
        case backend_kind::sim: return "sim";
    }
    return "unknown";
}

}  // namespace anel

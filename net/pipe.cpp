// pipe.cpp: which way a pipe goes, and making one.
// SPDX-License-Identifier: MIT
#include "net/pipe.hpp"

#include <cerrno>

namespace anel {
using namespace detail;

pipe_use::pipe_use(pipe_stream& on) noexcept : socket_use(on) {}

pipe_stream& pipe_use::stream() const noexcept { return static_cast<pipe_stream&>(socket()); }

bool pipe_use::allows(const operation& op) const noexcept {
    if (op.code == opcode::call) return stream().is_open();
    return stream().is_writing_end() == (op.code == opcode::write_output);
}

// In the wrong direction a poll would never end.
bool pipe_use::start(used_operation<pipe_use>& op, cancel_scope& scope, frame& caller) noexcept {
    return allows(op) ? socket_use::start(op, scope, caller) : begin(op, scope, caller, -EBADF);
}

void pipe_use::finish(operation& op) noexcept {
    if (allows(op)) socket_use::finish(op);
}

void pipe_use::describe_wait(const operation& op, std::string& text) const {
    text.append(" ").append(stream().peer_text());
    append_progress(op, text);
}

void pipe_use::hand_over(operation& op) const noexcept {
    pipe_stream& on = stream();
    op.flags |= static_cast<std::uint32_t>(on.mode_);
    if (!on.file_ || !allows(op)) return;
    file_call& call = *on.file_;
    call.fd = on.native_handle();
    call.data = op.data;
    call.size = op.size;
    call.result = 0;
    op.code = opcode::call;
    op.data = static_cast<helper_call*>(&call);
    op.size = 0;
    op.flags = 0;
}

std::int32_t pipe_use::result_of(const operation& op) const noexcept {
    return op.code == opcode::call && op.result >= 0 ? stream().file_->result : op.result;
}

io_error pipe_use::describe(const char* operation, std::error_code error) const {
    const std::string& name = stream().peer_text();
    return io_error(error, operation, name.empty() ? "(a closed pipe)" : name);
}

bool pipe_shutdown_wait::start(cancel_scope& scope, frame&) noexcept {
    cancelled_ = scope.cancelled();
    if (cancelled_) return false;
    if (!on_.is_open() || !on_.is_writing_end()) error_ = EBADF;
    else if (on_.is_sending()) error_ = EBUSY;
    else on_.close_now();
    return false;
}

void pipe_shutdown_wait::finish() {
    if (cancelled_) throw task_cancelled{};
    if (error_ != 0) throw_errno(error_, "shutdown", on_.peer_text());
}

task<std::pair<pipe_stream, pipe_stream>> pipe() {
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    if (owner.backend().kind() == backend_kind::sim) {
        throw_errno(EOPNOTSUPP, "pipe", "(the simulated network has memory_stream_pair())");
    }
    std::pair<pipe_stream, pipe_stream> made;
    pipe_ends ends;
    owner.settle();
    std::int32_t error = open_pipe(ends);
    if (error == 0) error = pipe_maker::make(owner, ends.reading, false, "pipe", made.first);
    if (error == 0) error = pipe_maker::make(owner, ends.writing, true, "pipe", made.second);
    if (error < 0) throw_errno(-error, "pipe", {});
    co_return made;
}

}  // namespace anel

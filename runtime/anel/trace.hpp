// trace.hpp: what a program adds to the record of its run: see run_options::trace.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/awaitable.hpp>
#include <anel/detail/loop.hpp>

namespace anel {

/// Notes `text` in the record, for the task that awaits it: `co_await trace_mark("request");`
/// Lifetime  `text` must live as long as the program: a literal, say.
/// Cost      a comparison where nothing is recorded.
class trace_mark {
public:
    /// A mark with this text, noted once it is awaited.
    explicit trace_mark(const char* text) noexcept : text_(text) {}
    bool start(detail::cancel_scope& scope, detail::frame&) noexcept {
        if (scope.owner().record()) scope.owner().note_mark(scope, text_);
        return false;
    }
    void finish() const noexcept {}

private:
    const char* text_;
};

/// Writes the record of the loop that runs this task as it is now, to the file of
/// run_options::trace; nothing where there is no record: `co_await write_trace();`
/// Errors  io_error when it cannot be written.
class write_trace {
public:
    bool start(detail::cancel_scope& scope, detail::frame&);
    void finish() const noexcept {}
};

}  // namespace anel

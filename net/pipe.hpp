// pipe.hpp: makes streams of the ends of pipes, for pipe() and for the streams of a child.
// SPDX-License-Identifier: MIT
#pragma once

#include "runtime/system/child.hpp"

#include <anel/pipe.hpp>

#include <memory>
#include <string>
#include <utility>

namespace anel::detail {

struct pipe_maker {
    /// A stream of `end`, which then does not block. Returns 0 or -errno.
    static std::int32_t make(loop& owner, file_holder& end, bool writes, std::string name,
                             pipe_stream& made) noexcept {
        if (const std::int32_t error = make_nonblocking(end.fd()); error < 0) return error;
        made = pipe_stream(owner, end.release(), writes, std::move(name));
        return 0;
    }
    /// One whose end may be shared by others, and block; with a `file`, it is a regular one.
    static pipe_stream make_shared_stream(loop& owner, file_holder& end, file_mode mode,
                                          bool writes, std::string name,
                                          std::unique_ptr<file_call>& file) {
        pipe_stream made(owner, end.release(), writes, std::move(name));
        made.mode_ = mode;
        made.file_ = std::move(file);
        return made;
    }
};

}  // namespace anel::detail

// backends.hpp: how choice.cpp makes each backend. Only it and the files that define
// these functions include this.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/backend.hpp>

#include <memory>

namespace anel::detail {

/// Errors  io_error when the system does not let it start.
std::unique_ptr<backend> make_uring_backend(const backend_options& options, has_host hosted);
std::unique_ptr<backend> make_epoll_backend(const backend_options& options);
std::unique_ptr<backend> make_poll_backend(const backend_options& options);

}  // namespace anel::detail

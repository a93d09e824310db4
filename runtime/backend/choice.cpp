// choice.cpp: which backend runs: the one asked for, or the best that starts here.
// SPDX-License-Identifier: MIT
#include "runtime/backend/backends.hpp"

#include <anel/detail/backend.hpp>
#include <anel/error.hpp>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string_view>

namespace anel::detail {
namespace {

#ifndef ANEL_HAVE_IO_URING
std::unique_ptr<backend> uring_or_throw(const backend_options&, has_host) {
    throw_errno(ENOSYS, "io_uring_setup", "(this build has no io_uring)");
}
#else
std::unique_ptr<backend> uring_or_throw(const backend_options& options, has_host hosted) {
    return make_uring_backend(options, hosted);
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

std::unique_ptr<backend> make_named(const backend_options& options, has_host hosted) {
    switch (options.kind) {
        case backend_kind::io_uring: return uring_or_throw(options, hosted);
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

std::unique_ptr<backend> make_backend(const backend_options& options, has_host hosted) {
    backend_options wanted = options;
    if (wanted.kind == backend_kind::automatic) wanted.kind = kind_from_environment();
    if (wanted.kind != backend_kind::automatic) return make_named(wanted, hosted);

    std::string reason;
    for (const auto kind : {backend_kind::io_uring, backend_kind::epoll}) {
        try {
            wanted.kind = kind;
            auto made = make_named(wanted, hosted);
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

// error.cpp: texts of errors, and the names of errno values.
// SPDX-License-Identifier: MIT
#include <anel/error.hpp>

#include "runtime/core/listing.hpp"
#include "runtime/core/places.hpp"

#include <netdb.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace anel {
using namespace detail;
namespace {

struct errno_entry {
    int code;
    std::string_view name;
};

// What the calls of a network program can give. strerrorname_np would do, but only glibc has it.
#define ANEL_ERRNO(name) {name, #name}
constexpr std::array errno_names{
    errno_entry ANEL_ERRNO(EACCES),          errno_entry ANEL_ERRNO(EADDRINUSE),
    errno_entry ANEL_ERRNO(EADDRNOTAVAIL),   errno_entry ANEL_ERRNO(EAFNOSUPPORT),
    errno_entry ANEL_ERRNO(EAGAIN),          errno_entry ANEL_ERRNO(EALREADY),
    errno_entry ANEL_ERRNO(EBADF),           errno_entry ANEL_ERRNO(EBUSY),
    errno_entry ANEL_ERRNO(ECANCELED),       errno_entry ANEL_ERRNO(ECONNABORTED),
    errno_entry ANEL_ERRNO(ECONNREFUSED),    errno_entry ANEL_ERRNO(ECONNRESET),
    errno_entry ANEL_ERRNO(EDEADLK),         errno_entry ANEL_ERRNO(EDESTADDRREQ),
    errno_entry ANEL_ERRNO(EEXIST),          errno_entry ANEL_ERRNO(EFAULT),
    errno_entry ANEL_ERRNO(EHOSTDOWN),       errno_entry ANEL_ERRNO(EHOSTUNREACH),
    errno_entry ANEL_ERRNO(EINPROGRESS),     errno_entry ANEL_ERRNO(EINTR),
    errno_entry ANEL_ERRNO(EINVAL),          errno_entry ANEL_ERRNO(EIO),
    errno_entry ANEL_ERRNO(EISCONN),         errno_entry ANEL_ERRNO(EISDIR),
    errno_entry ANEL_ERRNO(ELOOP),           errno_entry ANEL_ERRNO(EMFILE),
    errno_entry ANEL_ERRNO(EMSGSIZE),        errno_entry ANEL_ERRNO(ENAMETOOLONG),
    errno_entry ANEL_ERRNO(ENETDOWN),        errno_entry ANEL_ERRNO(ENETRESET),
    errno_entry ANEL_ERRNO(ENETUNREACH),     errno_entry ANEL_ERRNO(ENFILE),
    errno_entry ANEL_ERRNO(ENOBUFS),         errno_entry ANEL_ERRNO(ENODEV),
    errno_entry ANEL_ERRNO(ENOENT),          errno_entry ANEL_ERRNO(ENOMEM),
    errno_entry ANEL_ERRNO(ENOPROTOOPT),     errno_entry ANEL_ERRNO(ENOSPC),
    errno_entry ANEL_ERRNO(ENOSYS),          errno_entry ANEL_ERRNO(ENOTCONN),
    errno_entry ANEL_ERRNO(ENOTDIR),         errno_entry ANEL_ERRNO(ENOTSOCK),
    errno_entry ANEL_ERRNO(EOPNOTSUPP),      errno_entry ANEL_ERRNO(EPERM),
    errno_entry ANEL_ERRNO(EPIPE),           errno_entry ANEL_ERRNO(EPROTO),
    errno_entry ANEL_ERRNO(EPROTONOSUPPORT), errno_entry ANEL_ERRNO(EPROTOTYPE),
    errno_entry ANEL_ERRNO(EROFS),           errno_entry ANEL_ERRNO(ESHUTDOWN),
    errno_entry ANEL_ERRNO(ETIMEDOUT),
};
#undef ANEL_ERRNO

class own_category final : public std::error_category {
public:
    const char* name() const noexcept override { return "anel"; }
    std::string message(int code) const override {
        switch (static_cast<errc>(code)) {
            case errc::unexpected_eof: return "the peer closed the connection early";
            case errc::message_too_long: return "the message is longer than its limit";
            case errc::file_too_short: return "the file ends before what was to be sent";
            case errc::run_has_ended: return "the run() that made it has ended";
        }
        return "unknown error " + std::to_string(code);
    }
    std::error_condition default_error_condition(int code) const noexcept override {
        if (static_cast<errc>(code) != errc::run_has_ended) return {code, *this};
        return std::errc::bad_file_descriptor;
    }
};

class resolver_category final : public std::error_category {
public:
    const char* name() const noexcept override { return "resolver"; }
    std::string message(int code) const override { return ::gai_strerror(code); }
};

std::string_view symbol_of(const std::error_code& code) {
    if (code.category() == std::system_category() || code.category() == std::generic_category()) {
        return errno_name(code.value());
    }
    if (code.category() == name_category()) {
        switch (code.value()) {
            case EAI_AGAIN: return "EAI_AGAIN";
            case EAI_BADFLAGS: return "EAI_BADFLAGS";
            case EAI_FAIL: return "EAI_FAIL";
            case EAI_FAMILY: return "EAI_FAMILY";
            case EAI_MEMORY: return "EAI_MEMORY";
            case EAI_NONAME: return "EAI_NONAME";
            case EAI_SERVICE: return "EAI_SERVICE";
            case EAI_SYSTEM: return "EAI_SYSTEM";
        }
    }
    return {};
}

}  // namespace

const std::error_category& anel_category() noexcept {
    static const own_category category;
    return category;
}

const std::error_category& name_category() noexcept {
    static const resolver_category category;
    return category;
}

std::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), anel_category()};
}

std::string_view errno_name(int code) noexcept {
    for (const errno_entry& entry : errno_names) {
        if (entry.code == code) return entry.name;
    }
    return {};
}

io_error::io_error(std::error_code code, std::string_view operation, std::string_view subject)
    : std::system_error(code) {
    const std::string_view reason = std::system_error::what();  // code.message(), already made
    const std::string_view symbol = symbol_of(code);
    text_.reserve(operation.size() + subject.size() + reason.size() + symbol.size() + 6);
    text_.append(operation);
    if (!subject.empty()) text_.append(" ").append(subject);
    text_.append(": ").append(reason);
    if (!symbol.empty()) text_.append(" (").append(symbol).append(")");
}

std::error_code detail::error_in(std::int32_t result) noexcept {
    if (result == loop_has_ended) return errc::run_has_ended;
    return {-result, std::system_category()};
}

void detail::throw_errno(int code, std::string_view operation, std::string_view subject) {
    throw io_error(std::error_code(code, std::system_category()), operation, subject);
}

void detail::throw_timed_out(duration wait) {
    char text[40];
    std::snprintf(text, sizeof text, "%.9g s", std::chrono::duration<double>(wait).count());
    throw_errno(ETIMEDOUT, "timeout of", text);
}

void detail::throw_timed_out(time_point) { throw_errno(ETIMEDOUT, "deadline", {}); }

void detail::assertion_failed(const char* condition, const char* file, int line) noexcept {
    std::fprintf(stderr, "anel: %s:%d: this must hold and does not: %s\n", file, line, condition);
    print_last_listing();
    std::abort();
}

void detail::rule_broken(const char* rule, const frame* here, const frame* other) noexcept {
    std::string places;
    append_places(places, "  here: ", here);
    if (!places.empty()) places += '\n';
    const std::size_t first = places.size();
    append_places(places, "  the other task: ", other);
    if (places.size() > first) places += '\n';
    std::fprintf(stderr, "anel: %s\n%s", rule, places.c_str());
    print_last_listing();
    std::abort();
}

void detail::system_refused(const char* call, int error) noexcept {
    const std::string_view name = errno_name(error);
    std::fprintf(stderr,
                 "anel: %s worked and is now refused: %s (%.*s). A filter that is installed in a"
                 " running program must allow it, or the program choose another backend.\n",
                 call, std::strerror(error), static_cast<int>(name.size()), name.data());
    std::abort();
}

}  // namespace anel

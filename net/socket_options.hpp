// socket_options.hpp: sets the options of one socket; what is refused is told with the name of the
// option, its value and the reason.
//
// Knows: names, units and ranges of options. Must not know: what the system calls them.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/loop.hpp>
#include <anel/endpoint.hpp>
#include <anel/interface_name.hpp>
#include <anel/tcp_options.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace anel::detail {

/// The options of one socket, set for one call. Errors: io_error, `CALL SUBJECT: OPTION VALUE: …`.
class option_setter {
public:
    /// Lifetime  `subject` must outlive it.
    option_setter(const loop_ref& owner, int fd, const char* call, const endpoint& subject) noexcept
        : owner_(owner), fd_(fd), call_(call), subject_(subject) {}

    void set(socket_option option, std::int64_t value) const;
    void set(const std::optional<keep_alive_times>& times) const;
    void set_user_timeout(std::chrono::milliseconds time) const {
        set(socket_option::user_timeout, time.count());
    }
    /// The sizes of both buffers, where they are asked for.
    void set_buffers(const auto& options) const {
        if (options.send_buffer != 0) set(socket_option::send_buffer, options.send_buffer);
        if (options.receive_buffer != 0) set(socket_option::receive_buffer, options.receive_buffer);
    }
    void set_interface(const interface_name& name) const;
    void set_multicast_interface(const interface_name& name) const;
    /// Throws `CALL SUBJECT: WHAT: …` for an error.
    void require(std::int32_t result, std::string_view what) const;

private:
    const loop_ref& owner_;
    int fd_;
    const char* call_;
    const endpoint& subject_;
};

}  // namespace anel::detail

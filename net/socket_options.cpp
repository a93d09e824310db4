// socket_options.cpp: the range of each option, checked here so that all backends refuse alike.
// SPDX-License-Identifier: MIT
#include "net/socket_options.hpp"

#include <anel/error.hpp>

#include <cerrno>
#include <limits>

namespace anel::detail {
namespace {

constexpr std::int64_t any_int = std::numeric_limits<int>::max();
constexpr std::int64_t longest_keep_alive = 32'767;  // seconds; Linux: MAX_TCP_KEEPIDLE

struct option_range {
    socket_option option;
    const char* name;
    const char* unit;
    std::int64_t least;
    std::int64_t most;
    bool of_unix = false;
};

constexpr option_range option_ranges[] = {
    {socket_option::no_delay, "no-delay", "", 0, 1},
    {socket_option::reuse_address, "reuse-address", "", 0, 1},
    {socket_option::reuse_port, "reuse-port", "", 0, 1},
    {socket_option::v6_only, "IPv6 only", "", 0, 1},
    {socket_option::send_buffer, "send buffer", " bytes", 1, any_int, true},
    {socket_option::receive_buffer, "receive buffer", " bytes", 1, any_int, true},
    {socket_option::keep_alive, "keep-alive", "", 0, 1},
    {socket_option::keep_alive_idle, "keep-alive idle", " s", 1, longest_keep_alive},
    {socket_option::keep_alive_interval, "keep-alive interval", " s", 1, longest_keep_alive},
    {socket_option::keep_alive_probes, "keep-alive probes", "", 1, 127},
    {socket_option::user_timeout, "user timeout", " ms", 0, any_int},
    {socket_option::quick_ack, "quick-ack", "", 0, 1},
    {socket_option::traffic_class, "traffic class", "", 0, 255},
    {socket_option::interface, "interface", "", 0, 0},
    {socket_option::free_bind, "free-bind", "", 0, 1},
    {socket_option::fast_open, "fast-open", "", 0, 1},
    {socket_option::fast_open_queue, "fast-open queue", "", 0, 65'535},
    {socket_option::broadcast, "broadcast", "", 0, 1},
    {socket_option::hop_limit, "hop limit", "", 1, 255},
    {socket_option::multicast_hop_limit, "multicast hop limit", "", 0, 255},
    {socket_option::multicast_loop, "multicast loop", "", 0, 1},
    {socket_option::local_address, "tell local address", "", 0, 1},
    {socket_option::ecn, "tell ECN", "", 0, 1},
    {socket_option::receive_time, "tell receive time", "", 0, 1},
    {socket_option::join_datagrams, "join datagrams", "", 0, 1},
    {socket_option::defer_accept, "defer-accept", " s", 0, any_int},
};

const option_range& range_of(socket_option option) noexcept {
    const option_range* found = option_ranges;
    while (found->option != option) ++found;
    return *found;
}

}  // namespace

void option_setter::require(std::int32_t result, std::string_view what) const {
    if (result >= 0) return;
    std::string text = subject_.to_string();
    text.append(": ").append(what);
    throw io_error(error_in(result), call_, text);
}

void option_setter::set(socket_option option, std::int64_t value) const {
    const option_range& range = range_of(option);
    std::int32_t result = 0;
    if (subject_.is_unix() && !range.of_unix) result = -EOPNOTSUPP;
    else if (value < range.least || value > range.most) result = -EINVAL;
    else if (fd_ < 0) result = -EBADF;
    else
        result = owner_.control(opcode::set_option, fd_, nullptr, static_cast<std::size_t>(value),
                                static_cast<std::uint32_t>(option));
    if (result >= 0) return;
    const bool is_switch = range.least == 0 && range.most == 1;
    const std::string shown = is_switch ? (value != 0 ? "on" : "off") : std::to_string(value);
    require(result, std::string(range.name) + " " + shown + range.unit);
}

// The times first: with a bad one nothing is changed but times.
void option_setter::set(const std::optional<keep_alive_times>& times) const {
    if (times) {
        set(socket_option::keep_alive_idle, times->idle.count());
        set(socket_option::keep_alive_interval, times->interval.count());
        set(socket_option::keep_alive_probes, times->probes);
    }
    set(socket_option::keep_alive, times ? 1 : 0);
}

void option_setter::set_interface(const interface_name& name) const {
    std::string text(name.text());
    std::int32_t result = -EOPNOTSUPP;
    if (!subject_.is_unix()) {
        result = owner_.control(opcode::set_option, fd_, text.data(), text.size(),
                                static_cast<std::uint32_t>(socket_option::interface));
    }
    require(result, "interface " + text);
}

void option_setter::set_multicast_interface(const interface_name& name) const {
    std::string text(name.text());
    const auto option = static_cast<std::uint32_t>(socket_option::multicast_interface);
    require(owner_.control(opcode::set_option, fd_, text.data(), text.size(), option),
            "multicast interface " + text);
}

}  // namespace anel::detail

// limits.cpp: how many descriptors, connections, ports and bytes the system lets a server have.
//
// Sources: getrlimit(2), proc(5), tcp(7), Documentation/networking/ip-sysctl.rst.
//
// SPDX-License-Identifier: MIT
#include <anel/serve.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <fstream>
#include <iterator>

#include "common/text.hpp"
#include "doctor/system.hpp"

namespace anel_bench::doctor {
namespace {

struct limit {
    const char* name;  // a sysctl
    std::int64_t enough;
    const char* means;
};

constexpr limit limits[] = {
    {"fs.nr_open", 65'536, "descriptors of a process, at most, however high its limit may go"},
    {"net.core.somaxconn", 4096,
     "connections of a listener that wait for accept, at most; anel asks for 4096"},
    {"net.core.rmem_max", 1 << 20,
     "bytes that a socket may ask to hold unread; bursts of datagrams beyond are lost"},
    {"net.core.wmem_max", 1 << 20, "bytes that a socket may ask to hold unsent"},
};

finding examine_limit(const limit& one) {
    const auto value = sysctl(one.name);
    finding found{state::ok, one.name, text_or_not_known(value), one.means, ""};
    if (value && *value >= one.enough) return found;
    found.how = state::note;
    if (value) {
        found.mend = format("sysctl %s=%" PRId64, one.name, one.enough);
    }
    return found;
}

std::string text_of_limit(rlim_t value, rlim_t unit = 1) {
    return value == RLIM_INFINITY ? "unlimited" : std::to_string(value / unit);
}

finding examine_descriptors() {
    constexpr rlim_t usual = 1024;  // what a shell gets; select(2) counts no further
    constexpr rlim_t generous = 65'536;
    const rlim_t wanted = anel::serve_options{}.connections_max + 64;  // and the program's own
    rlimit allowed{};
    finding found{state::note, "descriptors (nofile)", not_known, "", ""};
    if (getrlimit(RLIMIT_NOFILE, &allowed) != 0) return found;
    found.value = text_of_limit(allowed.rlim_cur) + ", hard " + text_of_limit(allowed.rlim_max);
    found.means = "serve() takes 10,000 clients at a time, a descriptor each; beyond the limit "
                  "they wait in the backlog";
    if (allowed.rlim_cur >= wanted) {
        found.how = state::ok;
        return found;
    }
    if (allowed.rlim_cur < usual) found.how = state::bad;
    found.mend =
        allowed.rlim_max >= wanted
            ? format("ulimit -n %s", text_of_limit(std::min(allowed.rlim_max, generous)).c_str())
            : "LimitNOFILE=65536 in the systemd unit, docker run --ulimit nofile=65536, "
              "or nofile in /etc/security/limits.conf";
    return found;
}

// Counted for all processes of a user, and not for those that may lock without limit.
finding examine_locked_memory() {
    constexpr unsigned cap_ipc_lock = 14;     // capabilities(7)
    constexpr rlim_t of_a_loop = 160 * 1024;  // of pages of 4 KiB, measured on 6.18
    rlimit allowed{};
    finding found{state::note, "locked memory (memlock)", not_known, "", ""};
    if (getrlimit(RLIMIT_MEMLOCK, &allowed) != 0) return found;
    found.value = text_of_limit(allowed.rlim_cur, 1024) + " KiB, hard " +
                  text_of_limit(allowed.rlim_max, 1024) + " KiB";
    const long processors = std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L);
    const rlim_t wanted = of_a_loop * (static_cast<rlim_t>(processors) + 1);
    found.means =
        "each loop locks 160 KiB: a ring and that of its buffers, which are smaller where "
        "there is less; send_zc locks what it sends";
    if (has_capability(cap_ipc_lock)) {
        found.how = state::ok;
        found.value += ", not counted for this user";
    } else if (allowed.rlim_cur >= wanted) {
        found.how = state::ok;
    } else {
        found.mend = "ulimit -l 8192, LimitMEMLOCK=8M in the systemd unit, or docker run --ulimit "
                     "memlock=8388608";
    }
    return found;
}

// The queue of half-open connections ends there where no cookies are sent; with them, tcp(7), it
// is the backlog alone that counts.
finding examine_half_open() {
    const char* name = "net.ipv4.tcp_max_syn_backlog";
    const auto length = sysctl(name);
    const bool cookies = sysctl("net.ipv4.tcp_syncookies").value_or(0) != 0;
    finding found{state::ok, name, text_or_not_known(length),
                  cookies ? "half-open connections; syncookies take over when they are more"
                          : "half-open connections, at most: there are no syncookies",
                  ""};
    if (length && (cookies || *length >= 1024)) return found;
    found.how = state::note;
    if (length) found.mend = "sysctl net.ipv4.tcp_syncookies=1";
    return found;
}

struct port_range {
    std::int64_t first = 0;
    std::int64_t last = 0;
    [[nodiscard]] std::int64_t size() const { return last - first + 1; }
};

std::optional<port_range> outgoing_ports() {
    std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
    port_range range;
    if (!(file >> range.first >> range.last) || range.size() <= 0) return std::nullopt;
    return range;
}

constexpr const char* more_ports = "sysctl net.ipv4.ip_local_port_range=\"1024 65535\"";

finding examine_ports(const std::optional<port_range>& range) {
    const char* name = "net.ipv4.ip_local_port_range";
    if (!range) return {state::note, name, not_known, "", ""};
    const bool enough = range->size() >= 16'384;
    return {enough ? state::ok : state::note, name,
            format("%" PRId64 " to %" PRId64 ", %" PRId64 " ports", range->first, range->last,
                   range->size()),
            "connections from an address of ours to one address and port, at most; further ones "
            "fail with EADDRNOTAVAIL",
            enough ? "" : more_ports};
}

// "TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 125"
std::optional<std::int64_t> closed_and_waiting() {
    std::ifstream file("/proc/net/sockstat");
    for (std::string line; std::getline(file, line);) {
        const auto at = line.find(" tw ");
        if (line.starts_with("TCP:") && at != std::string::npos)
            return number_in(std::string_view(line).substr(at + 4));
    }
    return std::nullopt;
}

finding examine_time_wait(const std::optional<port_range>& range) {
    const auto waiting = closed_and_waiting();
    finding found{state::note, "TIME_WAIT", text_or_not_known(waiting),
                  "sockets that were closed here first keep their ports for a minute", ""};
    if (!waiting || !range) return found;
    found.value += format(", for %" PRId64 " ports", range->size());
    found.how = state::ok;
    if (*waiting * 2 < range->size()) return found;
    found.how = *waiting * 10 < range->size() * 9 ? state::note : state::bad;
    found.mend = std::string("keep connections open, or ") + more_ports;
    return found;
}

}  // namespace

findings examine_limits(const facts&) {
    const auto range = outgoing_ports();
    findings found{examine_descriptors(), examine_locked_memory()};
    for (const auto& one : limits) found.push_back(examine_limit(one));
    found.push_back(examine_half_open());
    found.push_back(examine_ports(range));
    found.push_back(examine_time_wait(range));
    findings group = examine_cgroup();
    std::move(group.begin(), group.end(), std::back_inserter(found));
    return found;
}

}  // namespace anel_bench::doctor

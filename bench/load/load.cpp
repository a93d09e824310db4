// load.cpp: which generator a load needs, and what nobody can ask for.
//
// See load.hpp.
//
// SPDX-License-Identifier: MIT
#include "load/load.hpp"

#include <stdexcept>

namespace anel_bench {

const char* name_of(load_mode mode) noexcept {
    switch (mode) {
        case load_mode::closed: return "closed loop";
        case load_mode::fixed_rate: return "open loop, even";
        case load_mode::poisson: return "open loop, Poisson";
    }
    return "";
}

void check_load(const load_options& options) {
    const bool open_loop = options.mode != load_mode::closed;
    if (open_loop && !(options.rate > 0)) {
        throw std::invalid_argument("an open loop needs a rate above 0");
    }
    if (options.work.count() > 0 && options.pipeline != 1) {
        // A server works once for what it receives at once, however many requests that is.
        throw std::invalid_argument("work for each answer needs one request at a time");
    }
    if (options.churn && options.pipeline != 1) {
        throw std::invalid_argument("churn is one request per connection: no pipeline");
    }
    if (options.tls && options.udp) throw std::invalid_argument("TLS needs a stream: no --udp");
    if (options.resume && !(options.tls && options.churn)) {
        throw std::invalid_argument("--resume is for the handshakes of --tls --churn");
    }
    if (options.tls && options.slow > 0) {
        throw std::invalid_argument(
            "a slow reader of TLS would hold what it has not read: no --slow");
    }
    if (options.udp && (options.times != 1 || options.work.count() > 0)) {
        throw std::invalid_argument("the answer to a datagram is the same datagram, without work");
    }
    if (options.udp && options.idle + options.slow > 0) {
        throw std::invalid_argument("UDP has no connections that could be idle or slow");
    }
}

load_result& load_result::operator+=(const load_result& more) {
    for (const auto which :
         {&load_result::requests, &load_result::requests_run, &load_result::offered,
          &load_result::unsent, &load_result::lost, &load_result::reply_bytes,
          &load_result::corrupted, &load_result::broken, &load_result::unanswered}) {
        this->*which += more.*which;
    }
    for (const auto which :
         {&load_result::elapsed, &load_result::spare, &load_result::own_cpu,
          &load_result::server_cpu, &load_result::server_system, &load_result::machine_busy,
          &load_result::machine_stolen, &load_result::own_waited}) {
        this->*which += more.*which;
    }
    server_switches += more.server_switches;
    server_resident = more.server_resident;
    if (first_error[0] == '\0') first_error = more.first_error;
    latency.merge(more.latency);
    slip.merge(more.slip);
    setup.merge(more.setup);
    return *this;
}

load_result run_load(const load_options& options) {
    check_load(options);
    return options.udp ? run_udp_load(options) : run_tcp_load(options);
}

sliced_load connect_sliced_load(const load_options& options) {
    check_load(options);
    return options.udp ? connect_sliced_udp_load(options) : connect_sliced_tcp_load(options);
}

}  // namespace anel_bench

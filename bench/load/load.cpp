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
    if (options.udp && (options.times != 1 || options.work.count() > 0)) {
        throw std::invalid_argument("the answer to a datagram is the same datagram, without work");
    }
    if (options.udp && options.idle + options.slow > 0) {
        throw std::invalid_argument("UDP has no connections that could be idle or slow");
    }
}

load_result run_load(const load_options& options, const load_notice& notify) {
    check_load(options);
    return options.udp ? run_udp_load(options, notify) : run_tcp_load(options, notify);
}

}  // namespace anel_bench

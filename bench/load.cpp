// load.cpp: which generator a load needs, and what nobody can ask for.
//
// See load.hpp.
//
// SPDX-License-Identifier: MIT
#include "load.hpp"

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

load_result run_load(const load_options& options, const load_notice& notify) {
    const bool open_loop = options.mode != load_mode::closed;
    if (open_loop && !(options.rate > 0)) {
        throw std::invalid_argument("an open loop needs a rate above 0");
    }
    if (open_loop && (options.churn || options.udp)) {
        throw std::invalid_argument("churn and UDP have only a closed loop");
    }
    if (options.churn && options.pipeline != 1) {
        throw std::invalid_argument("churn is one request per connection: no pipeline");
    }
    if (options.udp && (options.times != 1 || options.idle + options.slow > 0)) {
        throw std::invalid_argument("UDP has neither replies of another size nor idle connections");
    }
    return options.udp ? run_udp_load(options, notify) : run_tcp_load(options, notify);
}

}  // namespace anel_bench

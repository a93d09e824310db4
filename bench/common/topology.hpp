// topology.hpp: where server and load run: which CPUs, and which networks.
//
// Loopback by default. Or two network namespaces with a veth pair between them: every packet then
// goes through a device, a queue and a softirq, as near to a wire as one machine comes.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/process.hpp"
#include "common/unique_fd.hpp"

namespace anel_bench {

/// Two network namespaces: this process's own from now on, and one for servers.
class veth_pair {
public:
    /// Moves this process into a namespace of its own; nothing of the machine's network is touched.
    /// Errors  std::system_error or std::runtime_error, when the system does not allow it, or
    ///         iproute2 is not installed.
    explicit veth_pair(const interrupts& ctrl_c);

    [[nodiscard]] int server_network() const noexcept { return network_.get(); }
    static constexpr const char* server_host = "10.213.0.2";

private:
    std::optional<child> holder_;  // keeps the servers' namespace while no server runs
    unique_fd network_;
};

/// Where server and load run; nothing is pinned when this process may use fewer than two CPUs.
struct placement {
    std::optional<int> server;
    std::optional<int> load;
    bool siblings = false;          // the two share a core: what one does slows the other
    bool interrupts_apart = false;  // see interrupts_are_apart()
    std::size_t online = 0;         // CPUs of the machine, whether this process may use them or not
    std::shared_ptr<veth_pair> veth;  // null: loopback

    /// The two in use; empty when nothing is pinned.
    [[nodiscard]] std::vector<int> cpus() const {
        if (!server || !load) return {};
        return {*server, *load};
    }
    /// How many CPUs that is, or all.
    [[nodiscard]] std::size_t cpu_count() const { return server && load ? 2 : online; }
    [[nodiscard]] std::string host() const { return veth ? veth->server_host : "127.0.0.1"; }
    [[nodiscard]] std::string topology() const {
        return veth ? "two network namespaces and a veth pair" : "loopback";
    }
};
placement plan_placement();

}  // namespace anel_bench

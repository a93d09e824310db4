// datagrams.hpp: UDP: datagrams that arrive whole, twice, late or not at all.
// SPDX-License-Identifier: MIT
#pragma once

#include "net/sim/address.hpp"
#include "net/sim/core.hpp"
#include "net/sim/descriptor.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace anel::sim {
using namespace detail;

class network;
struct machine;

class datagrams {
public:
    static constexpr std::size_t size_max = 65'507;  // IPv4: 65,535 less two headers

    explicit datagrams(network& in) noexcept : network_(in) {}

    std::int32_t connect(descriptor& from, const operation& op);
    std::int32_t send(descriptor& from, const message& what);
    std::int32_t receive(descriptor& to, message& what);
    /// Receives what is there, at most `most` datagrams.
    std::int32_t receive_batch(descriptor& to, message_batch& into, std::size_t most);
    std::int32_t send_batch(descriptor& from, message_batch& what);
    void on_event(const event& what);

private:
    struct in_flight {
        received_datagram what;
        std::uint32_t sender = 0;  // machines
        std::uint32_t receiver = 0;
        const char* fate = "arrives";  // in the record
        time_point sent{};             // it, or the answer to it
    };

    core& shared() const noexcept;
    void fly(machine& sender, machine& receiver, const received_datagram& what, duration longer,
             const char* fate);
    void see(const in_flight& item, bool back, bool arrives);
    bool arrive(machine& at, const received_datagram& what);
    static void tell(const descriptor& to, const received_datagram& what, datagram_facts& facts);
    void tell_unreachable(machine& sender, const address& from, const address& to);

    network& network_;
    std::vector<in_flight> flying_;
    std::vector<std::uint32_t> free_;
};

}  // namespace anel::sim

// network.hpp: the inside of a world: its hosts, what connects them, and who has what to do.
// SPDX-License-Identifier: MIT
#pragma once

#include "net/sim/address.hpp"
#include "net/sim/core.hpp"
#include "net/sim/datagrams.hpp"
#include "net/sim/links.hpp"
#include "net/sim/machine.hpp"
#include "net/sim/streams.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace anel::sim {

class network {
public:
    network(std::uint64_t seed, const world_options& options);
    network(const network&) = delete;
    network& operator=(const network&) = delete;
    ~network();

    // --- for the parts of the network -----------------------------------------------------------

    [[nodiscard]] core& shared() noexcept { return core_; }
    [[nodiscard]] link_table& links() noexcept { return links_; }
    [[nodiscard]] streams& connections() noexcept { return streams_; }
    [[nodiscard]] datagrams& messages() noexcept { return datagrams_; }
    [[nodiscard]] machine& machine_number(std::uint32_t index) noexcept {
        return *machines_[index];
    }
    /// Who has the address `to`, as seen from `here`; null: nobody.
    machine* machine_at(machine& here, const address& to) noexcept;
    /// The address of `here` that packets to `to` come from; none when there is no such way.
    [[nodiscard]] std::optional<address> source_for(const machine& here,
                                                    const address& to) const noexcept;
    /// Gives a socket an address before its first packet to `to`. Returns 0 or -errno.
    std::int32_t choose_local(descriptor& which, const address& to);
    /// Connected, a socket that was bound to every address has the one that leads to `to`.
    void settle_local(descriptor& which, const address& to) const noexcept;
    /// A port nobody uses on the host of `which`; 0: there is none.
    std::uint16_t free_port(const descriptor& which, address wanted);
    void linger(machine& at, const address& name);
    /// Addresses of a name; null when it does not exist.
    const std::vector<address>* addresses_of(const std::string& name) const;
    /// Makes the loop of `which` turn before time goes on.
    void has_work(machine& which);
    void wake_at(machine& which, time_point when);

    // --- for the world --------------------------------------------------------------------------

    machine& add(std::string_view name, std::string_view addresses, world::program start,
                 bool must_end, bool may_restart);
    machine& find(std::string_view name);
    [[nodiscard]] const std::vector<std::unique_ptr<machine>>& machines() const noexcept {
        return machines_;
    }
    void set_name(std::string_view name, std::vector<address> addresses);
    void call_at(time_point when, std::function<void()> act);
    void advance_until(time_point limit, bool until_all_ended);
    /// Within world::run() or run_for().
    [[nodiscard]] bool is_run() const noexcept { return is_run_; }
    void set_run(bool is_run) noexcept { is_run_ = is_run; }
    /// Asks every host that still runs to end, and waits until it has; checks what is left.
    void finish();
    /// Ends every program at once: nothing runs any more.
    void crash_everybody() noexcept;
    void stop_faults();
    void heal();
    void want_crash(machine& which);
    void want_restart(machine& which);
    /// A fault that the test asks for, in the record.
    void saw(std::string_view kind, std::vector<std::uint32_t> hosts) {
        core_.seen.add_fault(core_.now, never, kind, std::move(hosts));
    }
    [[nodiscard]] std::string record();
    void broke(std::string_view what);
    [[noreturn]] void fail();
    [[nodiscard]] bool failed() const noexcept { return !core_.failed.empty(); }
    [[nodiscard]] std::string tasks() const;
    [[nodiscard]] bool all_ended() const noexcept;

    std::vector<std::pair<std::string, bool>> reached;  // the texts of world::sometimes

private:
    void start(machine& which);
    void turn(machine& which);
    void ended(machine& which);
    void crash(machine& which);
    void unwind(machine& which);
    void check_nothing_left(const machine& which);
    void do_what_was_asked();
    void dispatch(const event& what);
    bool step(time_point limit);
    machine& next_machine();
    void draw_swarm();
    void begin_mishaps();
    void mishap();
    void begin_mishap(fault kind);
    void end_later(std::function<void()> act);

    core core_;
    link_table links_;
    streams streams_;
    datagrams datagrams_;
    std::vector<std::unique_ptr<machine>> machines_;
    std::vector<std::uint32_t> with_work_;
    std::map<std::string, std::vector<address>, std::less<>> names_;
    std::vector<std::function<void()>> calls_;
    std::vector<suspension*> shuffled_;
    bool faults_on_ = false;
    bool asked_ = false;  // a crash or a restart is wanted
    bool finishing_ = false;
    bool is_run_ = false;
};

}  // namespace anel::sim

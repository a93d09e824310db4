// sim.hpp: a simulated network: the whole program, servers, clients, network and clock, in one
// thread, driven by one number.
//
// The programs are ordinary tasks and use the ordinary API: a world gives each host a loop with a
// backend of its own. Time is virtual and jumps to the next event. What goes wrong is drawn from
// the seed, and the same seed repeats the very same run. docs/simulation.md shows how to use it.
//
// Must not know: gtest, files, the real clock.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/task.hpp>
#include <anel/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace anel::sim {

class network;

/// What can go wrong in a world.
enum class fault : std::uint8_t {
    slow_segment,        ///< a piece of a stream is lost and sent again: it comes later
    split_segment,       ///< a stream arrives in pieces of any size
    connection_reset,    ///< a connection is reset after some byte
    half_open,           ///< a connection's packets vanish from some byte on
    slow_receiver,       ///< a connection takes only some kilobytes a second
    small_buffers,       ///< the buffers of a connection hold little
    connect_refused,     ///< a connect is answered with a reset
    connect_delayed,     ///< a connection request is lost and sent again, a second or more later
    connection_aborted,  ///< a connection ends before it is accepted: ECONNABORTED
    datagram_lost,       ///< a datagram does not arrive
    datagram_doubled,    ///< it arrives twice
    datagram_late,       ///< it arrives after others that were sent later
    short_read,          ///< a receive gives less than there is
    short_write,         ///< a send takes less than there is room for
    late_completion,     ///< what is done is told later, and in another order
    spurious_wake,       ///< a host's loop turns for nothing
    no_descriptors,      ///< EMFILE
    no_buffers,          ///< a datagram is refused with ENOBUFS
    lookup_failed,       ///< a name has no answer: EAI_AGAIN
    lookup_slow,         ///< an answer takes seconds
    lookup_changed,      ///< an answer has another order, and may lack some addresses
    partition,           ///< two groups of hosts do not reach each other for a while
    one_way_partition,   ///< one host's packets to another vanish for a while
    clog,                ///< a link holds everything back for a while
    pause,               ///< a host stands still for a while
    crash,               ///< a host ends without a farewell, and starts again
    count_,
};
inline constexpr std::size_t fault_count = static_cast<std::size_t>(fault::count_);

/// The name of the enumerator.
[[nodiscard]] const char* name_of(fault kind) noexcept;

/// How often each fault happens: chances in a million, each time it could. For partition and what
/// follows it: in each tenth of a second.
class fault_rates {
public:
    /// The chance of `kind`, 0 .. 1,000,000.
    std::uint32_t& operator[](fault kind) noexcept { return rates_[index(kind)]; }
    std::uint32_t operator[](fault kind) const noexcept { return rates_[index(kind)]; }

private:
    static std::size_t index(fault kind) noexcept { return static_cast<std::size_t>(kind); }
    std::array<std::uint32_t, fault_count> rates_{};
};

/// How a world is made: which faults it brings, how fast its links are.
struct world_options {
    /// Draw from the seed which faults happen and how often. Off: exactly those in `rates`.
    bool swarm = true;
    fault_rates rates;
    /// Those that never happen.
    std::vector<fault> never;
    /// Tasks that are ready, operations that are done and events of one instant take their turn in
    /// the order of their coming. Off: in an order drawn from the seed.
    bool first_in_first_out = false;
    /// How long a packet travels between two hosts.
    duration latency_min = std::chrono::microseconds(100);
    duration latency_max = std::chrono::milliseconds(2);
    /// What a host sends to itself arrives at once. Off: it travels like everything else.
    bool instant_loopback = true;
    /// Bytes per second of each link; 0: no limit.
    std::uint64_t bandwidth = 0;
    /// Descriptors that a host may have.
    std::size_t descriptors_max = 1024;
    /// Keep the whole record of the run: see world::trace() and world::record().
    bool keep_trace = false;

    /// The defaults above.
    world_options() {}  // NOLINT: not an aggregate, which g++ 12 destroys twice beside a co_await
};

/// Why a run failed: a program's error, a broken promise, tasks that wait for ever. what() ends
/// with the virtual time and the seed.
class failure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// One line of a run's record.
struct trace_record {
    std::int64_t at = 0;     ///< virtual nanoseconds since the start
    std::uint32_t host = 0;  ///< in the order in which they were made
    std::uint32_t what = 0;  ///< an event or an operation; print() names it
    std::int32_t descriptor = -1;
    std::int32_t result = 0;
    std::uint64_t size = 0;

    bool operator==(const trace_record&) const = default;
    /// The record as a line of text: time, host, event, what came of it.
    [[nodiscard]] std::string print() const;
};

/// What a run came to.
struct statistics {
    std::uint64_t events = 0;      ///< lines of its record: packets, operations, turns of hosts
    std::uint64_t operations = 0;  ///< of the hosts' programs, control calls not counted
    std::uint64_t trace_hash = 0;  ///< over the whole record: equal for equal runs
    std::array<std::uint64_t, fault_count> faults{};  ///< how often each fault happened
    /// The texts of world::sometimes, and whether they were reached.
    std::vector<std::pair<std::string, bool>> sometimes;
};

/// A network of hosts, and the time in which they live.
/// Thread    one; the programs run in it too. offload() runs its call at once, and post() must come
///           from this thread.
class world {
public:
    using program = std::function<task<>()>;

    /// An empty network. `seed` decides all that is left to chance: the same seed, the same run.
    explicit world(std::uint64_t seed, const world_options& options = {});
    world(const world&) = delete;
    world& operator=(const world&) = delete;
    /// Ends what still runs, as a crash would. The variables that programs use must still be there:
    /// only after run() has returned, or thrown, nothing runs any more.
    ~world();

    /// Adds a host that serves: its program may run for ever, and is cancelled when all clients
    /// have ended, as by SIGTERM. It may crash, and then `start` is called again. `addresses`: one
    /// IP address, or several separated by blanks, without zones: those of fe80::/10 are in the
    /// zone `eth0`, which is 2. Programs find the host by its name.
    void host(std::string_view name, std::string_view addresses, program start);
    /// The same with a task; such a host can crash but not start again, and no swarm crashes it.
    void host(std::string_view name, std::string_view addresses, task<> work);
    /// Adds a host whose program must end. It does not crash unless told to.
    void client(std::string_view name, std::string_view addresses, program start);
    void client(std::string_view name, std::string_view addresses, task<> work);

    /// Lets virtual time pass.
    /// Errors   sim::failure.
    void run_for(duration time);
    /// Runs until every client has ended (without clients: every host), at most for `limit`. Faults
    /// stop after half of it. Then cancels the hosts, waits until they have ended too, and checks
    /// that nothing is left behind.
    /// Errors   sim::failure: a program ended with an exception, a client did not end, tasks wait
    ///          for ever, a host does not end when cancelled, something is left behind.
    void run(duration limit);

    /// Virtual time since the start.
    [[nodiscard]] duration now() const noexcept;
    /// The seed that the world was made with.
    [[nodiscard]] std::uint64_t seed() const noexcept;
    /// 0 .. bound - 1, from the seed: for the choices of a test.
    [[nodiscard]] std::uint64_t random(std::uint64_t bound);
    /// Calls `act` when `time` has passed since the start.
    void at(duration time, std::function<void()> act);

    /// Makes a name resolve to `addresses`, in this order; without any it does not exist. The name
    /// of a host resolves to its addresses by itself.
    void name(std::string_view name, std::initializer_list<std::string_view> addresses);

    /// Cuts, or holds back, what two hosts send each other, until heal().
    void partition(std::string_view one, std::string_view other);
    /// Cuts what `from` sends to `to`, until heal().
    void partition_one_way(std::string_view from, std::string_view to);
    /// Holds back what two hosts send each other until heal(): then it arrives.
    void clog(std::string_view one, std::string_view other);
    /// Cuts a host off from all others.
    void isolate(std::string_view host);
    /// Makes the links of two hosts slower, or faster, than the others.
    void link(std::string_view one, std::string_view other, duration latency_min,
              duration latency_max, std::uint64_t bandwidth = 0);
    /// Ends partitions and clogs, those of the swarm too.
    void heal();
    /// No fault happens any more that is drawn from the seed; heals.
    void stop_faults();

    /// Ends a host without a farewell: the others hear nothing. Inside, its tasks are cancelled and
    /// every wait fails at once, so that destructors run. Happens before time goes on.
    void crash(std::string_view host);
    /// Starts a host that has crashed.
    void restart(std::string_view host);
    /// Whether the host runs: it has not crashed, or has been started again.
    [[nodiscard]] bool is_up(std::string_view host) const;
    /// The most descriptors a host may have from now on: EMFILE beyond.
    void limit_descriptors(std::string_view host, std::size_t most);

    /// Fails the run when `condition` is false; `text` says what should hold. Outside of run() and
    /// run_for() it throws the failure at once.
    void always(bool condition, std::string_view text);
    /// Notes whether `condition` was ever true: over a batch of seeds it must be at least once.
    void sometimes(bool condition, std::string_view text);

    /// What the run has come to so far.
    [[nodiscard]] statistics stats() const;
    /// What every task of every host waits for, and where.
    [[nodiscard]] std::string tasks() const;
    /// The run as JSON: packets, faults, and what each host's loop did, when keep_trace asked for
    /// it. `anel-trace sequence` draws it. What the loops record ends with the first call.
    [[nodiscard]] std::string record() const;
    /// The record of the run, when it was asked for; else its last lines.
    [[nodiscard]] std::vector<trace_record> trace() const;

private:
    std::unique_ptr<network> network_;
};

}  // namespace anel::sim

// process_farm.hpp: runs a function in child processes and collects what each of them says.
//
// A child is a copy of this process: what it changes, how it fails and what it leaks stays its own.
// Knows: processes and pipes. Must not know: what is run in them.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace anel::detail {

class process_farm {
public:
    /// What a child does: writes to `say`, which is its only way out.
    using work = std::function<void(const std::function<void(std::string_view)>& say)>;

    process_farm() = default;
    process_farm(const process_farm&) = delete;
    process_farm& operator=(const process_farm&) = delete;
    /// Kills those that still run.
    ~process_farm();

    /// Starts a child. `id`: what the others call it. One that says nothing for `patience` seconds
    /// is ended by SIGALRM; 0: for ever.
    /// Errors  std::system_error when the system refuses.
    void start(std::size_t id, const work& what, unsigned patience);
    /// Waits for news. Calls `heard(id, text)` for what a child says, and `ended(id, how)` when one
    /// is gone: "" after a good end, else how it died.
    void wait(const std::function<void(std::size_t, std::string_view)>& heard,
              const std::function<void(std::size_t, std::string)>& ended);
    [[nodiscard]] std::size_t running() const noexcept { return children_.size(); }
    void kill_all() noexcept;

private:
    struct child {
        std::size_t id;
        int process;
        int pipe;
    };
    std::vector<child> children_;
};

}  // namespace anel::detail

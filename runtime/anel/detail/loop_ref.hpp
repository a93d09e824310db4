// loop_ref.hpp: what knows a loop and may outlive it.
//
// Must not know: what a loop does.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/opcode.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace anel::detail {

class loop;

/// Knows a loop that may end before: a socket that was returned from run() does. Move-only.
/// Thread  that of the loop; any, one at a time, once it has ended.
class loop_ref {
public:
    /// What outlives the loop, while somebody knows it.
    struct life {
        loop* owner;          // null once it has ended
        bool has_system_fds;  // its descriptors are the system's, not those of a simulated host
        std::atomic<std::uint32_t> known{1};
    };

    loop_ref() noexcept = default;
    explicit loop_ref(loop& which) noexcept;
    loop_ref(loop_ref&& other) noexcept : life_(std::exchange(other.life_, nullptr)) {}
    loop_ref& operator=(loop_ref&& other) noexcept {
        std::swap(life_, other.life_);
        return *this;
    }
    ~loop_ref() {
        if (life_) release(life_);
    }

    explicit operator bool() const noexcept { return life_ != nullptr; }
    /// The loop; null once it has ended.
    [[nodiscard]] loop* get() const noexcept { return life_ ? life_->owner : nullptr; }
    /// loop::control(). Once the loop has ended only what gets rid of a descriptor or a file works;
    /// the rest gives loop_has_ended.
    std::int32_t control(opcode code, int fd, void* data = nullptr, std::size_t size = 0,
                         std::uint32_t flags = 0) const noexcept;

private:
    friend loop;
    static void release(life* of) noexcept;
    life* life_ = nullptr;
};

}  // namespace anel::detail

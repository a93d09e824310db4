// frame_pool.hpp: recycles coroutine frames and memory for the bytes of connections, by size class,
// for the loop that runs on this thread.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/counter.hpp>

#include <cstddef>
#include <cstdint>

namespace anel::detail {

class loop;

class frame_pool {
public:
    static constexpr std::size_t class_bytes = 16;
    static constexpr std::size_t classes = 256;            // frames up to 4 KiB are recycled
    static constexpr std::uint32_t kept_per_class = 4096;  // more go back to the system

    static constexpr std::size_t page_bytes = 4096;
    static constexpr std::size_t pages_max = 20;        // larger memory is not recycled
    static constexpr std::size_t kept_pages_max = 512;  // 2 MiB; more goes back to the system

    explicit frame_pool(const loop& of) noexcept : of_(of) {}
    frame_pool(const frame_pool&) = delete;
    frame_pool& operator=(const frame_pool&) = delete;
    ~frame_pool();

    void* take(std::size_t bytes);
    void give_back(void* memory, std::size_t bytes) noexcept;
    /// `pages` times page_bytes.
    void* take_pages(std::size_t pages);
    void give_back_pages(void* memory, std::size_t pages) noexcept;
    [[nodiscard]] std::uint64_t allocated() const noexcept { return allocated_; }

    /// Frames that were made while this pool was installed, less those that went. A frame born
    /// before the loop ran, or destroyed after, is not seen.
    [[nodiscard]] std::int64_t alive() const noexcept;

    [[nodiscard]] const loop& of() const noexcept { return of_; }

    /// Makes `pool` the one that frames of this thread come from. Returns the one before.
    static frame_pool* install(frame_pool* pool) noexcept;
    [[nodiscard]] static frame_pool* installed() noexcept;

private:
    struct block {
        block* next;
    };
    struct free_list {
        block* first = nullptr;
        std::uint32_t size = 0;
    };
    const loop& of_;
    free_list free_[classes];
    free_list free_pages_[pages_max + 1];
    std::size_t kept_pages_ = 0;
    counter allocated_;
    std::int64_t held_ = 0;  // blocks of the system, in use or not
};

}  // namespace anel::detail

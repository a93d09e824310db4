// listing.cpp: listings for those who must not fail to print them.
// SPDX-License-Identifier: MIT
#include "runtime/core/listing.hpp"

#include "runtime/core/frame_pool.hpp"
#include "runtime/system/system.hpp"

#include <anel/task_tree.hpp>

#include <atomic>
#include <cstdlib>
#include <exception>

namespace anel::detail {
namespace {

[[noreturn]] void list_and_end();

/// What std::terminate called before the first that asked: that then comes after the listing.
std::terminate_handler handler_before() noexcept {
    static const std::terminate_handler before = std::set_terminate(&list_and_end);
    return before;
}

void list_and_end() {
    print_last_listing();
    if (const std::terminate_handler before = handler_before()) before();
    std::abort();
}

}  // namespace

std::string listing_of(const loop& of, std::string_view remark) noexcept {
    try {
        std::string text = "tasks of a loop on ";
        text.append(name_of(of.backend().kind())).append(remark).append(":\n");
        if (of.listed()) text += task_tree(*of.listed());
        return text;
    } catch (const std::exception&) {
        return "no memory\n";  // short enough to need none
    }
}

void print_last_listing() noexcept {
    static constinit std::atomic<bool> begun{false};
    const frame_pool* here = frame_pool::installed();
    if (!here || !here->of().listed() || !here->of().is_of_this_process()) return;
    if (begun.exchange(true)) return;
    print_error(listing_of(here->of()));
}

void list_at_terminate() noexcept { static_cast<void>(handler_before()); }

}  // namespace anel::detail

// listing.hpp: the tasks of a loop under a headline, also as the last words of a program that dies.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/loop.hpp>

#include <string>
#include <string_view>

namespace anel::detail {

/// `tasks of a loop on io_uringREMARK:` and the tasks below loop::listed(); or `no memory`.
/// Thread  the loop's own.
std::string listing_of(const loop& of, std::string_view remark = {}) noexcept;

/// Prints the tasks of the loop that runs on this thread, if one does: for whoever aborts. At most
/// once in a process, as the listing may be what fails.
void print_last_listing() noexcept;

/// From now on an exception that nobody can catch has the tasks listed, too.
void list_at_terminate() noexcept;

}  // namespace anel::detail

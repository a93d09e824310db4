// parts.hpp: what an examination is made of: each part looks at one thing and says what it found.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "common/environment.hpp"
#include "doctor/doctor.hpp"

namespace anel_bench::doctor {

using facts = std::vector<fact_group>;

#ifdef ANEL_HAVE_IO_URING  // of anel_internal, a target
inline constexpr bool built_with_io_uring = true;
#else
inline constexpr bool built_with_io_uring = false;
#endif
inline constexpr const char* build_with_io_uring =
    "install liburing-dev (2.3 or newer) and pkg-config, and configure and build anel again";

findings examine_machine(const facts& environment);    // machine.cpp
findings examine_io_uring(const facts& environment);   // io_uring.cpp
findings examine_limits(const facts& environment);     // limits.cpp
findings examine_measuring(const facts& environment);  // machine.cpp
findings examine_build(const facts& environment);      // build.cpp

findings examine_cgroup();  // cgroup.cpp

/// The backend of a program of anel's that is started here.
struct anel_choice {
    std::string name;    // "" when none starts
    std::string reason;  // why not a better one, or none
};
anel_choice ask_anel();  // backend.cpp
finding examine_backend(const anel_choice& chosen, int ring_error);

/// Why a ring was refused, and what lets it through.
struct refusal {
    std::string means;
    std::string mend;
};
refusal explain_refusal(int error, const std::string& container);  // refusal.cpp

}  // namespace anel_bench::doctor

// version.hpp: which version of anel this is, for the preprocessor:
//
//     #if ANEL_VERSION >= 200  // 0.2.0
//
// The build and the packages take their version from here.
// SPDX-License-Identifier: MIT
#pragma once

#define ANEL_VERSION_MAJOR 0
#define ANEL_VERSION_MINOR 1
#define ANEL_VERSION_PATCH 0
/// Major times 10,000, minor times 100, and patch: two versions compare as numbers.
#define ANEL_VERSION (ANEL_VERSION_MAJOR * 10000 + ANEL_VERSION_MINOR * 100 + ANEL_VERSION_PATCH)

namespace anel::detail {
/// Stands in the symbols of run() and run_per_core(): a program that is compiled with the headers
/// of one version and linked with the library of another does not link.
template <int>
struct version {};
using version_here = version<ANEL_VERSION>;
}  // namespace anel::detail

// doctor.hpp: what this machine gives to anel, and each thing that will bite, with what mends it.
//
// Only looks, and tries what leaves no trace: rings of a few entries that are closed at once.
// A file that cannot be read is "not known", never an error. Knows nothing of servers or loads.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace anel_bench::doctor {

/// ok: as it should be. note: worth knowing, or not known. bad: programs are slower or fail by it.
enum class state { ok, note, bad };

const char* name_of(state how) noexcept;

struct finding {
    state how = state::ok;
    std::string name;
    std::string value;
    std::string means;  ///< what it does to a program
    std::string mend;   ///< one line that changes it; "" where nothing needs to change
};

using findings = std::vector<finding>;

/// Everything there is to say, always in the same order.
findings examine();

bool any_bad(const findings& all);

/// A line for each finding, with what it means and what mends it on lines of their own.
std::string text_of(const findings& all);

/// {"findings": [{"state", "name", "value", "means", "mend"}, ...]}
std::string json_of(const findings& all);

}  // namespace anel_bench::doctor

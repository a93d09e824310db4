// gate.hpp: through which other threads read a loop, while there is one.
// SPDX-License-Identifier: MIT
#pragma once

#include <mutex>

namespace anel::detail {

class loop;

struct loop_gate {
    std::mutex mutex;
    const loop* of;  ///< null once it has ended
};

}  // namespace anel::detail

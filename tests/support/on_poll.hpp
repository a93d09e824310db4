// on_poll.hpp: how tests run tasks that need no more of a backend than its clock.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/run.hpp>

namespace anel {

inline const run_options on_poll{.backend = {.kind = backend_kind::poll}, .signals = false};

}  // namespace anel

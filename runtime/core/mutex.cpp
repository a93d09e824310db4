// mutex.cpp: what a task listing says of a task that waits for a mutex.
// SPDX-License-Identifier: MIT
#include <anel/mutex.hpp>

#include "runtime/core/places.hpp"

namespace anel {
using namespace detail;

const wait_kind mutex::lock_wait::a_lock{"mutex", &on_cancel, &describe};

void mutex::lock_wait::describe(const suspension& wait, std::string& text) {
    const mutex& wanted = static_cast<const lock_wait&>(wait).wanted_;
    if (!wanted.held_file_) return;
    text += " (held since ";
    append_place(text, wanted.held_file_, wanted.held_line_);
    text += ')';
}

}  // namespace anel

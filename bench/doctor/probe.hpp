// probe.hpp: asks io_uring what it knows, one feature at a time, by trying it.
//
// By system calls alone: liburing belongs to runtime/uring/, and its headers here know less than
// the kernel may. Every question gets a ring of its own and is tried on no descriptor, so that
// nothing happens to anyone. Knows nothing of what a feature is for.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace anel_bench::doctor {

enum class about {
    features,      // bits of io_uring_params::features, all of them
    setup,         // flags of io_uring_setup(2), all of them
    opcodes,       // by number, all of them, as IORING_REGISTER_PROBE tells
    registration,  // a number of io_uring_register(2)
    entry,         // an opcode with flags that only newer kernels take
};

struct question {
    about what;
    std::uint64_t asked;         // a mask; for registration and entry a number
    std::uint16_t io_flags = 0;  // entry: sqe.ioprio
    std::uint8_t flags = 0;      // entry: sqe.flags
};

enum class answer { no, yes, unknown };

class probe {
public:
    probe();

    /// Why io_uring_setup(2) refuses the smallest ring, an errno; 0: it does not.
    [[nodiscard]] int error() const noexcept { return error_; }
    [[nodiscard]] answer ask(const question& one) const;
    /// Bit n: the kernel knows opcode n. Up to 63, beyond which anel uses none.
    [[nodiscard]] std::uint64_t opcodes() const noexcept { return opcodes_; }

private:
    int error_ = 0;
    std::uint32_t features_ = 0;
    bool opcodes_known_ = false;
    std::uint64_t opcodes_ = 0;
};

/// The ring that anel gets here.
struct ring_size {
    int error = 0;             // an errno; 0: there is one
    int step = 0;              // of the flags of runtime/uring/setup.cpp, from 1: the best
    unsigned submissions = 0;  // entries
    unsigned completions = 0;
};
ring_size size_of_anels_ring();

}  // namespace anel_bench::doctor

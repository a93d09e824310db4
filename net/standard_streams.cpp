// standard_streams.cpp: copies of 0, 1 and 2, and regular files on a helper thread.
// SPDX-License-Identifier: MIT
#include <anel/standard_streams.hpp>

#include "net/pipe.hpp"
#include "runtime/system/standard.hpp"

#include <cerrno>

namespace anel {
using namespace detail;
namespace {

void run_file_call(helper_call& running) noexcept {
    auto& call = static_cast<file_call&>(running);
    call.result = call.writes ? write_stream(call.fd, call.data, call.size)
                              : read_stream(call.fd, call.data, call.size);
}

constexpr const char* standard_names[] = {"standard input", "standard output", "standard error"};

task<pipe_stream> open_standard(int which) {
    const char* const name = standard_names[which];
    frame& self = co_await detail::this_frame();
    loop& owner = self.scope->owner();
    if (owner.backend().kind() == backend_kind::sim) {
        throw_errno(EOPNOTSUPP, "open", std::string(name) + " (a simulated host has none)");
    }
    standard_copy copy;
    owner.settle();
    if (const std::int32_t error = copy_standard(which, copy); error < 0) {
        throw_errno(-error, "open", name);
    }
    file_holder held(copy.fd);
    std::unique_ptr<file_call> file;
    if (copy.is_file) {
        file = std::make_unique<file_call>();
        file->run = &run_file_call;
        file->waits_for_disk = true;
        file->writes = which != 0;
    }
    const file_mode mode = copy.is_own ? file_mode::does_not_block : file_mode::may_block;
    pipe_stream made = pipe_maker::make_shared_stream(owner, held, mode, which != 0, name, file);
    co_return made;
}

}  // namespace

task<pipe_stream> open_standard_input() { return open_standard(0); }
task<pipe_stream> open_standard_output() { return open_standard(1); }
task<pipe_stream> open_standard_error() { return open_standard(2); }

}  // namespace anel

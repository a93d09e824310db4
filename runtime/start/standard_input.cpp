// standard_input.cpp: reading descriptor 0 without making the loop wait.
// SPDX-License-Identifier: MIT
#include <anel/standard_input.hpp>

#include "runtime/system/standard.hpp"

#include <anel/detail/io.hpp>
#include <anel/offload.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <span>
#include <utility>

namespace anel {
using namespace detail;
namespace {

class input_wait : public io<input_wait> {
public:
    explicit input_wait(std::span<char> into) noexcept
        : io(opcode::read_input, STDIN_FILENO, into.data(), into.size()) {}
    std::size_t value() const noexcept { return static_cast<std::size_t>(result); }
    static io_error describe(std::error_code error) {
        return io_error(error, "read", "standard input");
    }
};

}  // namespace

standard_input::standard_input() noexcept {
    struct stat status{};
    is_file_ = ::fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode);
}

task<std::size_t> standard_input::read_more() {
    std::array<char, 4096> buffer;
    std::size_t count = 0;
    if (is_file_) {
        const auto read_file = [&] {
            return read_stream(STDIN_FILENO, buffer.data(), buffer.size());
        };
        const std::int32_t got = co_await offload(read_file);
        if (got < 0) throw_errno(-got, "read", "standard input");
        count = static_cast<std::size_t>(got);
    } else {
        input_wait arrival(buffer);
        count = co_await arrival;
    }
    held_.append(buffer.data(), count);
    co_return count;
}

task<std::optional<std::string>> standard_input::read_line(std::size_t size_max) {
    std::size_t end = held_.find('\n');
    while (end == std::string::npos && !ended_ && held_.size() <= size_max + 1) {
        const std::size_t scanned = held_.size();
        const std::size_t count = co_await read_more();
        ended_ = count == 0;
        end = held_.find('\n', scanned);
    }
    if (end == std::string::npos && held_.empty()) co_return std::nullopt;
    std::string line = held_.substr(0, end);
    if (line.ends_with('\r')) line.pop_back();
    if (line.size() > size_max) {
        throw io_error(errc::message_too_long, "read_line",
                       "(at most " + std::to_string(size_max) + " bytes)");
    }
    held_.erase(0, end == std::string::npos ? end : end + 1);
    co_return line;
}

}  // namespace anel

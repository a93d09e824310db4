// file.hpp: a regular file that stays open: what is sent many times is opened once.
//
// Knows: a descriptor and what was true of it when it was opened. Must not know: sockets.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/task.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace anel {

namespace detail {
struct file_opener;
}  // namespace detail

/// A regular file, open for reading; see tcp_stream::send_file(). Move-only.
/// Thread   any number of threads, tasks and loops may send from one, which has no position.
class readable_file {
public:
    readable_file() noexcept = default;
    readable_file(readable_file&& other) noexcept;
    readable_file& operator=(readable_file&& other) noexcept;
    ~readable_file();

    /// Opens the file at `path`.
    /// Errors   `open PATH: …` ENOENT, EACCES, EISDIR …, EINVAL for what is no regular file; EAGAIN
    ///          when 256 calls wait for a helper thread.
    /// Thread   it is opened on a helper thread, which a cancel waits for.
    static task<readable_file> open(std::string path);

    /// Whether it holds an open file.
    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
    /// Bytes that it had when it was opened.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    /// When it had been changed last, when it was opened.
    [[nodiscard]] std::chrono::system_clock::time_point modified() const noexcept {
        return modified_;
    }
    /// The path that it was opened by.
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    /// The descriptor, -1 when it is not open.
    [[nodiscard]] int native_handle() const noexcept { return fd_; }

private:
    friend detail::file_opener;
    explicit readable_file(std::string path) noexcept : path_(std::move(path)) {}

    int fd_ = -1;
    std::uint64_t size_ = 0;
    std::chrono::system_clock::time_point modified_;
    std::string path_;
};

}  // namespace anel

// files.hpp: files for tests, filled with bytes that tell where they stand, and gone at the end.
// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/over_backends.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace anel::test {

/// A file of pattern(size).
class temporary_file {
public:
    explicit temporary_file(std::size_t size) {
        path_ = testing::TempDir() + "anel_file_XXXXXX";
        const int fd = ::mkstemp(path_.data());
        EXPECT_GE(fd, 0) << path_;
        constexpr std::size_t part = 1 << 20;  // a large file takes no more memory than a small one
        for (std::size_t at = 0; at < size; at += part) {
            const std::string bytes = pattern(std::min(part, size - at), at);
            const auto written = static_cast<ssize_t>(bytes.size());
            EXPECT_EQ(::write(fd, bytes.data(), bytes.size()), written);
        }
        ::close(fd);
    }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    ~temporary_file() { ::unlink(path_.c_str()); }

    [[nodiscard]] const std::string& path() const { return path_; }

    void truncate(std::size_t size) const {
        EXPECT_EQ(::truncate(path_.c_str(), static_cast<off_t>(size)), 0);
    }
    /// Has the system write it to the disk and forget it. Where there is no disk it stays.
    void drop_from_memory() const {
        const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
        EXPECT_EQ(::fsync(fd), 0);
#ifdef POSIX_FADV_DONTNEED  // not on macOS, where it stays
        EXPECT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
#endif
        ::close(fd);
    }
    /// Whether any of it is in memory. A read that must not wait has the system begin to fetch what
    /// is missing, so that it may be there a moment later; this question has no effect.
    [[nodiscard]] bool is_in_memory() const {
#if defined(__linux__) && !defined(ANEL_POSIX_ONLY)
        const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
        const auto size = static_cast<std::size_t>(::lseek(fd, 0, SEEK_END));
        void* mapping = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
        std::vector<unsigned char> pages(size / 4096 + 1);
        EXPECT_EQ(::mincore(mapping, size, pages.data()), 0);
        ::munmap(mapping, size);
        ::close(fd);
        const auto is_there = [](unsigned char page) { return (page & 1) != 0; };
        return std::any_of(pages.begin(), pages.end(), is_there);
#else
        return true;
#endif
    }
    /// Has its beginning in memory again.
    void read_until(std::size_t size) const {
        const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
#ifdef POSIX_FADV_RANDOM
        EXPECT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0);  // and nothing behind it
#endif
        std::string bytes(size, '\0');
        EXPECT_EQ(::pread(fd, bytes.data(), size, 0), static_cast<ssize_t>(size));
        ::close(fd);
    }

private:
    std::string path_;
};

}  // namespace anel::test

// unix_place.hpp: a directory for the sockets of a test, and descriptors sent without the library.
// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/streams.hpp"

#include <span>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace anel::test {

/// Names for unix sockets in a directory of its own, which must be empty in the end.
class over_unix_sockets : public over_backends {
protected:
    void SetUp() override {
        over_backends::SetUp();
        ASSERT_NE(::mkdtemp(directory_), nullptr);
    }
    void TearDown() override {
        for (const std::string& name : entries(directory_)) {
            ADD_FAILURE() << name << " was left behind";
            ::unlink((std::string(directory_) + "/" + name).c_str());
        }
        ::rmdir(directory_);
        over_backends::TearDown();
    }
    [[nodiscard]] std::string path(std::string_view name) const {
        return std::string(directory_) + "/" + std::string(name);
    }
    [[nodiscard]] endpoint at(std::string_view name = "s") const { return "unix:" + path(name); }
    [[nodiscard]] bool exists(std::string_view name = "s") const {
        struct stat status{};
        return ::lstat(path(name).c_str(), &status) == 0;
    }

private:
    char directory_[32] = "/tmp/anel_test_XXXXXX";
};

/// A socketpair(2) of any type, which does not block.
struct raw_unix_pair {
    raw_socket first;
    raw_socket second;
    explicit raw_unix_pair(int type) {
        int pair[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, type | close_on_exec, 0, pair), 0);
        first = raw_socket(pair[0]);
        second = raw_socket(pair[1]);
        first.set_blocking(false);
        second.set_blocking(false);
    }
};

/// Sends `bytes` and copies of `descriptors` at once. Returns whether the system took them.
inline bool send_with(int fd, std::string_view bytes, std::span<const int> descriptors,
                      const endpoint* to = nullptr) {
    alignas(cmsghdr) char control[2048] = {};
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr header{};
    socket_address address;
    if (to) {
        address = to_socket_address(*to);
        header.msg_name = address.bytes;
        header.msg_namelen = address.size;
    }
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (!descriptors.empty()) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* entry = CMSG_FIRSTHDR(&header);
        entry->cmsg_level = SOL_SOCKET;
        entry->cmsg_type = SCM_RIGHTS;
        entry->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(entry), descriptors.data(), descriptors.size_bytes());
    }
    return ::sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
}

/// Receives without waiting; counts the descriptors that come, and closes them.
inline ssize_t receive_with(int fd, char* into, std::size_t size, std::size_t& descriptors) {
    alignas(cmsghdr) char control[2048] = {};
    iovec part{into, size};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(fd, &header, MSG_DONTWAIT);
    if (got < 0) return got;
    for (auto* entry = CMSG_FIRSTHDR(&header); entry; entry = CMSG_NXTHDR(&header, entry)) {
        const std::size_t count = (entry->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int number = -1;
            std::memcpy(&number, CMSG_DATA(entry) + i * sizeof number, sizeof number);
            ::close(number);
        }
        descriptors += count;
    }
    return got;
}

/// Whether both numbers stand for one open file.
inline bool same_file(int left, int right) {
    struct stat a{};
    struct stat b{};
    return ::fstat(left, &a) == 0 && ::fstat(right, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

}  // namespace anel::test

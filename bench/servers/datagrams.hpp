// datagrams.hpp: the datagrams that are there, received in one call and sent back in another.
//
// For servers that differ in how they wait. The calls are of the system, not of what waits: without
// them in all, a comparison would credit a ring with recvmmsg(2).
//
// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <vector>

namespace server {

class datagrams {
public:
    /// Sends back up to 64 datagrams, without waiting for any. One that the socket does not take is
    /// lost, as datagrams are.
    void answer(int fd) {
        for (std::size_t i = 0; i < used_; ++i) prepare(i);
        const int n = recvmmsg(fd, headers_.data(), most, MSG_DONTWAIT, nullptr);
        used_ = n > 0 ? static_cast<std::size_t>(n) : 0;
        for (std::size_t i = 0; i < used_; ++i) bytes_[i].iov_len = headers_[i].msg_len;
        for (std::size_t sent = 0; sent < used_;) {
            const auto left = static_cast<unsigned>(used_ - sent);
            const int more = sendmmsg(fd, &headers_[sent], left, MSG_DONTWAIT);
            sent += more > 0 ? static_cast<std::size_t>(more) : 1;
        }
    }

private:
    static constexpr std::size_t most = 64;
    static constexpr std::size_t longest = 65536;  // pages that no datagram needs are not touched

    void prepare(std::size_t i) {
        bytes_[i] = {&buffers_[i * longest], longest};
        headers_[i] = {};
        headers_[i].msg_hdr.msg_name = &peers_[i];
        headers_[i].msg_hdr.msg_namelen = sizeof peers_[i];
        headers_[i].msg_hdr.msg_iov = &bytes_[i];
        headers_[i].msg_hdr.msg_iovlen = 1;
    }

    std::vector<char> buffers_ = std::vector<char>(most * longest);
    std::array<sockaddr_in, most> peers_{};
    std::array<iovec, most> bytes_{};
    std::array<mmsghdr, most> headers_{};
    std::size_t used_ = most;  // headers that are not ready for a receive
};

}  // namespace server

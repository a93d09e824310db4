// passing.cpp: messages over unix sockets, and the descriptors that travel with them.
//
// Each descriptor that the system gives to this process is handed on or closed here. The system
// itself drops what finds no room in the control data, and says so.
// SPDX-License-Identifier: MIT
#include "runtime/system/posix.hpp"

#include <anel/unique_fd.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace anel::detail {
namespace {

#ifdef MSG_CMSG_CLOEXEC
constexpr int close_on_exec = MSG_CMSG_CLOEXEC;
#else
constexpr int close_on_exec = 0;  // macOS: set below; until then a fork can inherit it
#endif

// An adopted socket may have options whose data come first, such as SO_PASSCRED. Descriptors that
// this lets in as well are closed.
constexpr std::size_t room_for_others = 64;

// Where the system closes those that find no room. Others, such as macOS, give the process numbers
// that nobody tells it.
#ifdef __linux__
constexpr bool closes_what_does_not_fit = true;
#else
constexpr bool closes_what_does_not_fit = false;
#endif

struct control_room {
    alignas(cmsghdr) std::byte
        bytes[CMSG_SPACE(passed_message::descriptors_max * sizeof(int)) + room_for_others];
};

#ifdef SCM_PIDFD
constexpr int process_descriptor = SCM_PIDFD;
#elif defined(__linux__)
constexpr int process_descriptor = 4;  // SO_PASSPIDFD, Linux 6.5
#else
constexpr int process_descriptor = -1;
#endif

bool holds_descriptors(const cmsghdr& entry) noexcept {
    return entry.cmsg_level == SOL_SOCKET &&
           (entry.cmsg_type == SCM_RIGHTS || entry.cmsg_type == process_descriptor);
}

void take(const cmsghdr& entry, passed_message& data) noexcept {
    const std::size_t count = (entry.cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
        int number = -1;
        std::memcpy(&number, CMSG_DATA(&entry) + i * sizeof number, sizeof number);
        unique_fd given(number);
        if (entry.cmsg_type != SCM_RIGHTS) continue;
        if (close_on_exec == 0) (void)::fcntl(number, F_SETFD, FD_CLOEXEC);
        if (data.descriptors < data.room) data.received[data.descriptors++] = std::move(given);
        else data.control_truncated = true;
    }
}

}  // namespace

std::int32_t receive_passed(operation& op) noexcept {
    auto& data = *static_cast<passed_message*>(op.data);
    control_room control;
    msghdr* header = native_message(data);
    if (data.room > 0) {
        const auto most = std::min(data.room, passed_message::descriptors_max);
        const std::size_t size = closes_what_does_not_fit
                                     ? CMSG_SPACE(most * sizeof(int)) + room_for_others
                                     : sizeof control.bytes;
        header->msg_control = control.bytes;
        header->msg_controllen = static_cast<decltype(header->msg_controllen)>(size);
    }
    const ssize_t received = ::recvmsg(op.fd, header, MSG_DONTWAIT | close_on_exec);
    if (received < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? would_wait : -errno;
    read_native_message(data);
    data.control_truncated = (header->msg_flags & MSG_CTRUNC) != 0;
    data.descriptors = 0;
    if (data.room == 0) return static_cast<std::int32_t>(received);
    for (auto* entry = CMSG_FIRSTHDR(header); entry; entry = CMSG_NXTHDR(header, entry)) {
        if (holds_descriptors(*entry)) take(*entry, data);
    }
    return static_cast<std::int32_t>(received);
}

// A socket with a peer is told when there is room at its peer; one that names its receiver is not.
std::int32_t send_passed(operation& op) noexcept {
    auto& data = *static_cast<passed_message*>(op.data);
    control_room control;
    msghdr* header = native_message(data);
    if (data.descriptors > passed_message::descriptors_max) return -EINVAL;
    if (data.descriptors > 0) {
        const std::size_t size = data.descriptors * sizeof(int);
        std::memset(control.bytes, 0, CMSG_SPACE(size));
        header->msg_control = control.bytes;
        header->msg_controllen = static_cast<decltype(header->msg_controllen)>(CMSG_SPACE(size));
        cmsghdr* entry = CMSG_FIRSTHDR(header);
        entry->cmsg_level = SOL_SOCKET;
        entry->cmsg_type = SCM_RIGHTS;
        entry->cmsg_len = static_cast<decltype(entry->cmsg_len)>(CMSG_LEN(size));
        std::memcpy(CMSG_DATA(entry), data.sent, size);
    }
    const ssize_t sent = ::sendmsg(op.fd, header, MSG_DONTWAIT | no_signal);
    if (sent >= 0) return static_cast<std::int32_t>(sent);
    if (errno != EAGAIN && errno != EWOULDBLOCK) return -errno;
    return data.address ? -EAGAIN : would_wait;
}

}  // namespace anel::detail

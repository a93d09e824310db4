// epoll.cpp: readiness by epoll, edge-triggered: one registration per descriptor and life.
// SPDX-License-Identifier: MIT
#include "runtime/backend/backends.hpp"
#include "runtime/readiness/readiness.hpp"
#include "runtime/system/sanitizer.hpp"

#include <anel/error.hpp>

#include <linux/time_types.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace anel::detail {
namespace {

class epoll_poller {
public:
    static constexpr bool edges = true;

    explicit epoll_poller(int waker) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        if (epoll_ < 0) throw_errno(errno, "epoll_create1", {});
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = waker;
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, waker, &event) < 0) {
            const int error = errno;
            ::close(epoll_);
            throw_errno(error, "epoll_ctl", {});
        }
    }
    epoll_poller(const epoll_poller&) = delete;
    epoll_poller& operator=(const epoll_poller&) = delete;
    ~epoll_poller() { ::close(epoll_); }

    [[nodiscard]] int descriptor() const noexcept { return epoll_; }

    int watch(int fd, wanted_of what) noexcept {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET;
        if (what.writing) event.events |= EPOLLOUT;
        event.data.fd = fd;
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0) return 0;
        // It is known: to be written to as well now, or borrowed and then adopted.
        if (errno == EEXIST && ::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0) return 0;
        return -errno;
    }

    // close() would do it too, unless the descriptor was duplicated, into a child process say.
    void forget(int fd) noexcept { (void)::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

    template <class Function>
    bool wait(time_point until, time_point now, Function&& tell) noexcept {
        const int count = sleep(until, now);
        if (count < 0) return wait_failed("epoll_wait");
        for (int i = 0; i < count; ++i) {
            const std::uint32_t events = events_[i].events;
            const bool bad = (events & (EPOLLHUP | EPOLLERR)) != 0;
            const bool ended = bad || (events & (EPOLLRDHUP | EPOLLPRI)) != 0;
            tell(events_[i].data.fd, (events & EPOLLIN) != 0 || ended,
                 (events & EPOLLOUT) != 0 || bad, ended, static_cast<int>(events));
        }
        return true;
    }

private:
    static constexpr int batch = 256;

    // Nanoseconds where the kernel (5.11) has epoll_pwait2, else milliseconds, rounded up: a wait
    // may be late, never early. glibc 2.35 is the first to declare it, so it is called by number.
    int sleep(time_point until, time_point now) noexcept {
        if (until == never) return ::epoll_wait(epoll_, events_, batch, -1);
        if (until <= now) return ::epoll_wait(epoll_, events_, batch, 0);
        const duration left = until - now;
#ifdef SYS_epoll_pwait2
        if (precise_) {
            const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
            // Not the C library's timespec, whose seconds may have 32 bits on a 32-bit system.
            __kernel_timespec patience{};
            patience.tv_sec = seconds.count();
            patience.tv_nsec = (left - seconds).count();
            const long count =
                ::syscall(SYS_epoll_pwait2, epoll_, events_, batch, &patience, nullptr, 0);
            if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(count);
            precise_ = false;
        }
#endif
        constexpr std::int64_t longest = 1'000'000'000;
        const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
        return ::epoll_wait(epoll_, events_, batch,
                            static_cast<int>(std::min<std::int64_t>(milliseconds, longest)));
    }

    int epoll_;
    bool precise_ = !keeps_signals_back;
    epoll_event events_[batch];
};

}  // namespace

std::unique_ptr<backend> make_epoll_backend(const backend_options& options) {
    return std::make_unique<readiness<epoll_poller>>(backend_kind::epoll, options);
}

}  // namespace anel::detail

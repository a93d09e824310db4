// broken_pipe.hpp: writes to what nobody reads any more, without a SIGPIPE.
//
// write(2) and sendfile(2) have no MSG_NOSIGNAL. Meanwhile SIGPIPE is kept back in this thread, to
// which alone the system would send it, and taken away.
// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>
#include <time.h>

#include <cerrno>

namespace anel::detail {

/// Keeps SIGPIPE back while it lives.
class broken_pipe_kept_back {
public:
    broken_pipe_kept_back() noexcept {
        sigemptyset(&pipe_);
        sigaddset(&pipe_, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
        // Where the program keeps it back too, one may be waiting already: that is not ours.
        if (kept_back_anyway()) ours_ = !waits();
    }
    broken_pipe_kept_back(const broken_pipe_kept_back&) = delete;
    broken_pipe_kept_back& operator=(const broken_pipe_kept_back&) = delete;
    ~broken_pipe_kept_back() {
        const int error = errno;
        if (ours_) take_away();
        if (!kept_back_anyway()) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
        errno = error;
    }

private:
    [[nodiscard]] bool kept_back_anyway() const noexcept {
        return sigismember(&before_, SIGPIPE) == 1;
    }
    static bool waits() noexcept {
        sigset_t waiting;
        return sigpending(&waiting) == 0 && sigismember(&waiting, SIGPIPE) == 1;
    }
    void take_away() noexcept {
#ifdef __linux__
        constexpr timespec at_once{};
        while (::sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) continue;
#else  // macOS and OpenBSD have no sigtimedwait
        int number = 0;
        if (waits()) sigwait(&pipe_, &number);
#endif
    }

    sigset_t pipe_;
    sigset_t before_;
    bool ours_ = true;
};

}  // namespace anel::detail

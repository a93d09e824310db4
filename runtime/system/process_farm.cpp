// process_farm.cpp: fork, pipe, poll, waitpid.
// SPDX-License-Identifier: MIT
#include "runtime/system/process_farm.hpp"

#include <anel/error.hpp>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace anel::detail {
namespace {

[[noreturn]] void live(int pipe, const process_farm::work& what, unsigned patience) {
    ::alarm(patience);
    const auto say = [pipe, patience](std::string_view text) {
        ::alarm(patience);
        while (!text.empty()) {
            const ssize_t written = ::write(pipe, text.data(), text.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) ::_exit(3);  // nobody listens any more
            text.remove_prefix(static_cast<std::size_t>(written));
        }
    };
    what(say);
    // No destructors of the parent's objects, whose copies these are.
    ::_exit(0);
}

std::string describe(int status) {
    if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        const char* name = ::strsignal(number);
        return "killed by signal " + std::to_string(number) +
               (name ? std::string(", ") + name : "");
    }
    const int code = WEXITSTATUS(status);
    return code == 0 ? std::string() : "exit code " + std::to_string(code);
}

}  // namespace

process_farm::~process_farm() { kill_all(); }

void process_farm::kill_all() noexcept {
    for (const child& each : children_) {
        ::kill(each.process, SIGKILL);
        ::waitpid(each.process, nullptr, 0);
        ::close(each.pipe);
    }
    children_.clear();
}

void process_farm::start(std::size_t id, const work& what, unsigned patience) {
    int ends[2];
    if (::pipe(ends) < 0) throw_errno(errno, "pipe", {});
    const int process = ::fork();
    if (process < 0) {
        const int error = errno;
        ::close(ends[0]);
        ::close(ends[1]);
        throw_errno(error, "fork", {});
    }
    if (process == 0) {
        ::close(ends[0]);
        for (const child& each : children_) ::close(each.pipe);
        live(ends[1], what, patience);
    }
    ::close(ends[1]);
    children_.push_back({id, process, ends[0]});
}

void process_farm::wait(const std::function<void(std::size_t, std::string_view)>& heard,
                        const std::function<void(std::size_t, std::string)>& ended) {
    std::vector<pollfd> entries;
    for (const child& each : children_) entries.push_back({each.pipe, POLLIN, 0});
    if (::poll(entries.data(), static_cast<nfds_t>(entries.size()), -1) < 0) return;
    std::vector<child> gone;
    for (std::size_t i = entries.size(); i-- > 0;) {
        if (entries[i].revents == 0) continue;
        const child from = children_[i];
        std::array<char, 65536> buffer{};
        const ssize_t count = ::read(from.pipe, buffer.data(), buffer.size());
        if (count > 0) {
            heard(from.id, std::string_view(buffer.data(), static_cast<std::size_t>(count)));
        } else if (count == 0) {
            gone.push_back(from);
            children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    for (const child& each : gone) {
        int status = 0;
        ::close(each.pipe);
        while (::waitpid(each.process, &status, 0) < 0 && errno == EINTR) continue;
        ended(each.id, describe(status));
    }
}

}  // namespace anel::detail

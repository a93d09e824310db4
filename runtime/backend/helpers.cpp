// helpers.cpp: the queue to the helper threads and back.
// SPDX-License-Identifier: MIT
#include "runtime/backend/helpers.hpp"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <iterator>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace anel::detail {
namespace {

/// A name lookup with all it needs, so that nobody has to wait for it.
struct lookup {
    std::optional<std::string> host;
    std::optional<std::string> service;
    addrinfo hints{};
    name_lookup answer;  // only its outcome fields are used
    std::int32_t result = 0;

    explicit lookup(const name_lookup& question) {
        if (question.host) host = question.host;
        if (question.service) service = question.service;
        hints.ai_family = AF_UNSPEC;
        hints.ai_socktype = question.datagram ? SOCK_DGRAM : SOCK_STREAM;
        // Not AI_ADDRCONFIG: a machine with no address but loopback's would have no "localhost" on
        // IPv6. An address of a family that is not there fails at once when it is tried.
        hints.ai_flags = question.passive ? AI_PASSIVE : 0;
    }

    void run() noexcept {
        addrinfo* list = nullptr;
        const int error = ::getaddrinfo(host ? host->c_str() : nullptr,
                                        service ? service->c_str() : nullptr, &hints, &list);
        if (error != 0) {
            answer.name_error = error == EAI_SYSTEM ? 0 : error;
            result = error == EAI_SYSTEM ? -errno : -EIO;
            return;
        }
        for (const addrinfo* at = list; at && answer.count < name_lookup::capacity;
             at = at->ai_next) {
            socket_address& address = answer.addresses[answer.count];
            if (at->ai_addrlen > sizeof address.bytes) continue;
            std::memcpy(address.bytes, at->ai_addr, at->ai_addrlen);
            address.size = at->ai_addrlen;
            answer.count += 1;
        }
        ::freeaddrinfo(list);
    }

    void hand_over(name_lookup& to) const noexcept {
        to.count = answer.count;
        to.name_error = answer.name_error;
        std::copy_n(answer.addresses, answer.count, to.addresses);
    }
};

struct job {
    operation* op;                   // null once the operation was cancelled while the job ran
    std::unique_ptr<lookup> name{};  // null for a call
    sigset_t blocked{};              // in the thread that made the call
};

sigset_t every_signal() noexcept {
    sigset_t all;
    sigfillset(&all);
    return all;
}

// Helpers take no signals: those are for the program's own threads. But the program's call gets the
// mask of the thread that it was made on, which a process that it starts inherits.
void run_call(helper_call& call, const sigset_t& blocked) noexcept {
    pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
    call.run(call);
    const sigset_t all = every_signal();
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

}  // namespace

struct helper_crew::shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::list<job> queued;
    std::list<job> running;  // spliced from queued: no allocation where nobody could be told
    op_queue ended;
    std::size_t ended_count = 0;
    std::atomic<bool> any_ended{false};
    backend* to_wake = nullptr;  // null once the object is gone
    std::vector<std::thread> threads;
    std::size_t idle = 0;
    std::size_t left_behind = 0;  // threads in a lookup whose operation has ended
    bool stopping = false;

    void end(operation& op, std::int32_t result) {
        op.result = result;
        ended.push(op);
        ended_count += 1;
        any_ended.store(true, std::memory_order_release);
        to_wake->wake();
    }

    // A helper's life. `self` keeps the state alive for a thread that was left behind.
    static void work(const std::shared_ptr<shared>& self) {
        std::unique_lock lock(self->mutex);
        for (;;) {
            self->idle += 1;
            self->changed.wait(lock, [&] { return self->stopping || !self->queued.empty(); });
            self->idle -= 1;
            if (self->stopping) return;
            self->running.splice(self->running.end(), self->queued, self->queued.begin());
            const auto mine = std::prev(self->running.end());
            lock.unlock();
            if (mine->name) mine->name->run();
            else run_call(*static_cast<helper_call*>(mine->op->data), mine->blocked);
            lock.lock();
            if (!mine->op) {
                self->left_behind -= 1;
            } else {
                if (mine->name) mine->name->hand_over(*static_cast<name_lookup*>(mine->op->data));
                self->end(*mine->op, mine->name ? mine->name->result : 0);
            }
            self->running.erase(mine);
        }
    }
};

helper_crew::helper_crew(backend& of, std::uint32_t threads) noexcept
    : backend_(of), threads_max_(std::max(1U, threads)) {}

helper_crew::~helper_crew() {
    if (!shared_) return;
    bool left_behind = false;
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->stopping = true;
        shared_->to_wake = nullptr;
        left_behind = !shared_->running.empty();
    }
    shared_->changed.notify_all();
    for (std::thread& thread : shared_->threads) {
        // Only an abandoned lookup can still run: it touches nothing but its own memory, and may
        // take as long as the resolver's timeouts.
        if (left_behind) thread.detach();
        else thread.join();
    }
}

// Called with the lock held. Without a new thread the others do the work.
void helper_crew::add_thread_if_needed() noexcept {
    const std::size_t wanted = threads_max_ + std::min(shared_->left_behind, replacements_max);
    if (shared_->idle > shared_->queued.size() || shared_->threads.size() >= wanted) return;
    const sigset_t all = every_signal();
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        shared_->threads.reserve(shared_->threads.size() + 1);
        shared_->threads.emplace_back([state = shared_] { shared::work(state); });
    } catch (const std::exception&) {
        // No thread or no memory to be had now.
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

std::int32_t helper_crew::start(operation& op) noexcept {
    try {
        if (!shared_) {
            shared_ = std::make_shared<shared>();
            shared_->to_wake = &backend_;
        }
        std::list<job> next;
        next.push_back({&op});
        if (op.code == opcode::resolve) {
            next.back().name = std::make_unique<lookup>(*static_cast<name_lookup*>(op.data));
        } else {
            pthread_sigmask(SIG_SETMASK, nullptr, &next.back().blocked);
        }
        const std::lock_guard lock(shared_->mutex);
        if (shared_->queued.size() == queued_max) return -EAGAIN;
        add_thread_if_needed();
        if (shared_->threads.empty()) return -EAGAIN;
        shared_->queued.splice(shared_->queued.end(), next);
    } catch (const std::bad_alloc&) {
        return -ENOMEM;
    }
    shared_->changed.notify_one();
    return 0;
}

void helper_crew::stop(operation& op) noexcept {
    if (unqueue_or_leave(op)) return;
    // It runs, or has ended: either way it is still there, because only this thread takes it back.
    auto& call = *static_cast<helper_call*>(op.data);
    if (call.stop) call.stop(call);
}

// Whether `op` has ended by it: it was in the queue, or is a lookup that nobody waits for any more.
bool helper_crew::unqueue_or_leave(operation& op) noexcept {
    const std::lock_guard lock(shared_->mutex);
    for (auto at = shared_->queued.begin(); at != shared_->queued.end(); ++at) {
        if (at->op != &op) continue;
        shared_->queued.erase(at);
        shared_->end(op, -ECANCELED);
        return true;
    }
    for (job& at : shared_->running) {
        if (at.op != &op || !at.name) continue;
        at.op = nullptr;
        shared_->left_behind += 1;
        shared_->end(op, -ECANCELED);
        if (!shared_->queued.empty()) add_thread_if_needed();
        return true;
    }
    return op.code == opcode::resolve;
}

std::size_t helper_crew::collect(op_queue& ended) noexcept {
    if (!shared_ || !shared_->any_ended.load(std::memory_order_acquire)) return 0;
    const std::lock_guard lock(shared_->mutex);
    shared_->any_ended.store(false, std::memory_order_relaxed);
    ended.splice(shared_->ended);
    return std::exchange(shared_->ended_count, 0);
}

}  // namespace anel::detail

// recv_path.cpp: prints the address of each function that runs between `co_await conn.recv(buffer)`
// and its return, in order, where the bytes come after the loop has begun to wait.
//
// It and the library are compiled with -finstrument-functions; recv_path.py makes files of it.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::size_t most = 4096;
void* entered[most];  // no std::array: its functions would be entered too
std::size_t count = 0;
pid_t recorded = 0;  // the thread; no std::atomic either
std::atomic<bool> waits{false};

}  // namespace

extern "C" {
[[gnu::no_instrument_function]] void __cyg_profile_func_enter(void* function, void*) {
    const pid_t thread = __atomic_load_n(&recorded, __ATOMIC_RELAXED);
    if (thread == 0 || count == most || thread != ::gettid()) return;
    entered[count++] = function;
}
[[gnu::no_instrument_function]] void __cyg_profile_func_exit(void*, void*) {}
}

namespace {

// Whether the thread sleeps in the kernel; the state stands behind its name.
bool sleeps(pid_t thread) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
    std::string text;
    std::getline(file, text);
    const std::size_t name_ends = text.rfind(')');
    return name_ends != text.npos && text.compare(name_ends, 3, ") S") == 0;
}

anel::task<> receive(anel::tcp_listener& listener) {
    anel::tcp_stream conn = co_await listener.accept();
    std::array<char, 16> bytes;
    const anel::mutable_buffer buffer(bytes);
    std::size_t received = co_await conn.recv(buffer);
    waits.store(true);
    __atomic_store_n(&recorded, ::gettid(), __ATOMIC_RELAXED);
    received = co_await conn.recv(buffer);
    __atomic_store_n(&recorded, 0, __ATOMIC_RELAXED);
    if (received != 6) std::abort();
}

anel::task<> program() {
    anel::tcp_listener listener = co_await anel::tcp_listener::bind("127.0.0.1:0");
    const std::uint16_t port = listener.local_endpoint().port();
    const pid_t loop_thread = ::gettid();
    std::thread peer([&] {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) std::abort();
        if (::send(fd, "first", 5, 0) != 5) std::abort();
        while (!waits.load() || !sleeps(loop_thread)) std::this_thread::yield();
        if (::send(fd, "second", 6, 0) != 6) std::abort();
        ::close(fd);
    });
    co_await receive(listener);
    peer.join();
}

}  // namespace

int main() {
    anel::run_options how;
    how.signals = false;  // a task more
    anel::run(program(), how);
    for (std::size_t i = 0; i < count; ++i) std::printf("%p\n", entered[i]);
}

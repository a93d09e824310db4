// threads_echo.cpp: a hand-written TCP echo server with one blocking thread per connection.
//
// Sequential code, the way sockets are first taught: accept, start a thread, and in it receive and
// send until the peer has finished. Stacks are 64 KiB, so that thousands of connections fit.
// Same protocol, buffer size and checks as the other servers of this folder; knows nothing of anel.
//
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

[[noreturn]] void die(const std::string& what, int error) {
    std::fprintf(stderr, "threads_echo: %s: %s\n", what.c_str(), std::strerror(error));
    std::exit(1);
}

int listen_on(const std::string& where) {
    char host[16] = "", excess = 0;
    unsigned port = 0;
    sockaddr_in address{};
    if (std::sscanf(where.c_str(), "%15[0-9.]:%5u%c", host, &port, &excess) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        die("not an IPv4 ADDRESS:PORT: " + where, EINVAL);
    }
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<in_port_t>(port));
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    const int one = 1;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) die("socket", errno);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) die("SO_REUSEADDR", errno);
    if (bind(fd, generic, length) != 0) die("bind " + where, errno);
    if (listen(fd, 4096) != 0) die("listen " + where, errno);
    if (getsockname(fd, generic, &length) != 0) die("getsockname", errno);
    std::printf("listening on %s:%d (threads)\n", host, ntohs(address.sin_port));
    std::fflush(stdout);
    return fd;
}

struct connection {
    int fd;
    std::vector<char> buffer;
};

bool send_all(int fd, const char* data, std::size_t size) {
    while (size > 0) {
        const ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        data += n;
        size -= static_cast<std::size_t>(n);
    }
    return true;
}

void* echo(void* argument) {
    const std::unique_ptr<connection> c(static_cast<connection*>(argument));
    for (;;) {
        const ssize_t n = recv(c->fd, c->buffer.data(), c->buffer.size(), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;  // end of stream, or the peer is gone
        if (!send_all(c->fd, c->buffer.data(), static_cast<std::size_t>(n))) break;
    }
    close(c->fd);
    return nullptr;
}

[[noreturn]] void run(int listener, std::size_t buffer_size) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (const int error = pthread_attr_setstacksize(&attributes, 65'536)) die("stack", error);
    for (;;) {
        const int fd = accept(listener, nullptr, nullptr);
        if (fd < 0 && (errno == ECONNABORTED || errno == EPROTO || errno == EINTR)) continue;
        if (fd < 0) die("accept", errno);
        const int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        auto c = std::make_unique<connection>(connection{fd, std::vector<char>(buffer_size)});
        pthread_t thread;
        const int error = pthread_create(&thread, &attributes, echo, c.release());  // owns it now
        if (error != 0) die("pthread_create", error);
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::string where = "127.0.0.1:7777";
    long buffer_size = 4096;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument == "--buffer" && i + 1 < argc) buffer_size = std::atol(argv[++i]);
        else if (argument.starts_with('-')) die("unknown option " + argument, EINVAL);
        else where = argument;
    }
    if (buffer_size < 1 || buffer_size > 1 << 30) die("--buffer takes 1 to 2^30 bytes", EINVAL);
    for (const int number : {SIGTERM, SIGINT}) std::signal(number, [](int) { _exit(0); });
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    run(listen_on(where), static_cast<std::size_t>(buffer_size));
}

// lecture_names_test.cpp: a program of a first lecture on sockets, in a file that has anel's names
// as well: none of them makes one of the system's ambiguous, or takes one that programs use.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>

using namespace anel;

namespace {

// What programs call their own things.
struct message {
    std::array<char, 64> text{};
    ssize_t size = 0;
};
struct frame {
    int number = 1;
};
struct operation {
    char sign = '+';
};
struct timer {
    clock_t since = clock();
};
struct file_part {
    off_t offset = 0;
};

volatile sig_atomic_t heard = 0;

addrinfo* loopback(int type, const char* port) {
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = type;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    EXPECT_EQ(getaddrinfo("127.0.0.1", port, &hints, &found), 0) << gai_strerror(0);
    return found;
}

TEST(lecture_names, tcp_client_and_server) {
    const timer whole;
    addrinfo* any = loopback(SOCK_STREAM, "0");
    const int server = socket(any->ai_family, any->ai_socktype, any->ai_protocol);
    const int on = 1;
    EXPECT_EQ(setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    ASSERT_EQ(bind(server, any->ai_addr, any->ai_addrlen), 0) << strerror(errno);
    freeaddrinfo(any);
    ASSERT_EQ(listen(server, 8), 0);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    EXPECT_EQ(getsockname(server, reinterpret_cast<sockaddr*>(&address), &size), 0);

    const int client = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), size), 0);
    const int session = accept(server, nullptr, nullptr);
    EXPECT_EQ(getpeername(client, reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_EQ(send(client, "upper oi", 8, 0), 8);
    EXPECT_EQ(shutdown(client, SHUT_WR), 0);

    pollfd readable{session, POLLIN, 0};
    EXPECT_EQ(poll(&readable, 1, 10'000), 1);
    message request;
    request.size = recv(session, request.text.data(), request.text.size(), 0);
    EXPECT_EQ(std::string_view(request.text.data(), static_cast<std::size_t>(request.size)),
              "upper oi");
    EXPECT_EQ(write(session, "OI", 2), 2);
    EXPECT_EQ(read(client, request.text.data(), request.text.size()), 2);
    for (const int fd : {session, client, server}) EXPECT_EQ(close(fd), 0);
    EXPECT_GE(clock(), whole.since);
    EXPECT_GT(time(nullptr), 0);
    EXPECT_EQ(frame{}.number + static_cast<int>(file_part{}.offset), 1);
    EXPECT_EQ(operation{}.sign, '+');
}

TEST(lecture_names, udp_and_what_waits) {
    const int one = socket(AF_INET, SOCK_DGRAM, 0);
    const int other = socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(inet_pton(AF_INET, "127.0.0.1", &address.sin_addr), 1);
    socklen_t size = sizeof address;
    ASSERT_EQ(bind(one, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(one, reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_EQ(sendto(other, "oi", 2, 0, reinterpret_cast<sockaddr*>(&address), size), 2);
#ifdef __linux__
    const int interest = epoll_create1(0);
    epoll_event event{};
    event.events = EPOLLIN;
    EXPECT_EQ(epoll_ctl(interest, EPOLL_CTL_ADD, one, &event), 0);
    EXPECT_EQ(epoll_wait(interest, &event, 1, 10'000), 1);
    close(interest);
#endif
    message datagram;
    datagram.size = recvfrom(one, datagram.text.data(), datagram.text.size(), 0,
                             reinterpret_cast<sockaddr*>(&address), &size);
    EXPECT_EQ(datagram.size, 2);
    char text[INET_ADDRSTRLEN];
    EXPECT_STREQ(inet_ntop(AF_INET, &address.sin_addr, text, sizeof text), "127.0.0.1");
    close(one);
    close(other);

    void (*const before)(int) = signal(SIGUSR1, [](int number) { heard = number; });
    raise(SIGUSR1);
    EXPECT_EQ(heard, SIGUSR1);
    signal(SIGUSR1, before);
}

}  // namespace

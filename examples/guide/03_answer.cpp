// 03_answer.cpp: adds up numbers, one a line.          03_answer [PORT]
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <unistd.h>

#include <iostream>
#include <sstream>
#include <string>

void send_sum(int conn, const std::string& numbers) {
    std::istringstream in(numbers);
    long sum = 0;
    for (long number = 0; in >> number;) sum += number;
    const std::string reply = std::to_string(sum) + '\n';
    send(conn, reply.data(), reply.size(), MSG_NOSIGNAL);
}

// Answers when the client says that no more numbers come.
void session(int conn) {
    std::string numbers;
    for (;;) {
        char some[1024];
        const ssize_t n = recv(conn, some, sizeof some, 0);
        if (n < 0) return;  // an error, such as a reset: nobody listens
        if (n == 0) return send_sum(conn, numbers);
        numbers.append(some, static_cast<std::size_t>(n));
    }
}

int main(int argc, char** argv) {
    const int port = argc > 1 ? atoi(argv[1]) : 7777;
    const int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(static_cast<in_port_t>(port));
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    auto* address = reinterpret_cast<sockaddr*>(&here);
    const bool bound = bind(listener, address, size) == 0;
    if (!bound || listen(listener, 8)) return perror("03_answer"), 1;
    getsockname(listener, address, &size);
    std::cout << "listening on 127.0.0.1:";
    std::cout << ntohs(here.sin_port) << std::endl;
    for (int conn; (conn = accept(listener, nullptr, nullptr)) >= 0;) {
        session(conn);
        close(conn);
    }
}

// 02_exercise.cpp: answers each line with its length.   02_exercise [PORT]
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <unistd.h>

#include <iostream>
#include <optional>
#include <string>

// EXERCISE: one recv is not one line. Bytes of the next line must wait in
// `have` until the next call.
std::optional<std::string> read_line(int conn, std::string& have) {
    char some[1024];
    const ssize_t n = recv(conn, some, sizeof some, 0);
    if (n <= 0) return {};  // the client has finished
    have.assign(some, static_cast<std::size_t>(n));
    return have.substr(0, have.find('\n'));
}

void session(int conn) {
    std::string have;
    while (auto line = read_line(conn, have)) {
        const std::string reply = std::to_string(line->size()) + '\n';
        send(conn, reply.data(), reply.size(), MSG_NOSIGNAL);
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
    if (!bound || listen(listener, 8)) return perror("02_exercise"), 1;
    getsockname(listener, address, &size);
    std::cout << "listening on 127.0.0.1:";
    std::cout << ntohs(here.sin_port) << std::endl;
    for (int conn; (conn = accept(listener, nullptr, nullptr)) >= 0;) {
        session(conn);
        close(conn);
    }
}

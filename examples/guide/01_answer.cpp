// 01_answer.cpp: how many bytes the kernel takes.  01_answer [PORT]
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
    const int conn = socket(AF_INET, SOCK_STREAM, 0);
    const int port = argc > 1 ? atoi(argv[1]) : 7777;
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(static_cast<in_port_t>(port));
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* address = reinterpret_cast<const sockaddr*>(&place);
    if (connect(conn, address, sizeof place)) return perror("connect"), 1;

    // send returns how many bytes it took, and that is often fewer than it
    // was given. Only EAGAIN says that there is no room for another one.
    const std::vector<char> all(64 * 1024, 'x');
    const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    ssize_t taken = 0;
    for (ssize_t n; (n = send(conn, all.data(), all.size(), flags)) > 0;) {
        taken += n;
    }

    std::cout << "the kernel took " << taken << " bytes" << std::endl;
    std::cin.get();  // the connection stays open until Enter
    close(conn);
}

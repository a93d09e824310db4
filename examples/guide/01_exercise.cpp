// 01_exercise.cpp: how many bytes does the kernel take?  01_exercise [PORT]
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

    // Nobody receives on the other side. MSG_DONTWAIT: where send would
    // block, it returns -1 instead, and errno is EAGAIN.
    const std::vector<char> block(16 * 1024 * 1024, 'x');
    send(conn, block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    const std::size_t taken = block.size();  // EXERCISE: is that so?

    std::cout << "the kernel took " << taken << " bytes" << std::endl;
    std::cin.get();  // the connection stays open until Enter
    close(conn);
}

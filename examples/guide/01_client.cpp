// 01_client.cpp: the lecture's client in C++.   01_client [PORT] [TEXT...]
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <unistd.h>

#include <iostream>
#include <string>

int main(int argc, char** argv) {
    const int port = argc > 1 ? atoi(argv[1]) : 7777;
    // #region body
    const int conn = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(static_cast<in_port_t>(port));
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);  // 127.0.0.1
    const auto* address = reinterpret_cast<const sockaddr*>(&there);
    if (connect(conn, address, sizeof there)) return perror("01_client"), 1;
    for (int i = 2; i == 2 || i < argc; ++i) {
        const std::string text = argc > 2 ? argv[i] : "oi";
        const ssize_t sent = send(conn, text.data(), text.size(), 0);
        std::cout << "send returned " << sent << std::endl;
        char reply[1025] = "";
        const ssize_t n = recv(conn, reply, sizeof reply - 1, 0);
        std::cout << "recv returned " << n << ": " << reply << std::endl;
    }
    close(conn);
    // #endregion body
}

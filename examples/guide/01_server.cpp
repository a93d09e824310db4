// 01_server.cpp: the lecture's server in C++.   01_server [PORT] [wait]
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>

int main(int argc, char** argv) {
    const int port = argc > 1 ? atoi(argv[1]) : 7777;
    // #region listen
    const int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(static_cast<in_port_t>(port));
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);  // 127.0.0.1
    socklen_t size = sizeof here;
    auto* address = reinterpret_cast<sockaddr*>(&here);
    const bool bound = bind(listener, address, size) == 0;
    if (!bound || listen(listener, 1)) return perror("01_server"), 1;
    getsockname(listener, address, &size);  // which port, if it was 0
    std::cout << "listening on 127.0.0.1:";
    std::cout << ntohs(here.sin_port) << std::endl;
    // #endregion listen
    // #region body
    for (int conn; (conn = accept(listener, nullptr, nullptr)) >= 0;) {
        if (argc > 2) std::cin.get();  // a pause, until you press Enter
        int bytes = 0;
        ioctl(conn, FIONREAD, &bytes);
        std::cout << bytes << " bytes wait in the kernel" << std::endl;
        char text[1024];
        for (ssize_t n; (n = recv(conn, text, sizeof text, 0)) > 0;) {
            for (char& c : text) c = static_cast<char>(toupper(c));
            send(conn, text, static_cast<size_t>(n), MSG_NOSIGNAL);
        }
        close(conn);
    }
    // #endregion body
}

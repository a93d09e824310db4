// 02_framing.cpp: lines out of a byte stream, wherever it was cut.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <linux/tcp.h>
#include <unistd.h>

#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>

// #region reader
struct line_reader {
    int conn;
    std::string have = {};  // received, and not yet part of a line

    std::optional<std::string> next() {
        std::size_t end = 0;
        while ((end = have.find('\n')) == std::string::npos) {
            if (have.size() > 1000) throw std::length_error("no line");
            char some[7];
            const ssize_t n = recv(conn, some, sizeof some, 0);
            std::cout << "recv " << n << std::endl;
            if (n <= 0) return {};  // the peer has finished
            have.append(some, static_cast<std::size_t>(n));
        }
        std::string line = have.substr(0, end);
        have.erase(0, end + 1);
        return line;
    }
};
// #endregion reader

int main() {
    sockaddr_in here{AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {}};
    auto* address = reinterpret_cast<sockaddr*>(&here);
    socklen_t size = sizeof here;
    const int listener = socket(AF_INET, SOCK_STREAM, 0), no = 0;
    if (bind(listener, address, size) || listen(listener, 1)) return 1;
    getsockname(listener, address, &size);
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, address, size)) return 1;
    const int server = accept(listener, nullptr, nullptr);
    setsockopt(server, IPPROTO_TCP, TCP_QUICKACK, &no, sizeof no);
    // #region body
    const auto parts = {"oi\n", "bom ", "dia\nat\xC3", "\xA9\n", "fim\n"};
    for (const std::string part : parts) {
        const ssize_t n = send(client, part.data(), part.size(), 0);
        std::cout << "send " << n << std::endl;
    }
    shutdown(client, SHUT_WR);  // no more comes
    line_reader reader{server};
    while (auto line = reader.next()) std::cout << *line << std::endl;
    tcp_info info{};
    size = sizeof info;
    getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &size);
    std::cout << info.tcpi_data_segs_out << " segments\n";
    // #endregion body
}

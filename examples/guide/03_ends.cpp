// 03_ends.cpp: three ends of a conversation, and what each side sees.
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <tuple>

void say(const char* call, ssize_t result) {
    std::cout << call << ' ' << result;
    if (result < 0) std::cout << ' ' << strerrorname_np(errno);
    std::cout << std::endl;
}

std::pair<int, int> connected(const char* title) {
    std::cout << title << std::endl;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in here{AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {}};
    socklen_t size = sizeof here;
    auto* address = reinterpret_cast<sockaddr*>(&here);
    if (bind(listener, address, size) || listen(listener, 1)) exit(1);
    getsockname(listener, address, &size);
    if (connect(client, address, size)) exit(1);
    return {client, accept(listener, nullptr, nullptr)};
}

int main() {
    char text[9];
    // #region half
    auto [client, server] = connected("1. half close");
    say("client send", send(client, "add 40 2", 8, 0));
    say("client shutdown", shutdown(client, SHUT_WR));
    say("server recv", recv(server, text, 8, 0));
    say("server recv", recv(server, text, 8, 0));
    say("server send", send(server, "42", 2, MSG_NOSIGNAL));
    say("client recv", recv(client, text, 8, 0));
    // #endregion half
    // #region gone
    std::tie(client, server) = connected("2. the client has gone");
    say("client send", send(client, "add 40 2", 8, 0));
    say("client close", close(client));
    say("server recv", recv(server, text, 8, 0));
    say("server recv", recv(server, text, 8, 0));
    say("server send", send(server, "42", 2, MSG_NOSIGNAL));
    say("server send", send(server, "42", 2, MSG_NOSIGNAL));
    // #endregion gone
    // #region unread
    std::tie(client, server) = connected("3. the server reads too little");
    say("client send", send(client, "add 40 2", 8, 0));
    say("server recv", recv(server, text, 3, 0));
    say("server send", send(server, "42", 2, MSG_NOSIGNAL));
    say("server close", close(server));
    say("client recv", recv(client, text, 8, 0));
    say("client recv", recv(client, text, 8, 0));
    // #endregion unread
}

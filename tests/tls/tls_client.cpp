// tls_client.cpp: asks a server over TLS, for the end-to-end tests.
//     tls_client HOST PORT ROOTS TIMES [CERTIFICATE KEY]
//
// What it reads from standard input it sends on each of TIMES connections, one after the other.
// Of each it prints a line, `TLSv1.3 http/1.1 resumed` say, and what it gets until the end.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#include <anel/tls.hpp>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

using namespace anel;

task<> ask(std::string host, std::uint16_t port, tls_context context, std::string text) {
    auto conn = co_await connect_tls(host, port, context);
    std::cout << conn.version() << ' ' << (conn.alpn().empty() ? "-" : conn.alpn()) << ' '
              << (conn.is_resumed() ? "resumed" : "full") << std::endl;
    co_await conn.send(text);
    while (auto data = co_await conn.recv()) std::cout << data.text();
    std::cout << std::flush;
}

task<> ask_all(std::string host, std::uint16_t port, tls_context context, int times) {
    const std::string text(std::istreambuf_iterator<char>(std::cin), {});
    for (int i = 0; i < times; ++i) co_await ask(host, port, context, text);
}

int main(int argc, char** argv) try {
    const std::vector<std::string> given(argv + 1, argv + argc);
    if (given.size() != 4 && given.size() != 6) {
        throw std::invalid_argument("usage: tls_client HOST PORT ROOTS TIMES [CERTIFICATE KEY]");
    }
    tls_client_options options;
    options.roots = given[2];
    options.alpn = {"http/1.1"};
    if (given.size() == 6) options.certificate = {given[4], given[5], {}};
    const auto port = static_cast<std::uint16_t>(std::stoi(given[1]));
    return run(ask_all(given[0], port, tls_context::client(options), std::stoi(given[3])));
} catch (const std::exception& error) {
    std::cerr << "tls_client: " << error.what() << '\n';
    return 1;
}

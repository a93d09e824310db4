// own_server.cpp: a server of the user's own, given as a command with the place of its port.
//
// See own_server.hpp.
//
// SPDX-License-Identifier: MIT
#include "run/own_server.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "common/text.hpp"
#include "load/peer.hpp"
#include "load/tls.hpp"

namespace anel_bench {
namespace {

using namespace std::chrono_literals;

constexpr auto start_timeout = 5s;
constexpr auto look_again = 10ms;
const std::string place_of_port = "{port}";
const std::string place_of_identity = "{certificate}";

/// One that nobody listens on now. Somebody may before the server does: then its bind fails, and
/// the server says so.
int free_port() {
    const unique_fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) fail("socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) fail("bind 127.0.0.1");
    if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        fail("getsockname");
    }
    return ntohs(address.sin_port);
}

void replace_all(std::string& text, const std::string& what, const std::string& by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
        text.replace(at, what.size(), by);
    }
}

bool takes_connections(const std::string& address) {
    try {
        come_and_go(parse_address(address), address);
        return true;
    } catch (const std::system_error&) {  // not yet
        return false;
    }
}

}  // namespace

bool is_server_command(const std::string& text) {
    return text.find(place_of_port) != std::string::npos;
}

running_server start_server_command(const std::string& text, const placement& places,
                                    const interrupts& ctrl_c) {
    const std::string port = std::to_string(free_port());
    std::istringstream source(text);
    std::vector<std::string> words;
    for (std::string word; source >> word;) {
        replace_all(word, place_of_port, port);
        if (word.find(place_of_identity) != std::string::npos) {
            replace_all(word, place_of_identity, tls_identity());
        }
        words.push_back(word);
    }
    unique_fd nowhere(open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (!nowhere) fail("open /dev/null");
    command program{.path = words.front(),
                    .arguments = {words.begin() + 1, words.end()},
                    .environment = {},
                    .cpu = places.server,
                    .network = {},
                    .descriptors = {{nowhere.get(), STDOUT_FILENO}}};
    running_server server{child::execute(program), "127.0.0.1:" + port, {}, std::move(nowhere)};
    const auto until = std::chrono::steady_clock::now() + start_timeout;
    while (!takes_connections(server.address)) {
        if (const auto ended = server.process.poll_exit()) {
            throw std::runtime_error(format("%s did not listen on %s: %s", text.c_str(),
                                            server.address.c_str(), ended->text().c_str()));
        }
        if (std::chrono::steady_clock::now() > until) {
            throw std::runtime_error(format("%s did not listen on %s within %lld s", text.c_str(),
                                            server.address.c_str(),
                                            static_cast<long long>(start_timeout.count())));
        }
        ctrl_c.wait_readable(-1, std::chrono::steady_clock::now() + look_again);
    }
    return server;
}

}  // namespace anel_bench

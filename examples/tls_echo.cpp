// tls_echo.cpp: sends back to every client what it sent, over TLS.
//     tls_echo ADDRESS:PORT CERTIFICATE KEY [CLIENT_ROOTS]
//
// At SIGHUP it reads its files again: a new certificate is there for the next client, and nobody is
// dropped. SSLKEYLOGFILE names a file for the secrets that Wireshark needs.
// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <anel/anel.hpp>
#include <anel/tls.hpp>

#include <csignal>
#include <cstdlib>
#include <iostream>

using namespace anel;

task<> echo(tls_stream conn) {
    while (auto data = co_await conn.recv())  // empty: the peer has said its end
        co_await conn.send(data);             // all of it
}

task<> reload_at_hangup(tls_context& context) {
    for (;;) {
        co_await signal_received(SIGHUP);
        try {
            context.reload();
        } catch (const std::exception& error) {  // the certificates that it has stay
            std::cerr << "tls_echo: " << error.what() << std::endl;
        }
    }
}

// Who was refused, and why. That a client goes without a farewell is its own affair.
void tell_refusal(const endpoint&, std::exception_ptr error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::system_error& failed) {
        const auto& of = failed.code().category();
        if (of != tls_category() && of != certificate_category()) return;
        std::cerr << "tls_echo: " << failed.what() << std::endl;
    }
}

task<> server(endpoint address, tls_context context) {
    auto listener = co_await tcp_listener::bind(address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << listener.local_endpoint() << ' ' << backend << std::endl;
    tls_listener secure(std::move(listener), context);
    serve_options options;
    options.session_failed = tell_refusal;
    co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(reload_at_hangup, std::ref(context));
        co_await serve(std::move(secure), echo, options);
    });
}

int main(int argc, char** argv) try {
    const arguments given(argc, argv, "usage: tls_echo ADDRESS:PORT CERTIFICATE KEY [CLIENT_ROOTS]",
                          3, 4);
    tls_server_options options;
    options.client_roots = given.get(3, "");
    if (const char* log = std::getenv("SSLKEYLOGFILE")) options.key_log = log;
    const auto context = tls_context::server(given.get(1, ""), given.get(2, ""), options);
    return run(server(given.get(0, ""), context), {.dump_on = SIGUSR1});
} catch (const std::exception& error) {
    std::cerr << "tls_echo: " << error.what() << '\n';
    return 1;
}

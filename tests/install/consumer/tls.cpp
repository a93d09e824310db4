// tls.cpp: a user's program that needs TLS; it must build against the installed component.
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>
#include <anel/tls.hpp>

#include <iostream>

anel::task<> refused() {
    try {
        const auto context = anel::tls_context::server("/no/certificate", "/no/key");
    } catch (const anel::io_error& error) {
        std::cout << error.what() << '\n';
    }
    anel::tls_stream nothing;
    co_await nothing.close();
}

int main() { return anel::run(refused()); }

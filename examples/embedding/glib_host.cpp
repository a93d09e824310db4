// glib_host.cpp: an echo server as a guest in glib's main loop.     glib_host [ADDRESS:PORT]
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <glib-unix.h>

#include <csignal>
#include <iostream>

using namespace anel;

namespace {

task<> echo(tcp_stream conn) {
    while (auto data = co_await conn.recv()) co_await conn.send(data);
}

task<> server(endpoint address) {
    auto listener = co_await tcp_listener::bind(address);
    auto backend = co_await current_backend();
    std::cout << "listening on " << listener.local_endpoint() << ' ' << backend << std::endl;
    co_await serve(std::move(listener), echo);
}

struct guest_source {
    GSource base;
    embedded_loop<>* guest;
    GMainLoop* host;
    gpointer tag;  // of the descriptor
};

/// When it is due without news from the descriptor. glib's clock is CLOCK_MONOTONIC, too.
void set_deadline(guest_source* source) {
    const auto due = source->guest->deadline();
    const auto since = std::chrono::ceil<std::chrono::microseconds>(due.time_since_epoch());
    g_source_set_ready_time(&source->base, due == never ? -1 : std::max<gint64>(since.count(), 0));
}

gboolean check(GSource* base) {
    return g_source_query_unix_fd(base, reinterpret_cast<guest_source*>(base)->tag) != 0;
}

gboolean step(GSource* base, GSourceFunc, gpointer) {
    auto* source = reinterpret_cast<guest_source*>(base);
    source->guest->step();
    set_deadline(source);
    if (source->guest->finished()) g_main_loop_quit(source->host);
    return G_SOURCE_CONTINUE;
}

/// SIGTERM is the host's affair here.
gboolean stop(gpointer which) {
    auto* source = static_cast<guest_source*>(which);
    source->guest->cancel();
    set_deadline(source);
    return G_SOURCE_REMOVE;
}

}  // namespace

int main(int argc, char** argv) try {
    embedded_loop guest(server(argc > 1 ? argv[1] : "127.0.0.1:7777"), {.signals = false});
    GSourceFuncs functions{nullptr, &check, &step, nullptr, nullptr, nullptr};
    auto* source = reinterpret_cast<guest_source*>(g_source_new(&functions, sizeof(guest_source)));
    source->guest = &guest;
    source->host = g_main_loop_new(nullptr, FALSE);
    source->tag = g_source_add_unix_fd(&source->base, guest.descriptor(), G_IO_IN);
    set_deadline(source);
    g_source_attach(&source->base, nullptr);
    g_source_unref(&source->base);  // glib's default context holds it
    g_unix_signal_add(SIGTERM, &stop, source);
    g_main_loop_run(source->host);
    g_main_loop_unref(source->host);
    g_source_destroy(&source->base);
    return guest.result();
} catch (const std::exception& error) {
    std::cerr << "glib_host: " << error.what() << '\n';
    return 1;
}

// curl_multi.cpp: curl's multi interface in tasks: fetches all at once.     curl_multi URL…
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <curl/curl.h>

#include <iostream>
#include <map>
#include <vector>

using namespace anel;

namespace {

/// What curl wants to be told of; its two callbacks write it down.
struct wishes {
    std::map<curl_socket_t, int> sockets;
    long timer = -2;  // milliseconds from now; -1: none; -2: the one that was
};

int on_socket(CURL*, curl_socket_t fd, int what, void* all, void*) {
    static_cast<wishes*>(all)->sockets[fd] = what;
    if (what == CURL_POLL_REMOVE) static_cast<wishes*>(all)->sockets.erase(fd);
    return 0;
}
int on_timer(CURLM*, long milliseconds, void* all) {
    static_cast<wishes*>(all)->timer = milliseconds;
    return 0;
}

/// The socket is given back before curl can close it.
task<curl_socket_t> wait_for(curl_socket_t fd, int what) {
    auto held = co_await descriptor::borrow(fd);
    if (what == CURL_POLL_INOUT) co_await when_any(held.readable(), held.writable());
    else if (what == CURL_POLL_IN) co_await held.readable();
    else co_await held.writable();
    co_return fd;
}
task<curl_socket_t> wait_until(time_point due) {
    co_await sleep_until(due);
    co_return CURL_SOCKET_TIMEOUT;
}

task<> perform(CURLM* multi, wishes& wanted) {
    time_point due = never;
    for (int running = 1; running > 0;) {
        const time_point now = co_await current_time();
        const long timer = std::exchange(wanted.timer, -2);
        if (timer != -2) due = timer < 0 ? never : after(now, std::chrono::milliseconds(timer));
        std::vector<task<curl_socket_t>> waits;
        for (const auto& [fd, what] : wanted.sockets) waits.push_back(wait_for(fd, what));
        if (due != never) waits.push_back(wait_until(due));
        auto told = co_await when_any(std::move(waits));
        const curl_socket_t fd = *told.results[told.first];
        if (fd == CURL_SOCKET_TIMEOUT) due = never;
        curl_multi_socket_action(multi, fd, 0, &running);  // 0: curl looks for itself
    }
}

}  // namespace

int main(int argc, char** argv) {
    wishes wanted;
    std::vector<CURL*> all;
    CURLM* multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, &wanted);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, &wanted);
    for (int i = 1; i < argc; ++i) {
        curl_easy_setopt(all.emplace_back(curl_easy_init()), CURLOPT_URL, argv[i]);
        curl_multi_add_handle(multi, all.back());
    }
    run(perform(multi, wanted));  // the bodies go to the standard output
    for (int left = 0; const CURLMsg* said = curl_multi_info_read(multi, &left);)
        std::cerr << "curl_multi: " << curl_easy_strerror(said->data.result) << '\n';
    for (CURL* each : all) curl_multi_remove_handle(multi, each), curl_easy_cleanup(each);
    curl_multi_cleanup(multi);
}

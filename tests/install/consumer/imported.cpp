// imported.cpp: a user's server that imports the module and includes no header of anel.
// SPDX-License-Identifier: MIT
#include <array>
#include <chrono>
#include <coroutine>
#include <iostream>
#include <string_view>
#include <utility>

import anel;

anel::task<> echo(anel::tcp_stream conn) {
    while (auto data = co_await conn.recv()) co_await conn.send(data);
}

anel::task<> ask(anel::endpoint server, bool& same) {
    auto conn = co_await anel::connect(server);
    co_await conn.send("module");
    std::array<char, 6> answer{};
    co_await conn.recv_exact(answer);
    same = std::string_view(answer.data(), answer.size()) == "module";
}

anel::task<> serve_all(anel::tcp_listener listener) {
    co_await anel::serve(std::move(listener), echo);
}

anel::task<> both(bool& same) {
    co_await anel::with_task_group([&](anel::task_group& group) -> anel::task<> {
        auto listener = co_await anel::tcp_listener::bind("127.0.0.1:0");
        const anel::endpoint here = listener.local_endpoint();
        auto backend = co_await anel::current_backend();
        std::cout << "imported: " << here << ' ' << backend << '\n';
        group.spawn(serve_all, std::move(listener));
        co_await anel::with_timeout(std::chrono::seconds(10), ask(here, same));
        group.cancel();
    });
}

int main() {
    bool same = false;
    const int code = anel::run(both(same));
    return code != 0 ? code : same ? 0 : 1;
}

// postgres.cpp: libpq, which waits for nothing, in tasks: connects and asks twice at the same time.
//     postgres "host=/run/postgresql dbname=postgres" "select 1" "select pg_sleep(1)"
// SPDX-License-Identifier: MIT
#include <anel/anel.hpp>

#include <libpq-fe.h>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

using namespace anel;

namespace {

struct closer {
    void operator()(PGconn* of) const noexcept { PQfinish(of); }
    void operator()(PGresult* of) const noexcept { PQclear(of); }
};
using connection = std::unique_ptr<PGconn, closer>;
using answer = std::unique_ptr<PGresult, closer>;

[[noreturn]] void fail(const connection& to) { throw std::runtime_error(PQerrorMessage(&*to)); }

task<connection> connect_to(const char* where) {
    connection made(PQconnectStart(where));
    if (!made || PQstatus(made.get()) == CONNECTION_BAD) fail(made);
    auto next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED) fail(made);
        auto socket = co_await descriptor::borrow(PQsocket(made.get()));  // may be another one
        if (next == PGRES_POLLING_READING) co_await socket.readable();
        else co_await socket.writable();
        socket.release();  // libpq may close it
        next = PQconnectPoll(made.get());
    }
    if (PQsetnonblocking(made.get(), 1) != 0) fail(made);
    co_return made;
}

task<> ask(const char* where, std::string question) {
    auto to = co_await connect_to(where);
    auto socket = co_await descriptor::borrow(PQsocket(to.get()));  // it goes before `to` does
    if (PQsendQuery(to.get(), question.c_str()) == 0) fail(to);
    while (PQflush(to.get()) > 0) {
        // The server may want to be read from before it takes more: libpq says so.
        co_await when_any(socket.writable(), socket.readable());
        if (PQconsumeInput(to.get()) == 0) fail(to);
    }
    for (;;) {
        while (PQisBusy(to.get()) != 0) {
            co_await socket.readable();
            if (PQconsumeInput(to.get()) == 0) fail(to);
        }
        const answer got(PQgetResult(to.get()));
        if (!got) co_return;
        if (PQresultStatus(got.get()) == PGRES_FATAL_ERROR) fail(to);
        for (int row = 0; row < PQntuples(got.get()); ++row)
            std::cout << question << ": " << PQgetvalue(got.get(), row, 0) << std::endl;
    }
}

task<> ask_all(const char* where, std::vector<std::string> questions) {
    std::vector<task<>> all;
    for (std::string& each : questions) all.push_back(ask(where, std::move(each)));
    co_await when_all(std::move(all));
}

}  // namespace

int main(int argc, char** argv) try {
    return run(ask_all(argc > 1 ? argv[1] : "", {argv + std::min(argc, 2), argv + argc}));
} catch (const std::exception& error) {
    std::cerr << "postgres: " << error.what() << '\n';
    return 1;
}

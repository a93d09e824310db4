#!/usr/bin/env python3
"""Code that must not compile, and what the compiler has to say about it, in the library's words.

refusals.py COMPILER [FLAGS...]: compiles every statement below inside a coroutine. ACCEPTED is
right, and must compile: without it a missing header would pass for a refusal.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PRELUDE = "#include <anel/anel.hpp>\n"
PROGRAM = """
using namespace anel;
using namespace std::chrono_literals;
struct pinned {{
    pinned() = default;
    pinned(pinned&&) = delete;
}};
task<> child(int) {{ co_return; }}
task<int> answer() {{ co_return 42; }}
task<> session(tcp_stream) {{ co_return; }}
task<> by_reference(tcp_stream&) {{ co_return; }}
void plain(tcp_stream) {{}}
task<> parent(tcp_stream& conn, tcp_listener& listener, udp_socket& udp, task_group& group,
              mutex& lock, char* pointer) {{
    {};
    co_return;
}}
"""

# A buffer that does not convert is told, below the error, by the type it should have been; the
# docstring of that says what does.
NOTED = {
    "int b[4]{}; co_await conn.send(b)": "const_buffer",
    "co_await conn.send(L\"wide\")": "const_buffer",
    "co_await conn.send(nullptr)": "const_buffer",
    "co_await conn.send(pointer)": "const_buffer",
    "const char b[4]{}; co_await conn.recv(b)": "mutable_buffer",
    "co_await conn.recv(std::string(4, ' '))": "mutable_buffer",
    "co_await conn.recv(pointer)": "mutable_buffer",
}
# What the first error says.
REFUSED = {
    # Forgotten: co_await.
    "child(1)": "a task is lazy: co_await it or spawn it",
    "conn.send(\"x\")": "co_await it",
    "for (;;) listener.accept()": "co_await it",
    "lock.lock()": "co_await it",
    "sleep_for(1s)": "co_await it",
    "with_timeout(1s, conn.send(\"x\"))": "co_await it",
    "if (child(1)) co_return": "this is a task, and no value: co_await it",
    "if (auto data = conn.recv()) co_return": "this is a wait, and no value: co_await it",
    "int n = answer()": "task<int>",
    # Groups and sessions.
    "group.spawn(child(1))": "write group.spawn(f, x), not group.spawn(f(x))",
    "group.spawn([i = 1]() -> task<> { co_await child(i); })": "Pass the values as arguments",
    "group.spawn(by_reference, std::move(conn))": "std::ref(x)",
    "group.spawn(by_reference, conn)": "std::ref(x)",
    "group.spawn(session, conn)": "write std::move(x)",
    "group.spawn(plain, std::move(conn))": "or a lambda with `-> task<>`",
    "group.spawn(child)": "does not take these arguments",
    "co_await with_task_group([](task_group&) {})": "write `[&](task_group& group) -> task<> {`",
    "co_await with_task_group([]() -> task<> { co_return; })": "takes a task_group&",
    "co_await serve(std::move(listener), by_reference)": "a tcp_stream, not a tcp_stream&",
    "co_await serve(std::move(listener), plain)": "a session is a coroutine",
    "run(answer)": "write run(f()), not run(f)",
    # Times and values.
    "co_await sleep_for(5)": "a time needs a unit: sleep_for(5s)",
    "co_await with_timeout(2, conn.recv())": "a time needs a unit: with_timeout(2s, ...)",
    "co_await with_timeout(conn.recv(), 2s)": "the time comes first",
    "std::string_view text = co_await conn.recv()": "delete",
    "channel<pinned> c(1)": "objects that can be moved",
    "channel<int&> c(1)": "objects that can be moved",
    "co_await 1": "this cannot be awaited here",
}
# clang knows how long a temporary lives.
REFUSED_BY_CLANG = {
    "auto op = conn.send(std::string(4, ' ')); co_await op": "will be destroyed",
    "auto op = udp.send(std::vector<char>(4)); co_await op": "will be destroyed",
    "auto op = write_frame(conn, std::string(4, ' ')); co_await op": "will be destroyed",
}
ACCEPTED = """
    char b[4]{};
    std::string text;
    co_await conn.send(b);
    co_await conn.send(text + "!");
    auto count = co_await conn.send_some(text + "!");
    auto of_view = conn.send(std::string_view(text).substr(0, count));
    co_await of_view;
    auto of_pointer = conn.send(text.c_str());
    co_await of_pointer;
    auto of_literal = conn.send("text");
    co_await of_literal;
    auto of_pair = conn.send({b, 2});
    co_await of_pair;
    auto lent = co_await conn.recv();
    text += lent;
    std::string_view view = lent;
    co_await conn.send(view);
    co_await conn.send(lent);
    co_await udp.send(lent);
    [[maybe_unused]] auto held = co_await lock.lock();
    group.spawn(by_reference, std::ref(conn));
    group.spawn(session, std::move(conn));
    group.spawn(child, *pointer);
    channel<int> c(1)
"""


def precompiled(command, folder):
    """The command, with the library's headers read once for all statements."""
    options = [*command, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter",
               f"-I{ROOT}/runtime", f"-I{ROOT}/net"]
    header = Path(folder, "prelude.hpp")
    header.write_text(PRELUDE, encoding="utf-8")
    subprocess.run([*options, "-x", "c++-header", header, "-o", f"{header}.gch"], check=True)
    return [*options, "-fsyntax-only", "-include", header, "-x", "c++", "-"]


def compile_statement(command, statement):
    return subprocess.run(command, input=PROGRAM.format(statement), capture_output=True, text=True)


def main():
    compiler = sys.argv[1:] or ["c++"]
    version = subprocess.run([*compiler, "--version"], capture_output=True, text=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        return try_all(precompiled(compiler, folder), version)


def try_all(command, version):
    refused = NOTED | REFUSED | (REFUSED_BY_CLANG if "clang" in version else {})
    wrong = []
    for statement, part in refused.items():
        done = compile_statement(command, statement)
        if done.returncode == 0:
            wrong.append(f"compiles: {statement}")
            continue
        first = next(line for line in done.stderr.splitlines() if " error: " in line)
        if part not in (done.stderr if statement in NOTED else first):
            wrong.append(f"says nothing of “{part}”: {statement}\n{first}")
    done = compile_statement(command, ACCEPTED)
    if done.returncode != 0:
        wrong.append(f"does not compile: {ACCEPTED}\n{done.stderr}")
    print("\n".join(wrong))
    print(f"{len(refused)} refusals, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Code that must not compile, and what the compiler has to say about it, in the library's words.

refusals.py COMPILER [FLAGS...]: compiles every statement below inside a coroutine. ACCEPTED is
right, and must compile: without it a missing header would pass for a refusal.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
#include <anel/anel.hpp>
using namespace anel;
struct pinned {{
    pinned() = default;
    pinned(pinned&&) = delete;
}};
task<> child(int) {{ co_return; }}
task<> parent(tcp_stream& conn, udp_socket& udp, task_group& group, char* pointer) {{
    {};
    co_return;
}}
"""

# A buffer that does not convert is told by the type it should have been; the docstring of that
# says what does.
REFUSED = {  # statement: part of an error
    "int b[4]{}; co_await conn.send(b)": "const_buffer",
    "co_await conn.send(L\"wide\")": "const_buffer",
    "co_await conn.send(nullptr)": "const_buffer",
    "co_await conn.send(pointer)": "const_buffer",
    "const char b[4]{}; co_await conn.recv(b)": "mutable_buffer",
    "co_await conn.recv(std::string(4, ' '))": "mutable_buffer",
    "co_await conn.recv(pointer)": "mutable_buffer",
    "group.spawn(child(1))": "write group.spawn(f, x), not group.spawn(f(x))",
    "group.spawn([i = 1]() -> task<> { co_await child(i); })": "Pass the values as arguments",
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
    group.spawn(child, 1);
    channel<int> c(1)
"""


def compile_statement(command, statement):
    arguments = [*command, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
                 "-x", "c++", "-", f"-I{ROOT}/runtime", f"-I{ROOT}/net"]
    return subprocess.run(arguments, input=PROGRAM.format(statement), capture_output=True,
                          text=True)


def main():
    command = sys.argv[1:] or ["c++"]
    version = subprocess.run([*command, "--version"], capture_output=True, text=True).stdout
    refused = REFUSED | (REFUSED_BY_CLANG if "clang" in version else {})
    wrong = []
    for statement, part in refused.items():
        done = compile_statement(command, statement)
        if done.returncode == 0:
            wrong.append(f"compiles: {statement}")
        elif part not in done.stderr:
            wrong.append(f"says nothing of “{part}”: {statement}\n{done.stderr}")
    done = compile_statement(command, ACCEPTED)
    if done.returncode != 0:
        wrong.append(f"does not compile: {ACCEPTED}\n{done.stderr}")
    print("\n".join(wrong))
    print(f"{len(refused)} refusals, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

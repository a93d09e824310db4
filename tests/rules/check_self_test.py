#!/usr/bin/env python3
"""Plants violations of every rule of check.py in a temporary tree: a rule must be able to fail."""

import tempfile
import unittest
from pathlib import Path

import check

HEADER = "// {name}: planted.\n// SPDX-License-Identifier: MIT\n"  # The code starts on line 3.

# rule -> files that break it, each as (path, code, line of the violation).
WRONG = {
    "wings_include_what_is_below": [
        ("net/tcp.cpp", '\n#include "runtime/core/below.hpp"', 4),
        ("runtime/core/loop.cpp", "#include <anel/tcp.hpp>\nvoid f() { h.resume(); }", 3),
        ("runtime/anel/a.hpp", '#include "runtime/core/below.hpp"', 3),
        ("runtime/attic/a.cpp", "#include <vector>", 3),
    ],
    "net_names_no_backend": [
        ("net/tcp.cpp", "auto x = backend_kind::io_uring;", 3),
        ("net/tcp.cpp", "int x = epoll_create1(0);", 3),
    ],
    "net_makes_no_system_call": [
        ("net/tcp.cpp", "int f() { return ::socket(1, 2, 3); }", 3),
        ("net/tcp.cpp", "void f() {\n    ::close(fd);\n}", 4),
        ("net/tcp.cpp", "long f() { return syscall(1); }", 3),
        ("net/tcp.cpp", "#include <sys/socket.h>", 3),
        ("net/endpoint.cpp", "#include <unistd.h>", 3),
    ],
    "liburing_in_one_wing": [
        ("runtime/backend/backend.cpp", "#include <liburing.h>", 3),
        ("bench/raw.cpp", "#include <liburing.h>", 3),
    ],
    "openssl_in_one_wing": [
        ("net/tls/anel/tls_context.hpp", "#include <openssl/ssl.h>", 3),
        ("net/tcp.cpp", "#include <openssl/ssl.h>", 3),
    ],
    "resume_in_one_place": [
        ("runtime/task.cpp", "void f() { h.resume(); }", 3),
        ("runtime/core/loop.cpp", "void f() { h.resume(); }\nvoid g() { h->resume(); }", 4),
        ("runtime/core/loop.cpp", "// h.resume() is said, not done", 1),
    ],
    "no_thread_local": [
        ("runtime/core/loop.cpp", "thread_local int x;\nvoid f() { h.resume(); }", 3),
        ("runtime/core/frame_pool.cpp", "thread_local int a;\nthread_local int b;", 4),
    ],
    "no_mutable_globals": [
        ("runtime/a.cpp", "namespace anel {\nint counter = 0;\n}", 4),
        ("runtime/a.cpp", "namespace {\nstd::atomic<int> counter(0);\n}", 4),
        ("runtime/a.cpp", "std::vector<int> list{1, 2};", 3),
        ("runtime/a.cpp", 'const char* text = "x";', 3),
        ("runtime/a.cpp", "void f() {\n    static int calls;\n}", 4),
        ("runtime/anel/a.hpp", "struct x {\n    static inline int live = 0;\n};", 4),
        ("runtime/start/signals.cpp", "int a;\nint b;", 4),
    ],
    "readme_shows_the_example": [("examples/tcp_echo.cpp", "int main() {}", 1)],
    "no_singletons": [("net/a.hpp", "struct pool { static pool& instance(); };", 3)],
    "no_os_header_in_public_headers": [
        ("net/anel/tcp.hpp", "#include <sys/socket.h>", 3),
        ("runtime/anel/signals.hpp", "#include <signal.h>", 3),
    ],
    "nothing_shared_on_an_operations_path": [
        ("runtime/anel/detail/operation.hpp", "std::shared_ptr<int> x();", 3),
        ("net/anel/udp.hpp", "void f(std::function<void()> f);", 3),
    ],
    "clock_belongs_to_the_backend": [
        ("runtime/core/timer.cpp", "auto f() { return std::chrono::steady_clock::now(); }", 3),
        ("examples/a.cpp", "void f() { clock_gettime(CLOCK_MONOTONIC, &t); }", 3),
    ],
    "randomness_belongs_to_the_loop": [
        ("net/connect.cpp", "void f() { std::random_device d; }", 3),
        ("net/connect.cpp", "int f() { return rand() % 7; }", 3),
    ],
    "no_sleep_in_tests": [
        ("tests/net/a_test.cpp", "void f() { std::this_thread::sleep_for(1s); }", 3),
        ("tests/net/a_test.cpp", "void f() { usleep(5); }", 3),
        ("tests/e2e/test_a.py", "time.sleep(1)", 1),
    ],
    "cancel_safety_table_is_swept": [
        ("tests/sweeps/a_sweep_test.cpp", "ANEL_SWEEP(unheard_of)", 3),
        ("docs/cancel_safety.md", "| `recv` | no byte was taken | `unheard_of` |", 1),
        ("docs/cancel_safety.md", "\n| `recv` | no byte was taken | nobody looked |", 2),
    ],
    "no_detached_threads": [("runtime/loop.hpp", "void f() { thread.detach(); }", 3)],
    "file_starts_with_its_name": [
        ("net/a.cpp", None, 1),
        ("bench/b.cpp", None, 1),
    ],
    "size_of_files_and_lines": [
        ("net/a.cpp", "\n" * 499, 501),
        ("dev", "#" * 101, 1),
        ("tests/e2e/test_a.py", "\n" + "#" * 101, 2),
    ],
    "one_word_a_thing": [
        ("runtime/core/a.cpp", "auto& f(loop& l) { return l.waiter(); }", 3),
        ("runtime/core/a.cpp", "void f(std::unique_ptr<backend> waiter);", 3),
        ("runtime/core/a.cpp", "bool f(cancel_scope& in, frame& caller);", 3),
        ("net/a.hpp", "bool f(cancel_scope& scope,\n       const detail::frame& who);", 4),
        ("net/sim/a.cpp", "\n// The inbox of a socket.", 4),
        ("runtime/uring/a.cpp", "int first_starving_;", 3),
        ("runtime/readiness/a.cpp", "void f() { feed_hungry(); }", 3),
        ("runtime/uring/a.cpp", "bool uring::serve(unread_bytes& from);", 3),
    ],
    "paragraphs_are_short": [
        ("docs/a.md", "# A\n\n" + "one word and\n" * 27, 3),
        ("net/README.md", "```\ncode\n```\n* a list\n  of one\n\n" + "word " * 81, 7),
        ("README.md", "word " * 81 + "\n* a list", 1),
    ],
    "virtual_only_in_backend": [
        ("runtime/loop.hpp", "struct x { virtual void f(); };", 3),
        ("runtime/uring/a.cpp", "class uring : public backend {\n    int now() override;\n};", 3),
    ],
    "await_is_safe_on_every_compiler": [
        ("net/a.cpp", "task<> f() {\n    if (co_await g()) h();\n}", 4),
        ("net/a.cpp", "task<> f() { if (a) b(); else if (co_await g()) h(); }", 3),
        ("net/a.cpp", "task<> f() { while (co_await g()) {} }", 3),
        ("net/a.cpp", "task<> f() { do {} while (co_await g()); }", 3),
        ("net/a.cpp", "task<> f() { while (auto n = co_await g() && co_await h()) {} }", 3),
        ("net/a.cpp", "task<> f() { for (; co_await g();) {} }", 3),
        ("net/a.cpp", "task<> f() { switch (co_await g()) {} }", 3),
        ("net/a.cpp", "task<> f() { co_await g([=] { h(); }); }", 3),
        ("net/a.cpp", "task<> f() { co_await g([text] { h(); }); }", 3),
        ("net/a.cpp", "task<> f() { co_await g([&, p = std::move(q)](int) mutable { h(); }); }", 3),
        ("net/a.cpp", "task<> f() { co_await g({1, 2}); }", 3),
        ("net/a.cpp", "task<> f() { co_await g(a,\n    {1, 2}); }", 3),
        ("net/a.cpp", "task<> f() { co_await g(options{.name = text}); }", 3),
        ("examples/a.cpp", "auto l = [&](int x) -> task<> {\n    if (co_await g()) h();\n};", 4),
        ("tests/net/a_test.cpp", "task<> f() { g([&] { h(); },\n    co_await i({})); }", 4),
    ],
}

# Files that no rule may object to.
RIGHT = [
    ("net/tcp.cpp", "task<tcp_listener> tcp_listener::bind(endpoint at) { return x.close(); }"),
    ("net/tcp.cpp", '// io_uring, ::socket(\nconst char* const text = "epoll_wait io_uring";'),
    ("net/endpoint.cpp", "#include <netinet/in.h>\n#include <sys/socket.h>\n#include <sys/un.h>"),
    ("runtime/uring/uring.cpp", "#include <liburing.h>\nauto t() { return steady_clock::now(); }"),
    ("runtime/core/loop.cpp", "void f() { std::exchange(next, nullptr).resume(); }"),
    ("runtime/core/frame_pool.cpp", "thread_local int pool;"),
    ("runtime/start/signals.cpp", "std::atomic<int> caught{0};"),
    ("runtime/start/signals.cpp", "namespace {\nstd::atomic<int> caught[64];\n}"),
    ("bench/servers/raw.cpp", "#include <liburing.h>"),
    ("runtime/core/loop.cpp", "std::shared_ptr<mailbox> f() { return h.resume(); }"),
    ("runtime/a.cpp", "const int a = 1;\nconstexpr int b{2};\n"
                      "inline constexpr auto c = 3;\n"
                      "const std::array<const char*, 1> d = {0};\nusing e = int;\n"
                      "int f(int g = 1);\n"
                      "struct h {\n    int i = 0;\n    static h make(int);\n};\n"
                      "enum class j { k };\n"
                      "h::h() : i{1}, l{2} { int m = 3; m = 4; }\n"
                      "template <class T>\nT n() { o = 1; }\n"
                      "static_assert(sizeof(int) == 4);\n"
                      "auto p() -> int { return 1; }\n"
                      "void q() { static constexpr int r = 1; static const int s = 2; }\n"
                      "std::error_code t(const u& v) noexcept { return w; }"),
    ("runtime/system/posix.cpp", "auto f() { return std::chrono::steady_clock::now(); }"),
    ("runtime/core/timer.cpp", "auto f() { return loop_.now(); }"),
    ("net/connect.cpp", "auto f() { return loop_.rand(); }"),
    ("tests/net/a_test.cpp", "task<> f() { co_await anel::sleep_for(1s); }"),
    ("tests/net/a_test.cpp", "task<> f() { co_await sleep_for(2s); }"),
    ("tests/e2e/test_a.py", "time.sleep(0.01)  # polls: the port of the server"),
    ("runtime/backend/helpers.cpp", "void f() { thread.detach(); }"),
    ("runtime/anel/detail/backend.hpp", "struct backend { virtual void f() = 0; };"),
    ("runtime/uring/a.cpp", "class uring final : public backend {\n    int now() override;\n};"),
    ("tests/compilers/a.cpp", "task<> f() { if (co_await g()) h(); a.resume(); }"),
    ("runtime/core/a.cpp", '#include "runtime/core/unread.hpp"\n'
                           "bool f(cancel_scope& scope, frame& caller) { return g(self.waiter); }"),
    ("tests/runtime/a.cpp", "auto waiter = [](event& on) -> task<> { return hungry(on); };"),
    ("docs/a.md", "word " * 80 + "\n\n" + "word " * 80 + "\n* " + "word " * 81 + "\n" + "word " * 81
     + "\n\n  " + "word " * 81 + "\n\n| " + "word " * 81 + "\n\n## " + "word " * 81
     + "\n\n```\n" + "word " * 81 + "\n```\n"),
    ("docs/platforms.md", "word " * 81),
    ("net/a.cpp", "task<> f() {\n    bool ok = co_await g();\n    if (ok) co_await h();\n"
                  "    while (auto n = co_await c.recv(buf)) co_await c.send(first(n));\n"
                  "    while (const auto n = co_await g()) { h({1}); }\n"
                  "    if (ok) { a({1, 2}); } else { co_await b(); }\n"
                  "    auto k = [x] { return x; };\n    co_await l(std::move(k));\n"
                  "    co_await m([&](int y) -> task<> {\n        n({1});\n    });\n"
                  "    co_await o([&, &z] { p([q] { r({1}); }); });\n    co_await buf[0];\n"
                  "    co_await s([this] { t(); });\n    auto& [u, v] = w;\n"
                  "    EXPECT_EQ(co_await x(), 1);\n"
                  "    auto aa = [bb](int) { return 1'000'000; };\n    int cc = co_await dd;\n}\n"
                  "struct ee : ff {\n    ee(int gg = {}) : hh_{gg}, ii_(1) { jj({1}); }\n};"),
]


def violations(path, code):
    """What check.py says about a tree that holds this one file, and two headers."""
    with tempfile.TemporaryDirectory() as folder:
        files = {"net/anel/tcp.hpp": "", "runtime/core/below.hpp": ""}
        files[path] = code
        for name, text in files.items():
            file = Path(folder, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            header = HEADER.format(name=file.name) if name.endswith(("pp")) else ""
            file.write_text("int x;\n" if text is None else header + text + "\n")
        tree = check.Tree(Path(folder))
        return [(name, *found) for name, rule in check.RULES.items() for found in rule(tree)]


class rules(unittest.TestCase):
    def test_every_rule_has_a_planted_violation(self):
        self.assertEqual(set(WRONG), set(check.RULES))

    def test_planted_violations_are_found_where_they_are(self):
        for rule, cases in WRONG.items():
            for path, code, line in cases:
                with self.subTest(rule=rule, path=path, code=code):
                    found = [(name, at, number) for name, at, number, _ in violations(path, code)]
                    self.assertIn((rule, path, line), found)

    def test_good_code_passes(self):
        for path, code in RIGHT:
            with self.subTest(path=path, code=code):
                self.assertEqual(violations(path, code), [])

    def test_this_repository_has_the_files_that_rules_name(self):
        # A rule about a file that was renamed would pass for ever.
        root = Path(__file__).resolve().parents[2]
        for name in ("runtime/core/loop.cpp", "runtime/core/frame_pool.cpp",
                     "runtime/start/signals.cpp", "runtime/anel/detail/backend.hpp",
                     "net/endpoint.cpp", "net/anel/tcp.hpp", *check.WINGS):
            self.assertTrue((root / name).exists(), name)


if __name__ == "__main__":
    unittest.main()

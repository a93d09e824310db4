# test_site.py: the site of the documentation: how pages are laid out, and what its check finds.
# SPDX-License-Identifier: MIT

import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs/site"))

import api  # noqa: E402
import browser  # noqa: E402
import check_site  # noqa: E402
import pages  # noqa: E402

GOOD = """<!doctype html><html lang="en"><title>x</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width"><style>.dark {{ background: #111; color: #eee }}
</style><body><h1 id="top">x</h1><p>text <a href="other.html#place">there</a></p>{more}</html>"""


class Layout(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.site = pages.Site(Path(folder.name))

    def test_each_page_has_its_place(self):
        for path, page in (("README.md", "index.md"), ("docs/design.md", "design.md"),
                           ("docs/guide/README.md", "guide/index.md"),
                           ("docs/guide/pt/06_by_hand.md", "pt/guide/06_by_hand.md"),
                           ("tests/README.md", "tests/index.md"),
                           ("docs/pictures/recv_path.svg", "pictures/recv_path.svg")):
            self.assertEqual(pages.page_of(path), page)

    def test_links_lead_to_pages_and_to_sources(self):
        text = self.site.rewrite("docs/x.md", "[a](design.md#z) [`b`](../net/tcp.cpp) [c](#d)\n"
                                 "[e](https://example.org/) `[f](g)`\n```\n[h](design.md)\n```")
        self.assertEqual(text, "[a](/design.md#z) [`b`](/source/net/tcp.cpp.html) [c](#d)\n"
                         "[e](https://example.org/) `[f](g)`\n```\n[h](design.md)\n```")
        self.assertIn("net/tcp.cpp", self.site.sources)

    def test_a_fence_keeps_its_language_only(self):
        text = self.site.rewrite("docs/x.md", "```cpp file=a/06_b.cpp region=c\nint i;\n```")
        self.assertEqual(text, "```cpp\nint i;\n```")

    def test_a_figure_that_is_missing_leaves_its_text(self):
        text = self.site.rewrite("docs/x.md", '<picture><source srcset="none_n.svg">'
                                 '<img src="none.svg" alt="a ring"></picture>')
        self.assertEqual(text, "<picture><em>a ring</em></picture>")
        self.assertEqual(len(self.site.missing), 2)


class Reference(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("doxygen"):
            raise unittest.SkipTest("no doxygen")
        with tempfile.TemporaryDirectory() as folder:
            cls.pages, cls.texts = api.built(Path(folder))

    def test_no_public_function_is_without_a_word(self):
        self.assertEqual([f"{e.header}: {e.name}" for e in self.pages.bare], [])

    def test_what_an_await_gives(self):
        for header, shown in (("anel/tcp.hpp", "co_await recv() -> recv_buffer;"),
                              ("anel/tcp.hpp", "co_await send(const_buffer buffer);"),
                              ("anel/tcp.hpp", "co_await accept() -> tcp_stream;"),
                              ("anel/udp.hpp", "co_await recvfrom(mutable_buffer buffer) -> datag"),
                              ("anel/channel.hpp", "co_await recv() -> std::optional<T>;"),
                              ("anel/mutex.hpp", "co_await lock() -> guard;"),
                              ("anel/event.hpp", "bool is_set() const noexcept;"),
                              ("anel/sleep.hpp", "co_await current_time() -> time_point;")):
            self.assertIn(shown, self.texts[header])

    def test_fields_are_rows_of_a_table(self):
        header = (ROOT / "net/anel/tcp.hpp").read_text(encoding="utf-8")
        sources = re.findall(r"/// Source +(.+)", header)
        self.assertGreater(len(sources), 5)
        for source in sources:
            self.assertIn(f'<tr><th scope="row">Source</th><td>{source}',
                          self.texts["anel/tcp.hpp"])


class Check(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "other.html").write_text('<h1 id="place">y</h1>', encoding="utf-8")

    def found(self, more, in_browser=False):
        (self.root / "index.html").write_text(GOOD.format(more=more), encoding="utf-8")
        steps = check_site.check_in_browser(self.root.resolve(), "index") if in_browser \
            else check_site.check_files(self.root.resolve())
        return "\n".join(f"{name}: {problem}" for name, problem in steps)

    def test_links(self):
        self.assertEqual(self.found(""), "")
        self.assertIn("none.html leads nowhere", self.found('<a href="none.html">x</a>'))
        self.assertIn("there is no such place", self.found('<a href="other.html#no">x</a>'))
        self.assertIn("only at the root", self.found('<a href="/other.html">x</a>'))
        self.assertIn("fetches https://", self.found('<script src="https://a.org/x.js"></script>'))

    def test_what_the_browser_sees(self):
        if not browser.find():
            self.skipTest("no chromium")
        self.assertEqual(self.found("", True), "")
        said = self.found('<p style="width: 500px">wide</p><p style="color: #999">pale</p>'
                          '<img src="none.svg"><script>none.none()</script>'
                          '<script>fetch("http://127.0.0.1:9/x").catch(() => 0)</script>', True)
        for problem in ("390 px, light: is 5", "contrast", "no alternative text", "does not load",
                        "throws", "requests http://127.0.0.1:9/x"):
            self.assertIn(problem, said)
        self.assertNotIn("1280 px, light: is", said)


class Script(unittest.TestCase):
    def test_without_node_it_says_so(self):
        with tempfile.TemporaryDirectory() as folder:
            for tool in ("sh", "dirname", "sed"):
                (Path(folder) / tool).symlink_to(shutil.which(tool))
            done = subprocess.run(["sh", ROOT / "docs/site/site.sh", "build"], text=True,
                                  env={"PATH": folder}, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("The site is left out", done.stdout)


if __name__ == "__main__":
    unittest.main()

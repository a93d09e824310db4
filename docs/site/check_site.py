#!/usr/bin/env python3
# check_site.py: looks at every page of the built site, as files and in a headless Chromium.
# SPDX-License-Identifier: MIT
"""check_site.py FOLDER [PART OF A PAGE'S NAME]

Finds links that lead nowhere, addresses outside, console errors, requests to the outside, pages
that are wider than the window (390 and 1280 px), images without text, and text with little
contrast, light and dark; once from a server and once from files. Prints what is wrong; exits with
1 if anything is, and leaves the browser out, saying so, where there is none.
"""

import functools
import http.server
import re
import sys
import threading
import urllib.parse
from html.parser import HTMLParser
from pathlib import Path

import browser

WIDTHS = (390, 1280)
OWN = "source/bench/"  # pages that another program makes


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.fetched = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids.update(filter(None, (given.get("id"), given.get("name"))))
        if tag == "a" and given.get("href"):
            self.links.append((given["href"], self.getpos()[0]))
        for key in ("src", "srcset"):
            if given.get(key):
                self.fetched.append(given[key].split()[0])
        if tag == "link" and given.get("href"):
            self.fetched.append(given["href"])


def check_files(root):
    pages = {path: Links(path.read_text(encoding="utf-8")) for path in sorted(root.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(root).as_posix()
        if name == "404.html" or name.startswith(OWN):
            continue
        for address in page.fetched:
            if re.match(r"(?:https?:)?//", address):
                yield name, f"fetches {address}"
        for address in [link for link, _ in page.links] + page.fetched:
            if re.match(r"(?:https?|mailto|data):", address):
                continue
            file, _, anchor = urllib.parse.unquote(address).partition("#")
            where = (path.parent / file).resolve() if file else path
            if address.startswith("/"):
                yield name, f"{address} works only at the root of a server"
            elif not where.is_file():
                yield name, f"{address} leads nowhere"
            elif anchor and where in pages and anchor not in pages[where].ids:
                yield name, f"{address}: there is no such place"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def complaints(events, bases):
    """What the browser reported while it loaded a page."""
    for event in events:
        told, what = event.get("params", {}), event["method"]
        if what == "Network.requestWillBeSent":
            address = told["request"]["url"]
            if not address.startswith((*bases, "data:", "about:", "blob:")):
                yield f"requests {address}"
        elif what == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            yield f"throws {details.get('exception', {}).get('description', details['text'])}"
        elif what == "Runtime.consoleAPICalled" and told["type"] == "error":
            yield f"console: {[value.get('value') for value in told['args']]}"
        elif what == "Log.entryAdded" and told["entry"]["level"] == "error":
            yield f"log: {told['entry']['text']} {told['entry'].get('url', '')}"


def check_in_browser(root, part):
    look = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")
    handler = functools.partial(Quiet, directory=root)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bases = (f"http://127.0.0.1:{server.server_address[1]}/", root.as_uri() + "/")
    names = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*.html"))]
    with browser.Browser() as page:
        for name in names:
            if name.startswith(OWN) or name == "404.html" or part not in name:
                continue
            for base in bases:
                page.events.clear()
                page.size(WIDTHS[-1])
                page.go(base + name)
                where = f"{name} ({base.split(':')[0]})"
                for width in WIDTHS:
                    page.size(width)
                    for theme in ("light", "dark"):
                        page.run("document.head.insertAdjacentHTML('beforeend',"
                                 "'<style>* { transition: none !important }</style>');"
                                 f"document.documentElement.style.colorScheme = '{theme}';"
                                 f"document.documentElement.classList.toggle('dark', "
                                 f"{str(theme == 'dark').lower()})")
                        for problem in page.run(look):
                            yield where, f"{width} px, {theme}: {problem}"
                for problem in complaints(page.events, bases):
                    yield where, problem
    server.shutdown()
    server.server_close()


def main():
    root = Path(sys.argv[1]).resolve()
    part = sys.argv[2] if len(sys.argv) > 2 else ""
    if not (root / "index.html").exists():
        print(f"skipped: there is no site in {root}")
        return 0
    count = 0
    steps = [check_files(root)]
    if browser.find():
        steps.append(check_in_browser(root, part))
    else:
        print("not looked at in a browser: apt-get install chromium")
    for step in steps:
        for name, problem in step:
            print(f"{name}: {problem}", flush=True)
            count += 1
    print(f"{sum(1 for _ in root.rglob('*.html'))} pages, {count} problems")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())

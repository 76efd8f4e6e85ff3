#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks at the built site: what pages refer to, and what a browser without a network makes of it.

usage: check.py SITE SHOTS [--no-browser]      SHOTS: a folder for screenshots

Every link leads to a page and a place that are there; no page names a script, style, font or picture of another host. Chromium, which can
reach nothing but the server that is started here, opens pages at the width of a desk and of a phone: nothing is wider than the window, nothing
is asked of elsewhere, nothing is logged, the search finds. The last line has the figures as JSON.
"""
import functools
import html.parser
import http.server
import json
import pathlib
import re
import sys
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from browser import Browser, find_chromium  # noqa: E402

SHOWN = ["index", "operator-table", "passes", "study-a-pass", "porting", "errors", "reference/c", "reference/python", "reference/cpp-module-h",
         "readme-page"]
WIDTHS = [(1280, 800, False), (390, 844, True)]
# Places further down: an operator's row with its table scrolled, a pass, an entry of a reference.
WITHIN = {"operator-table.html": "const row = [...document.querySelectorAll('td')].find(e => e.innerText === 'hardswish'); row.scrollIntoView({block: 'center'});"
                                 "row.closest('.md-typeset__table').parentElement.scrollLeft = 90",
          "passes.html": "location.hash = 'fold_frozen_conv_bn'", "reference/c.html": "location.hash = 'sconce_load'",
          "reference/python.html": "location.hash = 'sconce-module'", "errors.html": "location.hash = document.querySelector('h3').id"}
SEARCHED = {"sconce_load_memory": "reference/c.html", "constant_propagation": "passes.html", "hardswish": "operator-table.html"}
LOADED = {"script": ["src"], "img": ["src", "srcset"], "source": ["src", "srcset"], "iframe": ["src"], "video": ["src", "poster"],
          "audio": ["src"], "embed": ["src"], "object": ["data"], "use": ["href"], "image": ["href"]}


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        a = {k: v or "" for k, v in attributes}
        self.ids |= {a[k] for k in ("id", "name") if k in a}
        if tag == "a" and "href" in a:
            self.links.append(a["href"])
        if tag == "link" and a.get("rel") not in ("canonical", "next", "prev"):
            self.loads.append(a["href"])
        self.loads += [a[k] for k in LOADED.get(tag, ()) if k in a]
        self.loads += re.findall(r"url\(['\"]?([^)'\"]+)", a.get("style", ""))


def elsewhere(address):
    return re.match(r"(https?:)?//", address.strip()) is not None


def check_pages(site, findings):
    pages = {p.relative_to(site).as_posix(): Page(p.read_text()) for p in sorted(site.rglob("*.html"))}
    links = 0
    for name, page in pages.items():
        for to in page.loads:
            if elsewhere(to):
                findings.append(f"{name} loads {to}")
        for to in page.links + [a for a in page.loads if not a.startswith("data:")]:
            if elsewhere(to) or to.startswith("mailto:"):
                continue
            links += 1
            path, _, place = urllib.parse.unquote(to).partition("#")
            base = "http://site/" + name
            target = urllib.parse.urlsplit(urllib.parse.urljoin(base, path or name.rsplit("/")[-1])).path.lstrip("/").partition("?")[0] or "index.html"
            if not (site / target).exists():
                findings.append(f"{name} links to {to}, which isn't there")
            elif place and target in pages and place not in pages[target].ids and place != "__codelineno":
                findings.append(f"{name} links to {to}: the page has no such place")
        text = (site / name).read_text()
        if str(ROOT) in text:
            findings.append(f"{name} names a folder of this machine")
    for style in site.rglob("*.css"):
        for to in re.findall(r"url\(['\"]?([^)'\"]+)|@import ['\"]([^'\"]+)", style.read_text()):
            if any(elsewhere(t) for t in to if t):
                findings.append(f"{style.name} loads {to}")
    return {"pages": len(pages), "links": links}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def until(browser, expression, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        if value := browser.js(expression):
            return value
        time.sleep(0.1)
    return None


def check_in_browser(site, shots, findings):
    shots.mkdir(parents=True, exist_ok=True)
    for old in shots.glob("*.png"):
        old.unlink()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    browser = Browser(arguments=["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-background-networking"])
    figures = {"opened": 0, "screenshots": 0, "searches": 0}

    def looked_at(what):
        for url in browser.requests:
            if not url.startswith((address, "data:", "blob:")):
                findings.append(f"{what} asks for {url}")
        findings.extend(f"{what}: {p}" for p in browser.problems)

    def shot(name):
        browser.picture(shots / f"{name}.png")
        figures["screenshots"] += 1

    try:
        for width, height, phone in WIDTHS:
            browser.size(width, height, phone)
            for page in sorted(p.relative_to(site).as_posix() for p in site.rglob("*.html")):
                if page == "404.html":
                    continue
                browser.open(f"{address}/{page}")
                browser.js("new Promise(r => setTimeout(r, 150))")
                figures["opened"] += 1
                wide = browser.js("document.scrollingElement.scrollWidth")
                if wide > width:
                    who = browser.js("[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
                                     ".slice(0, 3).map(e => e.tagName + '.' + e.className + ': ' + e.innerText.slice(0, 40)).join('; ')")
                    findings.append(f"{page} is {wide} wide in a window of {width}: {who}")
                if page.removesuffix(".html") in SHOWN:
                    shot(f"{page.removesuffix('.html').replace('/', '_')}_{width}")
                if page in WITHIN:
                    browser.js(WITHIN[page])
                    shot(f"{page.removesuffix('.html').replace('/', '_')}_within_{width}")
                looked_at(f"{page} at {width}")
            for word, page in SEARCHED.items():
                browser.open(f"{address}/index.html")
                browser.js("document.getElementById('__search').click(); document.querySelector('.md-search__input').focus()")
                browser.type(word)
                found = until(browser, "[...document.querySelectorAll('.md-search-result__link')].map(a => a.pathname + a.hash).join(' ')")
                figures["searches"] += 1
                if page not in (found or ""):
                    findings.append(f"the search for {word} at {width} finds {found}, not {page}")
                shot(f"search_{word}_{width}")
                looked_at(f"the search at {width}")
    finally:
        browser.close()
        server.shutdown()
    return figures


def main():
    site, shots = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    began, findings = time.time(), []
    figures = check_pages(site, findings)
    if "--no-browser" not in sys.argv:
        if not find_chromium():
            sys.exit("check.py needs chromium: scripts/install_dependencies browser")
        figures.update(check_in_browser(site, shots, findings))
    for f in findings:
        print(f"finding: {f}")
    print(json.dumps({**figures, "seconds": round(time.time() - began), "findings": len(findings)}))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page of examples/web in a headless Chromium: files are opened, run and compared with PyTorch's recorded answers; what is no archive is told.
Needs Debian's chromium (scripts/install_dependencies browser). usage: test_web_page.py PAGE_FOLDER FIXTURES [--pictures FOLDER]"""
import functools
import http.server
import json
import pathlib
import re
import sys
import tempfile
import threading
import time
import unittest

from browser import Browser, find_chromium

PAGE, FIXTURES = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
PICTURES = pathlib.Path(sys.argv[4]) if len(sys.argv) > 4 else None
# PyTorch's mlp.pt of torch.ones([1, 32]): the first and the last three.
ONES = [68.4828, 148.9977, 77.7806, 39.1373, 160.4317]


class Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".wasm": "application/wasm"}

    def log_message(self, *_):
        pass


class WebPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(PAGE)))
        cls.addClassCleanup(cls.server.server_close)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.server.shutdown)
        cls.address = f"http://127.0.0.1:{cls.server.server_address[1]}"
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())) if hasattr(cls, "enterClassContext") else pathlib.Path(tempfile.mkdtemp())

    def setUp(self):
        self.browser.open(f"{self.address}/index.html")
        self.until("document.getElementById('status').textContent === 'Ready.'")

    def until(self, condition, seconds=120):
        end = time.time() + seconds
        while not self.browser.js(condition):
            self.assertLess(time.time(), end, f"{condition}: {self.browser.js('document.body.innerText')[:1500]}\n{self.browser.problems}")
            time.sleep(0.05)

    def text(self, name):
        return self.browser.js(f"(e => e.hidden ? '' : e.textContent)(document.getElementById('{name}'))")

    def give(self, path):
        """As if somebody chose the file; waits until it is dealt with."""
        field = self.browser.call("Runtime.evaluate", expression="document.getElementById('file')")["result"]["objectId"]
        self.browser.js("document.getElementById('status').textContent = 'waiting'")
        self.browser.call("DOM.setFileInputFiles", files=[str(path)], objectId=field)
        self.until("!/^(waiting|Reading)/.test(document.getElementById('status').textContent)")

    def press(self, name):
        self.browser.js("document.getElementById('status').textContent = 'waiting'")
        self.browser.js(f"document.getElementById('{name}').scrollIntoView({{block: 'center'}})")
        self.browser.click(f"document.getElementById('{name}')")
        self.until("!/^(waiting|Running)/.test(document.getElementById('status').textContent)")

    def picture(self, name):
        if PICTURES:
            PICTURES.mkdir(parents=True, exist_ok=True)
            self.browser.picture(PICTURES / name)

    def quiet(self):
        """Nothing but this folder was asked for, and nothing was complained of."""
        self.assertEqual([u for u in self.browser.requests if not u.startswith((self.address, "blob:", "data:"))], [])
        self.assertEqual(self.browser.problems, [])

    def test_opens_runs_and_compares(self):
        self.give(FIXTURES / "mlp.pt")
        self.assertEqual(self.text("error"), "")
        self.assertIn("graph(%self", self.text("graph"))
        self.assertEqual(self.text("graph").rstrip("\n").split("\n")[1:2], (FIXTURES / "mlp.graph.txt").read_text().split("\n")[1:2])
        self.browser.js("document.getElementById('inputs').value = 'torch.ones([1, 32])'")
        self.press("run")
        self.assertEqual(self.text("error"), "")
        numbers = [float(x) for x in re.findall(r"-?\d+\.\d+(?:e[+-]\d+)?", self.text("answer"))]
        self.assertEqual(len(numbers), 32, self.text("answer"))
        for got, wanted in zip(numbers[:3] + numbers[-2:], ONES):
            self.assertAlmostEqual(got, wanted, delta=0.01)
        self.assertRegex(self.text("time"), r"^[\d.]+ ms$")
        self.picture("run.png")
        self.give(FIXTURES / "mlp.io.pt")
        self.assertIn("2 of 2 recorded calls have the same answer", self.text("status"))
        self.quiet()

    def test_convolutions_and_an_lstm_give_the_recorded_answers(self):
        for name in ("small_cnn", "narrow_resnet", "lstm_loop", "postprocess"):
            with self.subTest(name):
                self.give(FIXTURES / f"{name}.pt")
                self.give(FIXTURES / f"{name}.io.pt")
                found = re.search(r"(\d+) of (\d+) recorded calls", self.text("status"))
                self.assertTrue(found and found[1] == found[2] and int(found[1]) > 0, self.text("status") + self.text("error"))
        self.quiet()

    def test_a_picture_is_named(self):
        self.give(FIXTURES.parent / "examples" / "classify" / "objects.pt")
        self.give(FIXTURES.parent / "examples" / "classify" / "photo.png")
        self.assertEqual(self.text("error"), "")
        self.browser.js("document.getElementById('imagenet').click()")
        self.assertEqual(self.browser.js("document.getElementById('inputs').value"), "picture")
        self.press("run")
        self.assertEqual(self.text("error"), "")
        self.assertIn("mug", self.text("best"))
        self.picture("picture.png")
        self.quiet()

    def test_what_is_no_model_is_told_and_the_page_lives(self):
        whole = (FIXTURES / "mlp.pt").read_bytes()
        broken = {"empty.pt": b"", "text.pt": b"<script>hacked = 1</script>", "cut.pt": whole[:len(whole) // 2], "bits.pt": bytes(b ^ 255 for b in whole)}
        for name, content in broken.items():
            (self.folder / name).write_bytes(content)
            self.give(self.folder / name)
            self.assertNotEqual(self.text("error"), "", name)
        self.assertIsNone(self.browser.js("window.hacked"))
        self.picture("broken.png")
        self.give(FIXTURES / "mlp.pt")
        for inputs, wanted in (("", "x"), ("torch.randn([1, 7])", "7"), ("import os", ""), ("(" * 5000 + ")" * 5000, ""),
                               ("torch.zeros([100000, 100000])", "memory")):
            self.browser.js(f"document.getElementById('inputs').value = {json.dumps(inputs)}")
            self.press("run")
            self.assertIn(wanted, self.text("error"))
            self.assertNotEqual(self.text("error"), "", inputs)
            if self.browser.js("model === null"):
                self.fail(f"{inputs[:50]}: {self.text('error')}")
        self.browser.js("document.getElementById('inputs').value = 'torch.ones([1, 32])'")
        self.press("run")
        self.assertIn("68.48", self.text("answer"))
        self.quiet()

    def test_what_never_ends_is_stopped(self):
        self.give(FIXTURES / "mlp.pt")
        self.browser.js("document.getElementById('inputs').value = 'torch.sum(torch.matmul(torch.ones([2000, 2000]), torch.ones([2000, 2000])))'")
        self.browser.click("document.getElementById('run')")
        self.press("stop")
        self.until("document.getElementById('status').textContent === 'Ready.'")
        self.give(FIXTURES / "mlp.pt")
        self.assertIn("mlp.pt is open", self.text("status"))


if __name__ == "__main__":
    if not find_chromium():
        sys.exit("no Chromium: scripts/install_dependencies browser")
    unittest.main(argv=sys.argv[:1])

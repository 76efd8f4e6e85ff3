#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pages of `sconce graph --format html` in a headless Chromium: what a reader sees and does. Needs Debian's chromium
and graphviz (scripts/install_dependencies browser). usage: test_graph_page.py SCONCE FIXTURES [--pictures FOLDER]
With --pictures what was seen is kept; docs/graph.png is before_and_after.png."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from browser import Browser, find_chromium

SCONCE, FIXTURES = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]).resolve()
PICTURES = pathlib.Path(sys.argv[4]) if len(sys.argv) > 4 else None
MODEL = FIXTURES / "narrow_resnet.pt"
EVIL = "</script><script>hacked=1</script><img src=x onerror=hacked=1>{{script}}"
HOSTILE = f"""graph(%x : Tensor):
  %evil.1 : str = prim::Constant[value="{EVIL}"]()
   = prim::Print(%evil.1, %x), scope: __module.<b onclick=hacked=1>a</b> # <i>file.py:3:4
  %y : Tensor = aten::relu(%x), scope: __module.<b onclick=hacked=1>a</b>
  return (%y)
"""
LONG = "graph(%x0 : Tensor):\n" + "".join(f"  %x{i + 1} : Tensor = aten::relu(%x{i})\n" for i in range(3000)) + "  return (%x3000)\n"
# Elements as expressions of the page.
BOX = "graphs[{side}].elements.node.get(graphs[{side}].nodes.find(n => {what}))"
SIGN = "graphs[0].elements.group.get(graphs[0].groups.find(x => x.title === '{title}' && x.parent === 0)).querySelector('.sign')"


def place(element):
    return f"(() => {{ const r = ({element}).getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; }})()"


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        self.browser.size(1280, 800)

    def open(self, model, *options, **environment):
        """Makes the page and opens it; whatever it does, it asks for nothing and complains of nothing."""
        if not isinstance(model, pathlib.Path):
            (self.folder / "graph.ir").write_text(model)
            model = self.folder / "graph.ir"
        page = self.folder / "page.html"
        subprocess.run([SCONCE, "graph", model, "--format", "html", "-o", page, *options], check=True, env=environment or None)
        self.text = page.read_text()
        self.browser.open(page)
        self.addCleanup(self.check_quiet)

    def check_quiet(self):
        self.assertEqual(self.browser.problems, [])
        self.assertEqual(self.browser.requests, [f"file://{self.folder}/page.html"])

    def js(self, expression):
        return self.browser.js(expression)

    def click(self, element):
        self.browser.click(element)

    def details(self):
        return self.js("byId('details').innerText")

    def picture(self, name):
        if PICTURES:
            self.browser.picture(PICTURES / (name + ".png"))

    def search(self, words):
        self.click("byId('search')")
        self.js("byId('search').select()")
        self.browser.type(words)

    def test_drawing(self):
        self.open(MODEL)
        self.assertEqual(self.js("document.body.className"), "view-drawing")
        self.assertGreater(self.js("document.querySelectorAll('svg .box').length"), 10)
        self.assertGreater(self.js("document.querySelectorAll('svg .edge').length"), 10)
        # Boxes of one group don't overlap, and groups are around what is in them.
        self.assertEqual(self.js("""(function wrong(placed) {
          const bad = placed.boxes.flatMap((a, i) => placed.boxes.slice(i + 1).filter(b =>
              Math.abs(a.x - b.x) < (a.w + b.w) / 2 && Math.abs(a.y - b.y) < (a.h + b.h) / 2)).length;
          return placed.boxes.filter(b => b.inside).reduce(
              (sum, b) => sum + wrong(b.inside) + (b.inside.w > b.w || b.inside.h > b.h ? 1 : 0), bad);
        })(graphs[0].placed)"""), 0)
        self.picture("drawing")

    def test_open_and_close(self):
        self.open(MODEL)
        self.click("byId('close-all')")
        closed = self.js("document.querySelectorAll('svg .box').length")
        sign = SIGN.format(title="layers")
        before = self.js(place(sign))
        self.click(sign)
        opened = self.js("document.querySelectorAll('svg .box').length")
        self.assertGreater(opened, closed)
        for a, b in zip(before, self.js(place(sign))):
            self.assertAlmostEqual(a, b, delta=1)  # it stays where it is
        self.click(sign)
        self.assertEqual(self.js("document.querySelectorAll('svg .box').length"), closed)
        self.click("byId('open-all')")
        self.assertEqual(self.js("graphs[0].groups.filter(g => !g.open).length"), 0)
        self.assertGreater(self.js("document.querySelectorAll('svg .box').length"), opened)

    def test_zoom_and_move(self):
        self.open(MODEL)
        scale = "graphs[0].view.scale"
        first = self.js(scale)
        self.click("byId('larger')")
        self.assertAlmostEqual(self.js(scale), first * 1.3, places=5)
        self.click("byId('smaller')")
        self.assertAlmostEqual(self.js(scale), first, places=5)
        # What is under the pointer stays there when the wheel turns.
        box = BOX.format(side=0, what="n.kind === 'aten::conv2d'")
        x, y, width, height = self.js(place(box))
        self.browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-240)
        self.js("new Promise(r => requestAnimationFrame(() => setTimeout(r, 50)))")
        after = self.js(place(box))
        self.assertGreater(self.js(scale), first)
        self.assertLess(abs(after[0] - x) + abs(after[1] - y), 4)
        self.assertGreater(after[2], width)
        # Dragging moves and selects nothing.
        self.browser.mouse("mousePressed", 100, 400, button="left", clickCount=1)
        for i in range(5):
            self.browser.mouse("mouseMoved", 100 + 10 * i, 400, button="left", buttons=1)
        self.browser.mouse("mouseReleased", 140, 400, button="left", clickCount=1)
        self.assertAlmostEqual(self.js(place(box))[0], after[0] + 40, delta=1)
        self.assertIn("Click a box", self.details())
        self.click("byId('fit')")
        x, y, width, height = self.js(place("graphs[0].layer"))
        left, top, pane_width, pane_height = self.js(place("graphs[0].svg"))
        self.assertTrue(x >= left and y >= top and x + width <= left + pane_width and y + height <= top + pane_height)

    def test_search(self):
        self.open(MODEL)
        self.click("byId('close-all')")
        self.search("max_pool2d")
        self.assertEqual(self.js("byId('found').textContent"), "1 found")
        self.search("conv2d")
        count = int(self.js("byId('found').textContent").split()[0])
        self.assertGreater(count, 4)
        for i in range(1, 4):
            self.browser.key("Enter")
            self.assertEqual(self.js("byId('found').textContent"), f"{i} of {count}")
            self.assertIn("aten::conv2d", self.details())
            x, y, width, height = self.js(place("document.querySelector('svg .box.selected')"))  # it was opened, and is in sight
            self.assertTrue(0 < x < 910 and 40 < y < 800, (x, y))
        self.click("byId('previous')")
        self.assertEqual(self.js("byId('found').textContent"), f"2 of {count}")
        self.search("there is no such thing")
        self.assertEqual(self.js("byId('found').textContent"), "0 found")

    def test_details(self):
        self.open(MODEL)
        self.click(BOX.format(side=0, what="n.kind === 'aten::conv2d'"))
        details = self.details()
        for text in ("aten::conv2d(Tensor input, Tensor weight", "self.stem.0.weight", "float32 [", "stride", "[2, 2]", "module stem.0",
                     "conv.py:", "return F.conv2d(", "narrow_resnet.pt:code/__torch__", "is used by"):
            self.assertIn(text, details)
        self.assertIn("return", self.js("document.querySelector('#details .here').innerText"))
        self.picture("details")
        # From a value to what made it, and to what uses it.
        value = self.js("graphs[0].values[selected.node.out[0]].name")
        self.js("[...document.querySelectorAll('#details a')].filter(a => a.textContent === " + repr(value) + ").forEach(a => a.id = 'try')")
        self.js("byId('try').scrollIntoView()")
        self.click("byId('try')")
        self.assertEqual(self.js("selected.value.name"), value)
        self.assertIn("made by", self.details())
        self.assertGreater(self.js("document.querySelectorAll('.edge.near').length"), 0)
        self.click("document.querySelector('#details a')")
        self.assertEqual(self.js("selected.node.kind"), "aten::conv2d")
        self.browser.key("Escape")
        self.assertIn("Click a box", self.details())

    def test_group_details(self):
        self.open(MODEL)
        self.click("byId('close-all')")
        self.click(SIGN.format(title="layers").replace(".querySelector('.sign')", ".querySelector('text')"))
        self.assertIn("Comes in", self.details())
        boxes = self.js("document.querySelectorAll('svg .box').length")
        self.click("document.querySelector('#details button')")
        self.assertGreater(self.js("document.querySelectorAll('svg .box').length"), boxes)

    def test_text_and_tree(self):
        self.open(MODEL)
        self.click("byId('show-text')")
        self.assertIn("aten::conv2d", self.js("document.querySelector('.text').innerText"))
        self.click("document.querySelectorAll('.text .kind')[3]")
        self.assertEqual(self.js("document.querySelectorAll('.line.selected').length"), 1)
        self.click("document.querySelector('.text .line a.value[href]')")
        self.assertTrue(self.js("Boolean(selected.value)"))
        self.assertIn("used by", self.details())
        self.click("byId('show-tree')")
        items = self.js("document.querySelectorAll('.tree li').length")
        self.js("document.querySelector('.tree details').id = 'first'")
        x, y, width, height = self.js(place("document.querySelector('#first summary')"))
        self.browser.click_at(x + 5, y + height / 2)
        self.js("new Promise(r => setTimeout(r, 50))")
        self.assertGreater(self.js("document.querySelectorAll('.tree li').length"), items)
        self.click("document.querySelector('#first li .leaf')")
        self.assertTrue(self.js("Boolean(selected)"))
        self.search("linear")
        self.browser.key("Enter")
        self.assertIn("linear", self.js("document.querySelector('.tree li.selected').innerText"))

    def test_before_and_after(self):
        self.open(MODEL, "--passes", "inline,freeze_attributes,constant_propagation,fold_frozen_conv_bn,dce")
        self.assertEqual(self.js("graphs.length"), 2)
        summary = self.js("byId('summary').innerText")
        removed = self.js("graphs[0].nodes.filter(n => n.state === 'removed').length")
        added = self.js("graphs[1].nodes.filter(n => n.state === 'added').length")
        self.assertGreater(min(removed, added), 0)
        self.assertIn(f"{removed} removed", summary)
        self.assertIn(f"{added} added", summary)
        # A match is mutual. A weight that became a constant is no change of who reads it; one that something was folded into is.
        self.assertTrue(self.js("graphs[0].nodes.every((n, i) => n.match === undefined || graphs[1].nodes[n.match].match === i)"))
        conv = "n.kind === 'aten::conv2d'"
        self.assertTrue(self.js(f"graphs[0].nodes.filter(n => {conv}).every(n => n.state === 'changed')"))
        self.assertFalse(self.js("graphs[0].nodes.some(n => n.kind === 'aten::linear' && n.state)"))
        self.assertIn("layers.0", self.js("graphs[0].nodes.map(n => n.module || '').join(' ')"))
        self.assertIn("layers.0", self.js("graphs[1].nodes.map(n => n.module || '').join(' ')"))
        self.click(BOX.format(side=0, what=conv))
        self.assertEqual(self.js("document.querySelectorAll('svg .box.selected').length"), 2)
        for side in (0, 1):  # what became of the batch norm
            self.js(f"graphs[{side}].groups.filter(x => x.title === '1' && x.parent === 1).forEach(x => toggle(graphs[{side}], x))")
        self.js("graphs[0].view.x -= 110")
        self.js("applyView(graphs[0])")
        self.picture("before_and_after")
        self.click("byId('open-all')")
        self.assertGreater(self.js("document.querySelectorAll('svg .box.removed').length"), 0)
        self.click("byId('show-text')")
        self.assertEqual(self.js("document.querySelectorAll('.line.removed').length"), removed)
        self.assertEqual(self.js("document.querySelectorAll('.line.added').length"), added)
        colours = self.js("['removed', 'added', 'changed'].map(s => getComputedStyle(document.querySelector('.state.' + s) || "
                          "document.body.appendChild(make('i', {class: s}))).backgroundColor)")
        self.assertEqual(len(set(colours)), 3)

    def test_two_files(self):
        text = subprocess.run([SCONCE, "graph", MODEL, "--inlined"], capture_output=True, text=True, check=True).stdout
        (self.folder / "after.ir").write_text(text.replace("aten::max_pool2d", "aten::avg_pool2d_other"))
        self.open(text, "--after", self.folder / "after.ir")
        self.assertEqual([self.js("graphs[0].nodes.filter(n => n.state === 'removed').length"),
                          self.js("graphs[1].nodes.filter(n => n.state === 'added').length")], [1, 1])

    def test_hostile_texts(self):
        self.open(HOSTILE)
        self.search("hacked")
        for _ in range(3):
            self.browser.key("Enter")
        for view in ("tree", "text", "drawing"):
            self.click(f"byId('show-{view}')")
        self.js("select({graph: graphs[0], value: graphs[0].byName.get('%evil.1')})")
        self.assertIn(EVIL, self.details())
        self.assertIn(EVIL, self.js("document.querySelector('.text').innerText"))
        self.assertEqual(self.js("typeof hacked"), "undefined")
        self.assertEqual(self.js("document.scripts.length"), 2)  # the data and the page's own
        self.assertEqual(self.js("document.querySelectorAll('img, b[onclick], i[class=\"\"]').length"), 0)
        # And if a text did become an element, it could not run.
        self.js("document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\" onerror=\"hacked=1\">')")
        self.js("document.body.append(Object.assign(document.createElement('script'), {textContent: 'hacked=1'}))")
        self.js("new Promise(r => setTimeout(r, 100))")
        self.assertEqual(self.js("typeof hacked"), "undefined")
        self.assertTrue(any("Content Security Policy" in p for p in self.browser.problems))
        self.browser.problems, self.browser.requests = [], self.browser.requests[:1]

    def test_without_graphviz(self):
        self.open(MODEL, PATH="/nonexistent")
        self.assertEqual(self.js("document.body.className"), "view-text")
        self.assertIn("Graphviz is not installed", self.js("document.querySelector('.missing').innerText"))
        self.assertTrue(self.js("byId('show-drawing').disabled"))
        self.click("byId('show-tree')")
        self.search("conv2d")
        self.browser.key("Enter")
        self.assertIn("aten::conv2d", self.details())
        self.assertIn("conv2d", self.js("document.querySelector('.tree li.selected').innerText"))

    def test_long_graph(self):
        self.open(LONG)
        self.assertLess(self.js("document.querySelectorAll('svg .box').length"), 120)
        self.click("byId('open-all')")
        self.assertLess(self.js("document.querySelectorAll('svg .box').length"), 3200)
        self.search("%x2999")
        self.browser.key("Enter")
        self.assertIn("%x2999", self.details())

    def test_nothing_is_wider_than_the_window(self):
        for width, phone in ((1280, False), (820, False), (390, True), (320, True)):
            for options in ((), ("--optimized",)):
                self.browser.size(width, 800, phone)
                self.open(MODEL, *options)
                self.picture(f"page_{width}" + "_two" * len(options))
                for view in ("drawing", "tree", "text"):
                    self.click(f"byId('show-{view}')")
                    self.assertLessEqual(self.js("document.documentElement.scrollWidth"), width)
                    self.assertLessEqual(self.js("document.documentElement.scrollHeight"), 800)
                    self.assertGreater(self.js(place(f"document.querySelector('.side .{view}')"))[3], 100)
                for x, y, w, h in self.js("[...document.querySelectorAll('header button, header input')].map(e => e.getBoundingClientRect())"
                                          ".map(r => [r.x, r.y, r.width, r.height])"):
                    self.assertTrue(0 <= x and x + w <= width and 0 <= y)

    def test_no_folder_of_the_machine(self):
        self.open(MODEL, "--optimized")
        for folder in {str(FIXTURES), os.getcwd(), str(self.folder), "site-packages", f"{FIXTURES.parents[1]}/", "/home/", "/usr/", "/root/"}:
            self.assertNotIn(folder, self.text)


if __name__ == "__main__":
    if not find_chromium() or not shutil.which("dot"):
        sys.exit("test_graph_page.py needs chromium and graphviz: scripts/install_dependencies browser")
    unittest.main(argv=sys.argv[:1], verbosity=1)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line from outside: exit codes and output forms. usage: test_commands.py SCONCE FIXTURES"""
import base64
import collections
import fcntl
import hashlib
import json
import os
import pathlib
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import unittest
import urllib.parse
import zipfile
import zlib

SCONCE, FIXTURES = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]).resolve()
TESTS = pathlib.Path(__file__).parent


def sconce(*args, **options):
    return subprocess.run([SCONCE, *map(str, args)], capture_output=True, text=True, timeout=120, **options)


def on_terminal(*args, columns=80):
    """What the command writes to a terminal that is both its stdout and stderr, and its exit code."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execv(SCONCE, [SCONCE, *map(str, args)])
    written = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        written += piece
    os.close(fd)
    return written.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def npy(descr, shape, data, fortran=False):
    header = repr({"descr": descr, "fortran_order": fortran, "shape": tuple(shape)})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def png(width, height, color_type, rows, depth=8, size=None):
    """color_type: 0 gray, 2 RGB, 6 RGBA. rows: bytes of each row."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    w, h = size or (width, height)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, color_type, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows))) + chunk(b"IEND", b""))


IDENTITY = "def f(x: Any) -> Any:\n    return x\ndef pixels(x: Tensor) -> Tensor:\n    return x.flatten()\n"


class Commands(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.source = self.folder / "identity.py"
        self.source.write_text(IDENTITY)

    def shown(self, text, *options, function="f"):
        """How an input is printed."""
        r = sconce("compile", self.source, "--run", function, "--input", text, *options, cwd=self.folder)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout
    def test_run(self):
        r = sconce("run", FIXTURES / "small_cnn.pt", "--input", "randn(1,3,32,32)", "--seed", 1)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("[ CPUFloatType{1,10} ]", r.stdout)

    def test_run_writes_npy(self):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "y.npy"
            self.assertEqual(sconce("run", FIXTURES / "mlp.pt", "--input", "ones(2,32)", "--out", out).returncode, 0)
            again = sconce("run", FIXTURES / "mlp.pt", "--input", out)
            self.assertEqual(again.returncode, 0, again.stderr)

    def test_usage(self):
        self.assertEqual(sconce("run").returncode, 2)
        self.assertEqual(sconce("nothing").returncode, 2)
        self.assertEqual(sconce("run", FIXTURES / "mlp.pt", "--input", "nonsense(").returncode, 2)

    def test_inputs_of_a_wrong_kind(self):
        for inputs, words in (
            (["ones(1)", '"text"'], "'float' for argument 'k' but instead found type 'str'"),
            (["3"], "'Tensor' for argument 'x' but instead found type 'int'"),
            ([], "missing value for argument 'x'"),
            (["ones(1)", 2, 3], "at most 2 argument(s)"),
        ):
            r = sconce("run", FIXTURES / "boundary.pt", *(x for i in inputs for x in ("--input", i)))
            self.assertEqual(r.returncode, 2, inputs)
            self.assertIn(words, r.stderr)
        for method, literal, printed in (
            ("forward", "ones(1)", "1.5000"),
            ("take_list_int", "[1, 2]", "[1, 2]"),
            ("take_list_float", "[1, 2.5]", "[1., 2.5]"),
            ("take_dict_str_int", '{"a": 1}', '["a"] 1'),
            ("take_device", '"cpu"', "cpu"),
            ("take_optional_int", "null", "None"),
        ):
            r = sconce("run", FIXTURES / "boundary.pt", "--method", method, "--input", literal)
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertIn(printed, r.stdout)
        r = sconce("run", FIXTURES / "boundary.pt", "--method", "take_list_int", "--input", "[1, 2.5]")
        self.assertEqual(r.returncode, 2)
        self.assertIn("with a value of type 'float' at [1]", r.stderr)

    def test_bad_files(self):
        data = (FIXTURES / "mlp.pt").read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            broken = pathlib.Path(folder) / "mlp.pt"
            broken.write_bytes(data[: len(data) // 2])
            (pathlib.Path(folder) / "mlp.io.pt").write_bytes((FIXTURES / "mlp.io.pt").read_bytes())
            for command in ("run", "inspect", "graph", "verify"):
                r = sconce(command, broken)
                self.assertEqual(r.returncode, 3, command)
            r = sconce("verify", folder)
            self.assertEqual(r.returncode, 1)
            self.assertIn("0 passed, 2 failed, 0 skipped", r.stdout)
        self.assertEqual(sconce("run", "absent.pt").returncode, 3)

    def test_verify_json(self):
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "r.json"
            self.assertEqual(sconce("verify", FIXTURES / "mlp.pt", "--json", report).returncode, 0)
            j = json.loads(report.read_text())
            self.assertEqual((j["passed"], j["failed"], j["skipped"]), (2, 0, 0))
            self.assertEqual(j["archives"][0]["error"], None)
            self.assertEqual(set(j["graphs"]), {"equal", "different"})
            self.assertEqual(set(j["passes"]), {"equal", "different", "unknown"})

    def test_nothing_to_verify_is_no_success(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(sconce("verify", folder).returncode, 1)

    def test_inspect(self):
        j = json.loads(sconce("inspect", FIXTURES / "router.pt", "--json").stdout)
        self.assertEqual(j["missing"], [])
        self.assertIn("aten::argmax", j["operators"])

    def test_scan(self):
        r = sconce("scan", *sorted(FIXTURES.glob("*.pt")))
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertIn("findings    none", r.stdout)
        folder = TESTS / "malformed" / "scan"
        r = sconce("scan", folder / "setstate.pt")
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertIn("at load     __torch__.M.__setstate__ (code/__torch__.py:1:1)", r.stdout)
        r = sconce("scan", folder / "global.pt", folder / "crc.pt")
        self.assertEqual(r.returncode, 1, r.stderr)
        self.assertIn("pickle-code: data.pkl, byte ", r.stdout)
        self.assertIn("zip-crc: m/data/0", r.stdout)
        self.assertEqual(sconce("scan", folder / "text.pt").returncode, 3)
        self.assertEqual(sconce("scan", "absent.pt").returncode, 3)
        self.assertEqual(sconce("scan").returncode, 2)
        self.assertEqual(sconce("scan", "--json", "--sarif", folder / "crc.pt").returncode, 2)
        report = json.loads(sconce("scan", "--json", folder / "operator.pt").stdout)[0]
        self.assertEqual(report["operators"], [{"name": "mylib::add", "calls": 1, "known": False}])
        self.assertEqual([c["methods"] for c in report["classes"]], [["forward"]])
        run = json.loads(sconce("scan", "--sarif", folder / "crc.pt", folder / "text.pt").stdout)["runs"][0]
        self.assertEqual([x["ruleId"] for x in run["results"]], ["zip-crc", "unreadable"])
        known = {x["id"] for x in run["tool"]["driver"]["rules"]}
        self.assertTrue(all(x["ruleId"] in known for x in run["results"]))
        # A name writes no lines of its own, into a report or to the service that runs this.
        with tempfile.TemporaryDirectory() as folder:
            evil = pathlib.Path(folder) / "a b.pt"
            shutil.copy(FIXTURES / "mlp.pt", evil)
            with zipfile.ZipFile(evil, "a") as z:
                z.writestr("mlp/extra/../a\n  findings    none\n::error file=x::y", "")
            for verb in ("scan", "inspect"):
                lines = (r := sconce(verb, evil)).stdout.split("\n")
                self.assertIn("a\\n  findings    none\\n\\x3a:error", r.stdout)
                self.assertFalse([line for line in lines if line.strip().startswith("::") or line == "  findings    none"])
            run = json.loads(sconce("scan", "--sarif", evil).stdout)["runs"][0]
            uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            self.assertEqual(uri, urllib.parse.quote(str(evil)))
            source = 'class M(Module):\n  a : int\n  def forward(self: __torch__.M, x: Tensor) -> Tensor:\n    return getattr(self, "b\\n::error::y")\n'
            with zipfile.ZipFile(evil, "w") as z:
                z.writestr("m/data.pkl", b"\x80\x02c__torch__\nM\n)\x81}(X\x01\0\0\0aK\x01ub.")
                z.writestr("m/constants.pkl", b"\x80\x02).")
                z.writestr("m/version", "3\n")
                z.writestr("m/code/__torch__.py", source)
            r = sconce("run", evil, "--input", "ones(1)")
            self.assertEqual(r.returncode, 3)
            self.assertNotIn("\n::", r.stderr)

    def test_bench(self):
        r = sconce("bench", FIXTURES / "mlp.pt", "--io", FIXTURES / "mlp.io.pt", "--json", "--min-time", "0.05")
        self.assertEqual(set(json.loads(r.stdout)), {"load_ms", "first_ms", "tenth_ms", "median_ms", "min_ms", "p90_ms", "runs", "peak_rss_mb", "threads"})

    def test_graph_forms(self):
        text = sconce("graph", FIXTURES / "router.pt").stdout
        with tempfile.TemporaryDirectory() as folder:
            ir = pathlib.Path(folder) / "router.ir"
            ir.write_text(text)
            self.assertEqual(sconce("graph", ir).stdout, text)
            self.assertEqual(sconce("opt", ir).stdout, text)
            ir.write_text(text.replace("return (%", "return (%lost, %", 1))
            r = sconce("graph", ir)
            self.assertEqual(r.returncode, 3)
            self.assertIn("no value is called %lost", r.stderr)
        self.assertTrue(sconce("graph", FIXTURES / "router.pt", "--format", "dot").stdout.startswith("digraph"))
        self.assertIn("folder" + ".pt:code/", text.replace("router", "folder"))
        self.assertNotIn(str(FIXTURES), text)
        j = json.loads(sconce("graph", FIXTURES / "router.pt", "--format", "json").stdout)
        top_level = [line for line in text.splitlines() if line.startswith(("  %", "   = "))]
        self.assertEqual(len(j["nodes"]), len(top_level))

    def test_graph_page(self):
        def data(page):
            found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
            self.assertEqual(len(found), 1)
            return json.loads(found[0])["graphs"]

        model = FIXTURES / "narrow_resnet.pt"
        page = sconce("graph", model, "--format", "html").stdout
        self.assertTrue(page.startswith("<!doctype html>"))
        self.assertNotIn(str(FIXTURES), page)
        self.assertEqual(set(re.findall(r"https?://[^'\" ]*", page)), {"http://www.w3.org/2000/svg"})  # a name, nothing is fetched
        (graph,) = data(page)
        self.assertEqual({n.get("state") for n in graph["nodes"]}, {None})
        conv = next(n for n in graph["nodes"] if n["kind"] == "aten::conv2d")
        self.assertEqual(conv["module"], "stem.0")
        self.assertEqual(graph["schemas"][conv["schema"]]["arguments"][:3], ["input", "weight", "bias"])
        self.assertEqual(graph["values"][conv["in"][1]]["content"], "float32 [8, 3, 7, 7]")
        self.assertRegex(conv["python"], r"^torch/nn/modules/conv.py:\d+:\d+$")
        source, line = conv["source"]
        self.assertIn("return F.conv2d(", graph["sources"][source]["text"].splitlines()[line])
        self.assertEqual(len(data(sconce("graph", model, "--format", "html", "--calls").stdout)[0]["nodes"]), len(
            [x for x in sconce("graph", model).stdout.splitlines() if " = " in x]))
        # Passes: what was removed and added.
        before, after = data(sconce("graph", model, "--format", "html", "--passes", "inline,freeze_attributes,dce").stdout)
        states = [collections.Counter((n["kind"], n.get("state")) for n in graph["nodes"]) for graph in (before, after)]
        self.assertGreater(states[0]["prim::GetAttr", "removed"], 20)
        self.assertGreater(states[1]["prim::Constant", "added"], 20)
        self.assertEqual(states[0]["aten::conv2d", None], 9)
        self.assertEqual(states[0], states[0] | collections.Counter({k: n for k, n in states[1].items() if k[1] is None}))
        # Text of the model is none of the page's, wherever it stands.
        evil = "</script><script>alert(1)</script><!--{{script}}"
        ir = self.folder / "<b>.ir"
        ir.write_text(f'graph(%x : Tensor):\n  %s : str = prim::Constant[value="{evil}"]()\n   = prim::Print(%s, %x), scope: {evil}\n  return (%x)\n')
        page = sconce("graph", ir, "--format", "html").stdout
        self.assertEqual(page.count("<script"), 2)
        self.assertNotIn("<b>", page)
        self.assertNotIn("<!--", page)
        self.assertEqual(data(page)[0]["nodes"][0]["attributes"], [["value", json.dumps(evil)]])
        # The policy names the script that there is.
        script = page[page.rindex("<script>") + 8:page.rindex("</script>")]
        self.assertIn("script-src 'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'", page)
        # Without Graphviz there are groups without places, and the page says so.
        page = sconce("graph", model, "--format", "html", env={"PATH": str(self.folder)}).stdout
        self.assertIn("Graphviz is not installed", page)
        self.assertNotIn("size", data(page)[0]["groups"][0])
        self.assertGreater(len(data(page)[0]["groups"][0]["boxes"]), 3)
        # One that doesn't end, or says nothing of use, is left.
        fake = self.folder / "dot"
        fake.write_text("#!/bin/sh\necho graph nonsense\n")
        fake.chmod(0o755)
        self.assertIn("Graphviz did not finish", sconce("graph", model, "--format", "html", env={"PATH": f"{self.folder}:/bin:/usr/bin"}).stdout)

    def test_opt(self):
        r = sconce("opt", FIXTURES / "small_cnn.pt", "--diff", "--time-passes", "--passes",
                   "inline,freeze_attributes,constant_propagation,fold_frozen_conv_bn,dce")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertNotIn("batch_norm", r.stdout)
        self.assertIn("-- fold_frozen_conv_bn", r.stderr)
        self.assertEqual(sconce("opt", FIXTURES / "mlp.pt", "--passes", "no_such_pass").returncode, 3)
        self.assertIn("constant_propagation", sconce("opt", "--list").stdout)

    def test_opt_shows_what_passes_did(self):
        net = FIXTURES / "small_cnn.pt"
        passes = "inline,freeze_attributes,constant_propagation,fold_frozen_conv_bn,dce"
        r = sconce("opt", net, "--passes", passes, "--print-before", "dce", "--print-after", "inline,dce", "--statistics",
                   "--time-passes", "--explain=inline", "-o", self.folder / "o.ir")
        self.assertEqual(r.returncode, 0, r.stderr)
        for words in ("-- before dce\n", "-- after inline\n", "-- after dce", "-- time\n", "-- statistics\ninline: 1 run, ",
                      "-- explain\n", ": inline: call: prim::CallMethod was rewritten"):
            self.assertIn(words, r.stderr)
        self.assertNotIn("-- before inline", r.stderr)
        self.assertRegex(r.stderr, r"inline: 1 run, 1 changed something; nodes \d+ -> \d+ \(\+\d+ by it\)\n  call: \d+ applied, 0 missed")
        r = sconce("opt", net, "--passes", passes, "--print-changed=text", "--stop-after", "freeze_attributes")
        self.assertIn("-- freeze_attributes\ngraph(", r.stderr)
        self.assertNotIn("-- dce", r.stderr)
        self.assertIn("aten::batch_norm", r.stdout)
        r = sconce("opt", net, "--passes", passes, "--bisect-limit", 2)
        self.assertIn("bisect: the last that changed something is 2 freeze_attributes\n", r.stderr)
        self.assertEqual(r.stdout, sconce("opt", net, "--passes", "inline,freeze_attributes").stdout)
        for wrong in (["--print-after", "x"], ["--stop-after", "dce:x"], ["--explain=x"]):
            self.assertEqual(sconce("opt", net, "--passes", "dce", *wrong).returncode, 3, wrong)
        for wrong in (["--print-changed=x"], ["--bisect-limit", -1]):
            self.assertEqual(sconce("opt", net, "--passes", "dce", *wrong).returncode, 2, wrong)

    def test_opt_shows_what_passes_did_to_a_whole_module(self):
        out = self.folder / "o.pt"
        r = sconce("opt", FIXTURES / "small_cnn.pt", "--passes", "default", "--explain", "--statistics", "--time-passes", "-o", out)
        self.assertEqual(r.returncode, 0, r.stderr)
        for words in ("fold_frozen_conv_bn: conv+bn: aten::batch_norm was rewritten", "-- time\n", "-- statistics\n"):
            self.assertIn(words, r.stderr)
        self.assertNotIn("aten::batch_norm", sconce("graph", out, "--inlined").stdout)
        r = sconce("opt", FIXTURES / "small_cnn.pt", "--passes", "inline,dce", "--stop-after", "inline", "--print-changed", "-o", out)
        self.assertIn("-- inline\n", r.stderr)
        self.assertNotIn("-- dce", r.stderr)
        rules, file = self.folder / "bad.rules", self.folder / "r.ir"
        rules.write_text("rule bad\n  graph(%x):\n    %y = aten::neg(%x)\n")
        r = sconce("opt", FIXTURES / "mlp.pt", "--passes", "inline", "--rewrite", rules, "--reproducer", file, "-o", self.folder / "none.pt")
        self.assertEqual(r.returncode, 3)
        self.assertIn(f"sconce opt {file} runs the pass again", r.stderr)
        self.assertTrue(file.exists() and not (self.folder / "none.pt").exists())

    def test_opt_bisects(self):
        r = sconce("opt", FIXTURES / "small_cnn.pt", "--passes",
                   "inline,freeze_attributes,constant_propagation,fold_frozen_conv_bn,dce", "--bisect", "grep -q -e aten::batch_norm -e CallMethod {}")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("the command fails from change ", r.stdout)
        self.assertIn(" on: fold_frozen_conv_bn\n", r.stdout)
        self.assertRegex(r.stdout, r"\n- .*aten::batch_norm")
        self.assertIn("freeze", sconce("opt", FIXTURES / "small_cnn.pt", "--passes", "freeze", "--print-changed").stderr)
        r = sconce("opt", FIXTURES / "small_cnn.pt", "--passes", "inline", "--bisect", "true")
        self.assertIn("succeeds with all passes", r.stderr)
        r = sconce("opt", FIXTURES / "small_cnn.pt", "--passes", "inline", "--bisect", "false")
        self.assertIn("fails without any pass", r.stderr)

    def test_opt_reproducer(self):
        ir, rules, file = self.folder / "g.ir", self.folder / "bad.rules", self.folder / "r.ir"
        ir.write_text("graph(%x : Tensor):\n  %d : Tensor = aten::abs(%x)\n  %y : Tensor = aten::neg(%x)\n  return (%y)\n")
        rules.write_text("rule bad\n  graph(%x):\n    %y = aten::neg(%x)\n")
        r = sconce("opt", ir, "--passes", "dce", "--rewrite", rules, "--reproducer", file)
        self.assertEqual(r.returncode, 3)
        self.assertIn(f"pass rewrite(rules={rules}): {rules}:3: rule bad has no '=>'", r.stderr)
        self.assertIn(f"sconce opt {file} runs the pass again", r.stderr)
        text = file.read_text()
        self.assertIn(f"# passes: rewrite(rules={rules})\n", text)
        self.assertNotIn("aten::abs", text)
        self.assertEqual(sconce("opt", file, "--reproducer", self.folder / "again.ir").returncode, 3)
        self.assertTrue((self.folder / "again.ir").exists())
        rules.write_text("rule good\n  graph(%x):\n    %y = aten::neg(%x)\n    return (%y)\n=>\n"
                         "  graph(%x):\n    %y = aten::abs(%x)\n    return (%y)\n")
        r = sconce("opt", file)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("aten::abs(%x)", r.stdout)

    def test_check(self):
        checks = self.folder / "e.check"
        checks.write_text("CHECK: conv\nCHECK-NEXT: relu\n")
        r = sconce("check", checks, input="conv\nrelu\n")
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "", ""))
        r = sconce("check", checks, input="conv\ntanh\nrelu\n")
        self.assertEqual(r.returncode, 1)
        self.assertIn("e.check:2:13: error: CHECK-NEXT: is not on the line after the previous match\n", r.stderr)
        self.assertIn("<stdin>:3:1: note: 'next' match was here\nrelu\n^\n", r.stderr)
        (self.folder / "t").write_text("conv\nrelu\n")
        self.assertEqual(sconce("check", checks, "--input", self.folder / "t").returncode, 0)
        self.assertEqual(sconce("check", checks, "--prefix", "OUR", input="").returncode, 3)
        self.assertEqual(sconce("check", self.folder / "absent", input="").returncode, 3)

    def test_the_page_on_passes_is_the_example(self):
        page = (TESTS.parent / "docs" / "write-a-pass.md").read_text()
        for name in ("relu_once.cpp", "CMakeLists.txt", "relu_once.check.ir"):
            code = page.split(f"`{name}`:\n\n```", 1)[1].split("\n", 1)[1].split("```", 1)[0]
            self.assertEqual(code, (TESTS.parent / "examples" / "pass_plugin" / name).read_text(), name)

    def test_passes_and_round_trip(self):
        r = sconce("verify", "--passes", TESTS / "passes")
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertIn(" 0 different, 0 unknown", r.stdout)
        with tempfile.TemporaryDirectory() as folder:
            dce = pathlib.Path(folder) / "dce"
            dce.mkdir()
            graph = "graph(%x : Tensor):\n  %y : Tensor = aten::relu(%x)\n  return (%x)\n"
            (dce / "a.before.ir").write_text(graph)
            (dce / "a.after.ir").write_text(graph)
            self.assertEqual(sconce("verify", "--passes", folder).returncode, 1)
        r = sconce("verify", "--round-trip", FIXTURES, TESTS / "passes")
        self.assertEqual(r.returncode, 0, r.stdout)

    def test_audit_alias(self):
        r = sconce("verify", "--audit-alias", FIXTURES)
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertIn("alias audit: 0 findings", r.stdout)

    def test_changes(self):
        arguments = ("verify", "--changes", "--modes", "interpret", "--seed", 3, FIXTURES)
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.json"
            r = sconce(*arguments, "--json", report)
            self.assertEqual(r.returncode, 0, r.stdout)
            kinds = json.loads(report.read_text())["changes"]
        self.assertGreater(len(kinds), 30)
        self.assertEqual(sum(k["differences"] for k in kinds.values()), 0)
        self.assertIn(f"fill_: {kinds['fill_']['tries']} tries, 0 differences\n", r.stdout)
        self.assertEqual(sconce(*arguments).stdout, r.stdout)
        one = sconce("verify", "--changes", "--modes", "interpret", "--all", "--kind", "setattr tensor", FIXTURES / "router.pt").stdout
        self.assertEqual(one, "setattr tensor: 8 tries, 0 differences\n8 passed, 0 failed, 0 skipped\n")
        self.assertEqual(sconce("verify", "--seed", 3, FIXTURES).returncode, 2)

    def test_compile(self):
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "f.py"
            source.write_text("def f(n: int) -> int:\n    return n * 2 + 1\n")
            r = sconce("compile", source, "--run", "f", "--input", 20)
            self.assertEqual((r.returncode, r.stdout), (0, "41\n"), r.stderr)
            r = sconce("compile", source, "--run", "f", "--input", 1.5)
            self.assertEqual(r.returncode, 2)
            self.assertIn("'int' for argument 'n' but instead found type 'float'", r.stderr)
            r = sconce("compile", source, "--graph")
            self.assertIn("aten::mul", r.stdout)
            source.write_text("def f(n: int) -> int:\n    return m\n")
            r = sconce("compile", source)
            self.assertEqual(r.returncode, 3)
            self.assertIn("^", r.stderr)

    def test_ops(self):
        j = json.loads(sconce("ops", "--json").stdout)
        row = next(r for r in j if r["schema"].startswith("aten::relu("))
        self.assertEqual(row["backends"], ["cpu"])

    # Inputs.

    def test_input_literals(self):
        for text, shown in [("None", "None"), ("null", "None"), ("true", "True"), ("-3", "-3"), ("2.5", "2.5"), ("(1,)", "(1,)"),
                            ("'a b'", "a b"), ('"\\u00e9"', "\u00e9"), ("[1, 2]", "[1, 2]"), ("{}", "{}"), ("()", "()")]:
            self.assertEqual(self.shown(text), shown + "\n")
        nested = self.shown('{"a": ones(1), "b": (None, [2.5, "x"])}')
        self.assertEqual(nested, 'dict of 2\n  ["a"] float32 [1]\n       1\n      [ CPUFloatType{1} ]\n'
                                 '  ["b"] tuple of 2\n    [0] None\n    [1] [2.5, x]\n')

    def test_dicts_tuples_and_none_as_arguments(self):
        (self.folder / "a.npy").write_bytes(npy("<f4", [2], struct.pack("<2f", 1, 2)))
        arguments = ["--input", '{"a": file("a.npy")}', "--input", "None", "--input", "(10, [ones(2,2), a.npy])", "--input", "'words'"]
        r = sconce("run", FIXTURES / "nested_inputs.pt", *arguments, cwd=self.folder)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(r.stdout.splitlines()[:5], ["tuple of 2", "  [0] dict of 2", '    ["sum"] float32 [2]', "         18", "         19"])
        self.assertIn('["long"] float32 [2000], from 18 to 19, mean 18.5', r.stdout)
        self.assertEqual(r.stdout.splitlines()[-1], "  [1] (words, 2)")
        r = sconce("run", FIXTURES / "nested_inputs.pt", *arguments, "--profile", cwd=self.folder)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("aten::add", r.stderr)
        r = sconce("bench", FIXTURES / "nested_inputs.pt", *arguments, "--json", "--min-time", "0.01", cwd=self.folder)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertGreaterEqual(json.loads(r.stdout)["runs"], 3)

    def test_profiles_of_recorded_cases(self):
        case = [FIXTURES / "small_cnn.pt", "--io", FIXTURES / "small_cnn.io.pt"]
        r = sconce("run", *case, "--profile", "--trace", "t.json", cwd=self.folder)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("the same as PyTorch's answer", r.stdout)
        self.assertIn("aten::max_pool2d", r.stderr)
        operators = json.loads((self.folder / "t.json").read_text())["traceEvents"]
        r = sconce("bench", *case, "--profile", "--trace", "t.json", "--min-time", "0.01", cwd=self.folder)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("GFLOP/s", r.stdout)
        calls = json.loads((self.folder / "t.json").read_text())["traceEvents"]
        self.assertGreater(len(operators), len(calls))
        r = sconce("bench", *case, "--profile", "--json", "--min-time", "0.1", cwd=self.folder)
        told = json.loads(r.stdout)
        self.assertEqual(len(told["calls"]), len(calls))
        self.assertEqual(sum(slot["calls"] for slot in told["profile"]), len(calls))
        self.assertAlmostEqual(sum(c["share"] for c in told["calls"]), 1)
        self.assertGreater(told["tenth_ms"], 0)

    def test_bad_inputs(self):
        for text in ["nonsense", "[1", "{[1]: 2}", "zeros(-1)", "zeros(1):nothing", "'open", "1 2", ""]:
            r = sconce("compile", self.source, "--run", "f", "--input", text)
            self.assertEqual((r.returncode, r.stdout), (2, ""), text)
            self.assertIn("--input", r.stderr)
        r = sconce("compile", self.source, "--run", "f", "--input", "absent.npy")
        self.assertEqual((r.returncode, r.stdout), (3, ""))
        r = sconce("compile", self.source, "--run", "f", "--input", FIXTURES / "mlp.pt")
        self.assertEqual(r.returncode, 3)
        self.assertIn("a TorchScript archive", r.stderr)

    def test_numpy_files(self):
        numbers = struct.pack("<6f", *range(6))
        (self.folder / "c.npy").write_bytes(npy("<f4", [2, 3], numbers))
        (self.folder / "big.npy").write_bytes(npy(">f4", [2, 3], struct.pack(">6f", *range(6))))
        (self.folder / "f.npy").write_bytes(npy("<f4", [2, 3], struct.pack("<6f", 0, 3, 1, 4, 2, 5), fortran=True))
        for name in ("c.npy", "big.npy", "f.npy"):
            self.assertEqual(self.shown(name), " 0  1  2\n 3  4  5\n[ CPUFloatType{2,3} ]\n")
        with zipfile.ZipFile(self.folder / "several.npz", "w", zipfile.ZIP_DEFLATED) as z:
            z.writestr("x.npy", npy("<i8", [2], struct.pack("<2q", 7, 8)))
            z.writestr("X.npy", npy("|b1", [], b"\1"))
        self.assertEqual(self.shown("several.npz:x"), " 7\n 8\n[ CPULongType{2} ]\n")
        self.assertEqual(self.shown("[several.npz:X]").splitlines()[1], "  [0] 1 [ CPUBoolType{} ]")
        self.assertTrue(self.shown("several.npz").startswith('dict of 2\n  ["x"] int64 [2]'))
        self.assertEqual(self.shown("{1: several.npz:x}").splitlines()[0], "dict of 1")
        r = sconce("compile", self.source, "--run", "f", "--input", f"{self.folder}/several.npz:y")
        self.assertEqual(r.returncode, 3)
        self.assertIn("there are x, X", r.stderr)
        for name, data in [("cut.npy", npy("<f4", [9], numbers)), ("object.npy", npy("|O", [1], b"")), ("no.npy", b"x"),
                           ("huge.npy", npy("<f4", [10**30], numbers)), ("no.npz", b"PK")]:
            (self.folder / name).write_bytes(data)
            r = sconce("compile", self.source, "--run", "f", "--input", self.folder / name)
            self.assertEqual((r.returncode, r.stdout), (3, ""), name)
            self.assertIn(name, r.stderr)

    def test_pictures(self):
        rows = [bytes([0, 51, 102, 255, 0, 153]), bytes([1, 2, 3, 4, 5, 6])]
        (self.folder / "rgb.png").write_bytes(png(2, 2, 2, rows))
        planes = [0, 255, 1, 4, 51, 0, 2, 5, 102, 153, 3, 6]
        text = self.shown("rgb.png", "--full", function="pixels")
        self.assertEqual([round(float(x) * 255) for x in text.split("[")[0].split()], planes)
        self.assertIn("CPUFloatType{12}", text)
        (self.folder / "rgba.png").write_bytes(png(2, 2, 6, [r[:3] + b"\x10" + r[3:] + b"\x20" for r in rows]))
        self.assertEqual(self.shown("rgba.png", function="pixels"), text)
        (self.folder / "gray.png").write_bytes(png(2, 1, 0, [bytes([0, 255])]))
        self.assertEqual(self.shown("gray.png", function="pixels").split()[:6], ["0", "1"] * 3)
        self.assertEqual(self.shown("gray.png", "--gray", function="pixels").split()[:4], ["0", "1", "[", "CPUFloatType{2}"])
        # (x - mean) / std, one number or one a channel; crop of the middle; size
        text = self.shown("gray.png", "--mean", "0.5", "--std", "0.5,0.25,1", function="pixels")
        self.assertEqual([float(x) for x in text.split("[")[0].split()], [-1, 1, -2, 2, -0.5, 0.5])
        self.assertIn("{1,3,1,1}", self.shown("rgb.png", "--crop", "1"))
        self.assertIn("{1,3,3,5}", self.shown("rgb.png", "--resize", "3x5"))
        self.assertIn("{1,3,4,8}", self.shown("gray.png", "--resize", "4"))
        self.assertIn("float32 [1, 3, 224, 224]", self.shown("rgb.png", "--imagenet"))

    def test_jpeg(self):
        # What Pillow reads of it.
        text = self.shown(FIXTURES / "picture.jpg", "--full", function="pixels")
        numbers = [round(float(x) * 255) for x in text.split("[")[0].split()]
        plane = 24 * 16
        for x, y, color in [(0, 0, (0, 5, 0)), (23, 0, (218, 9, 0)), (0, 15, (10, 215, 22)), (11, 7, (110, 104, 78))]:
            self.assertEqual(tuple(numbers[c * plane + y * 24 + x] for c in range(3)), color)

    def test_bad_pictures(self):
        good = png(2, 2, 2, [bytes(6), bytes(6)])
        jpeg = (FIXTURES / "picture.jpg").read_bytes()
        broken = bytearray(good)
        broken[40] ^= 255
        for name, data in [("cut.png", good[:50]), ("broken.png", bytes(broken)), ("cut.jpg", jpeg[:500]), ("text.png", b"no picture"),
                           ("empty.jpg", b""), ("head.jpg", jpeg[:30]), ("huge.png", png(1, 1, 2, [bytes(3)], size=(60000, 60000)))]:
            (self.folder / name).write_bytes(data)
            r = sconce("compile", self.source, "--run", "f", "--input", self.folder / name)
            self.assertEqual((r.returncode, r.stdout), (3, ""), name)
            self.assertIn(name, r.stderr)
        (self.folder / "good.png").write_bytes(good)
        for options in [("--crop", "3"), ("--resize", "0"), ("--resize", "x"), ("--mean", "1,2"), ("--std", "a"), ("--resize", "65536x65536")]:
            r = sconce("compile", self.source, "--run", "f", "--input", self.folder / "good.png", *options)
            self.assertEqual(r.returncode, 2, options)
            self.assertIn(options[0], r.stderr)

    # Answers.

    def test_large_answers(self):
        text = self.shown("arange(3000)")
        self.assertEqual(text, "int64 [3000], from 0 to 2999, mean 1499.5\n[   0,    1,    2, ..., 2997, 2998, 2999]\n")
        self.assertEqual(len(self.shown("arange(3000)", "--full").split()), 3000 + 3)
        self.assertEqual(len(self.shown("arange(1000)").split()), 1000 + 3)
        r = sconce("run", FIXTURES / "small_cnn.pt", "--input", "randn(200,3,32,32)", "--full")
        self.assertIn("[ CPUFloatType{200,10} ]", r.stdout)

    # inspect

    def test_inspect_folds_modules(self):
        text = sconce("inspect", FIXTURES / "many_layers.pt").stdout
        self.assertIn("0-11 (12 x Layer)", text)
        self.assertNotIn("running_mean", text)
        self.assertIn("forward(x: Tensor) -> Tensor", text)
        self.assertIn("file version", text)
        text = sconce("inspect", FIXTURES / "many_layers.pt", "--all").stdout
        self.assertIn("running_mean  float32 [4], buffer", text)
        self.assertIn("11 (Layer)", text)

    def test_inspect_tells_the_mode_of_a_trace(self):
        r = sconce("inspect", FIXTURES / "traced_in_training.pt")
        self.assertIn("traced in training mode", r.stdout)
        self.assertIn("1 of 1 aten::dropout", r.stdout)
        self.assertIn("traced with float32 [3, 4]", r.stdout)
        self.assertIn("traced in evaluation mode", sconce("inspect", FIXTURES / "traced_in_evaluation.pt").stdout)
        j = json.loads(sconce("inspect", FIXTURES / "many_layers.pt", "--json").stdout)
        self.assertEqual((j["traced"], j["mode"]), (False, "evaluation"))

    def test_inspect_json(self):
        j = json.loads(sconce("inspect", FIXTURES / "nested_inputs.pt", "--json").stdout)
        self.assertEqual([(i["name"], i["type"]) for i in j["methods"][0]["inputs"]],
                         [("named", "Dict[str, Tensor]"), ("more", "Optional[Tensor]"), ("pair", "Tuple[int, List[Tensor]]"), ("text", "str")])
        self.assertEqual(j["methods"][0]["inputs"][3]["default"], '"none"')
        self.assertEqual(j["methods"][0]["returns"], "Tuple[Dict[str, Tensor], Tuple[str, int]]")
        j = json.loads(sconce("inspect", FIXTURES / "many_layers.pt", "--json").stdout)
        self.assertEqual(len(j["tree"]["children"][1]["children"]), 12)
        # The tied weight counts once.
        self.assertEqual(j["counts"]["parameters"]["elements"], 4 * 4 + 4 + 12 * (16 + 4 + 4 + 4) + 4)

    def test_inspect_several(self):
        r = sconce("inspect", FIXTURES / "mlp.pt", FIXTURES / "mlp.io.pt", FIXTURES / "router.pt", "--json")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual([j["kind"] for j in json.loads(r.stdout)], ["TorchScript archive", "torch.save file", "TorchScript archive"])
        r = sconce("inspect", FIXTURES / "mlp.pt", FIXTURES / "picture.jpg", FIXTURES / "router.pt")
        self.assertEqual(r.returncode, 3)
        self.assertIn("picture.jpg", r.stderr)
        self.assertIn("router.pt: TorchScript archive", r.stdout)

    # verify

    def test_verify_takes_a_list(self):
        files = sorted(FIXTURES.glob("*.pt"))
        r = sconce("verify", *files, FIXTURES / "mlp.pt", f"{FIXTURES}/./mlp.pt", "--json", self.folder / "r.json")
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertIn("many_layers.pt: no many_layers.io.pt beside it, left out", r.stderr)
        in_folder = sconce("verify", FIXTURES, "--json", self.folder / "f.json")
        self.assertEqual(r.stdout.splitlines()[-1], in_folder.stdout.splitlines()[-1])
        paths = [[a["path"] for a in json.loads((self.folder / f).read_text())["archives"]] for f in ("r.json", "f.json")]
        self.assertEqual(*paths)
        r = sconce("verify", FIXTURES / "mlp.io.pt")
        self.assertEqual(r.returncode, 1)
        self.assertIn("recorded cases", r.stderr)
        self.assertEqual(sconce("verify", FIXTURES / "absent.pt", FIXTURES / "mlp.pt").returncode, 3)

    # Progress.

    def check_drawn(self, text, what, columns):
        lines = text.split("\r\x1b[K")
        self.assertGreater(len(lines), 2, text)
        self.assertTrue(all(line.startswith(what) for line in lines[1:-1]), text)
        self.assertLess(max(map(len, lines[1:-1])), columns)
        self.assertFalse(lines[-1].startswith(what), text)

    def test_progress(self):
        text, code = on_terminal("verify", FIXTURES, columns=50)
        self.assertEqual(code, 0)
        self.check_drawn(text, "verify [", 50)
        self.assertTrue(text.endswith("passed, 0 failed, 0 skipped\r\n"), text)
        text, code = on_terminal("bench", FIXTURES / "mlp.pt", "--input", "ones(1,32)", "--min-time", "0.3", columns=60)
        self.assertEqual(code, 0)
        self.check_drawn(text, "bench [", 60)
        text, code = on_terminal("opt", FIXTURES / "mlp.pt", "--passes", "inline,dce", "-o", self.folder / "o.ir")
        self.assertEqual(code, 0)
        self.check_drawn(text, "passes", 80)
        for command in (["verify", FIXTURES], ["bench", FIXTURES / "mlp.pt", "--input", "ones(1,32)", "--min-time", "0.1"]):
            self.assertEqual(sconce(*command).stderr, "")

    # Usage.

    def test_help(self):
        text = sconce("--help").stdout
        self.assertIn("Exit codes:", text)
        for verb in ("run", "inspect", "graph", "verify", "bench", "ops", "compile", "opt"):
            r = sconce(verb, "--help")
            self.assertEqual((r.returncode, r.stderr), (0, ""))
            self.assertIn(f"  sconce {verb} ", r.stdout)
            self.assertIn("Example", r.stdout)
        self.assertIn("FILE.npz:KEY", sconce("run", "--help").stdout)
        self.assertEqual(sconce("--version").stdout.split()[0], "sconce")

    def test_suggestions(self):
        for args, nearest in [(["verfy"], "verify"), (["benhc", "x"], "bench"), (["run", "x.pt", "--metod", "f"], "--method"),
                              (["verify", "x", "--tiemout", "3"], "--timeout"), (["run", "x.pt", "--resise=3"], "--resize")]:
            r = sconce(*args)
            self.assertEqual((r.returncode, r.stdout), (2, ""))
            self.assertIn(f"did you mean {nearest}?", r.stderr)

    def test_exit_codes(self):
        broken = self.folder / "broken.pt"
        broken.write_bytes(b"no archive at all, but long enough")
        raises = self.folder / "raises.py"
        raises.write_text("def f(x: int) -> int:\n    if x > 0:\n        raise ValueError('never')\n    return x\n")
        mlp = FIXTURES / "mlp.pt"
        for code, args in [
            (2, []), (2, ["run"]), (2, ["run", mlp, "--threads", 0]), (2, ["graph", mlp, "--format", "x"]), (2, ["opt"]), (2, ["verify"]),
            (2, ["bench", mlp, "--min-time", "x"]), (2, ["ops", "--extra"]), (2, ["inspect"]), (2, ["compile"]),
            (3, ["run", "absent.pt"]), (3, ["inspect", "absent.pt"]), (3, ["graph", "absent.pt"]), (3, ["opt", "absent.pt", "--passes", "dce"]),
            (3, ["ops", "absent.pt"]), (3, ["verify", "absent.pt"]), (3, ["bench", "absent.pt"]), (3, ["compile", "absent.py"]),
            (3, ["run", broken]), (3, ["inspect", broken]), (3, ["graph", broken]), (3, ["bench", broken]), (3, ["verify", broken]),
            (3, ["run", mlp, "--method", "nothing"]), (2, ["run", mlp]), (3, ["run", mlp, "--input", "ones(2,3)"]),
            (3, ["run", mlp, "--io", "absent.io.pt"]), (3, ["bench", mlp, "--io", "absent.io.pt"]),
            (3, ["compile", raises, "--run", "f", "--input", 1]), (0, ["compile", raises, "--run", "f", "--input", 0]),
            (0, ["run", mlp, "--io", FIXTURES / "mlp.io.pt"]), (1, ["run", FIXTURES / "small_cnn.pt", "--io", self.other_answer()]),
        ]:
            r = sconce(*args)
            self.assertEqual(r.returncode, code, (args, r.stderr))
            if code >= 2 and args != ["verify", broken]:  # what verify found is its answer
                self.assertEqual(r.stdout, "", args)
                self.assertIn("sconce", r.stderr)

    def other_answer(self):
        """The recorded case of small_cnn with a number of its output changed."""
        data = bytearray((FIXTURES / "small_cnn.io.pt").read_bytes())
        with zipfile.ZipFile(FIXTURES / "small_cnn.io.pt") as z:
            smallest = min((i for i in z.infolist() if "/data/" in i.filename), key=lambda i: i.file_size)
        name, extra = struct.unpack("<HH", data[smallest.header_offset + 26:smallest.header_offset + 30])
        at = smallest.header_offset + 30 + name + extra
        data[at:at + 4] = struct.pack("<f", 1e6)
        changed = self.folder / "changed.io.pt"
        changed.write_bytes(data)
        return changed

    def test_pipes(self):
        writer = subprocess.Popen([SCONCE, "ops"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        writer.stdout.readline()
        writer.stdout.close()
        self.assertEqual(writer.stderr.read(), b"")
        writer.stderr.close()
        writer.wait()
        if os.path.exists("/dev/full"):
            with open("/dev/full", "w") as full:
                r = subprocess.run([SCONCE, "ops"], stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertEqual(r.returncode, 3)
            self.assertIn("can't be written", r.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

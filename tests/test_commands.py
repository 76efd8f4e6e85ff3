#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line from outside: exit codes and output forms. usage: test_commands.py SCONCE FIXTURES"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCONCE, FIXTURES = sys.argv[1], pathlib.Path(sys.argv[2])
TESTS = pathlib.Path(__file__).parent


def sconce(*args):
    return subprocess.run([SCONCE, *map(str, args)], capture_output=True, text=True, timeout=120)


class Commands(unittest.TestCase):
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
            ("take_dict_str_int", '{"a": 1}', "{a: 1}"),
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

    def test_bench(self):
        r = sconce("bench", FIXTURES / "mlp.pt", "--io", FIXTURES / "mlp.io.pt", "--json", "--min-time", "0.05")
        self.assertEqual(set(json.loads(r.stdout)), {"load_ms", "first_ms", "median_ms", "min_ms", "p90_ms", "runs", "peak_rss_mb", "threads"})

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
        self.assertIn("<html>", sconce("graph", FIXTURES / "router.pt", "--format", "html").stdout)
        j = json.loads(sconce("graph", FIXTURES / "router.pt", "--format", "json").stdout)
        top_level = [line for line in text.splitlines() if line.startswith(("  %", "   = "))]
        self.assertEqual(len(j["nodes"]), len(top_level))

    def test_opt(self):
        r = sconce("opt", FIXTURES / "small_cnn.pt", "--diff", "--time-passes", "--passes",
                   "inline,freeze,fold_frozen_conv_bn,dce")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertNotIn("batch_norm", r.stdout)
        self.assertIn("-- fold_frozen_conv_bn", r.stderr)
        self.assertEqual(sconce("opt", FIXTURES / "mlp.pt", "--passes", "no_such_pass").returncode, 3)
        self.assertIn("constant_propagation", sconce("opt", "--list").stdout)

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


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""verify's reports and verify --bisect from outside; with --recorder, which needs torch, sconce.record instead.
usage: test_verify.py SCONCE FIXTURES [--recorder]"""
import json
import os
import pathlib
import pickle
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
import zipfile

SCONCE, FIXTURES = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]).resolve()
RECORD = pathlib.Path(__file__).resolve().parent.parent / "python" / "sconce" / "record.py"


def sconce(*args, **options):
    return subprocess.run([SCONCE, *map(str, args)], capture_output=True, text=True, timeout=300, **options)


class Saved(pickle.Unpickler):
    """Reads a torch.save file of tuples without torch: a tensor is the key of its storage."""

    def persistent_load(self, pid):
        return pid[2]

    def find_class(self, module, name):
        return lambda *a: a[0] if a else {}


def read_saved(path):
    with zipfile.ZipFile(path) as z:
        folder = z.namelist()[0].split("/")[0]
        with z.open(f"{folder}/data.pkl") as f:
            return Saved(f).load(), {n: z.read(n) for n in z.namelist()}, folder


def with_changed_floats(path, out, key):
    """The same file, but that the first float of the storage has another value."""
    _, records, folder = read_saved(path)
    name = f"{folder}/data/{key}"
    (value,) = struct.unpack_from("<f", records[name])
    records[name] = struct.pack("<f", value + 3) + records[name][4:]
    with zipfile.ZipFile(out, "w") as z:
        for n, data in records.items():
            z.writestr(n, data)


class Reports(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def wrong(self, name="small_cnn", beside="mlp"):
        """A folder where one archive has the recorded answers of itself, and one has wrong ones."""
        shutil.copy(FIXTURES / f"{beside}.pt", self.folder)
        shutil.copy(FIXTURES / f"{beside}.io.pt", self.folder)
        shutil.copy(FIXTURES / f"{name}.pt", self.folder)
        value, _, _ = read_saved(FIXTURES / f"{name}.io.pt")
        with_changed_floats(FIXTURES / f"{name}.io.pt", self.folder / f"{name}.io.pt", value["cases"][0]["output"])
        return self.folder / f"{name}.pt"

    def test_what_failed_has_its_figures(self):
        wrong = self.wrong()
        r = sconce("verify", wrong)
        self.assertEqual(r.returncode, 1)
        self.assertRegex(r.stdout, r"forward #0 output: float32 \[1, 10\]: max abs 3, rel .*, \d+ ulp; 1 of 10 out of tolerance, the first at \[0\]\[0\]")
        self.assertNotIn("forward #1 output", r.stdout)
        self.assertIn("forward #1 output: float32 [2, 10]: max abs", sconce("verify", wrong, "--figures").stdout)

    def test_json_has_each_call_and_output(self):
        self.wrong()
        report = self.folder / "report.json"
        sconce("verify", self.folder, "--json", report, "--figures")
        archives = {pathlib.Path(a["path"]).name: a for a in json.loads(report.read_text())["archives"]}
        first, second = archives["small_cnn.pt"]["cases"]
        self.assertEqual((first["outcome"], second["outcome"]), ("failed", "passed"))
        output = first["outputs"][0]
        self.assertEqual((output["output"], output["out_of_tolerance"], output["elements"]), ("output", 1, 10))
        self.assertAlmostEqual(output["max_abs"], 3, places=4)
        self.assertEqual(output["nan"], [0, 0])
        self.assertLess(second["outputs"][0]["max_ulp"], 10000)
        self.assertTrue(all(c["outcome"] == "passed" for c in archives["mlp.pt"]["cases"]))

    def test_junit_has_a_case_for_each_call(self):
        wrong = self.wrong()
        (self.folder / "broken.pt").write_bytes(b"no zip archive")
        shutil.copy(FIXTURES / "mlp.io.pt", self.folder / "broken.io.pt")
        report = self.folder / "report.xml"
        sconce("verify", self.folder, "--junit", report, "--jobs", 2)
        root = xml.etree.ElementTree.parse(report).getroot()
        self.assertEqual((root.tag, root.get("tests"), root.get("failures"), root.get("errors")), ("testsuites", "6", "1", "2"))
        suites = {pathlib.Path(s.get("name")).name: s for s in root}
        cases = suites["small_cnn.pt"].findall("testcase")
        self.assertEqual([c.get("name") for c in cases], ["forward #0", "forward #1"])
        self.assertEqual(cases[0].get("file"), str(wrong))
        self.assertIn("1 of 10 out of tolerance", cases[0].find("failure").text)
        self.assertIsNone(cases[1].find("failure"))
        self.assertGreater(float(cases[1].get("time")), 0)
        self.assertEqual(len(suites["broken.pt"].findall("testcase/error")), 2)

    def test_github_annotations_stand_beside_the_other_reports(self):
        wrong = self.wrong()
        r = sconce("verify", wrong, "--github", "--junit", self.folder / "r.xml", "--json", self.folder / "r.json")
        lines = [x for x in r.stdout.splitlines() if x.startswith("::")]
        self.assertEqual(len(lines), 1)
        self.assertTrue(lines[0].startswith(f"::error file={wrong},title=sconce verify%3A small_cnn.pt%2C forward #0::output[0][0]: "), lines[0])
        self.assertIn("%0Aoutput: float32", lines[0])
        self.assertTrue((self.folder / "r.xml").exists() and (self.folder / "r.json").exists())
        self.assertNotIn("::error", sconce("verify", FIXTURES / "mlp.pt", "--github").stdout)


class Bisect(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def test_what_agrees_is_said_to(self):
        for options in ([], ["--trace", "none"], ["--mode", "interpret"], ["--case", 1]):
            for name in ("mlp", "lstm_loop", "router"):
                r = sconce("verify", "--bisect", FIXTURES / f"{name}.pt", *options)
                self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
                self.assertIn("all agree", r.stdout)

    def changed(self, name, call, which):
        """Bisects against a trace in which the value of one step, chosen by its node's kind, is wrong."""
        trace = FIXTURES / f"{name}.trace.pt"
        calls = read_saved(trace)[0][3]
        _, _, kinds, steps = calls[call]
        node, _, key = which(kinds, steps)
        with_changed_floats(trace, self.folder / "wrong.trace.pt", key)
        report = self.folder / "report.json"
        r = sconce("verify", "--bisect", FIXTURES / f"{name}.pt", "--trace", self.folder / "wrong.trace.pt", "--json", report, "--github")
        self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
        found = json.loads(report.read_text())["found"]
        self.assertEqual(found["node"], node)
        self.assertTrue(found["operator"].startswith(kinds[node]), found)
        self.assertIn(f"the first operator out of tolerance: {found['operator']}, node {node}", r.stdout)
        self.assertRegex(r.stdout, r"\n  takes %\S+: float32 \[")
        self.assertIn(f"::error file={found['file']},line={found['line']},", r.stdout)
        return found, r.stdout

    def test_straight_line_code_behind_method_calls(self):
        def fifth_linear(kinds, steps):
            return [s for s in steps if kinds[s[0]] == "aten::linear"][4]
        found, text = self.changed("mlp", 0, fifth_linear)
        self.assertEqual(found["module"], "layers.4")
        self.assertIn("in the module layers.4", text)
        self.assertIn("F.linear", found["source"])
        self.assertEqual(found["occurrence"], 0)

    def test_a_loop(self):
        def second_turn(kinds, steps):
            turns = [s for s in steps if kinds[s[0]] == "aten::lstm" and s[1] == 0]
            node = turns[-1][0]
            return [s for s in turns if s[0] == node][1]
        found, text = self.changed("lstm_loop", 0, second_turn)
        self.assertEqual(found["occurrence"], 1)
        self.assertIn("when it ran for the 2. time", text)

    def test_a_branch_of_a_later_call(self):
        def in_branch(kinds, steps):
            return [s for s in steps if kinds[s[0]] == "aten::linear"][-1]
        found, _ = self.changed("router", 1, in_branch)
        self.assertTrue(found["module"].startswith("experts."), found)

    def test_a_trace_written_by_other_kernels(self):
        trace = self.folder / "base.trace.pt"
        base = {**os.environ, "SCONCE_ISA": "base"}
        for name in ("mlp", "lstm_loop"):
            r = sconce("verify", "--bisect", FIXTURES / f"{name}.pt", "--trace", "none", "--write-trace", trace, env=base)
            self.assertEqual(r.returncode, 0, r.stderr)
            r = sconce("verify", "--bisect", FIXTURES / f"{name}.pt", "--trace", trace)
            self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
            self.assertIn("the trace of sconce", r.stdout)
        r = sconce("verify", "--bisect", FIXTURES / "mlp.pt", "--trace", trace)
        self.assertEqual(r.returncode, 3)
        self.assertIn("the trace is of another program", r.stderr)

    def test_wrong_use(self):
        for args in ([FIXTURES], [FIXTURES / "mlp.pt", FIXTURES / "router.pt"], [FIXTURES / "mlp.pt", "--case", 9], [FIXTURES / "mlp.pt", "--passes"]):
            self.assertEqual(sconce("verify", "--bisect", *args).returncode, 2)
        self.assertEqual(sconce("verify", "--bisect", FIXTURES / "nested_inputs.pt").returncode, 3)
        self.assertEqual(sconce("verify", FIXTURES / "mlp.pt", "--case", 1).returncode, 2)
        self.assertIn("name the archive beside it", sconce("verify", FIXTURES / "mlp.trace.pt").stderr)


CASES = """
import torch
cases = [(torch.ones(2, 3),), {"args": (torch.full((2, 3), 2.0),)}, {"method": "calls"}]
"""


class Recorder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def record(self, name, *args, fails=0):
        shutil.copy(FIXTURES / f"{name}.pt", self.folder)
        r = subprocess.run([sys.executable, str(RECORD), f"{name}.pt", *map(str, args)], capture_output=True, text=True, timeout=300, cwd=self.folder)
        self.assertEqual(r.returncode, fails, r.stdout + r.stderr)
        return r

    def verified(self, name, calls):
        r = sconce("verify", self.folder / f"{name}.pt")
        self.assertEqual((r.returncode, r.stdout.splitlines()[-1]), (0, f"{calls} passed, 0 failed, 0 skipped"), r.stdout + r.stderr)
        if (self.folder / f"{name}.trace.pt").exists():
            r = sconce("verify", "--bisect", self.folder / f"{name}.pt")
            self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
            self.assertIn("against the trace of torch", r.stdout)

    def test_models(self):
        self.record("small_cnn", "--input", "randn(1,3,32,32)", "--trace")
        self.verified("small_cnn", 1)
        self.record("router", "--input", "randn(5,8)", "--case", "--input", "tensor([[1, 2, 3, 4, 5, 6, 7, 8]]):float32", "--trace")
        self.verified("router", 2)
        self.record("lstm_loop", "--trace", "--input", "randn(2,4,6)", "--kwarg", "steps=3", "--case", "--input", "zeros(1,1,6)", "--input", 1)
        self.verified("lstm_loop", 2)

    def test_state_defaults_and_random_numbers(self):
        r = self.record("hybrid", "--input", "randn(2,5,16)", "--trace", "--case", "--method", "set_temperature", "--input", 0.5, "--case",
                        "--input", "randn(2,5,16)", "--kwarg", "sample=True", "--seed", 3)
        self.assertNotIn("differently", r.stderr)
        self.verified("hybrid", 3)

    def test_a_program_with_cases_printing_and_written_inputs(self):
        (self.folder / "cases.py").write_text(CASES)
        self.record("counter", "--inputs", "cases.py")
        self.verified("counter", 3)
        case = read_saved(self.folder / "counter.io.pt")[0]["cases"][0]
        self.assertEqual(case["stdout"], "called with 2 rows\n")
        self.assertIn("inputs_after", case)

    def test_what_raises(self):
        r = self.record("postprocess", "--input", "randn(6)", "--case", "--input", '"no tensor"', "--trace")
        self.assertIn("forward #1 raises", r.stderr)
        self.verified("postprocess", 2)

    def test_calls_that_were_recorded_before(self):
        self.record("mlp", "--inputs", FIXTURES / "mlp.io.pt", "--trace")
        self.verified("mlp", 2)

    def test_mistakes_are_told(self):
        for args, what in ([["--input", "rand(2"], "')' is expected"], [["--input", "x.npy"], "x.npy"], [["--method", "nope"], "no method nope"],
                           [["--kwarg", "y=3"], "has no argument y"], [["--inputs", FIXTURES / "make_state.py"], "sets no list"]):
            self.assertIn(what, self.record("mlp", *args, fails=3).stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *(["Recorder"] if "--recorder" in sys.argv else ["Reports", "Bisect"])])

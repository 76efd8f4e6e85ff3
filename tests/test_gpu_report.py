#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tables that scripts/gpu_report makes of a small result. usage: test_gpu_report.py"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

REPORT = pathlib.Path(__file__).resolve().parent.parent / "scripts" / "gpu_report"


def row(variant, tf32, latency, device, **more):
    return {"model": "resnet50", "batch": 1, "variant": variant, "tf32": tf32, "latency_ms": latency, "device_ms": device, "first_ms": None, "error": None, **more}


def answer(whose, against, error, tf32=False):
    return {"model": "resnet50", "batch": 1, "answer": whose, "tf32": tf32, "against": against, "max_abs": error, "max_rel": error, "error": None}


RESULT = {
    "device": "Some GPU", "date": "2026-01-02", "versions": {"sconce": "1.0", "torch": "2.11"}, "minutes": 4.0,
    "parts": {
        "smoke": {"checks": [{"name": "product", "ok": True, "text": "exact"}, {"name": "index", "ok": False, "text": "no error | none"}]},
        "verify": {"optimized": {"passed": 90, "failed": 3, "archives": 94, "not_run": 2, "new_failures": 2, "seconds": 61.5, "host_slots": {},
                                 "failures": [{"group": "few", "count": 1, "examples": ["a"]}, {"group": "many", "count": 2, "examples": ["b", "c", "d"]}]},
                   "interpret": {"passed": 91, "failed": 2, "archives": 96, "not_run": 0, "new_failures": 1, "seconds": 50.0, "host_slots": {"sort": 4, "fft": 7},
                                 "failures": [{"group": "many", "count": 1, "examples": ["d"]}]}},
        "sanitizer": {"memcheck": {"text": "=== 0 errors", "finished": False, "found": ["Invalid"]}, "racecheck": None},
        "bench": {"device": "Some GPU", "torch": "2.11", "rows": [
            row("sconce", False, 4.0, 3.0), row("sconce", True, None, None, error="no such option"),
            row("eager", False, 8.0, 6.0), row("optimized", False, 2.0, 1.5), row("compiled", True, 0.5, 0.25)],
            "outputs": [answer("sconce", "eager", 1.5e-6), answer("eager", "float64", 5e-7), answer("sconce", "float64", 2e-3, True)],
            "profiles": {"resnet50:1": [{"name": "relu", "calls": 49, "ms": 0.25}, {"name": "gemm", "calls": 54, "ms": 2.5}]},
            "ceilings": {"copy_gb_s": 3500.0, "fp32_tflops": 50.0}, "skipped": ["lstm:1: out of time"]}}}


class Tables(unittest.TestCase):
    def report(self, docs, *results):
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for i, result in enumerate(results):
                paths.append(pathlib.Path(folder) / f"{i}.json")
                paths[-1].write_text(json.dumps(result))
            written = pathlib.Path(folder) / "docs.md"
            written.write_text(docs)
            done = subprocess.run([sys.executable, REPORT, "--docs", written, *paths], capture_output=True, text=True)
            return done.returncode, written.read_text()

    def test_tables(self):
        code, text = self.report("before\n<!-- gpu_report: begin -->\nold\n<!-- gpu_report: end -->\nafter\n", RESULT)
        self.assertEqual(code, 0)
        self.assertTrue(text.startswith("before\n<!-- gpu_report: begin -->\n### Some GPU, 2026-01-02\n\nsconce: 1.0, torch: 2.11; 4.00 minutes.\n"))
        self.assertTrue(text.endswith("<!-- gpu_report: end -->\nafter\n"))
        self.assertNotIn("old", text)
        for line in ("**Unit tests of devices**: 1 of 2 pass.",
                     "| index | no error \\| none |",
                     "| optimized | 94 | 2 | 90 | 3 | 2 | 61.5 |\n| interpreted | 96 | 0 | 91 | 2 | 1 | 50.0 |",
                     "| many | 2 | b, c |\n| few | 1 | a |",
                     "Kernel slots that ran on the CPU, with their calls: `fft` 7, `sort` 4.",
                     "| memcheck | 0 errors (cut off); Invalid |\n| racecheck | - |",
                     "| ResNet-50 | 1 | 8.00 / - | - / - | 2.00 / - | - / 0.500 | 4.00 / - | 2.00 / - |",
                     "| ResNet-50 | 1 | 6.00 / - | - / - | 1.50 / - | - / 0.250 | 3.00 / - | 2.00 / - |",
                     "| ResNet-50 | 1 | 1.5e-06 | - | 5.0e-07 | 2.0e-03 | - |",
                     "| ResNet-50 | 1 | 2.75 | `gemm` 2.50 in 54 | `relu` 0.250 in 49 | - | - | - | - |",
                     "copy 3500 GB/s, FP32 50.0 TFLOP/s, TF32 - TFLOP/s, BF16 - TFLOP/s",
                     "- ResNet-50, batch 1, sconce, TF32: no such option",
                     "- lstm:1: out of time"):
            self.assertIn(line, text)

    def test_parts_that_did_not_run(self):
        code, text = self.report("<!-- gpu_report: begin -->\n<!-- gpu_report: end -->\n", {"device": "A", "parts": {}}, {"parts": {"bench": {"skipped": ["all"]}}})
        self.assertEqual(code, 0)
        self.assertEqual(text, "<!-- gpu_report: begin -->\n### A, -\n\n-; - minutes.\n\n### -, -\n\n-; - minutes.\n\nNot run:\n\n- all\n<!-- gpu_report: end -->\n")

    def test_a_document_without_the_lines(self):
        code, text = self.report("as it was\n", RESULT)
        self.assertEqual((code, text), (1, "as it was\n"))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/operators.md: what `sconce ops` tells, and how many recorded cases pass by operator and dtype.

usage: operators_md.py SCONCE CORPUS     (CORPUS: the conformance folder)
"""
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEAD = """# Operators

Written by `scripts/operators_md.py`. `sconce ops` prints every schema and which backend runs it; `sconce inspect MODEL` lists the
operators of a model and those that are missing. Most operators are C++ in `src/ops/*.cpp`; those that PyTorch itself composes of
others are TorchScript in `src/ops/torchscript/`. Your own come in by `sconce::register_operators` or `--plugin` (`sconce/op.h`,
`examples/plugin`).
"""


def main():
    sconce, corpus = sys.argv[1], pathlib.Path(sys.argv[2])
    schemas = json.loads(subprocess.run([sconce, "ops", "--json"], capture_output=True, text=True, check=True).stdout)
    overloads = collections.defaultdict(lambda: [0, 0])
    for s in schemas:
        name = s["schema"].split("(")[0].split(".")[0]
        overloads[name][0] += bool(s["backends"])
        overloads[name][1] += 1
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        subprocess.run([sconce, "verify", str(corpus / "ops"), "--jobs", "2", "--json", report.name],
                       stdout=subprocess.DEVNULL, check=False)
        archives = json.loads(pathlib.Path(report.name).read_text())["archives"]
    by_dtype, by_operator = collections.defaultdict(lambda: [0, 0]), collections.defaultdict(lambda: [0, 0, []])
    for a in archives:
        path = pathlib.Path(a["path"])
        known = re.match(r"(bfloat16|bool|complex64|float16|float32|float64|u?int\d+)(_\d+)?$", path.stem)
        operator, dtype = path.parent.name, known[1] if known else "quantised layers"
        total = a["passed"] + a["failed"]
        by_dtype[dtype][0] += a["passed"]
        by_dtype[dtype][1] += total
        by_operator[operator][0] += a["passed"]
        by_operator[operator][1] += total
        if a["failed"]:
            by_operator[operator][2].append(f"{dtype} {a['passed']} of {total}")
    lines = [HEAD, "## Recorded cases by dtype\n", "| dtype | cases that pass |", "|---|---|"]
    lines += [f"| {d} | {p} of {t} |" for d, (p, t) in sorted(by_dtype.items())]
    whole = sum(p == t for p, t, _ in by_operator.values())
    lines += [f"\n## Recorded cases by operator\n\n{whole} of {len(by_operator)} operators pass all of their cases. The others:\n",
              "| operator | cases that pass | not wholly |", "|---|---|---|"]
    lines += [f"| {o} | {p} of {t} | {', '.join(bad)} |" for o, (p, t, bad) in sorted(by_operator.items()) if bad]
    lines += ["\n## Differences that random calls find\n",
              "`scripts/compare_with_torch.py` makes calls from the schemas and asks both. What it finds and why it stays "
              "(`docs/operator-differences.txt`, which the script reads):\n", "| operators | reason |", "|---|---|"]
    for line in (ROOT / "docs" / "operator-differences.txt").read_text().splitlines():
        if line and line[0] != "#":
            operator, _, reason = line.split("\t")
            lines.append(f"| `{operator.replace('|', chr(92) + '|')}` | {reason} |")
    lines += ["\n## Overloads\n", f"{sum(a for a, _ in overloads.values())} of {len(schemas)} schemas have a kernel. By namespace:\n",
              "| namespace | operators with every overload | in part | none |", "|---|---|---|---|"]
    spaces = collections.defaultdict(lambda: [0, 0, 0])
    for name, (have, total) in overloads.items():
        spaces[name.split("::")[0]][0 if have == total else 1 if have else 2] += 1
    lines += [f"| {n} | {a} | {b} | {c} |" for n, (a, b, c) in sorted(spaces.items())]
    (ROOT / "docs" / "operators.md").write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

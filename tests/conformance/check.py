#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays the recorded cases of this folder, and makes docs/operator-table.md of the results.

usage: check.py SCONCE [--update | --interpret] [--jobs N]     (needs no torch)

Every case runs. Those that fail must stand in known-failures.txt, with the reason behind the name; a name there whose cases
pass now (unless rounding decides) fails the check too, as do a page that isn't what the results make and a graph that isn't
PyTorch's. --update writes both, and refuses to add names.
"""
import argparse
import collections
import json
import pathlib
import pickle
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
KNOWN = HERE / "known-failures.txt"
PAGE = HERE.parents[1] / "docs" / "operator-table.md"
LEAST = 5000  # cases
DTYPES = {"float32": "f32", "float64": "f64", "float16": "f16", "bfloat16": "bf16", "complex64": "c64", "complex128": "c128",
          "int64": "i64", "int32": "i32", "int16": "i16", "int8": "i8", "uint8": "u8", "bool": "bool", "-": "none"}


class Cases(pickle.Unpickler):
    """Reads a list of cases without its tensors."""

    def find_class(self, module, name):
        return lambda *arguments: None

    def persistent_load(self, identity):
        return None


def read_cases(archive):
    with zipfile.ZipFile(archive.with_suffix(".io.pt")) as file:
        with file.open("a/data.pkl") as data:
            return Cases(data).load()["cases"]


def verify(options):
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [options.sconce, "verify", str(HERE), "--graph", "--json", report.name, "--jobs", str(options.jobs)]
        command += ["--mode", "interpret"] if options.interpret else []
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        return json.loads(pathlib.Path(report.name).read_text())


def results(report):
    """(archive's name, case, what is wrong or None) for each recorded case."""
    for entry in report["archives"]:
        archive = pathlib.Path(entry["path"])
        cases = read_cases(archive)
        wrong = {}
        for line in entry["failures"]:
            if " #" not in line.split(": ")[0]:
                continue  # a graph, which is counted apart
            place, text = line.split(": ", 1)
            wrong[int(place.split("#")[1])] = text
        whole = entry["error"] if entry["failed"] and not wrong else None
        for i, case in enumerate(cases):
            yield str(archive.relative_to(HERE).with_suffix("")), case, whole or wrong.get(i)


def key_of(archive, case):
    return f"{archive} {case.get('operator', case['method'])} {case.get('dtype', '')}".strip()


def page(found):
    """The table: an operator a line, a dtype a column."""
    rows = collections.defaultdict(lambda: collections.defaultdict(list))
    folders = collections.defaultdict(lambda: [0, 0, 0])
    for archive, case, wrong in found:
        counts = folders[archive.split("/")[0]]
        counts[0] += 1
        counts[1] += wrong is None
        counts[2] += "raises" in case
        if archive.startswith("ops/"):
            sign = "✗" if wrong else "r" if "raises" in case else "✓"
            rows[case["operator"]][case["dtype"]].append(sign)
    total = [sum(c[i] for c in folders.values()) for i in range(3)]
    lines = ["# Operators and dtypes", "",
             "Written by `tests/conformance/check.py --update` from what `sconce verify` says of the recorded cases in `tests/conformance`;",
             "PyTorch's answers are the reference. How the cases are made stands in `tests/conformance/README.md`.", "",
             "| folder | cases | pass | of them PyTorch refuses |", "|---|---|---|---|"]
    lines += [f"| {name} | {c[0]} | {c[1]} | {c[2]} |" for name, c in sorted(folders.items())]
    lines += [f"| all | {total[0]} | {total[1]} | {total[2]} |", "",
              "A line is an operator by its name in PyTorch (`name_` in place, `name.out` into given tensors), a column the dtype of the",
              "call's tensors (none: numbers, texts and lists). ✓ all calls answer as PyTorch's, r PyTorch refuses the calls and so does",
              "sconce, ✗ a call differs (`tests/conformance/known-failures.txt` has the reasons), nothing: not recorded.", "",
              "| operator | " + " | ".join(DTYPES.values()) + " |", "|---" * (len(DTYPES) + 1) + "|"]
    for name in sorted(rows):
        signs = []
        for dtype in DTYPES:
            have = rows[name][dtype]
            signs.append("✗" if "✗" in have else "✓" if "✓" in have else "r" if have else "")
        shown = name.replace("_", r"\_") if name.startswith("_") else name  # or Markdown makes __and__ bold
        lines.append(f"| {shown} | " + " | ".join(signs) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sconce")
    parser.add_argument("--update", action="store_true", help="write the page, and leave healed names out of the list")
    parser.add_argument("--force", action="store_true", help="with --update: add names to the list too")
    parser.add_argument("--interpret", action="store_true", help="by the interpreter; no page")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    known = dict((line.split("  # ") + [""])[:2] for line in KNOWN.read_text().splitlines() if line)
    report = verify(options)
    found, graphs = list(results(report)), report["graphs"]
    failing = {}
    for archive, case, wrong in found:
        if wrong:
            failing.setdefault(key_of(archive, case), wrong)
    new = sorted(set(failing) - set(known))
    # What rounding decides may be right on another machine.
    healed = sorted(name for name in set(known) - set(failing) if not known[name].startswith("rounding"))
    bad = sum(wrong is not None for _, _, wrong in found)
    print(f"{len(found)} cases: {len(found) - bad} pass, {bad} fail in {len(failing)} places; "
          f"{graphs['equal']} graphs are PyTorch's, {graphs['different']} differ")
    for name in new:
        print(f"new failure: {name}: {failing[name][:300]}")
    if options.update and (not new or options.force):
        KNOWN.write_text("".join(f"{name}  # {known.get(name) or failing[name][:160]}\n" for name in sorted(failing)))
        PAGE.write_text(page(found))
        return 0
    for name in healed:
        print(f"passes now, run with --update: {name}")
    stale = not options.interpret and PAGE.read_text() != page(found)
    if stale:
        print(f"{PAGE.name} isn't what the results make: run with --update")
    if len(found) < LEAST:
        print(f"that are fewer than {LEAST}")
    return 1 if new or healed or stale or graphs["different"] or len(found) < LEAST else 0


if __name__ == "__main__":
    sys.exit(main())

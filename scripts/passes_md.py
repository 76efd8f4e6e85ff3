#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/passes.md: every pass of `sconce opt --list`, the picture at the head of its file, and how many of PyTorch's recorded
pairs of graphs it makes equal.

usage: passes_md.py SCONCE CORPUS     CORPUS: the folder with a folder of pairs for each pass (pytorch_tests/passes)
       passes_md.py SCONCE --check    only says whether docs/passes.md has a row for each pass and for nothing else
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE, REASONS = ROOT / "docs" / "passes.md", ROOT / "docs" / "passes-differences.txt"
HEAD = """# Passes

Written by `scripts/passes_md.py` from `sconce opt --list`, from the heads of the files in `src/passes/`, and from `sconce verify --passes`.

`sconce opt MODEL --passes inline,fixpoint(constant_propagation,dce) --diff` runs some; [graph.md](graph.md) shows what they changed as a picture.

A pass whose PyTorch name is given does what that pass does. *Equal* says of how many of the graphs that PyTorch's own tests gave to
theirs ours makes the same text; those that differ are named at the end with the reason.
"""


def listed(sconce):
    """(name, summary) of each pass."""
    lines = subprocess.run([sconce, "opt", "--list"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [(line.split()[0], line.split(None, 1)[1]) for line in lines if re.match(r"\w+ +\S", line)]


def head_of(name):
    """The file that has the pass, and its first comment without the license."""
    folder = ROOT / "src" / "passes"
    row = re.search(r'\{"' + name + r'",\s*"(?:[^"\\]|\\.)*",\s*(\w+)', (folder / "pipeline.cpp").read_text())
    path = folder / (name + ".cpp")
    if not path.exists() and row:
        definition = re.compile(r"^bool " + row[1] + r"\(Graph&", re.M)
        path = next((p for p in sorted(folder.glob("*.cpp")) if definition.search(p.read_text())), path)
    if not path.exists():
        return None, ""
    comment = []
    for line in path.read_text().splitlines()[1:]:
        if not line.startswith("//"):
            break
        comment.append(line[3:])
    return path.relative_to(ROOT), "\n".join(comment)


def pairs_of(sconce, folder):
    """The report of verify --passes, and the names of pairs that differ."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        r = subprocess.run([sconce, "verify", "--passes", folder, "--json", report.name], capture_output=True, text=True, check=False)
        counts = json.loads(pathlib.Path(report.name).read_text())["passes"]
    different = re.findall(r"/([^/\n]+)\.before\.ir: ", r.stdout)
    return counts, sorted(set(different))


def reasons():
    """{(pass, pair): reason}"""
    rows = [line for line in REASONS.read_text().splitlines() if line and not line.startswith("#")]
    return {tuple(row.split(None, 2)[:2]): row.split(None, 2)[2] for row in rows}


def check(sconce):
    named = re.findall(r"^\| \[`(\w+)`\]", PAGE.read_text(), re.M)
    passes = [name for name, _ in listed(sconce)]
    wrong = [f"{n} has no row" for n in passes if n not in named] + [f"there is no pass {n}" for n in named if n not in passes]
    for w in wrong:
        print(f"docs/passes.md: {w}: run scripts/passes_md.py")
    return 1 if wrong else 0


def main():
    sconce = sys.argv[1]
    if sys.argv[2] == "--check":
        return check(sconce)
    corpus, known = pathlib.Path(sys.argv[2]), reasons()
    table, sections, differ = [], [], []
    for name, summary in listed(sconce):
        path, comment = head_of(name)
        equal, theirs = "", ""
        if (corpus / name).is_dir():
            counts, different = pairs_of(sconce, corpus / name)
            theirs = f"`_jit_pass_{name}`"
            equal = f"{counts['equal']} of {counts['equal'] + counts['different'] + counts['unknown']}"
            differ += [(name, pair) for pair in different]
        elif named := re.search(r"_jit_pass_\w+", comment):
            theirs = f"`{named[0]}`"
        if name == "freeze":
            theirs = "`torch.jit.freeze`"
        table.append(f"| [`{name}`](#{name}) | {summary.replace('|', ' or ')} | {theirs} | {equal} |")
        sections.append(f"### {name}\n\n`{path}`\n\n```text\n{comment}\n```\n" if comment else f"### {name}\n\n{summary}.\n")
    lines = [HEAD, "| pass | what it does | in PyTorch | equal |", "|---|---|---|---|", *table, "", "## What each does", "", *sections,
             "## Pairs that differ, one by one", ""]
    if differ:
        lines += ["The reasons stand in `docs/passes-differences.txt`.", "", "| pass | pair | reason |", "|---|---|---|"]
        lines += [f"| {name} | `{pair}` | {known.get((name, pair), 'not looked into yet')} |" for name, pair in differ]
    else:
        lines.append("None.")
    PAGE.write_text("\n".join(lines) + "\n")
    stale = [key for key in known if key not in differ]
    for name, pair in stale:
        print(f"{REASONS.name}: {name} {pair} doesn't differ (any more)")
    print(f"{len(table)} passes, {len(differ)} pairs differ, {sum(key not in known for key in differ)} of them without a reason")
    return 0


if __name__ == "__main__":
    sys.exit(main())

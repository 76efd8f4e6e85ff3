#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the conformance corpus, keeps docs/known-failures.txt and docs/conformance.md.

usage: conformance.py SCONCE CORPUS [--update] [--jobs N] [--device D]

Every archive is always run. Without --update: fails when an archive fails that docs/known-failures.txt does not name.
With --update: rewrites the list (which may only get shorter once it exists; --force lets it grow) and the table.
What fails of field/, re-creations of what users met, stands in docs/known-failures-field.txt.
With --device: runs on that device; docs/known-failures-DEVICE.txt has what fails there and not on the CPU.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

FOLDERS = ["lang", "models", "ops", "pytorch_tests", "legacy", "field"]
ROOT = pathlib.Path(__file__).resolve().parent.parent


def verify(sconce, folder, jobs, device):
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [sconce, "verify", str(folder), "--json", report.name, "--jobs", str(jobs), "--timeout", "60"]
        subprocess.run(command + (["--device", device] if device else ["--graph"]), stdout=subprocess.DEVNULL, check=False)
        return json.loads(pathlib.Path(report.name).read_text())


def graph_checks(sconce, corpus, jobs):
    """Reading what is printed, PyTorch's passes, the alias analysis: lines for docs/conformance.md, and whether all is well."""
    graphs = [corpus / f for f in ("lang", "models", "pytorch_tests", "legacy", "field") if (corpus / f).is_dir()]
    passes = corpus / "pytorch_tests" / "passes"

    def report(*arguments):
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            command = [sconce, "verify", *map(str, arguments), "--json", file.name, "--jobs", str(jobs)]
            subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
            return json.loads(pathlib.Path(file.name).read_text())

    lines, well = [], True
    texts = [a for a in report("--round-trip", *graphs)["archives"] if not a["path"].endswith((".pt", ".ptl"))]
    same = sum(a["passed"] for a in texts)
    well &= same == len(texts)
    lines.append(f"| graph texts that are read and printed as they were | {same} of {len(texts)} |")
    if passes.is_dir():
        parsed = report("--passes", passes / "ir")["passes"]
        lines.append(f"| texts for `parse_ir` that print as PyTorch's | {parsed['equal']} of {parsed['equal'] + parsed['different']} |")
        done = report("--passes", passes)["passes"]
        equal, different = done["equal"] - parsed["equal"], done["different"] - parsed["different"]
        lines.append(f"| results of passes equal to PyTorch's (not built yet: {done['unknown']}) | {equal} of {equal + different} |")
        well &= parsed["different"] == 0
    audit = report("--audit-alias", *graphs[:3])["alias"]
    well &= audit["findings"] == 0
    lines.append(f"| writes that reach a value the alias analysis calls untouched | {audit['findings']} |")
    audit = report("--audit-alias", corpus / "models")["alias"]
    lines.append(f"| unwritten parameters of models proved constant | {audit['proved']} of {audit['parameters']} |")
    return lines, well


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sconce")
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folders", nargs="*", help="these alone, and no checks of the IR")
    parser.add_argument("--device", help="no checks of the IR either")
    options = parser.parse_args()

    def read_list(file):
        """Archive -> why it fails, which stands behind the name."""
        if not file.exists():
            return None
        return dict((line.split("  # ") + [""])[:2] for line in file.read_text().split("\n") if line)

    def read_lists(*files):
        lists = [read_list(f) for f in files]
        return None if all(x is None for x in lists) else {k: v for x in lists for k, v in (x or {}).items()}

    cpu_file, field_file = ROOT / "docs" / "known-failures.txt", ROOT / "docs" / "known-failures-field.txt"
    known_file = ROOT / "docs" / f"known-failures-{options.device}.txt" if options.device else cpu_file
    reasons = read_lists(known_file) if options.device else read_lists(cpu_file, field_file)
    on_cpu = set(read_lists(cpu_file, field_file) or ()) if options.device else set()
    known = None if reasons is None else set(reasons)
    failing, rows, total_cases, total_failed = set(), [], 0, 0
    for name in options.folders or FOLDERS:
        if not (options.corpus / name).is_dir():
            continue
        report = verify(options.sconce, options.corpus / name, options.jobs, options.device)
        archives = report["archives"]
        bad = [a for a in archives if a["failed"]]
        failing |= {str(pathlib.Path(a["path"]).relative_to(options.corpus)) for a in bad}
        cases = report["passed"] + report["failed"]
        total_cases += cases
        total_failed += report["failed"]
        graphs = report["graphs"]
        failing -= on_cpu
        rows.append(f"| {name} | {len(archives) - len(bad)} of {len(archives)} | {report['passed']} of {cases} "
                    f"| {graphs['equal']} of {graphs['equal'] + graphs['different']} |")
        print(f"{name}: {report['passed']} passed, {report['failed']} failed of {cases} cases", flush=True)
    checks, well = ([], True) if options.folders or options.device else graph_checks(options.sconce, options.corpus, options.jobs)
    print("\n".join(checks))
    if options.update and not options.folders:
        if known is not None and failing - known and not options.force:
            print("these would be new in the list:", *sorted(failing - known), sep="\n  ")
            return 1
        def write_list(file, names):
            file.write_text("".join(f"{f}  # {reasons[f]}\n" if reasons and reasons.get(f) else f"{f}\n" for f in sorted(names)))

        if options.device:
            write_list(known_file, failing)
            return 0
        met = {f for f in failing if f.startswith("field/")}
        write_list(cpu_file, failing - met)
        write_list(field_file, met)
        table = "\n".join(rows)
        (ROOT / "docs" / "conformance.md").write_text(
            "# Conformance\n\nWritten by `scripts/conformance.py --update`; PyTorch 2.13's own answers are the reference.\n\n"
            "| folder | archives that wholly pass | cases that pass | graph texts equal |\n|---|---|---|---|\n" + table + "\n\n"
            "| of the IR | |\n|---|---|\n" + "\n".join(checks) + "\n")
        return 0
    new = sorted(failing - (known or set()))
    for f in new:
        print(f"new failure: {f}")
    healed = 0 if options.folders else len((known or set()) - failing)
    if healed:
        print(f"{healed} archives of {known_file.name} pass now: run with --update")
    print(f"corpus: {total_cases - total_failed} cases passed, {total_failed} failed (all in known archives: {'no' if new else 'yes'})")
    if not well:
        print("a graph text isn't printed as it was read, or the alias analysis is wrong")
    return 1 if new or not well else 0


if __name__ == "__main__":
    sys.exit(main())

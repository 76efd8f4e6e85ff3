#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays recorded cases through the Python package and through the command, and compares what passes, archive by archive.
usage: python_corpus.py SCONCE FOLDER... [--jobs N]"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import sconce


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sconce")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=int, default=120)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        subprocess.run([o.sconce, "verify", *o.folders, "--jobs", str(o.jobs), "--timeout", str(o.timeout), "--json", report],
                       stdout=subprocess.DEVNULL, check=False)
        with open(report) as f:
            command = {os.path.abspath(a["path"]): (a["passed"], a["failed"]) for a in json.load(f)["archives"]}
    python = sconce.verify(*o.folders, jobs=o.jobs, timeout=o.timeout, progress=sys.stderr.isatty())
    ours = {os.path.abspath(path): (passed, failed) for path, (passed, failed, _) in python.archives.items()}
    different = 0
    for path in sorted(set(command) | set(ours)):
        if command.get(path) != ours.get(path):
            different += 1
            print(f"{path}: passed and failed by the command {command.get(path)}, through Python {ours.get(path)}")
            for line in python.failures:
                if os.path.abspath(line.split(": ")[0]) == path:
                    print("  " + line.split(": ", 1)[1])
    print(f"{len(command)} archives: {sum(p for p, _ in command.values())} cases passed by the command, "
          f"{python.passed} through Python; {different} archives differ")
    return 1 if different or not command else 0


if __name__ == "__main__":
    sys.exit(main())

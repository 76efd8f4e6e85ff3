#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Groups the failures that `sconce verify` printed by cause, commonest first.

usage: sconce verify PATH... | scripts/group_failures.py [--examples N]
"""
import argparse
import collections
import re
import sys


def cause(line):
    """The line without what differs from case to case: paths, numbers, quoted names of values."""
    text = re.sub(r"^\S+: ", "", line)
    text = re.sub(r"^\S+ #\d+: ", "", text)
    operator = re.search(r"(?:aten|prim|quantized|torchvision)::[\w.]+", text)
    if "operator" in text and operator:
        return "missing " + operator.group(0)
    text = re.sub(r"(\[\d+\])+", "[i]", text)
    text = re.sub(r"-?\d+(\.\d+)?(e[-+]?\d+)?", "N", text)
    return text[:110]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=1)
    options = parser.parse_args()
    groups = collections.defaultdict(list)
    for line in sys.stdin:
        line = line.rstrip("\n")
        if ": " in line:
            groups[cause(line)].append(line)
    for key, lines in sorted(groups.items(), key=lambda kv: -len(kv[1])):
        print(f"{len(lines):6} {key}")
        for line in lines[: options.examples]:
            print(f"         {line[:260]}")


if __name__ == "__main__":
    main()

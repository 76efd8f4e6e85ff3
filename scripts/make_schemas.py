#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/ops/schemas.inc: every operator schema, sorted by name, overloads in PyTorch's registration order.

Usage: make_schemas.py DATA_FOLDER > src/ops/schemas.inc
DATA_FOLDER holds schemas.txt, schemas-torchvision.txt and overload-order.txt.
"""
import re
import sys

KEPT = ("aten", "prim", "quantized", "torchvision", "inductor", "_caffe2", "sparse", "static", "profiler", "cuda")


def main(folder):
    order = {}
    for line in open(f"{folder}/overload-order.txt"):
        if not line.startswith("#") and ": " in line:
            name, overloads = line.strip().split(": ", 1)
            order[name] = [("" if o == "<default>" else o) for o in overloads.split()]
    rows = {}
    for file in ("schemas.txt", "schemas-torchvision.txt"):
        for line in open(f"{folder}/{file}"):
            m = re.match(r"\s*(\w+::\w+)(?:\.(\w+))?\(.*\) -> ", line)
            if m and m.group(1).split("::")[0] in KEPT:
                rows.setdefault(m.group(1), []).append((m.group(2) or "", line.strip()))
    print("// Made by scripts/make_schemas.py. Sorted by name; overloads in the order in which they are tried.")
    for name in sorted(rows):
        known = order.get(name, [])
        seen = set()
        for overload, text in sorted(rows[name], key=lambda r: known.index(r[0]) if r[0] in known else len(known)):
            if (name, overload) not in seen:
                seen.add((name, overload))
                text = re.sub(r"\bint64_t\b", "int", text).replace("\\", "\\\\").replace('"', '\\"')
                print(f'"{text}",')


main(sys.argv[1])

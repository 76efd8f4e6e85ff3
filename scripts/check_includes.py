#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that each folder of src includes only what the table allows, and that no operator touches an element: src/ops
has no pointer to one. usage: check_includes.py [ROOT]"""
import pathlib
import re
import sys

ALLOWED = {
    "support": set(),
    "core": {"support"},
    "ir": {"core", "support"},
    "backends": {"core", "support", "backends"},
    "ops": {"backends", "core", "support"},
    "loader": {"ir", "core", "support"},
    "passes": {"ir", "core", "support"},
    "writer": {"ir", "core", "support"},
    "runtime": {"ir", "core", "support", "backends"},
    "api": {"support", "core", "ir", "backends", "ops", "loader", "passes", "runtime", "writer"},
}


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    bad = []
    for folder, allowed in ALLOWED.items():
        for path in sorted((root / "src" / folder).rglob("*")):
            if path.suffix not in (".cpp", ".h"):
                continue
            for i, line in enumerate(path.read_text().splitlines(), 1):
                m = re.match(r'#include "(\w+)/', line)
                if m and m[1] in ALLOWED and m[1] != folder and m[1] not in allowed:
                    bad.append(f"{path.relative_to(root)}:{i}: {folder} must not include {m[1]}")
    # What a host_read() allows stands in common.cpp, which copies the elements out.
    pointer = re.compile(r"data_ptr<|raw_data\(\)|\.ptr<|->data\(\)\s*\)|(?:float|double|int64_t|int32_t|uint8_t|bool)\s*\*\s*\w+\s*=")
    for path in sorted((root / "src" / "ops").rglob("*.cpp")):
        for i, line in enumerate(path.read_text().splitlines(), 1):
            if pointer.search(line) and path.name not in ("common.cpp",):
                bad.append(f"{path.relative_to(root)}:{i}: an operator must not touch elements: {line.strip()}")
    print("\n".join(bad) or "includes are as the table says")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/ops/refused_dtypes.inc: for each operator the dtypes that PyTorch's CPU kernels don't take and sconce's would.

usage: make_refused_dtypes.py SCONCE     (what the table of that build refuses already stays in it)

Each overload is called with tensors of one dtype, for every dtype; a refusal that says "not implemented for" counts when some
other dtype is taken.
"""
import collections
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import torch

import compare_with_torch as compare

DTYPES = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.float32, torch.float64,
          None, torch.complex64, torch.complex128, torch.bool, None, None, None, torch.bfloat16]


def probe(method, dtype):
    """Plain arguments, all tensors of one dtype; None when the operator wants more than that."""
    c = method.calls
    c.start()
    c.dtype, c.shape, c.ndim = dtype, [2, 3], 2
    fixed = {}
    for _ in range(20):  # now and then special gives nothing, to see what happens
        fixed = fixed or compare.special(c)
    out = []
    for a, kind in zip(method.schema.arguments, method.kinds):
        if a.name in fixed and (fixed[a.name] is not None or kind.startswith("Optional")):
            value = fixed[a.name]
            choice = a.name in ("mask", "condition", "index", "indices", "target", "attn_mask")
            out.append(value if choice or not isinstance(value, torch.Tensor) else torch.ones_like(value).to(dtype))
        elif kind == "Tensor":
            if a.name in ("mask", "condition"):
                out.append(torch.ones(2, 3, dtype=torch.bool))
            elif a.name in ("index", "indices"):
                out.append(torch.zeros(2, 3, dtype=torch.int64))
            else:
                out.append(torch.ones(2, 3).to(dtype))
        elif a.has_default_value():
            value = a.default_value
            if value is not None and kind == "float":
                value = float(value)
            if value is not None and kind == "int" and not isinstance(value, int):
                value = int(value)
            out.append(value)
        elif kind == "List[Tensor]":
            out.append([torch.ones(2, 3).to(dtype)] * 2)
        elif kind in ("int", "float", "bool"):
            out.append({"int": 1, "float": 1.0, "bool": True}[kind])
        elif kind == "List[int]":
            out.append([1])
        elif kind.startswith("Optional["):
            out.append(None)
        else:
            return None
    return tuple(out)


def refused(methods, sconce):
    """{operator: dtype numbers} of one archive's methods."""
    module, good = compare.module_of(methods)
    result = collections.defaultdict(list)
    if not good:
        return result
    with tempfile.TemporaryDirectory() as folder:
        archive = pathlib.Path(folder) / "probes.pt"
        module.save(str(archive))
        loaded = torch.jit.load(str(archive))
        cases, owners = [], []
        for m in good:
            found, some = [], False
            for number, dtype in enumerate(DTYPES):
                if dtype is None or ("float" in m.kinds and not (dtype.is_floating_point or dtype.is_complex) and
                                     any("number" in str(a.type) for a in m.schema.arguments)):
                    continue
                try:
                    arguments = probe(m, dtype)
                except compare.Skip:
                    arguments = None
                if arguments is None:
                    break
                case = compare.answer(loaded, m, arguments)
                if case and "raises" not in case:
                    some = True
                elif case and "not implemented for" in case["raises"]:
                    found.append((case, number))
            for case, number in found if some else []:
                cases.append(case)
                owners.append((m.schema, number))
        if not cases:
            return result
        torch.save({"format": 1, "torch": str(torch.__version__), "cases": cases}, archive.with_suffix(".io.pt"))
        run = subprocess.run([sconce, "verify", str(archive)], capture_output=True, text=True, check=False)
        for hit in re.finditer(r" #(\d+): returned, expected", run.stdout):
            schema, number = owners[int(hit[1])]
            result[schema.name + ("." + schema.overload_name if schema.overload_name else "")].append(number)
    return result


def main():
    rng = random.Random(0)
    methods = []
    options = type("Options", (), {"only": None, "all": True, "top": 0, "usage": ""})
    for s in compare.operators(options):
        if "convolution" in s.name:
            continue  # what is taken depends on other arguments too
        for number in (["float", "int"] if any("number" in str(a.type) for a in s.arguments) else ["float"]):
            try:
                methods.append(compare.Method(len(methods), s, number, rng))
            except compare.Skip:
                pass
    rows = collections.defaultdict(set)
    groups = [methods[i: i + compare.GROUP] for i in range(0, len(methods), compare.GROUP)]
    for found in compare.in_workers(groups, lambda group, *_: refused(group, sys.argv[1])):
        if "failed" in found:
            print(found["failed"], file=sys.stderr)
            continue
        for name, numbers in found.items():
            rows[name] |= set(numbers)
    file = pathlib.Path(__file__).resolve().parent.parent / "src" / "ops" / "refused_dtypes.inc"
    for known in re.finditer(r'\{"([^"]+)", 0x([0-9a-f]+)\}', file.read_text()):
        rows[known[1]] |= {n for n in range(32) if int(known[2], 16) >> n & 1}
    lines = [f'{{"{name}", 0x{sum(1 << n for n in numbers):x}}},' for name, numbers in sorted(rows.items())]
    file.write_text(
        "// Made by scripts/make_refused_dtypes.py: bit n stands for the dtype with PyTorch's number n, bit 31 says that "
        "numbers don't count.\n" + "\n".join(lines) + "\n")
    print(len(lines), "operators")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/ops/write_checks.inc and early_checks.inc: for each operator that writes into an argument, what PyTorch refuses to write into.

usage: make_write_checks.py

Each in-place and `out=` overload is called so that PyTorch answers; then with a written tensor whose elements share memory,
with one that lies partly or wholly over another argument, and with one of another floating dtype.
"""
import pathlib
import random

import torch

import compare_with_torch as compare




# Nothing is written for most dtypes or outside training, so nothing is refused.
LEFT_OUT = {"aten::conj_physical_", "aten::dropout_", "aten::alpha_dropout_", "aten::feature_dropout_", "aten::feature_alpha_dropout_"}


def call(schema, names, args):
    """What PyTorch refuses, or an empty text."""
    op = getattr(getattr(torch.ops.aten, schema.name.split("::")[1]), schema.overload_name or "default")
    plain = [v for n, v in zip(names, args) if not n.kwarg_only]
    named = {n.name: v for n, v in zip(names, args) if n.kwarg_only}
    torch.manual_seed(0)
    try:
        op(*plain, **named)
    except Exception as e:  # noqa: BLE001: every refusal counts
        return str(e) or "refused"
    return ""


def shares_memory(text):
    return "single memory location" in text or "overlap" in text


def answered(method):
    """Arguments that PyTorch answers, with written tensors of the sizes and dtypes that it gives them."""
    for _ in range(60):
        try:
            args = list(method.arguments())
        except (compare.Skip, RuntimeError, IndexError, ValueError):
            continue
        written = [i for i, a in enumerate(method.given) if a.alias_info is not None and a.alias_info.is_write]
        if any(not isinstance(args[i], torch.Tensor) for i in written):
            return None
        for i in written:
            if method.given[i].is_out:
                args[i] = torch.empty(0, dtype=args[i].dtype)
        for dtypes in [[None], [torch.float32], [torch.int64], [torch.bool], [torch.float32, torch.int64], [torch.float32, torch.int64, torch.int64],
                       [torch.float64], [torch.float64, torch.int64]]:
            for n, i in enumerate(written):
                if method.given[i].is_out:
                    args[i] = torch.empty(0, dtype=dtypes[min(n, len(dtypes) - 1)] or args[i].dtype)
            if not call(method.schema, method.given, args):
                break
        else:
            continue
        if all(args[i].numel() >= 1 for i in written):
            return args
    return None


def on(storage, like, offset):
    """like's sizes and dtype, dense, on a storage from that byte on."""
    return torch.empty(0, dtype=like.dtype).set_(storage, offset // like.element_size(), like.shape, torch.empty(like.shape).stride())


def learn(method, rows):
    name = method.schema.name + ("." + method.schema.overload_name if method.schema.overload_name else "")
    failed = 0
    for _ in range(6):
        args = answered(method) if failed < 2 else None
        if args is None:
            failed += 1
            continue
        args = [torch.empty_strided(a.shape, torch.empty(a.shape).stride(), dtype=a.dtype).copy_(a) if isinstance(a, torch.Tensor) else a for a in args]
        for w, argument in enumerate(method.given):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            index = next(i for i, a in enumerate(method.schema.arguments) if a.name == argument.name)
            row = rows.setdefault((name, index), {"internal": False, "exact": False, "partial": 0, "full": 0, "early": False})
            t = args[w]
            if argument.is_out and t.dtype in (torch.float32, torch.bfloat16, torch.int64, torch.bool):
                other = t.to({torch.int64: torch.float32, torch.bool: torch.float32}.get(t.dtype, torch.float64))
                row["exact"] |= bool(call(method.schema, method.given, args[:w] + [other] + args[w + 1:]))
            d = max(range(t.dim()), key=t.size, default=0)
            if t.dim() == 0 or t.size(d) < 2:
                continue
            spread = t.clone().narrow(d, 0, 1).expand(t.shape)  # on enough memory for kernels that write densely
            row["internal"] |= shares_memory(call(method.schema, method.given, args[:w] + [spread] + args[w + 1:]))
            if argument.is_out and row["internal"]:
                other = torch.zeros([1, *t.shape, 3], dtype=t.dtype)[..., :1].expand(1, *t.shape, 3)
                row["early"] |= shares_memory(call(method.schema, method.given, args[:w] + [other] + args[w + 1:]))
            for r, x in enumerate(args):
                several = isinstance(x, list) and x and all(isinstance(v, torch.Tensor) for v in x)
                if r == w or not (isinstance(x, torch.Tensor) or several):
                    continue
                one = x[0] if several else x
                at = next(i for i, a in enumerate(method.schema.arguments) if a.name == method.given[r].name)
                size = max(t.element_size(), one.element_size())
                for kind, offset in (("partial", size), ("full", 0)):
                    storage = torch.zeros(64 + t.numel() * t.element_size() + one.numel() * one.element_size(), dtype=torch.uint8).untyped_storage()
                    new = list(args)
                    new[w], moved = on(storage, t, offset), on(storage, one, 0)
                    if kind == "full" and (moved.stride() != new[w].stride() or moved.numel() * moved.element_size() != t.numel() * t.element_size()):
                        continue
                    new[r] = [moved, *x[1:]] if several else moved
                    if shares_memory(call(method.schema, method.given, new)):
                        row[kind] |= 1 << at


def rows_of(methods):
    rows = {}
    for m in methods:
        try:
            learn(m, rows)
        except (RuntimeError, NotImplementedError):
            pass
    return [[*key, row] for key, row in rows.items()]


def main():
    rng = random.Random(0)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    methods = []
    options = {"only": None, "refusals": True, "usage": pathlib.Path(__file__).resolve().parents[2] / "shared/data/op-usage.txt"}
    asked = [compare.operators(type("Options", (), {**options, "all": everything, "top": 1000})) for everything in (True, False)]
    for s in {str(s): s for s in asked[0] + asked[1]}.values():
        if not compare.writes(s) or "sparse" in str(s) or s.name in LEFT_OUT:
            continue
        for number in (["float", "int"] if any("number" in str(a.type) for a in s.arguments) else ["float"]):
            try:
                m = compare.Method(len(methods), s, number, rng, True)
            except compare.Skip:
                continue
            m.calls.rng, m.pushes = rng, False
            methods.append(m)
    rows = {}
    groups = [[m] for m in methods]
    for found in compare.in_workers(groups, lambda group, *_: rows_of(group)):
        if isinstance(found, dict):
            print(found["failed"])
            continue
        for name, index, row in found:
            known = rows.setdefault((name, index), row)
            for key, value in row.items():
                known[key] |= value
    lines = [f'{{"{name}", {index}, {str(r["internal"]).lower()}, {str(r["exact"]).lower()}, 0x{r["partial"]:x}, 0x{r["full"]:x}}},'
             for (name, index), r in sorted(rows.items()) if any(r.values())]
    file = pathlib.Path(__file__).resolve().parent.parent / "src" / "ops" / "write_checks.inc"
    file.write_text("// Made by scripts/make_write_checks.py: operator, written argument, whether its elements may not share memory, whether it\n"
                    "// must have the result's dtype, the arguments (bit n: the n-th) that it may not lie over in part, and not at all.\n" +
                    "\n".join(lines) + "\n")
    early = [f'"{name}",' for name in sorted({name for (name, _), r in rows.items() if r["early"]})]
    file.with_name("early_checks.inc").write_text(
        "// Made by scripts/make_write_checks.py: out= forms that judge the memory of their target before they give it the result's sizes.\n" +
        "\n".join(early) + "\n")
    print(len(lines), "rows of", len(rows), "early", len(early))


if __name__ == "__main__":
    main()

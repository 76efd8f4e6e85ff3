# SPDX-License-Identifier: Apache-2.0
"""Calls of operators by their schemas, for those that PyTorch has no samples for: values by the type and the name of each argument."""
import pathlib
import random
import re
import sys

import torch

import pack
from methods import CannotSay, Spelling

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import compare_with_torch as calls

DTYPES = [torch.float32, torch.int64, torch.float64, torch.complex64, torch.bfloat16, torch.bool, torch.uint8]
TRIES = 25
TEXTS = ["a,b,,c", "Hello World", "  tabs\tand spaces ", "x1", ""]
SHORT = [",", "l", " ", "o W", "x"]
GRADIENTS = [torch.float32, torch.float64, torch.bfloat16, torch.complex64]
# What PyTorch's own callers alone call: it reads wild memory, or makes numbers of nothing, for other arguments than theirs.
UNCHECKED = re.compile(r"^aten::(_transformer_encoder_layer_fwd|_weight_norm|_compute_linear_combination|_pdist_forward|_fake_quantize_learnable|"
                       r"fused_moving_avg|_fused_moving_avg|embedding_renorm|_reshape_alias|_fft_|_convert_indices|_choose_qparams|fake_quantize_per|"
                       r"_test_|_new_zeros_with|_native_batch_norm|_batch_norm|native_dropout|__interpolate|_embedding_bag|to\.prim_|_pad_circular)")
UNSAID = re.compile(r"Device|Generator|Dimname|Storage|Stream|Any")


def full_name(schema):
    return schema.name + ("." + schema.overload_name if schema.overload_name else "")


class Typed(Spelling):
    """A call whose parameters have the types of the schema."""

    def __init__(self, callee, operator, names, kinds, values):
        params = "".join(f", a{i}: {k}" for i, k in enumerate(kinds))
        given = ", ".join((f"{n}=" if n else "") + f"a{i}" for i, n in enumerate(names))
        self.operator, self.callee, self.literal = operator, callee, False
        self.source, self.inputs = f"(self{params}):\n    return {callee}({given})\n", tuple(values)


def concrete(kind, number, item):
    """The type with its variables replaced."""
    kind = re.sub(r"\bnumber\b", number, kind)
    kind = re.sub(r"\b(t|t1|t2|tVal|T)\b", item, kind)
    return re.sub(r"\btKey\b", "str", kind)


def value(c, name, kind, argument):
    r = c.rng
    if kind.startswith("Optional["):
        return None if r.random() < 0.4 else value(c, name, kind[9:-1], argument)
    if kind == "str" and name not in ("rounding_mode", "reduce", "mode", "approximate", "padding", "indexing", "UPLO", "norm",
                                      "interpolation", "side", "ord", "equation"):
        return r.choice(TEXTS if name in ("self", "a", "s") else SHORT)
    if c.name in ("can_cast", "promote_types"):
        return r.choice([0, 1, 3, 4, 5, 6, 7, 9, 11, 15])  # dtypes
    if kind == "complex":
        return complex(r.choice([0, 1, -2]), r.choice([0.5, 0, 3]))
    if kind.startswith("Dict["):
        key, item = kind[5:-1].split(", ", 1)
        keys = {"str": ["x", "l", ","], "int": [0, 1, 2], "float": [0.5, 1.0], "bool": [True, False], "complex": [1j, 2.0 + 0j],
                "Tensor": []}[key]
        return {k: value(c, name, item, argument) for k in keys[: r.randrange(1, 4)]}
    if kind.startswith("List[") and kind not in ("List[Tensor]", "List[Optional[Tensor]]", "List[int]"):
        return [value(c, name, kind[5:-1], argument) for _ in range(r.randrange(1, 4))]
    if kind == "List[int]" and name in ("self", "a", "b", "l", "list", "input"):
        return [r.randrange(-3, 9) for _ in range(r.randrange(1, 5))]
    if kind == "float" and not c.tensors:
        return r.choice([0.5, 1.0, 2.25, -1.5, 0.0, 7.0])
    return c.argument(name, kind, argument)


def arguments(c, schema, given, kinds, dtype):
    c.start()
    c.dtype = dtype or torch.float32
    fixed = calls.special(c)
    out = []
    for a, kind in zip(given, kinds):
        if a.is_out:
            out.append(torch.empty(0, dtype=c.dtype if c.rng.random() < 0.6 else c.rng.choice([torch.int64, torch.float32, torch.bool])))
        elif a.name in fixed and calls.holds(kind, fixed[a.name]):
            c.first = False
            v = fixed[a.name]
            out.append(float(v) if kind == "float" else v.to(c.dtype) if isinstance(v, torch.Tensor) and v.dtype.is_floating_point and dtype else v)
        elif a.has_default_value() and c.rng.random() < 0.6 and calls.holds(kind, a.default_value):
            v = a.default_value
            out.append(float(v) if kind == "float" else [v] * (a.N or 1) if kind == "List[int]" and isinstance(v, int) else v)
        else:
            out.append(value(c, a.name, kind, a))
    return tuple(out)


def record(group, schema):
    name = full_name(schema)
    if UNCHECKED.search(name):
        group.leave_out(name, "its arguments are PyTorch's own")
        return
    given = [a for a in schema.arguments if not calls.unsaid(a)]
    types = [str(a.type) for a in given]
    namespace, operator = schema.name.split("::")
    tensors = any("Tensor" in t for t in types)
    why = "no arguments were found that PyTorch takes"
    done = 0
    for number in ["float", "int"] if any("number" in t for t in types) else ["float"]:
        for item in ["int", "str", "Tensor"] if any(re.search(r"\bt\b", t) for t in types) else ["int"]:
            kinds = [concrete(t, number, item) for t in types]
            if any(UNSAID.search(k) for k in kinds):
                why = f"an argument of type {next(k for k in kinds if UNSAID.search(k))}"
                continue
            names = [a.name if a.kwarg_only or a.is_out else "" for a in given]
            label = operator if namespace == "aten" else f"{namespace}.{operator}"
            label += ".out" if any(a.is_out for a in given) else ""
            shape = Typed(f"torch.ops.{namespace}.{operator}", label, names, kinds, [])
            try:
                method = group.methods.of(shape)
            except CannotSay as e:
                why = "TorchScript can't call it by its name"
                continue
            if name not in method.overloads:
                why = "another overload takes such a call"
                continue
            for dtype in (GRADIENTS if "backward" in operator else DTYPES) if tensors else [None]:
                done += draw(group, schema, given, kinds, method, label, dtype)
    if not done:
        group.leave_out(name, why)


def draw(group, schema, given, kinds, method, label, dtype):
    """Records the first calls that return; how many."""
    c = calls.Calls(schema, random.Random(f"{full_name(schema)} {dtype} {kinds}"))
    c.tensors = dtype is not None
    torch.manual_seed(0)
    found, wanted = 0, 1 if dtype not in (torch.float32, None) else 2 if dtype else 3
    for attempt in range(TRIES if dtype in (torch.float32, None) or group_has(group, label) else 5):
        try:
            inputs = pack.compact(arguments(c, schema, given, kinds, dtype))
            if not all(map(defined, zip(given, inputs))):
                continue
        except (calls.Skip, RuntimeError, IndexError, ValueError, TypeError, KeyError):
            continue
        if sum(t.numel() for t in pack.tensors_of(inputs)) > 300 or not group.steps.next(f"{label} {dtype} {attempt}"):
            continue
        if not method.returns(inputs):
            continue
        found += group.add(label, str(dtype)[6:] if dtype else "-", method, inputs)
        if found == wanted:
            break
    return found


def defined(pair):
    """Whether an argument is none that kernels read wild memory for, or that rounding alone decides about."""
    argument, v = pair
    tensors = list(pack.tensors_of(v))
    if argument.name in ("index", "indices", "offsets", "target", "targets"):
        return all(t.is_floating_point() or t.numel() == 0 or t.min() >= 0 for t in tensors if not t.is_complex() and t.dtype != torch.bool)
    return all(bool(torch.isfinite(t).all()) for t in tensors)


def group_has(group, label):
    return any(c["operator"] == label and "raises" not in c for c in group.cases)

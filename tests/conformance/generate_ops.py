#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records PyTorch's answers for operators and dtypes: tests/conformance/ops.

usage: generate_ops.py SCONCE [--out FOLDER] [--only GROUP...]     (needs torch and expecttest; seeds are fixed)

Calls come from PyTorch's own samples of arguments (OpInfo) and, for the operators of `sconce ops` that these don't reach,
from the schemas (scripts/compare_with_torch.py makes their arguments). A call becomes a scripted method; a method serves all
calls with arguments of the same types. In-place and `out=` forms follow from the call that they are forms of. What PyTorch
refuses is recorded too. What is left out is printed with the reason.
"""
import argparse
import collections
import itertools
import pathlib
import random
import re
import subprocess
import warnings

import torch

import pack
import quantized_calls
import schema_calls
import workers
from methods import CannotSay, Methods, overloads_of, spellings

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.complex64, torch.complex128, torch.int64,
          torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
MOST_ELEMENTS = 300   # of the tensors of one call
MOST_BYTES = 3000     # of an answer
SAMPLES = {torch.float32: 4, torch.int64: 2, torch.complex64: 2}  # of one operator; others have one
FORMS = [torch.float32, torch.float64, torch.bfloat16, torch.complex64, torch.int64, torch.uint8, torch.bool]  # in place, out=
# Memory that nobody has written, addresses, and vectors that are right with any sign: shapes and dtypes are compared alone.
UNDEFINED = re.compile(r"^(_?linalg_|linalg\.)?(eig|eigh|svd)(\.out)?$|^(torch\.)?(pca|svd)_lowrank$|"
                       r"^(new_)?empty(_like|_strided|_permuted)?(\.out)?$|^resize(_as)?_?(\.out)?$|^data_ptr$")


def name_of(dtype):
    return str(dtype)[6:]


def group_of(name):
    """The file for an operator: a letter, or a family."""
    parts = name.split(".")
    if parts[0] == "nn":
        return "nn_" + parts[-1][0]
    if parts[0] in ("linalg", "fft", "special"):
        return parts[0]
    return parts[0].lstrip("_")[0].lower()


def elements(values):
    return sum(t.numel() for t in pack.tensors_of(values))


def ranked(samples):
    """Samples of a middling size first."""
    def rank(s):
        largest = max((t.numel() for t in pack.tensors_of(s)), default=0)
        n = elements(s)
        return 0 if 4 <= largest and n <= 100 else 1 if 4 <= largest else 2 if largest else 3
    return sorted((s for s in samples if elements(s) <= MOST_ELEMENTS), key=rank)


def signature(sample):
    """What makes two samples calls of different kinds."""
    def kind(v):
        if isinstance(v, torch.Tensor):
            return ("tensor", v.dim(), v.dtype)
        if isinstance(v, (list, tuple)):
            return (type(v).__name__, len(v))
        return v if isinstance(v, (str, bool, type(None))) else type(v).__name__
    args, kwargs = sample
    return (tuple(map(kind, args)), tuple((k, kind(v)) for k, v in kwargs.items()))


def various(samples, count):
    """`count` samples, of different kinds first."""
    seen, first, rest = set(), [], []
    for s in ranked(samples):
        key = str(signature(s))
        (rest if key in seen else first).append(s)
        seen.add(key)
    return (first + rest)[:count]


def seeded():
    torch.manual_seed(0)
    random.seed(0)
    try:
        import numpy
        numpy.random.seed(0)
    except ImportError:
        pass


def samples_of(op, dtype, errors=False):
    """(arguments, named arguments) of OpInfo's samples for a dtype, or of the calls that it says are refused."""
    seeded()
    out = []
    source = op.error_inputs("cpu") if errors else op.sample_inputs("cpu", dtype, requires_grad=False)
    for s in itertools.islice(source, 60):
        s = s.sample_input if errors else s
        known = {}
        args, kwargs = (pack.compact(x, True, known) for x in ([s.input, *s.args], s.kwargs))
        if all(pack.plain(t) for t in pack.tensors_of([args, kwargs])):
            out.append((args, kwargs))
    return out


def with_dtype(v, old, new):
    """The same arguments with tensors of another dtype."""
    if isinstance(v, torch.Tensor):
        if v.dtype != old:
            return v
        return pack.compact((v.abs() if new == torch.uint8 and not v.dtype.is_complex else v).to(new))
    if isinstance(v, (list, tuple)):
        return type(v)(with_dtype(x, old, new) for x in v)
    if isinstance(v, dict):
        return {k: with_dtype(x, old, new) for k, x in v.items()}
    return v


class Group:
    """The methods and cases of one file."""

    def __init__(self, name, steps):
        self.name, self.steps = name, steps
        self.methods, self.cases, self.keys = Methods(), [], set()
        self.left_out, self.refusing = collections.Counter(), 0

    def leave_out(self, operator, why):
        self.left_out[f"{operator}: {why}"] += 1

    def add(self, operator, dtype, method, inputs):
        """Records a call; says whether it returned."""
        if not self.steps.next(f"{operator} {dtype}"):
            return False
        check = "meta" if UNDEFINED.search(operator) else "close"
        try:
            case = pack.record(method.call, tuple(inputs), method.name, pack.compact, check)
        except pack.NotSteady:
            self.leave_out(operator, "answers differ from call to call")
            return False
        except RuntimeError as e:
            self.leave_out(operator, f"a result that can't be copied: {str(e)[:60]}")
            return False
        if "raises" in case:
            if re.search(r"INTERNAL ASSERT|alloc|backend fallback|Could not run", case["raises"]):
                self.leave_out(operator, "PyTorch fails within itself")
                return False
        elif not all(pack.plain(t) for t in pack.tensors_of(case["output"])):
            self.leave_out(operator, "a result that is sparse or quantised")
            return False
        elif pack.size_of(case["output"]) > MOST_BYTES:
            self.leave_out(operator, "a result that is too large")
            return False
        elif any(not storable(v) for v in (case["output"], case["inputs"])):
            self.leave_out(operator, "a result that a file of cases can't hold")
            return False
        case.update(operator=operator, dtype=dtype)
        key = (method.name, str(case))
        if key not in self.keys:
            self.keys.add(key)
            self.cases.append(case)
            method.used = True
            self.refusing += "raises" in case
        return "raises" not in case

    def save(self, folder):
        self.methods.keep_used()
        self.cases = [{**c, "method": self.methods.final_name(c["method"])} for c in self.cases]
        pack.save_archive(self.methods.module("Ops_" + self.name), folder / f"{self.name}.pt")
        pack.save_cases(self.cases, folder / f"{self.name}.io.pt")

    def result(self):
        return {"cases": len(self.cases), "refused": self.refusing, "left_out": self.left_out,
                "overloads": sorted(self.methods.overloads())}


def storable(v):
    if isinstance(v, (list, tuple)):
        return all(map(storable, v))
    if isinstance(v, dict):
        return all(storable(k) and storable(x) for k, x in v.items())
    return isinstance(v, (torch.Tensor, int, float, bool, str, complex, torch.device, type(None)))


def returns(call, args, kwargs):
    try:
        seeded()
        with torch.no_grad():
            call(*pack.compact(args), **pack.compact(kwargs))
        return True
    except Exception:  # noqa: BLE001
        return False


def record_sample(group, op, dtype, args, kwargs, forms):
    """Records one sample by the first spelling that does what Python's function does."""
    wanted = returns(op.op, args, kwargs)
    why = "no call that TorchScript can say"
    for spelling in spellings(op, args, kwargs):
        try:
            method = group.methods.of(spelling)
        except CannotSay:
            continue
        if wanted and not method.returns(spelling.inputs):
            why = "refused from TorchScript alone"
            continue
        ok = group.add(spelling.operator, name_of(dtype), method, spelling.inputs)
        if ok and forms and dtype in FORMS:
            for form in spelling.forms(method.schema, op, method.result(spelling.inputs)):
                try:
                    other = group.methods.of(form)
                except CannotSay:
                    continue
                group.add(form.operator, name_of(dtype), other, form.inputs)
        return True
    group.leave_out(op.name, why)
    return False


def record_operator(group, op):
    first = None
    for dtype in DTYPES:
        if not group.steps.next(f"samples of {op.name} {dtype}", 120):
            continue
        supported = dtype in op.supported_dtypes("cpu")
        try:
            if supported:
                samples = various(samples_of(op, dtype), SAMPLES.get(dtype, 1))
                first = first or ((dtype, samples[0]) if samples else None)
            else:
                samples = [tuple(with_dtype(v, first[0], dtype) for v in first[1])] if first else []
        except Exception as e:  # noqa: BLE001: PyTorch's own samples may need what isn't there
            group.leave_out(op.name, f"no samples of {name_of(dtype)}: {type(e).__name__}: {str(e)[:80]}")
            continue
        for i, (args, kwargs) in enumerate(samples):
            record_sample(group, op, dtype, args, kwargs, forms=i == 0 or dtype == torch.float32 and i == 1)
    if op.error_inputs_func and group.steps.next(f"errors of {op.name}", 120):
        try:
            samples = various(samples_of(op, torch.float32, errors=True), 3)
        except Exception as e:  # noqa: BLE001
            group.leave_out(op.name, f"no refused samples: {type(e).__name__}: {str(e)[:80]}")
            return
        for args, kwargs in samples:
            record_sample(group, op, torch.float32, args, kwargs, forms=False)


def work_on_operators(folder):
    def work(job, steps):
        name, ops = job
        group = Group(name, steps)
        for op in ops:
            record_operator(group, op)
        if group.cases:
            group.save(folder)
        return group.result()
    return work


def work_on_schemas(folder):
    def work(job, steps):
        name, schemas = job
        group = Group(name, steps)
        for schema in schemas:
            schema_calls.record(group, schema)
        if group.cases:
            group.save(folder)
        return group.result()
    return work


def work_on_quantised(folder):
    def work(job, steps):
        group = Group(job[0], steps)
        quantized_calls.record(group)
        group.save(folder)
        return group.result()
    return work


def run(jobs, work, total):
    for (name, _), result in workers.results(jobs, work):
        total["cases"] += result["cases"]
        total["refused"] += result["refused"]
        total["overloads"] |= set(result["overloads"])
        total["left_out"].update(result["left_out"])
        print(f"{name}: {result['cases']} cases", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sconce", help="the command, which tells the operators")
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "ops")
    parser.add_argument("--only", nargs="*", help="these files alone")
    options = parser.parse_args()
    pack.fix_hashes()
    from torch.testing._internal.common_methods_invocations import op_db
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    groups = collections.defaultdict(list)
    for op in op_db:
        groups[group_of(op.name)].append(op)
    wanted = (lambda name: not options.only or name in options.only)
    jobs = sorted((k, v) for k, v in groups.items() if wanted(k))
    total = {"cases": 0, "refused": 0, "overloads": set(), "left_out": collections.Counter()}
    run(jobs, work_on_operators(options.out), total)
    if wanted("quantized"):
        run([("quantized", None)], work_on_quantised(options.out), total)
    text = subprocess.run([options.sconce, "ops"], capture_output=True, text=True, check=True).stdout
    ours = {line.split(None, 1)[1].split("(")[0] for line in text.splitlines() if not line.startswith("-")}
    theirs = {schema_calls.full_name(s): s for s in torch._C._jit_get_all_schemas()}
    total["overloads"] = set().union(*(overloads_of(f) for f in options.out.glob("*.pt") if not re.search("schema_|io.pt", f.name)))
    schemas = collections.defaultdict(list)
    for name in sorted(ours & set(theirs) - total["overloads"]):
        schemas["schema_" + group_of(name.split("::")[1])].append(theirs[name])
    run([job for job in sorted(schemas.items()) if wanted(job[0])], work_on_schemas(options.out), total)
    for reason, count in sorted(total["left_out"].items()):
        print(f"left out: {reason}" + (f" ({count} calls)" if count > 1 else ""))
    both = ours & set(theirs)
    missing = sorted(both - total["overloads"])
    if not options.only:
        print("no call of:", " ".join(missing))
    print(f"{total['cases']} cases, {total['refused']} of them refused by PyTorch; {len(both & total['overloads'])} of the "
          f"{len(both)} operators that sconce runs and PyTorch has, an overload each")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Saves every archive of the corpus with sconce; PyTorch loads the original and the copy and answers the recorded cases
with both, or with a copy that it saved itself.
usage: check_save_with_torch.py SCONCE CORPUS [--folders F...] [--jobs N] [--passes P] [--flags=--dedupe ...]   (needs torch)
--passes: the copy was put through this pipeline (`default`); answers may then differ by 1e-3, as sums are in another order."""
import argparse
import copy
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

FOLDERS = ["lang", "models", "legacy", "pytorch_tests", "field"]


def same(torch, a, b, rtol=0.0, atol=0.0):
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        if a.dtype != b.dtype or a.shape != b.shape or a.layout != b.layout:
            return False
        if a.is_quantized:
            return torch.equal(a.int_repr(), b.int_repr())
        if a.is_nested or a.layout != torch.strided or a.device.type == "meta":
            return str(a) == str(b)
        return torch.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True) if a.dtype.is_floating_point or a.dtype.is_complex else torch.equal(a, b)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(torch, x, y, rtol, atol) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(same(torch, x, y, rtol, atol) for x, y in zip(a.items(), b.items()))
    if isinstance(a, torch._C.ScriptObject) and isinstance(b, torch._C.ScriptObject):
        return a._type().str() == b._type().str()
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (a != a and b != b) or abs(a - b) <= atol + rtol * abs(b)
    return type(a) is type(b) and (a == b or isinstance(a, torch.jit.ScriptModule) or type(a).__module__ != "builtins")


def answers(torch, path, cases):
    model = torch.jit.load(str(path), map_location="cpu")
    out = []
    for case in cases:
        inputs = copy.deepcopy(case["inputs"])
        torch.manual_seed(0)
        try:
            call = model if case["method"] == "__call__" else getattr(model, case["method"])
            with torch.no_grad():
                out.append(("value", (call(*inputs), inputs)))
        except Exception as e:
            out.append(("raises", type(e).__name__))
    return out


def check(job):
    sconce, path, flags, passes = job
    import torch
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    try:
        cases = torch.load(path.with_suffix(".io.pt"), weights_only=False)["cases"]
        original = answers(torch, path, cases)
    except Exception as e:
        return path, 0, 0, None  # not for this PyTorch
    with tempfile.NamedTemporaryFile(suffix=".pt") as f:
        command = [sconce, "opt", str(path), "--passes", passes, "-o", f.name] if passes else [sconce, "save", str(path), f.name]
        run = subprocess.run(command + flags, capture_output=True, text=True)
        if run.returncode:
            return path, 0, len(cases), run.stderr.strip()[:400]
        try:
            saved = answers(torch, f.name, cases)
        except Exception as e:
            return path, 0, len(cases), "PyTorch: " + str(e).strip()[:1500]
    equal, why, own, seen, least = 0, None, None, [], 1e-3 if passes else 0
    for case, a, b in zip(cases, original, saved):
        if a[0] != b[0]:
            fine = False
        elif a[0] == "raises":
            fine = True
        else:
            fine = same(torch, a[1], b[1], max(least, case.get("rtol", 1e-5)), max(least, case.get("atol", 1e-6))) or case.get("check") == "meta"
        if not fine:  # what PyTorch itself saves may answer so, too
            if own is None:
                with tempfile.NamedTemporaryFile(suffix=".pt") as f:
                    torch.jit.load(str(path)).save(f.name)
                    own = answers(torch, f.name, cases)
            mine = own[len(seen)]
            fine = mine[0] == b[0] and (b[0] == "raises" or same(torch, mine[1], b[1], 1e-5, 1e-6))
        seen.append(b)
        equal += fine
        if not fine:
            why = f"{case['method']}: {str(b[1])[:150]}, the original: {str(a[1])[:150]}"
    return path, equal, len(cases), why


def silence():
    """What models print is nobody's concern."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("sconce")
    p.add_argument("corpus")
    p.add_argument("--folders", nargs="*", default=FOLDERS)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--passes", default="")
    p.add_argument("--flags", action="append", default=[])
    args = p.parse_args()
    jobs = [(args.sconce, path, args.flags, args.passes) for name in args.folders
            for path in sorted((pathlib.Path(args.corpus) / name).rglob("*"))
            if path.suffix in (".pt", ".ptl") and path.with_suffix(".io.pt").exists() and not path.name.endswith(".io.pt")]
    equal = total = skipped = 0
    with multiprocessing.Pool(args.jobs, silence, maxtasksperchild=200) as pool:
        results = [pool.apply_async(check, (job,)) for job in jobs]
        for job, result in zip(jobs, results):
            try:
                path, good, all_cases, why = result.get(timeout=300)
            except Exception as e:
                path, good, all_cases, why = job[1], 0, 1, f"no answer: {e!r}"
            equal += good
            total += all_cases
            skipped += all_cases == 0
            if why:
                print(f"{path}: {why}", flush=True)
    print(f"{equal} of {total} cases the same ({100 * equal / max(total, 1):.2f} %); {skipped} archives without cases, or that PyTorch itself can't read")
    return 0 if equal >= 0.99 * total else 1


if __name__ == "__main__":
    sys.exit(main())

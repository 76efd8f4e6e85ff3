#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records PyTorch's answers for the programs of lang_programs: tests/conformance/lang.

usage: generate_lang.py [--out FOLDER]     (needs torch; seeds are fixed)

Each module of a file there is an archive, each of its methods has some calls, which run in their order on one instance.
"""
import argparse
import contextlib
import importlib
import io
import pathlib

import torch

import pack

HERE = pathlib.Path(__file__).resolve().parent
FILES = ["control", "containers", "classes", "tensors", "modules"]


def value(v):
    """What the file of cases holds for a value that Python has as an object."""
    if isinstance(v, tuple):
        return tuple(map(value, v))
    if isinstance(v, list):
        return [value(x) for x in v]
    if isinstance(v, dict):
        return {k: value(x) for k, x in v.items()}
    if isinstance(v, torch.ScriptObject) or hasattr(v, "_c") and not isinstance(v, torch.nn.Module):
        raise TypeError("an object at the boundary")
    return v


def cases_of(module, calls):
    out = []
    for method, arguments in calls.items():
        for inputs in arguments:
            printed = io.StringIO()
            call = module if method == "__call__" else getattr(module, method)
            with contextlib.redirect_stdout(printed):
                # One call, because the next ones may find another state.
                case = pack.record(call, tuple(inputs), method, pack.compact, compare=False)
            if "output" in case:
                case["output"] = value(case["output"])
            if printed.getvalue():
                case["stdout"] = printed.getvalue()
            out.append(case)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "lang")
    options = parser.parse_args()
    pack.begin(options)
    total = 0
    for name in FILES:
        for program, calls in importlib.import_module("lang_programs." + name).PROGRAMS:
            torch.manual_seed(0)
            module = torch.jit.script(program.eval())
            file = f"{name}_{type(program).__name__.lower()}"
            pack.save_archive(module, options.out / f"{file}.pt")
            cases = cases_of(torch.jit.load(options.out / f"{file}.pt"), calls)
            pack.save_cases(cases, options.out / f"{file}.io.pt")
            total += len(cases)
            print(f"{file}: {len(cases)} cases, {sum('raises' in c for c in cases)} raise")
    print(f"{total} cases")


if __name__ == "__main__":
    main()

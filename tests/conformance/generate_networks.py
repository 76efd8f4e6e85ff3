#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records PyTorch's answers for the networks of networks.py: tests/conformance/networks.

usage: generate_networks.py [--out FOLDER]     (needs torch; seeds are fixed)

Each is scripted (or traced, where that says the same) and frozen; the text of its graph stands beside the archive.
"""
import argparse
import pathlib
import re

import torch

import networks
import pack

HERE = pathlib.Path(__file__).resolve().parent


def cases_of(module, calls):
    out = []
    for call in calls:
        method, inputs = (call[0], call[1:]) if call and isinstance(call[0], str) else ("forward", call)
        if not hasattr(module, method):
            continue
        case = pack.record(getattr(module, method), inputs, method, pack.compact)
        if "output" in case:
            case.update(rtol=1e-3, atol=1e-4)
        out.append(case)
    return out


def graph_text(module):
    """The graph's text, with the addresses of objects numbered."""
    numbers = {}
    return re.sub(r"object\(0x[0-9a-f]+", lambda m: f"object(0x{numbers.setdefault(m[0], len(numbers) + 1)}", str(module.graph))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "networks")
    options = parser.parse_args()
    pack.begin(options)
    torch.manual_seed(0)
    total, count = 0, 0
    for name, make, calls, traced in networks.networks():
        torch.manual_seed(0)
        model = make().eval()
        if name != "quantised":
            model = networks.rounded(model)
        forms = {"scripted": lambda: torch.jit.script(model)}
        if traced:
            forms["traced"] = lambda: torch.jit.trace(model, calls[0], check_trace=False)
        forms["frozen"] = lambda: torch.jit.freeze(torch.jit.script(model), preserved_attrs=["generate"] if hasattr(model, "generate") else [])
        for form, made in forms.items():
            file = options.out / f"{name}.{form}.pt"
            with torch.no_grad():
                pack.save_archive(made(), file)
            loaded = torch.jit.load(file)
            cases = cases_of(loaded, calls)
            pack.save_cases(cases, file.with_suffix(".io.pt"))
            file.with_suffix(".graph.txt").write_text(graph_text(torch.jit.load(file)))
            total, count = total + len(cases), count + 1
            print(f"{file.name}: {len(cases)} cases, {sum('raises' in c for c in cases)} raise", flush=True)
    print(f"{count} archives, {total} cases")


if __name__ == "__main__":
    main()

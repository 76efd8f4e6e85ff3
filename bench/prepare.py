# SPDX-License-Identifier: Apache-2.0
"""Makes the files that compare.py's engines read: prepare.py CACHE WANTED..., run by it in a process of its own. Needs torch.

Of each network: the archive, its inputs for PyTorch and numpy, the answers of float64, the ONNX file and Inductor's package. What
is there already stays, unless it is of another PyTorch or of other networks. What can't be made leaves its reason in NAME.json.
"""
import hashlib
import json
import logging
import os
import pathlib
import shutil
import sys
import warnings

import numpy
import torch
from torch.utils.flop_counter import FlopCounterMode

import engines
import networks

warnings.filterwarnings("ignore")


def doubled(x):
    return x.double() if isinstance(x, torch.Tensor) and x.is_floating_point() else x


def export(module, inputs, path):
    """The graph that PyTorch's newer exporter makes; the older one's where it can't."""
    if not any(isinstance(x, torch.Tensor) for x in inputs):
        raise ValueError("no tensor goes in or out")
    try:
        torch.onnx.export(module, inputs, str(path), dynamo=True, external_data=False, verbose=False)
    except Exception:
        torch.onnx.export(module, inputs, str(path), dynamo=False)


def compile_ahead(module, inputs, path, threads):
    if not any(isinstance(x, torch.Tensor) for x in inputs):
        raise ValueError("no tensor goes in or out")
    import torch._inductor.config as config
    config.freezing = True
    torch.set_num_threads(threads)
    torch._inductor.aoti_compile_and_package(torch.export.export(module, inputs), package_path=str(path))


def attempt(notes, kind, path, make):
    if path.exists() or kind in notes["failed"]:
        return
    partial = path.with_name("partial-" + path.name)
    try:
        make(partial)
        partial.rename(path)
    except Exception as e:
        partial.unlink(missing_ok=True)
        notes["failed"][kind] = f"{type(e).__name__}: {e}".strip()[:400]


@torch.no_grad()
def prepare(folder, name, wanted, threads):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    files = engines.Files(folder, name)
    source = hashlib.sha256(pathlib.Path(networks.__file__).read_bytes()).hexdigest()
    notes = {"torch": torch.__version__, "networks": source, "failed": {}}
    if files.notes.exists():
        old = json.loads(files.notes.read_text())
        if {k: old[k] for k in ("torch", "networks")} == {k: notes[k] for k in ("torch", "networks")}:
            notes = old
        else:
            for path in files.notes.parent.glob(name + ".*"):
                path.unlink()
    lacking = [kind for kind, path in (("archive", files.archive), ("expected", files.expected), ("onnx", files.onnx)) if not path.exists()]
    lacking += [f"inductor {files.compiled(n).name}" for n in threads if not files.compiled(n).exists()]
    if not [kind for kind in lacking if kind.split()[0] in wanted and kind not in notes["failed"]]:
        return
    print(f"preparing {name}", flush=True)
    module, inputs = networks.make(name), networks.inputs(name, 1)
    if not files.archive.exists() or not files.expected.exists():
        networks.archive(name, module, files.archive)
        torch.save(tuple(inputs), files.inputs)
        numpy.savez(files.arrays, **{f"a{i:02}": x.numpy() for i, x in enumerate(inputs) if isinstance(x, torch.Tensor)})
        out = module(*inputs)
        torch.backends.mha.set_fastpath_enabled(False)  # the counter doesn't know that path's operator, nor the fused attention
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            module(*inputs)
        torch.backends.mha.set_fastpath_enabled(True)
        right = networks.make(name).double()(*map(doubled, inputs))
        if isinstance(out, int):
            out, right = torch.tensor([out]), torch.tensor([right])
        notes["gflop"], notes["float32_error"] = counter.get_total_flops() / 1e9, ((out - right.double()).norm() / right.double().norm()).item()
        files.expected.write_bytes(right.double().contiguous().numpy().tobytes())
    if "onnx" in wanted:
        attempt(notes, "onnx", files.onnx, lambda path: export(module, inputs, path))
    if "inductor" in wanted:
        for n in threads:
            if shutil.which(os.environ.get("CXX", "g++")) is None:
                print("Inductor is left out: this machine has no C++ compiler")
                break
            attempt(notes, f"inductor {files.compiled(n).name}", files.compiled(n), lambda path: compile_ahead(module, inputs, path, n))
    files.notes.write_text(json.dumps(notes, indent=1))


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    task = json.loads(sys.argv[1])
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(pathlib.Path(task["cache"]) / "inductor")
    for network in task["networks"]:
        prepare(task["cache"], network, ["archive", "expected", *task["wanted"]], task["threads"])

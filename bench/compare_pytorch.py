#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times sconce against torch.jit on one thread, in interleaved pairs. usage: compare_pytorch.py SCONCE (needs torch)

Models are made here with random weights: ResNet-50 at batch 1, and a 20-layer 32-wide MLP with residuals;
and a loop of 100,000 turns of integer arithmetic with a branch, which is the interpreter's own work.
Prints the median of each and the ratio sconce / torch.jit (below 1: sconce is faster).
"""
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from torch import nn

from networks import Mlp, resnet50


class IntegerLoop(nn.Module):
    def forward(self, n: int) -> int:
        a = 0
        b = 1
        for i in range(n):
            if (a & 1) == 0:
                a, b = b, (a + b) % 1000003
            else:
                a, b = b, (a * 3 + b) % 1000003
        return a


@torch.no_grad()
def compare(sconce, name, module, example, pairs=5):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "m.pt"
        archive = torch.jit.trace(module, example) if isinstance(example, torch.Tensor) else torch.jit.script(module)
        torch.jit.save(archive, str(path))
        loaded = torch.jit.load(str(path))
        expected = loaded(example)
        io = {"format": 1, "cases": [{"method": "forward", "inputs": (example,), "output": expected, "check": "close", "rtol": 1e-3, "atol": 1e-3}]}
        torch.save(io, str(path.with_suffix(".io.pt")))
        subprocess.run([sconce, "verify", str(path)], check=True, stdout=subprocess.DEVNULL)
        for _ in range(5):
            loaded(example)
        ours, theirs = [], []
        for _ in range(pairs):
            out = subprocess.run([sconce, "bench", str(path), "--io", str(path.with_suffix(".io.pt")), "--json", "--min-time", "0.5"], check=True, capture_output=True, text=True)
            ours.append(json.loads(out.stdout)["median_ms"])
            times, begin = [], time.perf_counter()
            while time.perf_counter() - begin < 0.5 or len(times) < 3:
                t = time.perf_counter()
                loaded(example)
                times.append(1000 * (time.perf_counter() - t))
            theirs.append(statistics.median(times))
        ratio = statistics.median(a / b for a, b in zip(ours, theirs))
        print(f"{name}: sconce {statistics.median(ours):.4f} ms, torch.jit {statistics.median(theirs):.4f} ms, ratio {ratio:.2f}", flush=True)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    compare(sys.argv[1], "mlp, 20 layers of 32", Mlp().eval(), torch.randn(1, 32))
    compare(sys.argv[1], "integer loop, 100,000 turns", IntegerLoop(), 100_000)
    compare(sys.argv[1], "ResNet-50, batch 1", resnet50(), torch.randn(1, 3, 224, 224))


if __name__ == "__main__":
    main()

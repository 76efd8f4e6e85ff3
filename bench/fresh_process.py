#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times whole processes, from their start to their end: a C++ program that loads an archive and runs it once, with LibTorch and with sconce.

usage: fresh_process.py --cache FOLDER [--build FOLDER] [--networks NAME...] [--runs N] [--markdown FILE]

FOLDER is what compare.py --cache has made. Both programs are bench/fresh_process.cpp, each compiled against its library (LibTorch is
the installed PyTorch's, without its CUDA part). They run in turn on one processor; the first turn, which fills the page cache, counts for nobody.
"""
import argparse
import importlib.util
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import compare
import report

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAMES = ("sconce", "LibTorch", "LibTorch, optimize_for_inference")


def build(folder, library):
    """The two programs."""
    torch = pathlib.Path(importlib.util.find_spec("torch").origin).parent
    source, common = str(ROOT / "bench" / "fresh_process.cpp"), ["g++", "-std=c++20", "-O1", "-w"]
    ours, theirs = folder / "with_sconce", folder / "with_libtorch"
    subprocess.run([*common, "-DSCONCE", source, f"-I{ROOT / 'include'}", f"-L{library}", f"-Wl,-rpath,{library}", "-lsconce", "-o", ours], check=True)
    subprocess.run([*common, source, f"-I{torch / 'include'}", f"-I{torch / 'include/torch/csrc/api/include'}", f"-L{torch / 'lib'}", f"-Wl,-rpath,{torch / 'lib'}",
                    "-Wl,--no-as-needed", "-ltorch_cpu", "-lc10", "-o", theirs], check=True)
    return ours, theirs


def once(command):
    """Milliseconds, the answer's sum and the peak of memory in MB of one process."""
    began = time.perf_counter()
    r = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    took = (time.perf_counter() - began) * 1e3
    if r.returncode:
        raise SystemExit(f"{command}: status {r.returncode}\n{r.stderr[-2000:]}")
    total, peak = r.stdout.split("\n")[:2]
    return took, float(total), int(peak.split()[0]) / 1024


def main():
    parser = argparse.ArgumentParser(description="times whole processes that load an archive and run it once")
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--networks", nargs="+", default=["resnet50", "resnet18", "mobilenet_v2", "efficientnet_b0", "vit_b16", "bert_base", "gpt2", "lstm"])
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--markdown", type=pathlib.Path)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = build(pathlib.Path(folder), options.build.resolve() / "src")
        for network in options.networks:
            files = [str(options.cache / (network + ending)) for ending in (".pt", ".inputs.pt")]
            commands = [[ours, *files], [theirs, *files], [theirs, *files, "optimize"]]
            took, peaks = [[], [], []], [0, 0, 0]
            for turn in range(options.runs + 1):
                sums = []
                for i, command in enumerate(commands):
                    ms, total, peak = once(command)
                    sums.append(total)
                    peaks[i] = max(peaks[i], peak)
                    if turn:
                        took[i].append(ms)
                if max(sums) - min(sums) > 1e-3 * max(1, *map(abs, sums)):
                    raise SystemExit(f"{network}: the answers' sums differ: {sums}")
            ms = [statistics.median(t) for t in took]
            rows.append([compare.NETWORKS[network], *(f"{x:.0f}" for x in ms), *(f"{statistics.median(a / b for a, b in zip(took[0], t)):.2f}" for t in took[1:]),
                         *(f"{x:.0f}" for x in peaks)])
            print(*rows[-1], sep=" | ", flush=True)
    said = [f"Measured {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, medians of {options.runs} turns.", ""]
    said += report.table(["", *(f"{n} (ms)" for n in NAMES), "sconce / LibTorch", "sconce / optimized", *(f"{n} (MB)" for n in NAMES)], rows)
    if options.markdown:
        report.write_between(options.markdown, "fresh_process.py", said)
    return 0


if __name__ == "__main__":
    sys.exit(main())

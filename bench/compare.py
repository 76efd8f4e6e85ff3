#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times sconce beside PyTorch, Inductor, ONNX Runtime and OpenVINO on twelve networks, batch 1.

usage: compare.py [--build FOLDER] [--networks NAME...] [--engines NAME...|all] [--threads N...] [--json FILE] [--markdown FILE] [--plot FILE.png]

Each engine has a process of its own per network, on the same cores. They are asked for blocks of runs in turn (A B C, C B A, ...);
who isn't asked is stopped meanwhile. A figure is the median of its blocks' medians; a ratio has the interval that holds 95 % of
what it becomes when blocks are drawn anew. Answers are compared with PyTorch's in float64. Inductor, whose compiling takes minutes,
runs only where it is named; --cache keeps what was compiled and exported.
"""
import argparse
import json
import math
import os
import pathlib
import random
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import engines
import machine
import report

NETWORKS = {"resnet50": "ResNet-50", "resnet18": "ResNet-18", "mobilenet_v2": "MobileNetV2", "efficientnet_b0": "EfficientNet-B0", "vit_b16": "ViT-B/16",
            "bert_base": "BERT-base, 128 tokens", "gpt2": "GPT-2, 64 tokens", "lstm": "LSTM 2x256, 100 steps", "vad": "voice detector, one chunk",
            "pointwise": "pointwise, 1M elements", "mlp": "MLP, 20 x 32", "integer_loop": "integer loop, 100k"}
ASKED_FOR_ONLY = ("inductor", "openvino_default")
OF_PYTORCH = ("sconce", "eager", "torchscript", "ts_optimized", "inductor")
PATIENCE = 300  # seconds for an answer


class Worker:
    """A process that has loaded a network, stopped except while it is asked."""

    def __init__(self, engine, options, network, threads, cores):
        self.output = pathlib.Path(options.cache) / f"out.{engine}"
        self.output.unlink(missing_ok=True)
        code = "import json, sys, engines; engines.serve(*json.loads(sys.argv[1]))"
        arguments = [engine, str(options.build), str(options.cache), network, threads, cores, str(self.output)]
        self.process = subprocess.Popen([sys.executable, "-c", code, json.dumps(arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True, cwd=pathlib.Path(__file__).parent, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        self.about = self.answer()

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.close()
            return {"error": f"ended with status {self.process.returncode}" if ready else f"no answer in {PATIENCE} s"}
        os.kill(self.process.pid, signal.SIGSTOP)
        return json.loads(line)

    def block(self, seconds):
        os.kill(self.process.pid, signal.SIGCONT)
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.kill()
        self.process.communicate()
        self.output.unlink(missing_ok=True)


def error_of(worker, expected):
    """Norm of the difference to the float64 answer, as a share of that answer's norm."""
    import numpy
    if worker.about["exact"] is not None:
        return float(worker.about["exact"] != expected[0])
    got = numpy.fromfile(worker.output, numpy.float32).astype(numpy.float64)
    if got.shape != expected.shape:
        raise SystemExit(f"an answer has {got.size} elements, expected are {expected.size}")
    return float(numpy.linalg.norm(got - expected) / numpy.linalg.norm(expected))


def interval(ours, theirs):
    """Ratio of the medians, and the interval of it over blocks drawn anew, pair by pair."""
    dice = random.Random(0)
    drawn = []
    for _ in range(1000):
        picks = [dice.randrange(len(ours)) for _ in ours]
        drawn.append(statistics.median(ours[i] for i in picks) / statistics.median(theirs[i] for i in picks))
    drawn.sort()
    return {"ratio": statistics.median(ours) / statistics.median(theirs), "low": drawn[25], "high": drawn[974]}


def row_of(options, network, threads, cores, rates):
    import numpy
    files = engines.Files(options.cache, network)
    notes = json.loads(files.notes.read_text())
    row = {"network": network, "title": NETWORKS[network], "threads": threads, "gflop": notes["gflop"], "float32_error": notes["float32_error"], "engines": {}}
    row["peak_gflops"], row["peak_gbs"], row["handed_gbs"] = rates.measure(threads, cores)
    workers = {}
    for name in options.engines:
        entry = row["engines"][name] = {}
        lacking = engines.missing_packages(name)
        reason = f"{', '.join(lacking)} not installed" if lacking else files.missing(name, threads)
        if reason:
            entry["error"] = reason
            continue
        files.read_ahead()
        worker = Worker(name, options, network, threads, cores)
        entry.update(worker.about)
        if "error" not in entry:
            entry["output_error"] = error_of(worker, numpy.fromfile(files.expected))
            entry["blocks"], entry["runs"], entry["best_ms"] = [], 0, math.inf
            workers[name] = worker
    for turn in range(options.blocks):
        for name in list(workers)[::-1 if turn % 2 else 1]:
            got = workers[name].block(options.seconds)
            entry = row["engines"][name]
            if "error" in got:
                entry.update(got)
                workers.pop(name).close()
                continue
            entry["blocks"].append(got["median"])
            entry["runs"] += got["runs"]
            entry["best_ms"] = min(entry["best_ms"], got["best"])
    for name, worker in workers.items():
        worker.close()
        row["engines"][name]["median_ms"] = statistics.median(row["engines"][name]["blocks"])
    row["peak_gflops"] = max(row["peak_gflops"], rates.measure(threads, cores)[0])
    if "sconce" in workers:
        for name in workers:
            if name != "sconce":
                row["engines"][name]["sconce_ratio"] = interval(row["engines"]["sconce"]["blocks"], row["engines"][name]["blocks"])
    return row


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=pathlib.Path(__file__).resolve().parent.parent / "build" / "release", help="folder with libsconce.so in it")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--engines", nargs="+", help="of " + ", ".join(engines.ENGINES) + ", or all; without it all but " + " and ".join(ASKED_FOR_ONLY))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--blocks", type=int, default=8, help="of each engine")
    parser.add_argument("--seconds", type=float, default=0.1, help="that a block takes, one run at least")
    parser.add_argument("--isa", choices=["avx2"], help="sconce and PyTorch alone, both held to it")
    parser.add_argument("--cache", help="folder of what is exported and compiled; without it a temporary one")
    parser.add_argument("--prepare", action="store_true", help="fill the cache, time nothing")
    parser.add_argument("--json")
    parser.add_argument("--markdown", help="file with the marks that the tables go between")
    parser.add_argument("--plot", help="PNG")
    options = parser.parse_args()
    if options.engines == ["all"]:
        options.engines, chosen = None, list(engines.ENGINES)
    else:
        chosen = options.engines or [e for e in engines.ENGINES if e not in ASKED_FOR_ONLY]
    for kind, given, known in (("engine", chosen, engines.ENGINES), ("network", options.networks, NETWORKS)):
        for name in given:
            if name not in known:
                parser.error(f"no {kind} {name}; there are {', '.join(known)}")
    if options.isa:
        if options.engines and not set(options.engines) <= set(OF_PYTORCH):
            parser.error(f"--isa holds only {', '.join(OF_PYTORCH)}")
        chosen = [e for e in chosen if e in OF_PYTORCH]
        os.environ.update(machine.AVX2)
    options.engines = chosen
    if max(options.threads) > len(os.sched_getaffinity(0)):
        parser.error(f"{max(options.threads)} threads on {len(os.sched_getaffinity(0))} processors")
    return options


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as temporary:
        options.cache = pathlib.Path(options.cache or temporary).resolve()
        options.cache.mkdir(parents=True, exist_ok=True)
        wanted = [kind for kind, users in (("onnx", ("onnxruntime", "openvino", "openvino_default")), ("inductor", ("inductor",))) if set(users) & set(options.engines)]
        for network in options.networks:
            task = {"cache": str(options.cache), "networks": [network], "wanted": wanted, "threads": options.threads}
            subprocess.run([sys.executable, pathlib.Path(__file__).parent / "prepare.py", json.dumps(task)], check=True)
        if options.prepare:
            return 0
        about = {"machine": machine.describe(), "isa": options.isa or "all", "seconds": options.seconds, "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
                 "load": os.getloadavg()[0]}
        if about["load"] > 0.5:
            print(f"Other work runs on this machine (load {about['load']:.1f}): the figures will be noise.")
        if options.isa:
            about["onednn"] = machine.onednn_isa()
        rates, rows = machine.Rates(options.cache, options.isa), []
        allowed = sorted(os.sched_getaffinity(0))
        for threads in options.threads:
            print(report.heading(options.engines, threads), flush=True)
            for network in options.networks:
                rows.append(row_of(options, network, threads, allowed[-threads:], rates))
                print(report.line(rows[-1], options.engines), flush=True)
    result = {**about, "rows": rows}
    print(report.summary(rows))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1))
    if options.markdown:
        report.write_markdown(options.markdown, result, options.engines)
    if options.plot:
        report.plot(options.plot, result, options.engines)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times sconce beside PyTorch on a GPU and compares what they answer.

usage: gpu_bench.py --sconce SCONCE --out RESULT.json [--seconds N] [--only NAME[:BATCH]...] [--ours] [--emulated]
       gpu_bench.py --warm [--out RESULT.json] [--seconds N] [--only NAME[:BATCH]...]

For each of CASES, most valuable first: sconce's time and profile by kernel slot, its answer beside eager PyTorch's and a
float64 one, then PyTorch eager, as TorchScript and optimized for inference, each with TF32 off and on. torch.compile comes
last, in a process of its own that is killed when one compilation takes longer than COMPILE_SECONDS; --warm does that part
alone and measures nothing, to fill Inductor's cache on disk. Nothing new is begun after N seconds. RESULT.json is rewritten
after every row, so it always holds what has been measured; what has not is listed under "skipped".

latency_ms is the median wall time of a call and a synchronisation, device_ms the median time between two CUDA events around
a call, first_ms the first call of a module that is in the device's memory. max_rel is the largest difference of two answers,
max_abs, over the largest magnitude of the answer compared with.

--emulated: no GPU; small networks, sconce on the library that SCONCE_CUDA_LIBRARY names, PyTorch on the CPU and not timed.
"""
import argparse
import contextlib
import copy
import json
import os
import pathlib
import queue
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
try:
    import torch
    import numpy
    import networks
except ImportError as e:
    torch, missing = None, f"{e.name} is not installed"

CASES = (("resnet50", 1), ("bert_base", 1), ("resnet50", 32), ("bert_base", 32), ("mlp", 1), ("lstm", 1), ("pointwise", 1))
VARIANTS = ("eager", "torchscript", "optimized")
GPU = "cuda"
LATENCY_SECONDS, DEVICE_SECONDS, LEAST_CALLS, LONGEST = 0.25, 0.15, 10, 4  # slow calls: at most LONGEST times the seconds
COMMAND_SECONDS, COMPILE_SECONDS, IMPORT_SECONDS = 30, 60, 40
ERROR_CHARACTERS = 300


class Results:
    """What has been measured so far, in memory and, whole at any time, in a file."""

    def __init__(self, path, device):
        self.path = path
        self.data = {"device": device, "torch": torch.__version__ if torch else None, "rows": [], "outputs": [], "profiles": {}, "ceilings": {}, "skipped": []}

    def write(self):
        if self.path:
            part = f"{self.path}.part"
            pathlib.Path(part).write_text(json.dumps(self.data, indent=1))
            os.replace(part, self.path)

    def row(self, case, variant, tf32, **figures):
        row = {"model": case[0], "batch": case[1], "variant": variant, "tf32": tf32, "latency_ms": None, "device_ms": None, "first_ms": None, "error": None, **figures}
        self.data["rows"].append(row)
        say(*(f"{k} {v:.4g}" if isinstance(v, float) else str(v) for k, v in row.items() if v is not None and k not in ("model", "batch", "variant")), case=case, what=variant)
        self.write()

    def skip(self, reason):
        if reason not in self.data["skipped"]:
            self.data["skipped"].append(reason)
            say("skipped:", reason)
        self.write()

    def late(self, cases, what):
        if cases:
            self.skip(f"out of time: {what} of {', '.join(f'{name}:{batch}' for name, batch in cases)}")


def say(*words, case=None, what=""):
    print(*([f"{case[0]}:{case[1]}", what] if case else []), *words, file=sys.stderr, flush=True)


def short(error):
    return str(error).strip()[-ERROR_CHARACTERS:]


class Budget:
    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        return self.end - time.monotonic()


# ---- PyTorch


def set_tf32(on):
    torch.backends.cuda.matmul.allow_tf32 = on
    torch.backends.cudnn.allow_tf32 = on


def synchronize(device):
    if device == GPU:
        torch.cuda.synchronize()


def measure(call, device):
    """The row's figures; on the CPU the call is made, and nothing is measured."""

    def wall():
        begin = time.perf_counter()
        call()
        synchronize(device)
        return 1000 * (time.perf_counter() - begin)

    def events():
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        call()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end)

    def median(sample, seconds):
        times, spent, begin = [], 0, time.perf_counter()
        while spent < seconds or len(times) < LEAST_CALLS and spent < LONGEST * seconds:
            times.append(sample())
            spent = time.perf_counter() - begin
        return statistics.median(times)

    synchronize(device)
    first = wall()
    if device != GPU:
        return {}
    median(wall, 0.1)  # warm: TorchScript compiles in the first calls, CUDA graphs are recorded in them
    return {"first_ms": first, "latency_ms": median(wall, LATENCY_SECONDS), "device_ms": median(events, DEVICE_SECONDS)}


class Model:
    """A network on the device and its archive, shared by the cases of all batches."""

    def __init__(self, name, folder, device, small):
        self.name, self.device, self.small = name, device, small
        self.path = pathlib.Path(folder) / f"{name}.pt"
        module = networks.make(name, small)
        networks.archive(name, module, self.path, small)
        self.module, self.variants = module.to(device), {}

    def inputs(self, batch):
        return networks.inputs(self.name, batch, self.small)

    def variant(self, name):
        if name not in self.variants:
            if name == "eager":
                self.variants[name] = self.module
            elif name == "torchscript":
                self.variants[name] = torch.jit.load(str(self.path), map_location=self.device)
            else:
                self.variants[name] = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.load(str(self.path), map_location=self.device)))
        return self.variants[name]

    def on_device(self, inputs):
        return tuple(x.to(self.device) for x in inputs)

    def answers(self, inputs):
        """Eager PyTorch's answers with TF32 off and on, and the float64 one."""
        here, eager = self.on_device(inputs), []
        for tf32 in (False, True):
            set_tf32(tf32)
            eager.append(self.module(*here).cpu())
        exact = copy.deepcopy(self.module).double()(*(x.double() if x.is_floating_point() else x for x in here))
        return *eager, exact.cpu()


def pytorch_rows(results, case, model, inputs, budget):
    here = model.on_device(inputs)
    for variant in VARIANTS:
        for tf32 in (False, True):
            if budget.left() < 0:
                return results.late([case], f"{variant} with TF32 {'on' if tf32 else 'off'}, and what follows it,")
            try:
                set_tf32(tf32)
                call = model.variant(variant)
                figures = measure(lambda: call(*here), model.device)
                if tf32:  # not a first call
                    figures.pop("first_ms", None)
            except Exception as e:
                figures = {"error": short(e)}
            results.row(case, variant, tf32, **figures)


def ceilings(n=8192, size=2 << 30):
    """What the device can do at most, as PyTorch reaches it."""

    def seconds(call, calls):
        call()
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(calls):
            call()
        torch.cuda.synchronize()
        return (time.perf_counter() - begin) / calls

    a, b = torch.randn(n, n, device=GPU), torch.randn(n, n, device=GPU)
    found = {}
    source = torch.empty(size, dtype=torch.uint8, device=GPU)
    target = torch.empty_like(source)
    found["copy_gb_s"] = 2 * source.numel() / seconds(lambda: target.copy_(source), 20) / 1e9
    for name, tf32, dtype in (("fp32", False, torch.float32), ("tf32", True, torch.float32), ("bf16", False, torch.bfloat16)):
        set_tf32(tf32)
        x, y = a.to(dtype), b.to(dtype)
        found[f"{name}_tflops"] = 2 * n**3 / seconds(lambda: torch.matmul(x, y), 10) / 1e12
    return found


# ---- sconce


class CommandFailed(Exception):
    def __init__(self, code, text):
        super().__init__(short(text) or f"exit code {code}")
        self.code = code


def run_sconce(options, command, path, inputs, *more):
    args = [options.sconce, command, str(path), "--device", "cuda", *more]
    for x in inputs:
        args += ["--input", str(x)]
    limit = options.command_seconds
    try:
        done = subprocess.run(args, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        options.command_seconds = COMMAND_SECONDS / 3  # what hangs once will hang again
        raise CommandFailed(None, f"sconce {command} took longer than {limit:.0f} s") from None
    if done.returncode:
        raise CommandFailed(done.returncode, done.stderr)
    return done.stdout


def sconce_rows(results, options, case, model, files):
    for tf32 in (False, True):
        flags = ["--json", "--min-time", "0.05" if options.emulated else "0.4"] + (["--tf32"] if tf32 else [])
        try:
            try:
                said = json.loads(run_sconce(options, "bench", model.path, files, *flags, "--profile"))
            except CommandFailed as e:
                if e.code != 2:  # an unknown option is wrong usage
                    raise
                said = json.loads(run_sconce(options, "bench", model.path, files, *flags))
                results.skip(f"sconce's profile: {e}")
            figures = {"load_ms": said.get("load_ms"), "first_ms": said.get("first_ms"), "latency_ms": said.get("median_ms"), "device_ms": said.get("device_median_ms")}
            if said.get("profile"):
                results.data["profiles"][f"{case[0]}:{case[1]}" + (":tf32" if tf32 else "")] = said["profile"]
        except Exception as e:
            figures = {"error": short(e)}
        results.row(case, "sconce", tf32, **figures)


def difference(ours, theirs):
    if ours.shape != theirs.shape:
        return {"error": f"shape {list(ours.shape)}, expected {list(theirs.shape)}"}
    off, size = (ours.double() - theirs.double()).abs().max().item(), theirs.double().abs().max().item()
    if off != off:
        return {"error": "NaN"}
    return {"max_abs": off, "max_rel": off / size if size else off}


def output_rows(results, options, case, model, inputs, files, folder):
    """sconce's answer beside PyTorch's, and eager PyTorch's beside the float64 one, which says what to expect."""

    def add(answer, tf32, against, **figures):
        row = {"model": case[0], "batch": case[1], "answer": answer, "tf32": tf32, "against": against, "max_abs": None, "max_rel": None, "error": None, **figures}
        results.data["outputs"].append(row)
        say("TF32" if tf32 else "", *(f"{k} {v:.3g}" if isinstance(v, float) else v for k, v in figures.items()), case=case, what=f"{answer} against {against}")

    def ours(tf32):
        out = pathlib.Path(folder) / "answer.npy"
        run_sconce(options, "run", model.path, files, "--out", str(out), *(["--tf32"] if tf32 else []))
        return torch.from_numpy(numpy.load(out))

    try:
        eager, rounded, exact = model.answers(inputs)
        add("eager", False, "float64", **difference(eager, exact))
        answer = ours(False)
        add("sconce", False, "eager", **difference(answer, eager))
        add("sconce", False, "float64", **difference(answer, exact))
        if case[1] == 1:  # a larger batch does the same
            add("eager", True, "float64", **difference(rounded, exact))
            add("sconce", True, "float64", **difference(ours(True), exact))
    except Exception as e:
        add("sconce", False, "eager", error=short(e))
    results.write()


# ---- torch.compile


def worker(jobs, device, small, measured):
    """Compiles and measures each of `jobs`, (case, TF32) pairs, and prints one line of JSON for each."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what compilers print is no answer
    threading.Thread(target=lambda: (sys.stdin.read(), os.killpg(0, signal.SIGKILL)), daemon=True).start()  # the parent is gone
    made = {}
    for case, tf32 in jobs:
        name, batch = case
        try:
            if name not in made:
                made[name] = networks.make(name, small).to(device)
            here = tuple(x.to(device) for x in networks.inputs(name, batch, small))
            set_tf32(tf32)
            torch._dynamo.reset()
            call = torch.compile(made[name], mode="reduce-overhead", dynamic=False)
            if measured:
                figures = measure(lambda: call(*here), device)
            else:
                begin = time.perf_counter()
                call(*here)
                figures = {"first_ms": 1000 * (time.perf_counter() - begin)}
        except Exception as e:
            figures = {"error": short(e)}
        print(json.dumps(figures), file=answers, flush=True)


def stop(process):
    """Ends a process that leads a session, and the compilers that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def compiled_rows(results, cases, budget, flags):
    jobs = [(case, tf32) for tf32 in (False, True) for case in cases]
    while jobs and budget.left() > 0:
        lines, fresh = queue.Queue(), True
        with tempfile.TemporaryFile() as errors:
            child = subprocess.Popen([sys.executable, __file__, "--worker", json.dumps(jobs), *flags], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True)

            def read(source=child.stdout, lines=lines):
                for line in source:
                    lines.put(line)
                lines.put(None)

            threading.Thread(target=read, daemon=True).start()
            reason = None
            while jobs and reason is None:
                limit = COMPILE_SECONDS + (IMPORT_SECONDS if fresh else 0)
                try:
                    line = lines.get(timeout=max(0, min(limit, budget.left())))
                    if line:
                        results.row(*jobs[0][:1], "compiled", jobs[0][1], **json.loads(line))
                        jobs.pop(0)
                        fresh = False
                    else:
                        errors.seek(0)
                        reason = short(errors.read().decode(errors="replace")) or "the process ended"
                except queue.Empty:
                    reason = "out of time" if budget.left() <= 0 else f"took longer than {limit} s"
            stop(child)
        if jobs and budget.left() > 0:
            results.row(*jobs[0][:1], "compiled", jobs[0][1], error=reason)
            jobs.pop(0)
    for tf32 in (False, True):
        results.late([case for case, on in jobs if on == tf32], f"compiled, TF32 {'on' if tf32 else 'off'}")


# ---- the whole


def table(data):
    """At most two lines a case and a heading."""
    rows = data["rows"]

    def figure(x):
        return "-" if x is None else f"{x:.3f}" if x < 10 else f"{x:.1f}"

    lines = [f"{'ms':<14}{'TF32':>5} {'latency':>9}{'torch':>9} {'best':<12}{'ratio':>6} {'device':>9}{'torch':>9} {'best':<12}{'ratio':>6}"]
    for case in dict.fromkeys((r["model"], r["batch"]) for r in rows):
        for tf32 in (False, True):
            of = [r for r in rows if (r["model"], r["batch"], r["tf32"]) == (*case, tf32)]
            line = f"{case[0]}:{case[1]}".ljust(14) + f"{'on' if tf32 else 'off':>5}"
            for key in ("latency_ms", "device_ms"):
                ours = min((r[key] for r in of if r["variant"] == "sconce" and r[key]), default=None)
                theirs, best = min(((r[key], r["variant"]) for r in of if r["variant"] != "sconce" and r[key]), default=(None, "-"))
                line += f" {figure(ours):>9}{figure(theirs):>9} {best:<12}{figure(ours / theirs if ours and theirs else None):>6}"
            lines.append(line)
    worst = max((o["max_rel"] for o in data["outputs"] if o["answer"] == "sconce" and o["against"] == "eager" and o["max_rel"] is not None), default=None)
    wrong = [r for r in rows + data["outputs"] if r["error"]]
    lines.append(f"largest error against eager PyTorch: {'-' if worst is None else format(worst, '.2g')} of the largest magnitude; {len(wrong)} failed; {len(data['skipped'])} skipped")
    lines += [f"  {r['model']}:{r['batch']} {r.get('variant') or r.get('answer')}: {' '.join(r['error'].split())[:100]}" for r in wrong[:8]]
    return "\n".join(lines)


@contextlib.contextmanager
def quiet():
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        yield


def bench(options, results, cases, budget):
    device = "cpu" if options.emulated else GPU
    if options.emulated:
        results.skip("PyTorch's times, torch.compile and the device's ceilings: no GPU (emulated)")
    else:
        try:
            results.data["ceilings"] = ceilings()
        except Exception as e:
            results.skip(f"ceilings: {short(e)}")
        torch.cuda.empty_cache()
        results.write()
    models = {}
    with tempfile.TemporaryDirectory() as folder:
        for at, case in enumerate(cases):
            name, batch = case
            if budget.left() < 0:
                results.late(cases[at:], "everything")
                break
            try:
                if name not in models:
                    models[name] = Model(name, folder, device, options.emulated)
                model = models[name]
                inputs, files = model.inputs(batch), []
                for i, x in enumerate(inputs):
                    files.append(pathlib.Path(folder) / f"{name}-{batch}-{i}.pt")
                    torch.save(x, str(files[-1]))
            except Exception as e:
                results.skip(f"{name}:{batch}: {short(e)}")
                continue
            sconce_rows(results, options, case, model, files)
            output_rows(results, options, case, model, inputs, files, folder)
            if not options.ours:
                pytorch_rows(results, case, model, inputs, budget)
    models.clear()
    if not options.emulated and not options.ours:
        torch.cuda.empty_cache()
        compiled_rows(results, cases, budget, [])


def main():
    parser = argparse.ArgumentParser(description="times sconce beside PyTorch on a GPU")
    parser.add_argument("--sconce", help="the command")
    parser.add_argument("--out", help="JSON, rewritten as rows are measured")
    parser.add_argument("--seconds", type=float, default=180, help="nothing is begun after that")
    parser.add_argument("--only", nargs="+", metavar="NAME[:BATCH]")
    parser.add_argument("--ours", action="store_true", help="leave PyTorch's times out")
    parser.add_argument("--emulated", action="store_true")
    parser.add_argument("--warm", action="store_true", help="only fill the cache of torch.compile")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.command_seconds = COMMAND_SECONDS
    if options.worker:
        with quiet():
            return worker([(tuple(case), tf32) for case, tf32 in json.loads(options.worker)], "cpu" if options.emulated else GPU, options.emulated, not options.warm)
    if not options.warm and not (options.sconce and options.out):
        parser.error("--sconce and --out are needed")
    budget = Budget(options.seconds)
    gpu = not options.emulated and torch is not None and torch.cuda.is_available()
    results = Results(options.out, torch.cuda.get_device_name(0) if gpu else "emulated" if options.emulated else "none")
    cases = [c for c in CASES if not options.only or c[0] in options.only or f"{c[0]}:{c[1]}" in options.only]
    if torch is None:
        results.skip(f"everything: {missing}")
    elif not gpu and not options.emulated:
        results.skip("everything: PyTorch finds no CUDA device")
    elif options.warm:
        compiled_rows(results, cases, budget, ["--warm"] + (["--emulated"] if options.emulated else []))
    else:
        with quiet():
            bench(options, results, cases, budget)
    print(table(results.data))


if __name__ == "__main__":
    main()

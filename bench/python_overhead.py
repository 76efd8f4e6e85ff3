#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Python costs: the import, a call beside the library's own, and two threads. Needs the package and NumPy.
Times of both sides are of the same process and interleaved. usage: python_overhead.py FIXTURES [--rounds N]"""
import argparse
import pathlib
import statistics
import subprocess
import sys
import threading
import time


def import_ms():
    """Of the import alone, in a fresh process each; the best of ten."""
    code = "import time; t = time.perf_counter(); import sconce; print((time.perf_counter() - t) * 1e3)"
    return min(float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
               for _ in range(10))


def call_us(m, args, rounds, calls=500):
    """Medians of (a call by Python, a call by the library) over pairs of blocks."""
    python, library = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(calls):
            m(*args)
        python.append((time.perf_counter() - start) / calls * 1e6)
        library.append(m._time_calls("forward", *args, calls=calls, threads=1) / calls * 1e6)
    return statistics.median(python), statistics.median(library), min(python), min(library)


def python_threads(m, args, calls, n):
    def run():
        for _ in range(calls):
            m(*args)
    others = [threading.Thread(target=run) for _ in range(n - 1)]
    start = time.perf_counter()
    for t in others:
        t.start()
    run()
    for t in others:
        t.join()
    return time.perf_counter() - start


def speed_ups(m, args, rounds, calls):
    """What two threads do in the time of one thread's calls: (by Python, by the library), medians over the rounds."""
    python, library = [], []
    for _ in range(rounds):
        python.append(2 * python_threads(m, args, calls, 1) / python_threads(m, args, calls, 2))
        library.append(2 * m._time_calls("forward", *args, calls=calls, threads=1) /
                       m._time_calls("forward", *args, calls=calls, threads=2))
    return statistics.median(python), statistics.median(library)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fixtures", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=41)
    o = parser.parse_args()
    print(f"import {import_ms():.1f} ms")
    import sconce
    for name in ("mlp", "small_cnn", "narrow_resnet"):
        m = sconce.load(o.fixtures / f"{name}.pt")
        args = [t.numpy() for t in sconce.load_values(str(o.fixtures / f"{name}.io.pt"))["cases"][0]["inputs"]]
        m(*args)
        p, lib, best_p, best_lib = call_us(m, args, o.rounds, 500 if name == "mlp" else 50)
        print(f"{name}: {p:.2f} us a call by Python, {lib:.2f} by the library: {p - lib:.2f} more "
              f"(best blocks {best_p:.2f} and {best_lib:.2f})")
        calls = max(20, int(50e3 / lib))
        sp, sl = speed_ups(m, args, max(5, o.rounds // 2), calls)
        print(f"{name}: two threads {sp:.2f} times one by Python, {sl:.2f} by the library: {sp / sl:.2f}")


if __name__ == "__main__":
    main()

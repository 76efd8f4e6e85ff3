# SPDX-License-Identifier: Apache-2.0
"""Times of calls."""
import time


class Times(dict):
    """first_ms, median_ms, min_ms, p90_ms, runs."""

    def __repr__(self):
        return ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in self.items())


def bench(m, inputs=(), *, method="__call__", min_time=1.0, progress=False):
    """Calls a module's method with the inputs (a tuple of arguments, or a dict of them by name) for min_time seconds,
    at least ten times unless they are long, and tells the times of calls as `sconce bench` does."""
    call = m if method == "__call__" else m.method(method)
    if isinstance(inputs, dict):
        def once():
            call(**inputs)
    else:
        if not isinstance(inputs, (tuple, list)):
            inputs = (inputs,)

        def once():
            call(*inputs)
    clock = time.perf_counter

    def timed():
        start = clock()
        once()
        return (clock() - start) * 1e3

    from ._progress import bar
    first = timed()
    times = []
    begin = clock()
    with bar(progress, min_time, "bench", "s") as shown:
        told = 0.0
        while len(times) < 3 or clock() - begin < min_time * (10 if len(times) < 9 else 1):
            times.append(timed())
            if progress and clock() - begin - told > 0.1:
                shown.update(min(clock() - begin, min_time) - told)
                told = min(clock() - begin, min_time)
    times.sort()

    def quantile(q):
        return times[int(q * (len(times) - 1))]
    return Times(first_ms=first, median_ms=quantile(0.5), min_ms=times[0], p90_ms=quantile(0.9), runs=len(times))

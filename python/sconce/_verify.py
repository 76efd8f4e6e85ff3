# SPDX-License-Identifier: Apache-2.0
"""Replays recorded cases (NAME.pt with NAME.io.pt beside it) through Python: arrays of NumPy go in and come out.
Every archive runs in a process of its own, under limits of time and memory, so that a crash fails that archive alone."""
import json
import os
import pathlib
import pickle
import select
import signal
import sys
import time
import warnings

from . import Error, FormWarning, MissingOp, ScriptError, Tensor, _sconce, load, manual_seed
from ._compare import difference, read_cases
from ._progress import bar


class Report:
    """passed, failed, skipped: counts of cases. archives: {path: (passed, failed, skipped)}. failures: lines."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.archives, self.failures = {}, []

    def __bool__(self):
        return self.failed == 0 and self.passed > 0

    def __repr__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    def _add(self, path, result):
        passed, failed, skipped, lines = result
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        self.archives[str(path)] = passed, failed, skipped
        self.failures += [f"{path}: {line}" for line in lines]
        return [f"{path}: {line}" for line in lines]


class _Printed:
    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def take(self):
        text, self.text = self.text, ""
        return text


def _arrays(v):
    """What NumPy can hold as its arrays, the rest as it is."""
    if isinstance(v, Tensor):
        if not _sconce._is_whole_memory(v):  # a model may look at what lies around a view
            return v
        try:
            return v.numpy()
        except (TypeError, ValueError):  # a dtype, or more dimensions, than NumPy has
            return v
    if isinstance(v, dict):
        return {k: _arrays(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return type(v)(_arrays(x) for x in v)
    return v


def _grows(case):
    """Whether a tensor has more elements after the call: the memory of an array can't grow."""
    def sizes(v):
        if isinstance(v, Tensor):
            return [v.size]
        if isinstance(v, dict):
            v = v.values()
        return [n for x in v for n in sizes(x)] if not isinstance(v, (str, int, float, complex)) and v is not None else []
    if case.inputs_after is None:
        return False
    before, after = sizes(list(case.inputs)), sizes(list(case.inputs_after))
    return len(before) != len(after) or any(b < a for b, a in zip(before, after))


def _run_case(m, case, printed):
    printed.take()
    given = _sconce._deep_copy(case.inputs)
    if not _grows(case):
        given = [_arrays(v) for v in given]
    if case.seed is not None:
        manual_seed(case.seed)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", FormWarning)
            out = m(*given) if case.method == "__call__" else m.method(case.method)(*given)
    except MissingOp as e:
        # What sconce lacks is never an answer; what the archive's user has to register is unknown to PyTorch too.
        if case.raises and any(name in str(e) for name in m._unregistered_operators()):
            return None
        return str(e)
    except ScriptError as e:
        return str(e)
    except Exception as e:
        return None if case.raises else f"{type(e).__name__}: {e}"
    if case.raises:
        return "returned, expected " + case.raises
    text = printed.take()
    d = difference(out, case.output, case.tolerance)
    if not d and case.inputs_after is not None:
        other = {id(w.message.array): w.message.tensor for w in warned if isinstance(w.message, FormWarning)}
        d = difference(_as_left(given, other), list(case.inputs_after), case.tolerance, "inputs_after")
    if not d and case.stdout is not None and text != case.stdout:
        d = f"stdout: {text!r}, expected {case.stdout!r}"
    return d


def _as_left(v, other):
    """The arguments after the call; other: tensors in place of arrays, by id, that couldn't take the form they were given."""
    if id(v) in other:
        return other[id(v)]
    if isinstance(v, dict):
        return {k: _as_left(x, other) for k, x in v.items()}
    return type(v)(_as_left(x, other) for x in v) if isinstance(v, (list, tuple)) else v


def _must_raise(m):
    try:
        m.compile_all()
        for name in m.method_names():
            m.prepare(name)
        if "forward" in m.method_names():
            import numpy as np
            names = m.method("forward").argument_names
            if len(names) <= 1:
                m.method("forward")(*[np.ones((2, 2), np.float32)] * len(names))
    except Exception:
        return 1, 0, 0, []
    return 0, 1, 0, ["loads and runs, expected an error"]


def _check(archive, expectation, options):
    io = archive.with_suffix(".io.pt")
    cases = read_cases(io) if io.exists() else []
    printed = _Printed()
    try:
        m = load(str(archive), stdout=printed, returns="numpy", **options)
        if not cases:
            m.compile_all()
    except Exception as e:
        if expectation in ("must raise", "either"):
            return 1, 0, 0, []
        return 0, max(1, len(cases)), 0, [str(e)]
    if expectation == "must raise":
        return _must_raise(m)
    if not cases:
        missing = m.missing_operators()
        if not missing or expectation == "either":
            return 1, 0, 0, []
        return 0, 1, 0, [f"operator {next(iter(missing))} is missing"]
    passed = failed = skipped = 0
    lines = []
    for i, case in enumerate(cases):
        if case.skip:
            skipped += 1
            continue
        try:
            d = _run_case(m, case, printed)
        except Exception as e:
            d = f"{type(e).__name__}: {e}"
        if d is None:
            passed += 1
        else:
            failed += 1
            lines.append(f"{case.method} #{i}: " + " ".join(d.split())[:400])
    return passed, failed, skipped, lines


def _expectation(archive, known):
    folder = archive.parent
    if folder not in known:
        file = folder / "expected.json"
        known[folder] = json.loads(file.read_text()) if file.exists() else {}
    return known[folder].get(archive.stem) or known[folder].get(archive.name) or "replay"


def _jobs_of(paths):
    known, jobs, seen = {}, [], set()

    def add(path, named):
        expectation = _expectation(path, known)
        if expectation == "replay" and not path.with_suffix(".io.pt").exists() and not named:
            return
        key = os.path.abspath(path)
        if key not in seen:
            seen.add(key)
            jobs.append((path, expectation))
    for path in paths:
        path = pathlib.Path(path)
        if path.is_dir():
            for file in sorted(p for p in path.rglob("*") if p.suffix in (".pt", ".ptl", ".pt2")):
                if file.is_file() and not file.name.endswith(".io.pt"):
                    add(file, False)
        elif path.exists():
            if not path.name.endswith(".io.pt"):
                add(path, True)
        else:
            raise FileNotFoundError(str(path))
    return jobs


def _start(job, options, memory_mb):
    out, into = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(into)
        return pid, out
    try:
        import resource
        warnings.simplefilter("ignore")
        resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            result = _check(job[0], job[1], options)
        except BaseException as e:
            result = 0, 1, 0, [f"{type(e).__name__}: {e}"]
        with os.fdopen(into, "wb") as f:
            f.write(pickle.dumps(result))
    finally:
        os._exit(0)


class _Worker:
    def __init__(self, job, options, memory_mb):
        self.job, self.text, self.begin = job, b"", time.monotonic()
        self.pid, self.fd = _start(job, options, memory_mb)

    def end(self, late):
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        if late:
            return 0, self._count(), 0, ["takes too long"]
        try:
            return pickle.loads(self.text)
        except Exception:
            how = (signal.strsignal(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else
                   f"the process ended with code {os.WEXITSTATUS(status)}")
            return 0, self._count(), 0, [f"crashed: {how}"]

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)

    def _count(self):
        try:
            return max(1, len(read_cases(self.job[0].with_suffix(".io.pt"))))
        except Exception:
            return 1


def verify(*paths, jobs=1, progress=False, timeout=120, memory_mb=8192, **options):
    """Replays the recorded cases of archives, and of all archives in folders, and compares with PyTorch's answers.

    jobs: processes. progress: a bar on stderr (tqdm's, where it is installed), failures on stdout as they come.
    timeout, memory_mb: for one archive. options: as for load().
    """
    todo = _jobs_of(paths)[::-1]
    report, running = Report(), []
    import numpy  # noqa: F401  once, for all of the processes
    try:
        with bar(progress, len(todo), "verify", "archives") as shown:
            while todo or running:
                while todo and len(running) < jobs:
                    running.append(_Worker(todo.pop(), options, memory_mb))
                ready = select.select([w.fd for w in running], [], [], 0.2)[0]
                for w in list(running):
                    late = time.monotonic() - w.begin > timeout
                    if late:
                        os.kill(w.pid, signal.SIGKILL)
                    elif w.fd in ready:
                        chunk = os.read(w.fd, 1 << 16)
                        w.text += chunk
                        if chunk:
                            continue
                    else:
                        continue
                    running.remove(w)
                    lines = report._add(w.job[0], w.end(late))
                    if progress:
                        for line in lines:
                            shown.write(line)
                    shown.update()
    finally:
        for w in running:
            w.kill()
    return report

# SPDX-License-Identifier: Apache-2.0
"""Small and reproducible files for recorded cases: what torch.jit.save and torch.save write, deflated, with fixed dates.

An archive NAME.pt holds many methods, NAME.io.pt the cases that call them (the format is in README.md). Equal storages of
different cases are written once. Tensors of one case share memory only where they did in the call.
"""
import io
import os
import pathlib
import sys
import warnings
import zipfile

import torch

LARGEST = 1_000_000  # bytes of one file


def fix_hashes():
    """Begins the program again where the order of sets would differ from run to run."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, *sys.argv])


def begin(options):
    """What every generator does before it records: options.out is there, and nothing depends on chance."""
    fix_hashes()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)


def extent(t):
    """Elements between the first and the last that t reaches."""
    return 0 if t.numel() == 0 else 1 + sum((n - 1) * s for n, s in zip(t.size(), t.stride()))


def plain(t):
    return t.layout == torch.strided and not t.is_quantized


def compact(v, same_layout=True, known=None):
    """A copy of a value in which each tensor has a storage of just what it reaches; tensors that are the same stay the same."""
    known = {} if known is None else known
    if isinstance(v, torch.Tensor):
        if id(v) not in known:
            t = v.detach().resolve_conj().resolve_neg()
            if not plain(t):
                t = t.clone()
            elif same_layout:
                new = torch.empty_strided(t.size(), t.stride(), dtype=t.dtype)
                new.as_strided((extent(t),), (1,)).copy_(t.as_strided((extent(t),), (1,)))
                t = new
            else:
                t = t.clone(memory_format=torch.contiguous_format)
            known[id(v)] = (t, v)  # v stays alive, so that its id stays its own
        return known[id(v)][0]
    if isinstance(v, tuple):
        return tuple(compact(x, same_layout, known) for x in v)
    if isinstance(v, list):
        return [compact(x, same_layout, known) for x in v]
    if isinstance(v, dict):
        return {k: compact(x, same_layout, known) for k, x in v.items()}
    return v


def tensors_of(v):
    if isinstance(v, torch.Tensor):
        yield v
    elif isinstance(v, (list, tuple)):
        for x in v:
            yield from tensors_of(x)
    elif isinstance(v, dict):
        for x in v.values():
            yield from tensors_of(x)


def size_of(v):
    return sum(t.numel() * t.element_size() for t in tensors_of(v))


class Shared:
    """Storages of a file of cases. Inputs of different cases use one where their bytes are the same; those of one case share
    memory only where they did in the call. What is only compared with lies in one storage a dtype."""

    def __init__(self):
        self.storages, self.known, self.flat, self.length = {}, {}, {}, {}

    def cases(self, cases):
        for case in cases:
            for t in tensors_of([case.get("output"), case.get("inputs_after")]):
                self.place(t)
        self.flat = {dtype: torch.cat(parts) for dtype, parts in self.flat.items()}
        return [self.case(case) for case in cases]

    def place(self, t):
        """Where the tensor lies in its dtype's storage."""
        key = (t.dtype, bytes(bits(t).tolist()))
        if key not in self.known:
            self.known[key] = self.length.get(t.dtype, 0)
            self.length[t.dtype] = self.known[key] + t.numel()
            self.flat.setdefault(t.dtype, []).append(t.reshape(-1))
        return self.known[key]

    def compared(self, t):
        strides = torch.empty(t.size(), device="meta").stride()
        return self.flat[t.dtype].as_strided(t.size(), strides, self.place(t))

    def case(self, case):
        used = set()
        given = (lambda t: self.tensor(t, used))
        return {key: each(value, given if key == "inputs" else self.compared) for key, value in case.items()}

    def tensor(self, t, used):
        storage = t.untyped_storage()
        key = (t.dtype, bytes(storage.tolist()))
        first = self.storages.setdefault(key, storage)
        if key in used or first is storage:
            used.add(key)
            return t
        used.add(key)
        return torch.empty(0, dtype=t.dtype).set_(first, t.storage_offset(), t.size(), t.stride())


def each(v, change):
    """The value with its tensors changed."""
    if isinstance(v, torch.Tensor):
        return change(v)
    if isinstance(v, (list, tuple)):
        return type(v)(each(x, change) for x in v)
    if isinstance(v, dict):
        return {k: each(x, change) for k, x in v.items()}
    return v


# What a reader needs neither for the answers nor for the layout.
LEFT_OUT = (".data/serialization_id", ".format_version", ".storage_alignment")


def packed(data):
    """The zip archive `data`, deflated, with fixed dates and without what only helps in tracing errors."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            name = entry.filename.split("/", 1)[1]
            if name in LEFT_OUT or name.endswith(".debug_pkl"):
                continue
            record = old.read(entry)
            info = zipfile.ZipInfo("a/" + name, (1980, 1, 1, 0, 0, 0))
            small = len(zipfile.zlib.compress(record, 9)) < len(record)
            info.compress_type = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
            new.writestr(info, record, compresslevel=9)
    return out.getvalue()


def write(path, data):
    if len(data) >= LARGEST:
        raise RuntimeError(f"{path}: {len(data)} bytes are too many")
    path.write_bytes(data)


def save_archive(module, path):
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    write(pathlib.Path(path), packed(buffer.getvalue()))


def save_cases(cases, path):
    shared = Shared()
    buffer = io.BytesIO()
    torch.save({"format": 1, "torch": torch.__version__.split("+")[0], "cases": shared.cases(cases)}, buffer)
    write(pathlib.Path(path), packed(buffer.getvalue()))


TOLERANCE = {torch.float64: (1e-9, 1e-11), torch.float32: (2e-4, 1e-5), torch.float16: (4e-3, 4e-3),
             torch.bfloat16: (2e-2, 2e-2), torch.complex64: (2e-4, 2e-5), torch.complex128: (1e-9, 1e-11)}


def tolerance(*values):
    """The widest tolerance of the dtypes among the values, for numbers float64's."""
    return max((TOLERANCE[t.dtype] for v in values for t in tensors_of(v) if t.dtype in TOLERANCE), default=TOLERANCE[torch.float64])


def equal(a, b):
    """Whether two values are the same, NaN being itself."""
    if isinstance(a, torch.Tensor):
        return (isinstance(b, torch.Tensor) and a.dtype == b.dtype and a.shape == b.shape and
                torch.equal(bits(a), bits(b)))
    if isinstance(a, (list, tuple)):
        return isinstance(b, (list, tuple)) and len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    return a == b or (a != a and b != b)


def bits(t):
    t = t.to_dense() if t.layout != torch.strided else t.int_repr() if t.is_quantized else t
    return t.clone(memory_format=torch.contiguous_format).reshape(-1).view(torch.uint8)


class NotSteady(Exception):
    """Two calls with the same arguments and the same seed answered differently."""


def record(call, inputs, method, copy, check="close", compare=True):
    """The case of one call: PyTorch's answer, whether it raises, and what it did to its inputs."""
    answers = []
    for _ in range(2 if compare else 1):
        given = copy(inputs)
        torch.manual_seed(0)
        before = torch.random.get_rng_state()
        try:
            with torch.no_grad():
                output = call(*given)
        except Exception as e:  # noqa: BLE001: a refusal is an answer
            text = str(e).strip().split("\n")[-1][:80]
            return {"method": method, "inputs": copy(inputs), "raises": f"{type(e).__name__}: {text}"}
        drawn = not torch.equal(before, torch.random.get_rng_state())
        answers.append((compact(output, False), given))
    output, given = answers[0]
    case = {"method": method, "inputs": copy(inputs), "output": output}
    if check != "meta" and not all(equal(output, o) and equal(given, g) for o, g in answers[1:]):
        raise NotSteady
    rtol, atol = tolerance(output, inputs)
    if check != "close":
        case["check"] = check
    else:
        case.update(rtol=rtol, atol=atol)
    if not equal(given, tuple(inputs)):
        case["inputs_after"] = compact(given, False)
    if drawn:
        case["same_seed"] = 0
    return case

# SPDX-License-Identifier: Apache-2.0
"""Recorded cases: how an answer is compared with PyTorch's, as `sconce verify` compares it."""
import math

from . import Enum, Error, Module, Object, Tensor, load_values


class Tolerance:
    def __init__(self, check="close", rtol=1e-5, atol=1e-6):
        self.check, self.rtol, self.atol = check, rtol, atol


def _close(a, b, tol):
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    if math.isinf(a) or math.isinf(b) or tol.check == "exact":
        return a == b
    return abs(a - b) <= tol.atol + tol.rtol * abs(b)


def _elements(a, e, tol, where):
    import numpy as np
    if a.dtype.kind == "c":
        return (_elements(a.real, e.real, tol, where + ".real") or _elements(a.imag, e.imag, tol, where + ".imag"))
    same = a == e
    if a.dtype.kind == "f":
        same |= np.isnan(a) & np.isnan(e)
        if tol.check != "exact":
            with np.errstate(invalid="ignore", over="ignore"):
                same |= np.isfinite(a) & np.isfinite(e) & (np.abs(a - e) <= tol.atol + tol.rtol * np.abs(e))
    if same.all():
        return None
    at = tuple(int(i) for i in np.argwhere(~same)[0])
    return f"{where}{''.join(f'[{i}]' for i in at)}: {a[at]}, expected {e[at]}"


def _tensors(a, e, tol, where):
    if a.dtype != e.dtype:
        return f"{where}: dtype {a.dtype}, expected {e.dtype}"
    if a.shape != e.shape:
        return f"{where}: shape {a.shape}, expected {e.shape}"
    if tol.check == "meta":
        return None
    q, r = a.quantization, e.quantization
    if (q is None) != (r is None):
        return f"{where}: another kind of quantization"
    if q is not None and "scale" in q:
        if "scale" not in r or not _close(q["scale"], r["scale"], tol) or q["zero_point"] != r["zero_point"]:
            return f"{where}: quantized by {q}, expected {r}"
    kind = ("complex128" if a.dtype.startswith("complex") else
            "float64" if q is not None or "float" in a.dtype else "int64")
    return _elements(a.to("cpu").to(kind).numpy(), e.to(kind).numpy(), tol, where)


def _sequences(a, e, tol, where):
    if len(a) != len(e):
        return f"{where}: length {len(a)}, expected {len(e)}"
    for i, (x, y) in enumerate(zip(a, e)):
        d = difference(x, y, tol, f"{where}[{i}]")
        if d:
            return d
    return None


def _dicts(a, e, tol, where):
    if len(a) != len(e):
        return f"{where}: {len(a)} entries, expected {len(e)}"
    for (ka, va), (ke, ve) in zip(a.items(), e.items()):
        if isinstance(ke, Tensor):  # a key by identity: only the order tells
            d = difference(ka, ke, tol, where + ".keys()") or difference(va, ve, tol, f"{where}[{ke}]")
        elif ke not in a:
            return f"{where}[{ke!r}]: missing"
        else:
            d = difference(a[ke], ve, tol, f"{where}[{ke!r}]")
        if d:
            return d
    return None


def _object(a, e, tol, where):
    for key, value in e.items():
        if key == "__class__":
            if a.class_name != value:
                return f"{where}: class {a.class_name}, expected {value}"
            continue
        attributes = a.attributes()
        if key not in attributes:
            return f"{where}: no attribute {key}"
        d = difference(attributes[key], value, tol, f"{where}.{key}")
        if d:
            return d
    return None


def difference(a, e, tol, where="output"):
    """The first difference between an answer and what is expected; None when they agree."""
    if isinstance(a, Enum):
        return difference(a.value, e.value if isinstance(e, Enum) else e, tol, where)
    if isinstance(a, (Object, Module)):
        return _object(a, e if isinstance(e, dict) else e.attributes(), tol, where)
    if isinstance(e, Tensor):
        if isinstance(a, Tensor) or hasattr(a, "__dlpack__"):
            return _tensors(a if isinstance(a, Tensor) else Tensor(a), e, tol, where)
        return f"{where}: {type(a).__name__}, expected a tensor"
    kind = next((k for k in (bool, int, float, complex, str, list, tuple, dict) if isinstance(e, k)), type(e))
    # A bool is an int of Python's, a named tuple a tuple, a Device a text.
    if not isinstance(a, kind) or isinstance(a, bool) != isinstance(e, bool):
        return f"{where}: {type(a).__name__}, expected {type(e).__name__}"
    if e is None:
        return None
    if kind in (list, tuple):
        return _sequences(a, e, tol, where)
    if kind is dict:
        return _dicts(a, e, tol, where)
    if kind is str or tol.check != "meta":
        same = (_close(a, e, tol) if kind is float else
                _close(a.real, e.real, tol) and _close(a.imag, e.imag, tol) if kind is complex else a == e)
        if not same:
            return f"{where}: {a!r}, expected {e!r}"
    return None


class Case:
    """One recorded call."""

    def __init__(self, d):
        self.method = d.get("method", "forward")
        self.inputs = list(d.get("inputs", ()))
        self.has_output, self.output = "output" in d, d.get("output")
        self.inputs_after = d.get("inputs_after")
        self.raises = d.get("raises")
        self.stdout = d.get("stdout")
        self.seed = d.get("same_seed")
        self.skip = bool(d.get("skip"))
        self.tolerance = Tolerance(d.get("check", "close"), d.get("rtol", 1e-5), d.get("atol", 1e-6))


def read_cases(path):
    root = load_values(str(path))
    if not isinstance(root, dict) or not isinstance(root.get("cases"), (list, tuple)):
        raise Error(f"{path}: no list of cases")
    return [Case(d) for d in root["cases"]]

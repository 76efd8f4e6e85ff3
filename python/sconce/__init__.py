# SPDX-License-Identifier: Apache-2.0
"""sconce runs TorchScript archives (what torch.jit.save wrote) with PyTorch's answers and without PyTorch.

    import sconce
    m = sconce.load("model.pt")
    y = m(x)                    # NumPy arrays, or anything with DLPack, in and out without copies
    z = m.other_method(x, flag=True)

The page docs/python.md of the project tells the rest.
"""
from __future__ import annotations

import os as _os

from . import _sconce
from ._errors import (ArgumentError, Error, FormatError, LimitError, MissingOp, OpError, OutOfMemory, PolicyError,
                      RaisedError, ScriptError)
from ._sconce import (Cancel, Enum, Future, Limits, Method, Module, Object, Opaque, Tensor, load_values, manual_seed)
from ._values import Device, FormWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from . import passes
    from ._bench import bench
    from ._verify import verify
    from .passes import Graph

__version__ = _sconce.__version__
__all__ = [
    "ArgumentError", "Cancel", "Device", "Enum", "Error", "FormWarning", "FormatError", "Future", "Graph", "LimitError", "Limits",
    "Method", "MissingOp", "Module", "Object", "Opaque", "OpError", "OutOfMemory", "PolicyError", "RaisedError",
    "ScriptError", "Tensor", "bench", "compile", "load", "load_values", "manual_seed", "passes", "verify",
]

_SYS_STDOUT = object()


def load(source: str | _os.PathLike | bytes | typing.BinaryIO, *, device: str | None = None, mode: str = "optimized",
         numerics: str = "fast", num_threads: int = 1, limits: Limits | dict | str | None = None,
         allowed_ops: typing.Sequence[str] = (), denied_ops: typing.Sequence[str] = (), allow_setstate: bool = True,
         map_file: bool = False, read_all: bool = False, strict_device: bool = False, returns: str = "auto",
         stdout: typing.Any = _SYS_STDOUT, extra_files: dict[str, bytes] | None = None) -> Module:
    """Loads an archive: a path, its bytes, or an open binary file.

    device: where the module goes ("cuda:0"); None: where the archive's tensors were, if that device is there.
    mode: "optimized", or "interpret" for PyTorch's graph with nothing else.
    numerics: "fast", or "strict" for the bits of mode "interpret": nothing is folded or fused that changes one.
    num_threads: threads that share the work of one operator; answers don't depend on it.
    limits: a Limits, or "untrusted", for loading and for each call.
    allowed_ops, denied_ops: operators that the file's code may use, and may not ("aten::add", "quantized::*").
    allow_setstate: False: loading runs nothing of the file.
    map_file: the file is mapped, not read; whoever writes into it meanwhile changes the weights.
    read_all: False: of a file of 32 MB or more, weights are read when they are first needed; True: all is read now.
    returns: what tensors of answers are: "auto" (torch's where an argument was torch's, else NumPy's), "numpy",
    "torch" or "tensor" (sconce.Tensor).
    stdout: the file that the model prints to; None: what it prints is dropped; by default sys.stdout.
    extra_files: a dict; the values of its keys become the contents (bytes) of those records that exist.
    """
    options = dict(device=None if device is None else str(device), mode=mode, numerics=numerics,
                   num_threads=num_threads, limits=_limits(limits), allowed_ops=_names(allowed_ops),
                   denied_ops=_names(denied_ops), allow_setstate=allow_setstate, map_file=map_file,
                   read_all=read_all, strict_device=strict_device, returns=returns)
    if isinstance(source, (bytes, bytearray, memoryview)):
        source = bytes(source)
    elif hasattr(source, "read"):
        source = source.read()
        if not isinstance(source, bytes):
            raise TypeError("load(): the file must be open for bytes (mode 'rb')")
    else:
        source = _os.fspath(source)
        if isinstance(source, bytes):
            source = _os.fsdecode(source)
        if not _os.path.exists(source):
            open(source, "rb").close()  # the error that Python has for it
    if extra_files is not None and not (isinstance(extra_files, dict) and all(isinstance(k, str) for k in extra_files)):
        raise TypeError("load(): extra_files must be a dict whose keys are names")
    return _load(source, options, stdout, extra_files, False)


def compile(source: str, *, mode: str = "optimized", numerics: str = "fast", num_threads: int = 1,
            limits: Limits | dict | str | None = None, returns: str = "auto", stdout: typing.Any = _SYS_STDOUT) -> Module:
    """Functions from TorchScript source text: methods of the module by their names.

    >>> m = sconce.compile('''
    ... def double(x: Tensor) -> Tensor:
    ...     return x + x
    ... ''')
    >>> m.double(np.array([1., 2.]))
    array([2., 4.])
    """
    if not isinstance(source, str):
        raise TypeError(f"compile(): source must be str, not {type(source).__name__}")
    options = dict(device=None, mode=mode, numerics=numerics, num_threads=num_threads, limits=_limits(limits),
                   allowed_ops=[], denied_ops=[], allow_setstate=True, map_file=False, read_all=False,
                   strict_device=False, returns=returns)
    return _load(source, options, stdout, None, True)


def _limits(limits):
    if limits == "untrusted":
        return Limits.untrusted()
    if isinstance(limits, dict):
        return Limits(**limits)
    if limits is not None and not isinstance(limits, Limits):
        raise TypeError(f"limits must be a Limits, a dict of what Limits takes, 'untrusted' or None, not {limits!r}")
    return limits


def _names(names):
    return [names] if isinstance(names, str) else list(names)


def _load(source, options, stdout, extra, is_text):
    out = _SysStdout if stdout is _SYS_STDOUT else stdout
    recipe = source if isinstance(source, str) else None, options, is_text
    return _sconce._load(source=source, recipe=recipe, out=out, extra=extra, is_text=is_text, **options)


class _SysStdout:
    """sys.stdout of the moment in which something is written."""

    @staticmethod
    def write(text):
        import sys
        if sys.stdout is not None:
            sys.stdout.write(text)


def _reload(source, options, is_text):
    return _load(source, options, _SYS_STDOUT, None, is_text)


def __getattr__(name):
    # What few programs need is imported when it is first asked for.
    import importlib
    if name == "passes":
        return importlib.import_module(".passes", __name__)
    if name == "Graph":
        from .passes import Graph as value
    elif name == "bench":
        from ._bench import bench as value
    elif name == "verify":
        from ._verify import verify as value
    else:
        raise AttributeError(f"module 'sconce' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))

# SPDX-License-Identifier: Apache-2.0
"""sconce runs TorchScript archives (what torch.jit.save wrote) with PyTorch's answers and without PyTorch.

    import sconce
    m = sconce.load("model.pt")
    y = m(x)                    # NumPy arrays, or anything with DLPack, in and out without copies
    z = m.other_method(x, flag=True)

The page docs/python.md of the project tells the rest.
"""
import os as _os

from . import _sconce
from ._errors import (ArgumentError, Error, FormatError, LimitError, MissingOp, OpError, OutOfMemory, PolicyError,
                      RaisedError, ScriptError)
from ._sconce import (Cancel, Enum, Future, Limits, Method, Module, Object, Opaque, Tensor, load_values, manual_seed)
from ._values import Device

__version__ = _sconce.__version__
__all__ = [
    "ArgumentError", "Cancel", "Device", "Enum", "Error", "FormatError", "Future", "Graph", "LimitError", "Limits",
    "Method", "MissingOp", "Module", "Object", "Opaque", "OpError", "OutOfMemory", "PolicyError", "RaisedError",
    "ScriptError", "Tensor", "bench", "compile", "load", "load_values", "manual_seed", "passes", "verify",
]

# What the extension defines is the package's.
for _name in ("Cancel", "Enum", "Future", "Limits", "Method", "Module", "Object", "Opaque", "Tensor"):
    globals()[_name].__module__ = "sconce"
del _name

_SYS_STDOUT = object()


def load(source, *, device=None, mode="optimized", num_threads=1, limits=None, allowed_ops=(), denied_ops=(),
         allow_setstate=True, map_file=False, strict_device=False, returns="auto", stdout=_SYS_STDOUT,
         extra_files=None):
    """Loads an archive: a path, its bytes, or an open binary file.

    device: where the module goes ("cuda:0"); None: where the archive's tensors were, if that device is there.
    mode: "optimized", or "interpret" for PyTorch's graph with nothing else.
    num_threads: threads that share the work of one operator; answers don't depend on it.
    limits: a Limits, or "untrusted", for loading and for each call.
    allowed_ops, denied_ops: operators that the file's code may use, and may not ("aten::add", "quantized::*").
    allow_setstate: False: loading runs nothing of the file.
    map_file: the file is mapped, not read; whoever writes into it meanwhile changes the weights.
    returns: what tensors of answers are: "auto" (torch's where an argument was torch's, else NumPy's), "numpy",
    "torch" or "tensor" (sconce.Tensor).
    stdout: the file that the model prints to; None: what it prints is dropped; by default sys.stdout.
    extra_files: a dict; the values of its keys become the contents (bytes) of those records that exist.
    """
    options = dict(device=None if device is None else str(device), mode=mode, num_threads=num_threads,
                   limits=_limits(limits), allowed_ops=list(allowed_ops), denied_ops=list(denied_ops),
                   allow_setstate=allow_setstate, map_file=map_file, strict_device=strict_device, returns=returns)
    if isinstance(source, (bytes, bytearray, memoryview)):
        source = bytes(source)
    elif hasattr(source, "read"):
        source = source.read()
    else:
        source = _os.fspath(source)
        if isinstance(source, bytes):
            source = _os.fsdecode(source)
        if not _os.path.exists(source):
            open(source, "rb").close()  # the error that Python has for it
    return _load(source, options, stdout, extra_files, False)


def compile(source, *, mode="optimized", num_threads=1, limits=None, returns="auto", stdout=_SYS_STDOUT):
    """Functions from TorchScript source text: methods of the module by their names.

    >>> m = sconce.compile('''
    ... def double(x: Tensor) -> Tensor:
    ...     return x + x
    ... ''')
    >>> m.double(np.array([1., 2.]))
    array([2., 4.])
    """
    options = dict(device=None, mode=mode, num_threads=num_threads, limits=_limits(limits), allowed_ops=[],
                   denied_ops=[], allow_setstate=True, map_file=False, strict_device=False, returns=returns)
    return _load(source, options, stdout, None, True)


def _limits(limits):
    if limits == "untrusted":
        return Limits.untrusted()
    return Limits(**limits) if isinstance(limits, dict) else limits


def _load(source, options, stdout, extra, is_text):
    if stdout is _SYS_STDOUT:
        return _sconce._load(source=source, recipe=(source, options, is_text), out=_SysStdout, extra=extra,
                             is_text=is_text, **options)
    return _sconce._load(source=source, recipe=(source, options, is_text), out=stdout, extra=extra, is_text=is_text,
                         **options)


class _SysStdout:
    """sys.stdout of the moment in which something is written."""

    @staticmethod
    def write(text):
        import sys
        if sys.stdout is not None:
            sys.stdout.write(text)


def _reload(source, options, is_text):
    return _load(source, options, _SYS_STDOUT, None, is_text)


def _reduce_module(m):
    recipe = m._recipe
    if recipe is None:
        # A module that was changed, or came of another, is its archive.
        options = dict(m._last_recipe[1], device=None, map_file=False)
        recipe = (m.save(), options, False)
    source, options, is_text = recipe
    if isinstance(source, str) and not is_text:
        source = _os.path.abspath(source)
    return _reload, (source, options, is_text)


def _save(self, path=None, *, extra_files=None, strip_debug=False, dedupe=False, device=None):
    """Writes an archive that PyTorch loads and runs; without a path returns its bytes. extra_files: a dict of bytes
    or texts for records under extra/."""
    if extra_files is not None:
        extra_files = {k: v.encode() if isinstance(v, str) else bytes(v) for k, v in extra_files.items()}
    return self._save(None if path is None else _os.fspath(path), extra_files, strip_debug, dedupe, device)


def _graph(self):
    """The graph of forward; str() of it is what PyTorch prints."""
    return self.graph_for()


def _inlined_graph(self):
    """The graph of forward with all calls inlined."""
    return self.graph_for(inlined=True)


def _graph_for(self, method="forward", *, inlined=False, passes=""):
    """The graph of a method; passes: a pipeline that is run on it first ("inline,dce")."""
    from .passes import Graph
    if inlined and passes:
        passes = "inline," + passes
        inlined = False
    return Graph(self._graph_text(method, inlined, passes))


Module.save = _save
Module.graph = property(_graph)
Module.inlined_graph = property(_inlined_graph)
Module.graph_for = _graph_for
Module.__reduce__ = _reduce_module


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

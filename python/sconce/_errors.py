# SPDX-License-Identifier: Apache-2.0
"""Exceptions. All derive from Error."""
import builtins


class Error(RuntimeError):
    """What sconce raises."""

    @property
    def trace(self):
        """The model's Python lines that led here, innermost last; empty where they aren't known."""
        text = str(self)
        at = text.find("Traceback of TorchScript")
        if at < 0:
            return ""
        lines = text[at:].split("\n")
        end = 1
        while end < len(lines) and lines[end].startswith(" "):
            end += 1
        return "\n".join(lines[:end]) + "\n"

    @property
    def python_line(self):
        """Where in the model's Python it happened, as "model.py:12"; empty where that isn't known."""
        import re
        places = re.findall(r'^  File "(.*)", line (\d+)', self.trace, re.M)
        if not places:
            return ""
        file, line = places[-1]
        while file.startswith("./"):
            file = file[2:]
        return f"{file}:{line}"


class FormatError(Error, ValueError):
    """The archive, or a pickle in it, is broken."""


class ScriptError(Error):
    """TorchScript source is refused; the text names the place and shows the line."""


class MissingOp(Error, NotImplementedError):
    """An operator that sconce doesn't have was reached."""


class OpError(Error):
    """An operator refuses its arguments."""


class ArgumentError(Error, TypeError):
    """An argument is not what the method's schema wants; the text ends with the schema."""


class RaisedError(Error):
    """What the model's own raise or assert threw. It is also of the builtin class that the model names, so that
    `except ValueError` sees a ValueError of the model."""
    message = ""
    class_name = ""


class LimitError(Error):
    """A limit that was given is exceeded, or the call was cancelled."""


class PolicyError(Error):
    """The file wants what the policy given to load() refuses."""


class OutOfMemory(Error, MemoryError):
    """There is no memory left."""


_raised = {}


def _raised_class(class_name):
    module, _, name = class_name.rpartition(".")
    base = getattr(builtins, name, None) if module in ("builtins", "") else None
    if not (isinstance(base, type) and issubclass(base, Exception)) or issubclass(RaisedError, base):
        return RaisedError
    if name not in _raised:
        try:
            _raised[name] = type(f"RaisedError[{name}]", (RaisedError, base), {"__module__": "sconce"})
        except TypeError:  # a layout of its own
            return RaisedError
    return _raised[name]


def make(kind, text, message, class_name):
    """The exception that the extension raises."""
    if kind != "RaisedError":
        return globals()[kind](text)
    error = _raised_class(class_name)(text)
    error.message = message
    error.class_name = class_name
    return error


for _c in (Error, FormatError, ScriptError, MissingOp, OpError, ArgumentError, RaisedError, LimitError, PolicyError,
           OutOfMemory):
    _c.__module__ = "sconce"
del _c

# SPDX-License-Identifier: Apache-2.0
"""Values that the extension makes through Python."""


class Device(str):
    """A device: the text that names it, "cpu" or "cuda:0"."""
    __slots__ = ()
    __module__ = "sconce"

    @property
    def type(self):
        return self.partition(":")[0]

    @property
    def index(self):
        number = self.partition(":")[2]
        return int(number) if number else None

    def __repr__(self):
        return f"Device({str.__repr__(self)})"


_named_tuples = {}


def named_tuple(qualified_name, fields):
    key = qualified_name, fields
    made = _named_tuples.get(key)
    if made is None:
        from collections import namedtuple
        made = namedtuple(qualified_name.rpartition(".")[2] or "NamedTuple", fields, rename=True)
        _named_tuples[key] = made
    return made


def extra_dtype(name):
    """A dtype that the package ml_dtypes gives to NumPy, or None."""
    try:
        import ml_dtypes
        import numpy
    except ImportError:
        return None
    kind = getattr(ml_dtypes, name, None)
    return None if kind is None else numpy.dtype(kind)


def warn(text):
    import warnings
    for line in text.splitlines():
        warnings.warn(line.removeprefix("warning: "), UserWarning, stacklevel=3)

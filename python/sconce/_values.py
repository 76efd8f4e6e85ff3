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


def tensor_of_bytes(dtype, shape, data):
    """Of a pickled sconce.Tensor."""
    from . import _sconce
    return _sconce._tensor_of_bytes(dtype, shape, data)


class FormWarning(UserWarning):
    """A model gave its argument other sizes, strides or memory in place, which an array can't take: the array is as it
    was. array: the argument; tensor: the argument as the model left it. A sconce.Tensor takes any form."""
    __module__ = "sconce"

    def __init__(self, array, tensor):
        super().__init__(f"the model gave an argument another form in place (shape {tensor.shape}, strides {tensor.strides}), "
                         f"which a {type(array).__name__} can't take: hand in a sconce.Tensor")
        self.array, self.tensor = array, tensor


def warn(text, level):
    """level: how many Python frames lie between here and the line that is to blame, that one included."""
    import warnings
    for line in text.splitlines():
        warnings.warn(line.removeprefix("warning: "), UserWarning, stacklevel=level)


def warn_of_form(array, tensor):
    import warnings
    warnings.warn(FormWarning(array, tensor), stacklevel=2)

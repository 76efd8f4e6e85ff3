# SPDX-License-Identifier: Apache-2.0
"""Values by their declared types, and back."""
import collections
import enum

import numpy as np
import pytest
import sconce


def test_numbers(f):
    assert f.numbers(1.5, 2, True, 1j, "hé") == (1.5, 2, True, 1j, "hé")
    out = f.numbers(1, True, 1, 2, "")
    assert out == (1.0, 1, True, 2 + 0j, "") and [type(v) for v in out] == [float, int, bool, complex, str]
    assert f.numbers(np.float32(2), np.int8(3), np.bool_(False), np.complex64(1j), "") == (2.0, 3, False, 1j, "")
    assert f.numbers(np.array(2.), np.array(3), np.array(True), 0, "") == (2.0, 3, True, 0j, "")
    for bad in ((1j, 1, True, 1, ""), (1., 2.5, True, 1, ""), (1., 1, "x", 1, ""), (1., 1, True, "x", ""),
                (1., 1, True, 1, b"x"), (None, 1, True, 1, ""), (np.ones(2), 1, True, 1, "")):
        with pytest.raises(TypeError, match=r"numbers\(\): argument '.' must be"):
            f.numbers(*bad)
    with pytest.raises(OverflowError):
        f.numbers(1., 1 << 70, True, 1, "")


def test_bytes_that_are_no_text_go_through(f):
    assert f.anything("a\udcff") == "a\udcff"


def test_devices_and_dtypes(f):
    d = f.device("cuda:1")
    assert d == "cuda:1" and (d.type, d.index) == ("cuda", 1) and repr(d) == "Device('cuda:1')"
    assert f.device(d) == d and isinstance(f.anything(d), sconce.Device)
    assert f.device("cpu").index is None
    assert f.cast(np.ones(1), np.dtype("int32")).dtype == np.int32
    assert f.cast(np.ones(1), 6).dtype == np.float32
    with pytest.raises(sconce.Error):
        f.device("no such device")


def test_containers(f):
    out = f.dicts({"a": [np.ones(2), np.ones(2)]})
    assert list(out) == ["a"] and out["a"].tolist() == [[2.5, 2.5], [2.5, 2.5]]
    assert f.dicts(collections.OrderedDict(b=(np.ones(1),)), 3)["y"].item() == 3
    assert f.dicts({}, z=1) == {} and f.dicts(x={}, y=None) == {}
    assert f.total([1, 2], (3, "x")) == 6 and f.total((1, np.int64(2)), [3, "x"]) == 6
    for bad, what in ((lambda: f.dicts({"a": [1]}), r"'x' \['a'\] element 0 must be Tensor, not int"),
                      (lambda: f.dicts({1: []}), r"\[1\] must be str, not int"),
                      (lambda: f.dicts([]), "must be Dict"), (lambda: f.total([1], (1,)), "not a tuple of 1"),
                      (lambda: f.total([1.5], (1, "")), "element 0 must be int, not float")):
        with pytest.raises(TypeError, match=what):
            bad()


@pytest.mark.parametrize("v", [1, 2.5, True, None, "s", 1j, [1, 2], [1, "a"], (1, "a"), {"a": 1}, [], {}, (), [[1], []],
                               {"a": [(1, 2.5)]}])
def test_values_of_no_declared_type(f, v):
    assert f.anything(v) == v and type(f.anything(v)) is type(v)


def test_unions(f):
    assert f.either(1) == 1 and f.either("x") == "x" and f.either([1, 2]) == [1, 2]
    with pytest.raises(TypeError, match="must be Union"):
        f.either(2.5)


def test_what_refers_to_itself_is_refused(f):
    a = []
    a.append(a)
    with pytest.raises(RecursionError):
        f.anything(a)


def test_arguments_by_name(f):
    for bad, what in ((lambda: f.dicts(), "'x' is missing"), (lambda: f.dicts({}, 1, 2., 3), "takes 3 arguments, not 4"),
                      (lambda: f.dicts({}, x={}), "'x' is given twice"), (lambda: f.dicts({}, w=1), "no argument 'w'")):
        with pytest.raises(sconce.ArgumentError, match=what) as e:
            bad()
        assert "dicts(x: Dict[str, List[Tensor]], y: Optional[int]" in str(e.value)
        assert isinstance(e.value, TypeError) and isinstance(e.value, sconce.Error)


def test_named_tuples_of_a_model():
    m = sconce.compile('''
class P(NamedTuple):
    a: int
    b: Tensor
def make(x: Tensor) -> P:
    return P(3, x)
def take(p: P) -> int:
    return p.a
''')
    p = m.make(np.ones(2))
    assert (type(p).__name__, p._fields, p.a) == ("P", ("a", "b"), 3) and p.b.tolist() == [1, 1]
    assert m.take(p) == 3 and m.take((4, np.ones(1))) == 4
    assert type(m.make(np.ones(1))) is type(p)


def test_enums_of_a_model():
    m = sconce.compile('''
class Color(Enum):
    RED = 1
    GREEN = 2
def same(c: Color) -> Color:
    return c
def green() -> Color:
    return Color.GREEN
''')
    g = m.green()
    assert (g.name, g.value, g.class_name) == ("GREEN", 2, "Color") and m.same(g) == g and hash(m.same(g)) == hash(g)
    Color, Other = enum.Enum("Color", ["RED", "GREEN"]), enum.Enum("Other", ["RED"])
    assert m.same(Color.RED).name == "RED" and m.same(Color.RED) != g
    for bad in (2, "RED", Other.RED):
        with pytest.raises(TypeError, match="must be Color"):
            m.same(bad)


def test_lists_of_numbers(f):
    for ints in (range(3), {1, 2}, np.arange(3), np.array([1, 2], np.int8), (1, 2), frozenset((3, 0))):
        assert f.total(ints, (0, "")) == sum(ints)
    assert f.floats(np.array([1.5, 2], np.float32)) == 3.5 and f.floats(range(3)) == 3
    for bad in ("12", b"12", {1: 2}, np.array(1), np.ones((2, 2), int), np.array([1.5]), 1, None, sconce.Tensor(np.arange(3))):
        with pytest.raises(TypeError, match=r"total\(\): argument 'x'"):
            f.total(bad, (0, ""))
    with pytest.raises(TypeError, match="'x' must be Dict"):
        f.dicts(range(3))


def test_numbers_as_pytorch_takes_them(f):
    assert f.numbers(0., 0, 0.5, np.array(2j), "")[2:4] == (True, 2j)
    assert f.numbers(0., 0, 0., np.float32(2), "")[2:4] == (False, 2 + 0j)
    assert f.numbers(0., 0, np.array(3), 0, "")[2] is True
    assert f.numbers(0., 0, 1 << 70, 0, "")[2] is True
    with pytest.raises(OverflowError, match=r"numbers\(\): argument 'i'"):
        f.numbers(1., 1 << 70, True, 1, "")
    with pytest.raises(TypeError, match="not numpy.datetime64"):
        f.anything(np.datetime64("2020"))
    assert f.anything(np.float16(4)) == 4.0


def test_none_is_no_tensor(f):
    for bad in (lambda: f.same(None), lambda: f.dicts({"a": [np.ones(1), None]})):
        with pytest.raises(sconce.ArgumentError, match="must be Tensor, not None"):
            bad()

# SPDX-License-Identifier: Apache-2.0
"""Memory that goes in and out: without copies where that can be, and never written where that must not be."""
import array
import copy
import gc
import pickle
import warnings
import weakref

import numpy as np
import pytest
import sconce

DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32",
          "float64", "complex64", "complex128"]


def address(a):
    return a.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_goes_through_without_a_copy(f, dtype):
    a = (np.arange(6) % 2).reshape(2, 3).astype(dtype)
    b = f.same(a)
    assert b.dtype == a.dtype and address(b) == address(a) and np.array_equal(a, b)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0), (1,), (1, 1, 1), (2, 3, 4, 5, 6, 7, 2)])
def test_shapes(f, shape):
    a = np.ones(shape, np.float32)
    assert f.same(a).shape == shape


def test_strides_are_kept(f):
    a = np.arange(24.).reshape(2, 3, 4)
    for view in (a.T, a[:, ::2], a[..., 1:3], np.lib.stride_tricks.as_strided(a, (2, 3), (96, 0)), np.asfortranarray(a)):
        b = f.same(view)
        assert np.array_equal(b, view) and b.strides == view.strides and address(b) == address(view)


def test_what_lies_as_no_tensor_can_is_copied(f):
    a = np.arange(24, dtype=np.float32).reshape(4, 6)
    odd = np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view(np.float32).reshape(4, 6)
    records = np.zeros(5, np.dtype([("a", "f4"), ("b", "i1")]))
    records["a"] = range(5)
    for view in (a[::-1], a[:, ::-2], a.astype(">f4"), odd, records["a"], a.astype(np.complex64).astype(">c8")):
        b = f.same(view)
        assert np.array_equal(b, view)
        assert b.flags.writeable and not np.shares_memory(b, view)


def test_a_model_writes_a_writable_array(f):
    a = np.zeros(3, np.float32)
    b = f.add_one(a)
    assert a.tolist() == [1, 1, 1] and address(a) == address(b)


def test_a_read_only_array_is_lent_and_never_written(f):
    a = np.zeros(3, np.float32)
    a.flags.writeable = False
    assert f.add_one(a).tolist() == [1, 1, 1]
    assert a.tolist() == [0, 0, 0]
    assert f.square(np.broadcast_to(np.float32(2), (2, 2))).tolist() == [[8, 8], [8, 8]]
    b = f.same(a)  # writable, so that it can't be the same memory
    b[0] = 5
    assert a.tolist() == [0, 0, 0]
    b = np.arange(6, dtype=np.float32)
    assert f.add_one(b[::-2]).tolist() == [6, 4, 2]
    assert b.tolist() == list(range(6))


def test_the_answer_keeps_the_argument_alive(f):
    a = np.arange(1000.)
    alive = weakref.ref(a)
    b = f.same(a)
    del a
    gc.collect()
    assert b[999] == 999 and alive() is not None
    del b
    gc.collect()
    f.same(np.zeros(1))
    assert alive() is None


def test_an_answer_outlives_its_module(mlp, x):
    y = mlp(x)
    before = y.copy()
    del mlp
    gc.collect()
    assert np.array_equal(y, before) and y.flags.writeable


def test_other_buffers(f):
    assert f.same(memoryview(array.array("f", [1, 2]))).tolist() == [1, 2]
    assert f.same(bytearray(b"ab")).tolist() == [97, 98]
    for bad in (b"ab", "ab", [1, 2], np.array(["a"]), np.array([None]), np.datetime64("2020-01-01"), np.longdouble(1)):
        with pytest.raises(TypeError, match="same"):
            f.same(bad)


def test_dlpack_there_and_back(f):
    a = np.arange(6, dtype=np.int32).reshape(2, 3)

    class Foreign:
        def __dlpack__(self, **kw):
            return a.__dlpack__()

        def __dlpack_device__(self):
            return a.__dlpack_device__()
    b = f.same(Foreign())
    assert np.array_equal(a, b) and address(a) == address(b)
    t = sconce.Tensor(a.T)
    assert t.shape == (3, 2) and t.strides == (1, 3) and t.__dlpack_device__() == (1, 0)
    c = np.from_dlpack(t)
    assert np.array_equal(c, a.T) and np.shares_memory(c, a)
    assert np.array_equal(f.same(t.__dlpack__()), a.T)
    used = t.__dlpack__(max_version=(1, 0))
    f.same(used)
    with pytest.raises(TypeError, match="used before"):
        f.same(used)
    assert not np.shares_memory(np.from_dlpack(t.copy()), a)


def test_capsules_that_nobody_takes_are_freed():
    a = np.zeros(4)
    alive = weakref.ref(a)
    t = sconce.Tensor(a)
    del a
    t.__dlpack__(), t.__dlpack__(max_version=(1, 0))
    del t
    gc.collect()
    assert alive() is None


def test_bfloat16_comes_as_a_tensor(f):
    t = f.cast(np.array([1.5, -2, np.nan]), 15)
    assert isinstance(t, sconce.Tensor) and t.dtype == "bfloat16"
    assert t.to("float32").tolist()[:2] == [1.5, -2]
    assert f.same(t).dtype == "bfloat16"
    ml_dtypes = pytest.importorskip("ml_dtypes")
    a = t.numpy()
    assert a.dtype == ml_dtypes.bfloat16 and a[0] == 1.5
    assert f.same(a).tolist()[:2] == [1.5, -2]


def test_more_dimensions_than_numpy_has(f):
    many = sconce.compile('''
def many(x: Tensor, n: int) -> Tensor:
    return x.reshape([1] * n + [3])
def few(x: Tensor) -> Tensor:
    return x.flatten()
''')
    most = 32 if np.__version__.startswith("1.") else 64
    x = np.arange(3.)
    a = many.many(x, most - 1)
    assert isinstance(a, np.ndarray) and a.shape == (1,) * (most - 1) + (3,) and np.shares_memory(a, x)
    t = many.many(x, most)
    assert isinstance(t, sconce.Tensor) and t.ndim == most + 1 and t.size == 3
    with pytest.raises(TypeError, match=f"at most {most} dimensions, the tensor has {most + 1}"):
        t.numpy()
    with pytest.raises(TypeError, match="at most"):
        np.asarray(t)
    with pytest.raises(TypeError, match="at most"):
        many.many(f.cast(x, 15), most).numpy()  # bfloat16
    # It goes in again, also by DLPack, and is what it was.
    assert many.few(t).tolist() == [0, 1, 2] and np.shares_memory(many.few(t), x)
    assert many.few(t.__dlpack__()).tolist() == [0, 1, 2]
    inner = t.tolist()
    for _ in range(most):
        (inner,) = inner
    assert inner == [0, 1, 2]


def test_tensor():
    t = sconce.Tensor(np.arange(6.).reshape(2, 3))
    assert (t.shape, t.ndim, t.size, len(t), t.dtype, t.device) == ((2, 3), 2, 6, 2, "float64", "cpu")
    assert t[1].tolist() == [3, 4, 5] and t[-1][0].item() == 3 and t.quantization is None
    assert [row.tolist() for row in t] == [[0, 1, 2], [3, 4, 5]]
    assert t.to(np.float32).dtype == "float32" and t.to("int64").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert np.asarray(t).shape == (2, 3) and np.asarray(t, dtype=np.int8).dtype == np.int8
    assert float(t[0][1]) == 1 and int(t[1][1]) == 4 and bool(t[0][1])
    assert t == t and t != t.copy() and hash(t) == hash(t)
    assert repr(t) == "sconce.Tensor(shape=[2, 3], dtype=float64, device=cpu)"
    with pytest.raises(TypeError, match="6 elements"):
        t.item()
    with pytest.raises(IndexError):
        t[2]
    with pytest.raises(TypeError):
        sconce.Tensor("x")


FORMS = '''
def stride(x: Tensor, d: int) -> int:
    return x.stride(d)
def swap(x: Tensor) -> Tensor:
    return x.transpose_(0, 1)
def other(x: Tensor, y: Tensor) -> None:
    x.set_(y)
def grow(x: Tensor) -> None:
    x.resize_([100])
def around(x: Tensor) -> Tensor:
    return x.as_strided([4], [1], 0)
'''


def test_short_dimensions_keep_their_strides():
    m = sconce.compile(FORMS)
    a = np.zeros((2, 3, 4))[:, :1, ::2]
    assert [m.stride(a, d) for d in range(3)] == [12, 4, 2]
    a = np.zeros((2, 4, 5), np.uint8)[:, 4:, :]
    assert a.shape == (2, 0, 5) and [m.stride(a, d) for d in range(3)] == [20, 5, 1]
    assert m.stride(np.zeros((1, 3), ">f4"), 0) == 3  # copied


def test_another_form_in_place_warns():
    m, a, b = sconce.compile(FORMS), np.arange(4.).reshape(2, 2), np.ones((2, 2))
    with pytest.warns(sconce.FormWarning, match=r"strides \(1, 2\)") as seen:
        r = m.swap(a)
    assert seen[0].filename == __file__ and seen[0].message.array is a and a.strides == (16, 8)
    assert r.tolist() == seen[0].message.tensor.tolist() == [[0, 2], [1, 3]]
    with pytest.warns(sconce.FormWarning) as seen:
        m.other(a, b)
    assert a[0, 1] == 1 and seen[0].message.tensor.tolist() == [[1, 1], [1, 1]]
    with pytest.raises(sconce.OpError, match="not resizable"):
        m.grow(a)
    # What takes any form is given it.
    t = sconce.Tensor(a)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m.swap(t)
        assert m.stride(a, 0) == 2
    assert t.strides == (1, 2)


def test_a_view_is_lent_alone_but_a_tensor_with_what_lies_around_it():
    m, a = sconce.compile(FORMS), np.arange(6.)
    assert m.around(a[2:]).tolist() == [2, 3, 4, 5]
    with pytest.raises(sconce.OpError):
        m.around(a[3:])
    row = sconce.Tensor(a.reshape(2, 3))[1]
    assert row.storage_offset == 3 and m.around(row).tolist() == [0, 1, 2, 3]


def test_a_tensor_lets_go_at_once():
    b = bytearray(8)
    t = sconce.Tensor(b)
    with pytest.raises(BufferError):
        b.extend(b"x")
    del t
    b.extend(b"x")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64", "bool", "uint64"])
def test_tensors_are_pickled_and_copied(dtype):
    t = sconce.Tensor(np.arange(6.).reshape(2, 3).T).to(dtype)
    for u in (pickle.loads(pickle.dumps(t)), copy.copy(t), copy.deepcopy(t)):
        assert u != t and (u.dtype, u.shape, u.tolist()) == (dtype, (3, 2), t.tolist())
    assert pickle.loads(pickle.dumps(sconce.Tensor(np.zeros((0, 2))))).shape == (0, 2)
    with pytest.raises(TypeError, match="bytes"):
        sconce._sconce._tensor_of_bytes("float32", [2], b"")


def test_what_a_tensor_refuses():
    t = sconce.Tensor(np.arange(3.))
    with pytest.raises(IndexError, match="hasn't that many"):
        t[3]
    with pytest.raises(BufferError, match="another device"):
        t.__dlpack__(dl_device=(2, 0))
    assert np.shares_memory(np.from_dlpack(t, device="cpu") if np.__version__ >= "2.1" else np.from_dlpack(t), t.numpy())
    assert np.shares_memory(np.asarray(t, dtype=np.float64), t.numpy())
    if np.__version__ >= "2":
        with pytest.raises(ValueError, match="takes a copy"):
            np.asarray(t, dtype=np.float32, copy=False)
        assert np.shares_memory(np.asarray(t, copy=False), t.numpy())
    with pytest.raises(TypeError, match="a dtype or a device is wanted, not int"):
        t.to(3)
    assert sconce.Tensor(np.array(2**64 - 1, np.uint64)).item() == 2**64 - 1
    assert sconce.Tensor(np.array([2**63], np.uint64)).tolist() == [2**63]

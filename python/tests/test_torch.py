# SPDX-License-Identifier: Apache-2.0
"""Together with PyTorch, where that is installed."""
import numpy as np
import pytest
import sconce

torch = pytest.importorskip("torch")

DTYPES = ["bfloat16", "float16", "float32", "float64", "bool", "int8", "uint8", "int16", "int32", "int64", "complex64",
          "complex128"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_share_their_memory(f, dtype):
    t = torch.arange(6).reshape(2, 3).to(getattr(torch, dtype)).t()
    r = f.same(t)
    assert r.dtype == t.dtype and r.data_ptr() == t.data_ptr() and r.stride() == t.stride()


def test_answers_are_those_of_pytorch(mlp, fixtures):
    x = torch.randn(4, 32)
    y = mlp(x)
    assert isinstance(y, torch.Tensor)
    torch.testing.assert_close(y, torch.jit.load(str(fixtures / "mlp.pt"))(x), rtol=1e-4, atol=1e-5)
    mlp.returns = "numpy"
    assert isinstance(mlp(x), np.ndarray)
    mlp.returns = "torch"
    assert isinstance(mlp(x.numpy()), torch.Tensor)


def test_forms_of_tensors(f):
    assert f.same(torch.tensor([1 + 2j]).conj()).tolist() == [1 - 2j]
    assert f.same(torch.tensor([1 + 2j]).conj().imag).tolist() == [-2]
    assert not f.same(torch.nn.Parameter(torch.ones(2))).requires_grad
    assert f.same(torch.tensor(3.)).shape == () and f.same(torch.ones(0, 3)).shape == (0, 3)
    z = torch.zeros(3)
    assert f.add_one(z).data_ptr() == z.data_ptr() and z.tolist() == [1, 1, 1]
    assert f.cast(z, torch.float64).dtype == torch.float64
    assert f.device(torch.device("cuda:1")) == "cuda:1"
    assert f.numbers(torch.tensor(1.5), torch.tensor(2), torch.tensor(True), 0, "")[:3] == (1.5, 2, True)
    for bad in (torch.ones(2).to_sparse(), torch.ones(2, device="meta"), torch.quantize_per_tensor(torch.ones(2), 1., 0, torch.qint8),
                torch._efficientzerotensor((2,))):
        with pytest.raises(TypeError, match=r"same\(\): argument 'x' can't be lent"):
            f.same(bad)


def test_an_answer_outlives_all(f):
    r = f.same(torch.arange(1000.))
    assert r[999] == 999
    r = torch.from_dlpack(sconce.Tensor(np.arange(1000.)))
    assert r[999] == 999
    assert sconce.Tensor(np.arange(3)).torch().tolist() == [0, 1, 2]


def test_what_sconce_saves_pytorch_runs(mlp, tmp_path, x):
    mlp.save(tmp_path / "m.pt")
    torch.testing.assert_close(torch.jit.load(str(tmp_path / "m.pt"))(torch.from_numpy(x)), torch.from_numpy(mlp(x)),
                               rtol=1e-4, atol=1e-5)


def test_views_keep_their_memory_and_strides():
    source = '''
def around(x: Tensor) -> Tensor:
    return x.as_strided([4], [1], 0)
def layout(x: Tensor) -> Tuple[int, List[int]]:
    return x.storage_offset(), [x.stride(d) for d in range(x.dim())]
def add_one(x: Tensor) -> Tensor:
    return x.add_(1)
'''
    m, p = sconce.compile(source), torch.jit.CompilationUnit(source)
    a = torch.arange(24.)
    for x in (a[5:], a[::2], a.view(4, 6)[2:3, 1:], a.view(4, 6)[:, 2:3].t(), a[3], a[:0], a.view(2, 3, 4)[:, 3:], a):
        assert m.layout(x) == p.layout(x)
        assert torch.equal(m.around(x), p.around(x)) and m.around(x).data_ptr() == a.data_ptr()
    m.add_one(a[5:7])
    assert a[4:8].tolist() == [4, 6, 7, 7]


def test_numbers_of_tensors(f):
    assert f.numbers(torch.tensor([2]), torch.tensor(2.5), torch.tensor(2), torch.tensor(1j), "")[:4] == (2.0, 2, True, 1j)
    with pytest.raises(TypeError):
        f.total(torch.arange(3), (0, ""))

# SPDX-License-Identifier: Apache-2.0
"""Tensors in the language: indexing, slices that are written to, views, attributes, creation, calls of torch."""
from typing import List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Indexing(nn.Module):
    @torch.jit.export
    def basic(self, x: Tensor) -> List[Tensor]:
        return [x[0], x[-1], x[1:], x[:, 1], x[..., 0], x[None, 0], x[::2, 1:]]

    @torch.jit.export
    def by_tensor(self, x: Tensor, i: Tensor) -> List[Tensor]:
        return [x[i], x[:, i], x[i, i], x[i[0]]]

    @torch.jit.export
    def by_mask(self, x: Tensor) -> List[Tensor]:
        return [x[x > 2], x[x.sum(1) > 8], x[(x > 1) & (x < 5)]]

    @torch.jit.export
    def by_list(self, x: Tensor) -> Tensor:
        return x[[0, 2]]

    @torch.jit.export
    def mixed(self, x: Tensor, i: int, t: Tensor) -> Tensor:
        return x[i, None, t]

    @torch.jit.export
    def write(self, x: Tensor) -> Tensor:
        x[0] = 5
        x[1, 1] = 9.5
        x[:, 0] += 1
        x[2] = x[1] * 2
        return x

    @torch.jit.export
    def write_mask(self, x: Tensor) -> Tensor:
        x[x > 3] = 0
        x[x == 0] -= 1
        return x

    @torch.jit.export
    def write_by_tensor(self, x: Tensor, i: Tensor, v: Tensor) -> Tensor:
        x[i] = v
        x[:, i] = x[:, i] * 2
        return x

    @torch.jit.export
    def write_in_loop(self, n: int) -> Tensor:
        out = torch.zeros(n, n)
        for i in range(n):
            for j in range(i):
                out[i, j] = i * 10 + j
        return out

    @torch.jit.export
    def dynamic(self, x: Tensor, a: int, b: Optional[int]) -> Tensor:
        return x[a:b]

    @torch.jit.export
    def out_of_range(self, x: Tensor, i: int) -> Tensor:
        return x[i]

    @torch.jit.export
    def too_many(self, x: Tensor) -> Tensor:
        return x[0, 0, 0]


class Views(nn.Module):
    @torch.jit.export
    def in_place_on_view(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        y = x.view(-1)
        y[0] = 100
        y.add_(1)
        return x, y

    @torch.jit.export
    def transposed(self, x: Tensor) -> Tensor:
        y = x.t()
        y[0].mul_(10)
        return x

    @torch.jit.export
    def chunk_write(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1)
        a.fill_(1)
        b.copy_(a * 2)
        return x

    @torch.jit.export
    def select_write(self, x: Tensor) -> Tensor:
        for i in range(x.size(0)):
            row = x.select(0, i)
            row.sub_(row.mean())
        return x

    @torch.jit.export
    def clone_first(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        y = x.clone()
        y.zero_()
        return x, y

    @torch.jit.export
    def expand_then_add(self, x: Tensor) -> Tensor:
        y = x.unsqueeze(0).expand(3, -1, -1)
        return y + torch.arange(3).view(3, 1, 1)

    @torch.jit.export
    def narrow(self, x: Tensor) -> Tensor:
        x.narrow(1, 0, 1).neg_()
        torch.relu_(x[0])
        return x

    @torch.jit.export
    def alias_through_list(self, x: Tensor) -> Tensor:
        views = [x[0], x[1]]
        for v in views:
            v += 1
        views[0] = views[1]
        views[0] *= 2
        return x

    @torch.jit.export
    def alias_through_tuple(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        pair = (x, x[0])
        pair[1].add_(7)
        return pair

    @torch.jit.export
    def permuted(self, x: Tensor) -> Tuple[Tensor, bool]:
        y = x.permute(1, 0)
        return y.reshape(-1), y.is_contiguous()


class Attributes(nn.Module):
    @torch.jit.export
    def sizes(self, x: Tensor) -> Tuple[List[int], int, int, int, int]:
        return x.shape, x.size(0), x.shape[-1], x.dim(), x.numel()

    @torch.jit.export
    def kinds(self, x: Tensor) -> Tuple[bool, bool, bool, bool]:
        return x.is_floating_point(), x.is_complex(), x.requires_grad, x.is_cuda

    @torch.jit.export
    def dtypes(self, x: Tensor) -> Tuple[int, bool, Tensor]:
        return x.dtype, x.dtype == torch.float32, torch.zeros(2, dtype=x.dtype)

    @torch.jit.export
    def devices(self, x: Tensor) -> Tuple[str, torch.device, bool]:
        return str(x.device), x.device, x.device == torch.device("cpu")

    @torch.jit.export
    def transposes(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        return x.T, x.mT

    @torch.jit.export
    def unpack_shape(self, x: Tensor) -> int:
        n, c = x.shape
        return n * 100 + c

    @torch.jit.export
    def strides(self, x: Tensor) -> Tuple[int, int, int]:
        y = x.t()
        return y.stride(0), y.stride(1), y.storage_offset()

    @torch.jit.export
    def length(self, x: Tensor) -> Tuple[int, float]:
        return len(x), x.sum().item() / len(x)

    @torch.jit.export
    def parts(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        return x.real, x.imag


class Creation(nn.Module):
    @torch.jit.export
    def literals(self, a: float, n: int) -> List[Tensor]:
        return [torch.tensor(a), torch.tensor([a, 2.0]), torch.tensor([[1, n], [3, 4]]), torch.tensor(n, dtype=torch.float64),
                torch.tensor([True, False]), torch.tensor([], dtype=torch.int64)]

    @torch.jit.export
    def factories(self, n: int) -> List[Tensor]:
        return [torch.zeros(n), torch.ones(n, 2), torch.full([n], 2.5), torch.eye(n), torch.arange(n), torch.arange(1, n, 2),
                torch.arange(0.0, 1.0, 0.25), torch.linspace(0, 1, n), torch.zeros([2, n], dtype=torch.int32)]

    @torch.jit.export
    def like(self, x: Tensor) -> List[Tensor]:
        return [torch.zeros_like(x), torch.ones_like(x, dtype=torch.int64), torch.full_like(x, 3.0), x.new_zeros(2), x.new_full([2], 1.5),
                x.new_ones([2, 1])]

    @torch.jit.export
    def random(self, n: int) -> List[Tensor]:
        return [torch.rand(n), torch.randn(n), torch.randint(0, 10, [n]), torch.randperm(n), torch.bernoulli(torch.full([n], 0.5))]

    @torch.jit.export
    def casts(self, x: Tensor) -> List[Tensor]:
        return [x.to(torch.int64), x.double(), x.half(), x.to(torch.bool), x.to(x.dtype), x.type_as(torch.ones(1, dtype=torch.int32)), x.int(), x.to("cpu")]

    @torch.jit.export
    def as_tensor(self, xs: List[float]) -> Tensor:
        return torch.as_tensor(xs)


class Operators(nn.Module):
    @torch.jit.export
    def arithmetic(self, x: Tensor, y: Tensor) -> List[Tensor]:
        return [x + y, x - y, x * y, x / y, x // y, x % y, x ** 2, 2 ** x, -x, x @ y.t(), 1 - x, 2 / x, abs(x)]

    @torch.jit.export
    def compare(self, x: Tensor, y: Tensor) -> List[Tensor]:
        return [x < y, x <= y, x > y, x >= y, x == y, x != y, x < 2, 2 < x]

    @torch.jit.export
    def logic(self, x: Tensor, y: Tensor) -> List[Tensor]:
        return [x & y, x | y, x ^ y, ~x, x << 1, x >> 1]

    @torch.jit.export
    def augmented(self, x: Tensor) -> Tensor:
        y = x
        x += 1
        x *= 2
        x -= x.mean()
        x /= 4
        return y

    @torch.jit.export
    def scalars(self, x: Tensor, a: int, b: float) -> List[Tensor]:
        return [x + a, x * b, x - a * b, x.add(a, alpha=2), torch.add(x, b), a - x]

    @torch.jit.export
    def promotion(self, i: Tensor, f: Tensor) -> List[Tensor]:
        return [i + f, i * 2, i * 2.5, i / 2, i + True, f + i[0], i.sum() + 0.5]

    @torch.jit.export
    def reductions(self, x: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        values, indices = x.max(1)
        low = x.min(0)
        return values, indices, low.values, low[1], x.std()

    @torch.jit.export
    def several_results(self, x: Tensor) -> Tuple[Tensor, Tensor, List[Tensor]]:
        v, i = torch.topk(x, 2, dim=1)
        a = torch.split(x, [1, 2], 1)
        return v, i, a

    @torch.jit.export
    def functional(self, x: Tensor) -> List[Tensor]:
        return [F.relu(x), F.softmax(x, dim=1), F.gelu(x), F.layer_norm(x, [x.size(1)]), F.pad(x, [1, 1]), F.dropout(x, 0.5, training=False),
                F.normalize(x), F.leaky_relu(x, 0.1), F.one_hot(x.abs().long(), 9)]

    @torch.jit.export
    def lists_of_tensors(self, x: Tensor) -> Tensor:
        parts = [x[:, i] * i for i in range(x.size(1))]
        a, b, c = parts
        return torch.stack([a, b, c, torch.cat(parts)[: x.size(0)]])

    @torch.jit.export
    def einsum(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.einsum("ij,kj->ik", x, y)

    @torch.jit.export
    def by_bool(self, x: Tensor) -> int:
        n = 0
        while x.sum() < 100 and n < 20:
            x = x * 2
            n += 1
        return n if (x > 0).all() else -n

    @torch.jit.export
    def where(self, x: Tensor) -> List[Tensor]:
        return [torch.where(x > 2, x, -x), torch.where(x > 2, 1.0, 0.0), x.masked_fill(x > 3, 0.0), x.clamp(1, 3), x.clamp(min=2)]

    @torch.jit.export
    def out_argument(self, x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        torch.add(x, x, out=y)
        return y

    @torch.jit.export
    def fork_wait(self, x: Tensor) -> Tensor:
        futures = [torch.jit.fork(scaled, x, float(i)) for i in range(3)]
        total = torch.zeros_like(x)
        for f in futures:
            total = total + torch.jit.wait(f)
        return total

    @torch.jit.export
    def fork_raises(self, n: int) -> int:
        f = torch.jit.fork(limited, n)
        return torch.jit.wait(f) + 1


def scaled(x: Tensor, k: float) -> Tensor:
    return torch.sin(x) * k


def limited(n: int) -> int:
    if n > 3:
        raise ValueError("too many")
    return n * 2


T = torch.tensor
X = [[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]
Y = [[2., -1., .5], [3., 4., -2.], [1., .25, 8.]]
PROGRAMS = [
    (Indexing(), {
        "basic": [(T(X),)], "by_tensor": [(T(X), T([0, 2])), (T(X), T([-1, 1])), (T(X), T([3, 0]))], "by_mask": [(T(X),)], "by_list": [(T(X),)],
        "mixed": [(T(X), 1, T([0, 2]))], "write": [(T(X),)], "write_mask": [(T(X),)], "write_by_tensor": [(T(X), T([0, 2]), T(Y)[:2])],
        "write_in_loop": [(4,)], "dynamic": [(T(X), 1, None), (T(X), -2, -1), (T(X), 2, 1)], "out_of_range": [(T(X), 2), (T(X), 3)],
        "too_many": [(T(X),)]}),
    (Views(), {
        "in_place_on_view": [(T(X),)], "transposed": [(T(X),)], "chunk_write": [(T(X)[:, :2],)], "select_write": [(T(X),)],
        "clone_first": [(T(X),)], "expand_then_add": [(T(X),)], "narrow": [(T(X),), (-T(X),)], "alias_through_list": [(T(X),)],
        "alias_through_tuple": [(T(X),)], "permuted": [(T(X),)]}),
    (Attributes(), {
        "sizes": [(T(X),), (torch.zeros(2, 0, 3),)], "kinds": [(T(X),), (T([1]),), (T([1j]),)], "dtypes": [(T(X),), (T([1]),), (T([True]),)],
        "devices": [(T(X),)], "transposes": [(T(X),)], "unpack_shape": [(T(X),), (torch.zeros(2, 3, 4),)], "strides": [(torch.zeros(2, 5),)],
        "length": [(T([1., 2.]),), (T(1.),)], "parts": [(T([1 + 2j, 3j]),), (T([1.]),)]}),
    (Creation(), {
        "literals": [(1.5, 7)], "factories": [(3,), (0,)], "like": [(T(X),), (T([1, 2]),)], "random": [(6,)], "casts": [(T([0., 1.7, -2.2]),)],
        "as_tensor": [([1., 2.],)]}),
    (Operators(), {
        "arithmetic": [(T(X), T(Y))], "compare": [(T(X), T(Y)), (T([1, 2]), T([2.]))], "logic": [(T([1, 2, 3]), T([3, 5, 6])), (T([1.]), T([2.]))],
        "augmented": [(T(X),), (T([1, 2]),)], "scalars": [(T(X), 3, .5), (T([1, 2]), 3, .5)], "promotion": [(T([1, 2]), T([.5, 1.5]))],
        "reductions": [(T(Y),)], "several_results": [(T(Y),)], "functional": [(T(Y),)], "lists_of_tensors": [(T(X),), (T(X)[:, :2],)],
        "einsum": [(T(X), T(Y)), (T(X), T(Y)[:, :2])], "by_bool": [(T(X),), (T([0., 1.]),)], "where": [(T(X),)], "out_argument": [(T(X),)],
        "fork_wait": [(T(X),)], "fork_raises": [(2,), (5,)]}),
]

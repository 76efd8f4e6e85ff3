# SPDX-License-Identifier: Apache-2.0
"""Modules: attributes, submodules in lists and dicts, hooks, constants, buffers, state, interfaces of modules."""
from typing import Dict, Final, List, Optional, Tuple

import torch
from torch import Tensor, nn

from lang_programs.classes import Transform


class Scale(nn.Module):
    def __init__(self, k: float):
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        return x * self.k


class Shift(nn.Module):
    def __init__(self, k: float):
        super().__init__()
        self.k = nn.Parameter(torch.tensor([k]))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.k

    @torch.jit.export
    def twice(self, x: Tensor) -> Tensor:
        return self.forward(self.forward(x))


class Several(nn.Module):
    """ModuleList, ModuleDict, Sequential."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Scale(2.0), Shift(1.0), Scale(0.5)])
        self.named = nn.ModuleDict({"up": Scale(3.0), "shift": Shift(-1.0)})
        self.chain = nn.Sequential(Scale(2.0), nn.ReLU(), Shift(0.25))
        self.empty = nn.ModuleList([])
        self.weights = nn.ParameterList([nn.Parameter(torch.full([2], float(i))) for i in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.chain(x)

    @torch.jit.export
    def with_index(self, x: Tensor) -> List[Tensor]:
        out: List[Tensor] = []
        for i, layer in enumerate(self.layers):
            out.append(layer(x) * i)
        return out

    @torch.jit.export
    def sliced_layers(self, x: Tensor) -> Tensor:
        return self.layers[-2](x) + self.chain[0](x) + len(self.layers[1:])

    @torch.jit.export
    def picked(self, x: Tensor) -> Tensor:
        return self.layers[1](x) + self.layers[-1](x) + self.named["up"](x)

    @torch.jit.export
    def from_dict(self, x: Tensor) -> Dict[str, Tensor]:
        out: Dict[str, Tensor] = {}
        for name, layer in self.named.items():
            out[name] = layer(x)
        return out

    @torch.jit.export
    def names(self) -> Tuple[List[str], int, int, bool]:
        keys: List[str] = []
        for k in self.named.keys():
            keys.append(k)
        return keys, len(self.layers), len(self.empty), "up" in self.named

    @torch.jit.export
    def zipped(self, xs: List[Tensor]) -> List[Tensor]:
        out: List[Tensor] = []
        for i, (a, b) in enumerate(zip(self.layers, self.layers)):
            out.append(a(b(xs[i])))
        return out

    @torch.jit.export
    def parameters_in_list(self, x: Tensor) -> Tensor:
        for w in self.weights:
            x = x * 2 + w
        return x

    @torch.jit.export
    def exported_of_child(self, x: Tensor) -> Tensor:
        return self.named["shift"].twice(x)

    @torch.jit.export
    def chained(self, x: Tensor) -> Tensor:
        for layer in self.chain:
            x = layer(x)
        return x


class Stateful(nn.Module):
    """Attributes that calls change."""

    history: List[float]
    seen: Dict[str, int]
    last: Optional[Tensor]
    shape: Tuple[int, int]

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("absent", None)
        self.steps = 0
        self.rate = 0.5
        self.label = "start"
        self.on = True
        self.history = []
        self.seen = {}
        self.last = None
        self.shape = (0, 0)

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        self.mean = self.mean * (1 - self.rate) + x * self.rate
        self.history.append(float(x.sum()))
        self.last = x
        return self.mean

    @torch.jit.export
    def update_in_place(self, x: Tensor) -> Tensor:
        self.mean.add_(x)
        self.mean[0] = 0
        return self.mean

    @torch.jit.export
    def status(self) -> Tuple[int, List[float], str, bool]:
        return self.steps, self.history, self.label, self.on

    @torch.jit.export
    def relabel(self, label: str) -> str:
        old = self.label
        self.label = label + old
        self.on = not self.on
        self.seen[label] = self.seen.get(label, 0) + 1
        return old

    @torch.jit.export
    def counts(self) -> Dict[str, int]:
        return self.seen

    @torch.jit.export
    def previous(self) -> Optional[Tensor]:
        return self.last

    @torch.jit.export
    def no_buffer(self, x: Tensor) -> Tensor:
        if self.absent is not None:
            return x * 0
        return x

    @torch.jit.export
    def reset(self) -> int:
        n = self.steps
        self.steps = 0
        self.history = torch.jit.annotate(List[float], [])
        self.last = None
        self.shape = (n, n + 1)
        return n

    @torch.jit.export
    def tuple_attribute(self) -> int:
        a, b = self.shape
        return a * 10 + b

    @torch.jit.export
    def fails_after_write(self, n: int) -> int:
        self.steps = n
        assert n < 5
        return self.steps


class Constants(nn.Module):
    __constants__ = ["words", "use_bias"]
    size: Final[int]
    names: Final[List[str]]

    def __init__(self, use_bias: bool = False):
        super().__init__()
        self.size = 3
        self.words = ("a", "b")
        self.use_bias = use_bias
        self.names = ["x", "y"]
        self.table = torch.arange(6.0).view(3, 2)
        self.lookup = {"one": 1, "two": 2}
        self.pairs = [(1, "a"), (2, "b")]
        self.dtype = torch.float64
        self.device = torch.device("cpu")
        if use_bias:
            self.bias = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        if self.use_bias:
            x = x + self.bias
        return x * self.size

    @torch.jit.export
    def text(self) -> str:
        out = ""
        for w in self.words:
            out += w
        return out + self.names[1]

    @torch.jit.export
    def rows(self, i: int) -> Tensor:
        return self.table[i] + self.table.sum(0)

    @torch.jit.export
    def look(self, k: str) -> int:
        return self.lookup[k] + len(self.pairs)

    @torch.jit.export
    def made(self, n: int) -> Tensor:
        return torch.zeros(n, dtype=self.dtype, device=self.device)

    @torch.jit.export
    def mode(self, x: Tensor) -> Tensor:
        return x * 2 if self.training else x

    @property
    def doubled(self) -> int:
        return self.size * 2

    @torch.jit.export
    def by_property(self) -> int:
        return self.doubled + 1


class Hooked(nn.Module):
    """Hooks that run before and after forward, of this module and of a child."""

    def __init__(self):
        super().__init__()
        self.child = Scale(3.0)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.child(x) + 1


def before(self, input: Tuple[Tensor]) -> Tuple[Tensor]:
    return (input[0] * 10,)


def after(self, input: Tuple[Tensor], output: Tensor) -> Tensor:
    return output + input[0]


def after_child(self, input: Tuple[Tensor], result: Tensor) -> Tensor:
    if bool(result.sum() > 100):
        return result * 0
    return result


class Interfaces(nn.Module):
    """Children of different classes behind one interface."""

    chosen: Transform
    third: Transform

    def __init__(self):
        super().__init__()
        self.first = Scale(2.0)
        self.chosen = Scale(10.0)
        self.third = Shift(5.0)

    def forward(self, x: Tensor, second: bool) -> Tensor:
        if second:
            self.chosen = self.third
        return self.first(x) - self.chosen.forward(x)


class Recursive(nn.Module):
    """Modules within modules, one of them used twice."""

    def __init__(self, depth: int = 3):
        super().__init__()
        shared = Shift(1.0)
        self.left = nn.Sequential(shared, Scale(2.0))
        self.right = nn.Sequential(Scale(3.0), shared)
        self.deeper = Recursive(depth - 1) if depth > 0 else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.left(x) - self.right(x)
        if self.deeper is not None:
            x = x + self.deeper(x)
        return x

    @torch.jit.export
    def set_shared(self, x: Tensor) -> Tensor:
        self.left[0].k.copy_(x)
        return self.right[1].k


class Layers(nn.Module):
    """Modules of torch.nn whose code is TorchScript itself."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.batch = nn.BatchNorm1d(4)
        self.embedding = nn.Embedding(5, 4, padding_idx=0)
        self.gru = nn.GRUCell(4, 4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.conv = nn.Conv1d(4, 4, 3, padding=1, padding_mode="circular")
        self.bilinear = nn.Bilinear(4, 4, 2)
        self.up = nn.Upsample(scale_factor=2.0, mode="linear")
        self.fold = nn.Unfold(2)

    @torch.jit.export
    def dense(self, x: Tensor) -> Tensor:
        return self.norm(self.batch(self.linear(x)))

    @torch.jit.export
    def embed(self, i: Tensor) -> Tensor:
        return self.embedding(i)

    @torch.jit.export
    def steps(self, x: Tensor, n: int) -> Tensor:
        h = torch.zeros_like(x)
        for _ in range(n):
            h = self.gru(x, h)
        return h

    @torch.jit.export
    def attend(self, x: Tensor) -> Tuple[Tensor, Optional[Tensor]]:
        return self.attention(x, x, x)

    @torch.jit.export
    def convolve(self, x: Tensor) -> Tensor:
        return self.up(self.conv(x))

    @torch.jit.export
    def pair(self, x: Tensor, y: Tensor) -> Tensor:
        return self.bilinear(x, y)

    @torch.jit.export
    def unfold(self, x: Tensor) -> Tensor:
        return self.fold(x)


def hooked():
    module = Hooked()
    module.register_forward_pre_hook(before)
    module.register_forward_hook(after)
    module.child.register_forward_hook(after_child)
    return module


def rounded(module):
    """Weights that take few bits, so that the archive is small."""
    with torch.no_grad():
        for p in module.parameters():
            p.copy_((p * 64).round() / 64)
    return module


T = torch.tensor
torch.manual_seed(0)
V = T([1., 2.])
M = T([[.5, -1., 2., 0.], [1., 1.5, -.25, 3.]])
PROGRAMS = [
    (Several(), {
        "forward": [(V,), (-V,)], "with_index": [(V,)], "sliced_layers": [(V,)], "picked": [(V,)], "from_dict": [(V,)], "names": [()],
        "zipped": [([V, V + 1, V + 2],), ([V],)], "parameters_in_list": [(V,)], "exported_of_child": [(V,)], "chained": [(V,)]}),
    (Stateful(), {
        "forward": [(V,), (V * 2,), (-V,)], "update_in_place": [(V,), (V,)], "status": [()], "relabel": [("a",), ("b",), ("a",)], "counts": [()],
        "previous": [()], "no_buffer": [(V,)], "reset": [(), ()], "tuple_attribute": [()], "fails_after_write": [(3,), (7,), (4,)]}),
    (Constants(), {"forward": [(V,)], "text": [()], "rows": [(1,), (-1,), (3,)], "look": [("two",), ("three",)], "made": [(2,)], "mode": [(V,)],
                   "by_property": [()]}),
    (hooked(), {"__call__": [(V,), (V * 10,)], "forward": [(V,)]}),
    (Interfaces(), {"forward": [(V, False), (V, True), (V, False)]}),
    (Recursive(), {"forward": [(V,)], "set_shared": [(T([4.]),)], "__call__": [(V,)]}),
    (rounded(Layers()), {
        "dense": [(M,), (M[:, :3],)], "embed": [(T([0, 3, 4]),), (T([5]),)], "steps": [(M, 3), (M, 0)], "attend": [(M[None],)],
        "convolve": [(M.t()[None],)], "pair": [(M, M * 2)], "unfold": [(M.view(1, 1, 2, 4),)]}),
]

# SPDX-License-Identifier: Apache-2.0
"""Classes, enums, functions, static methods, interfaces."""
import enum
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn


class Color(enum.Enum):
    RED = 1
    GREEN = 2
    BLUE = 3


class Mode(enum.Enum):
    SUM = "sum"
    MEAN = "mean"


@torch.jit.script
class Counter:
    def __init__(self, start: int = 0):
        self.count = start
        self.log: List[str] = []

    def add(self, n: int) -> "Counter":
        self.count += n
        self.log.append("+" + str(n))
        return self

    def reset(self) -> None:
        self.count = 0


@torch.jit.script
class Vector:
    def __init__(self, x: float, y: float):
        self.x = x
        self.y = y

    def __add__(self, other: "Vector") -> "Vector":
        return Vector(self.x + other.x, self.y + other.y)

    def __sub__(self, other: "Vector") -> "Vector":
        return Vector(self.x - other.x, self.y - other.y)

    def __mul__(self, k: float) -> "Vector":
        return Vector(self.x * k, self.y * k)

    def __eq__(self, other: "Vector") -> bool:
        return self.x == other.x and self.y == other.y

    def __lt__(self, other: "Vector") -> bool:
        return self.x < other.x

    def __neg__(self) -> "Vector":
        return Vector(-self.x, -self.y)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, i: int) -> float:
        return self.x if i == 0 else self.y

    def __setitem__(self, i: int, v: float) -> None:
        if i == 0:
            self.x = v
        else:
            self.y = v

    def __contains__(self, v: float) -> bool:
        return v == self.x or v == self.y

    def __str__(self) -> str:
        return "<" + str(self.x) + ", " + str(self.y) + ">"

    def __bool__(self) -> bool:
        return self.x != 0.0 or self.y != 0.0

    def __call__(self, k: float) -> float:
        return self.x * k + self.y

    @staticmethod
    def zero() -> "Vector":
        return Vector(0.0, 0.0)


@torch.jit.script
class Stack:
    def __init__(self):
        self.items: List[Tensor] = []

    def push(self, x: Tensor) -> None:
        self.items.append(x)

    def pop(self) -> Tensor:
        return self.items.pop()

    @property
    def depth(self) -> int:
        return len(self.items)


@torch.jit.script
class Node:
    parent: Optional[int]

    def __init__(self, value: int):
        self.value = value
        self.children: List[int] = []
        self.parent = torch.jit.annotate(Optional[int], None)


class Resource:
    """A context manager."""

    def __init__(self, name: str):
        self.name = name
        self.open = False
        self.times = 0

    def __enter__(self):
        self.open = True
        self.times += 1

    def __exit__(self, type: Any, value: Any, tb: Any):
        self.open = False


Resource = torch.jit.script(Resource)


@torch.jit.interface
class Transform(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pass


@torch.jit.script
class Dog:
    def __init__(self):
        self.word = "wow"

    def speak(self, n: int) -> str:
        return self.word + "!" + str(n + 1)


@torch.jit.script
class Cat:
    def __init__(self):
        self.word = "meow"

    def speak(self, n: int) -> str:
        return self.word + str(n)


def helper(x: Tensor, scale: float = 2.0) -> Tensor:
    return x * scale


def several(x: int) -> Tuple[int, int]:
    return x + 1, x - 1


def fibonacci(n: int) -> int:
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def keywords(a: int, b: int = 2, c: int = 3) -> int:
    return a * 100 + b * 10 + c


@torch.jit.script
def already_scripted(x: Tensor) -> Tensor:
    if bool(x.sum() > 0):
        return x.neg()
    return x


class State(NamedTuple):
    h: Tensor
    step: int


class Classes(nn.Module):
    @torch.jit.export
    def counter(self, n: int) -> Tuple[int, List[str]]:
        c = Counter(10)
        c.add(n).add(2)
        return c.count, c.log

    @torch.jit.export
    def default_argument(self) -> int:
        c = Counter()
        c.add(1)
        c.reset()
        return c.count

    @torch.jit.export
    def operators(self, x: float, y: float) -> List[float]:
        v = Vector(x, y) + Vector(1.0, 2.0) * 3.0
        w = -(v - Vector.zero())
        w[1] = 100.0
        return [v.x, v.y, w[0], w[1], v(2.0), float(len(v))]

    @torch.jit.export
    def comparisons(self, x: float) -> List[bool]:
        v, w = Vector(x, 1.0), Vector(2.0, 1.0)
        return [v == w, v < w, x in w, bool(v), bool(Vector.zero())]

    @torch.jit.export
    def text(self, x: float) -> str:
        return str(Vector(x, 0.5))

    @torch.jit.export
    def aliasing(self, n: int) -> Tuple[int, int, bool]:
        a = Counter(n)
        b = a
        b.add(5)
        return a.count, b.count, a is b

    @torch.jit.export
    def in_list(self, xs: List[float]) -> float:
        vs = [Vector(x, -x) for x in xs]
        total = Vector.zero()
        for v in vs:
            v.x += 1.0
            total = total + v
        return total.x * 10 + total.y

    @torch.jit.export
    def in_dict(self, names: List[str]) -> Dict[str, int]:
        counters: Dict[str, Counter] = {}
        for n in names:
            if n not in counters:
                counters[n] = Counter()
            counters[n].add(1)
        return {k: c.count for k, c in counters.items()}

    @torch.jit.export
    def stack(self, xs: List[Tensor]) -> Tuple[Tensor, int]:
        s = Stack()
        for x in xs:
            s.push(x)
        y = s.pop()
        return y, s.depth

    @torch.jit.export
    def tree(self, n: int) -> List[int]:
        nodes = [Node(i * i) for i in range(n)]
        for i in range(1, n):
            nodes[i].parent = (i - 1) // 2
            nodes[(i - 1) // 2].children.append(i)
        out: List[int] = []
        for node in nodes:
            p = node.parent
            out.append(node.value + len(node.children) * 100 + (1000 if p is None else p * 1000))
        return out

    @torch.jit.export
    def context(self, n: int) -> Tuple[bool, bool, int]:
        r = Resource("r")
        inside = False
        with r:
            for _ in range(n):
                inside = r.open
        return inside, r.open, r.times

    @torch.jit.export
    def optional_object(self, make: bool) -> int:
        c: Optional[Counter] = None
        if make:
            c = Counter(3)
        if c is not None:
            return c.count
        return -1

    @torch.jit.export
    def same_method(self, dog: bool, n: int) -> str:
        if dog:
            return Dog().speak(n)
        return Cat().speak(n)


class Enums(nn.Module):
    def __init__(self):
        super().__init__()
        self.mode = Mode.MEAN

    @torch.jit.export
    def names(self, i: int) -> Tuple[str, int]:
        c = Color.RED
        if i == 1:
            c = Color.GREEN
        elif i > 1:
            c = Color.BLUE
        return c.name, c.value

    @torch.jit.export
    def compare(self, flag: bool) -> Tuple[bool, bool, bool]:
        c = Color.RED if flag else Color.BLUE
        return c == Color.RED, c != Color.RED, c is Color.BLUE

    @torch.jit.export
    def loop(self) -> List[str]:
        out: List[str] = []
        for c in Color:
            out.append(c.name + str(c.value))
        return out

    @torch.jit.export
    def attribute(self, x: Tensor) -> Tensor:
        if self.mode == Mode.SUM:
            return x.sum()
        return x.mean()

    @torch.jit.export
    def in_dict(self, k: int) -> str:
        d = {1: Color.RED, 2: Color.GREEN}
        return d[k].name

    @torch.jit.export
    def in_list(self) -> List[int]:
        return [c.value for c in [Color.BLUE, Color.RED]]

    @torch.jit.export
    def returned(self, i: int) -> int:
        return self.pick(i).value

    def pick(self, i: int) -> Color:
        return Color.RED if i == 0 else Color.GREEN


class Functions(nn.Module):
    @torch.jit.export
    def defaults(self, x: Tensor) -> Tensor:
        return helper(x) + helper(x, 3.0) + helper(scale=0.5, x=x)

    @torch.jit.export
    def tuples(self, x: int) -> int:
        a, b = several(x)
        return a * b

    @torch.jit.export
    def loops(self, n: int) -> List[int]:
        return [fibonacci(i) for i in range(n)]

    @torch.jit.export
    def keyword_only(self, a: int) -> List[int]:
        return [keywords(a), keywords(a, c=7), keywords(b=5, a=a), keywords(a, 1, c=0)]

    @torch.jit.export
    def scripted(self, x: Tensor) -> Tensor:
        return already_scripted(already_scripted(x) + 1)

    @torch.jit.export
    def private(self, x: int) -> int:
        return self._twice(self._twice(x))

    def _twice(self, x: int) -> int:
        return x * 2

    @torch.jit.export
    def named_state(self, x: Tensor, n: int) -> Tuple[Tensor, int]:
        s = State(x, 0)
        for _ in range(n):
            s = self._step(s)
        return s.h, s.step

    def _step(self, s: State) -> State:
        return State(torch.tanh(s.h), s.step + 1)

    @torch.jit.export
    def many_arguments(self, a: int, b: float = 1.5, c: str = "c", d: Optional[List[int]] = None) -> str:
        n = 0 if d is None else len(d)
        return c + str(a) + str(b) + str(n)

    @torch.jit.unused
    def not_scripted(self, x: Tensor) -> Tensor:
        return eval("x")

    @torch.jit.export
    def calls_unused(self, x: Tensor, call: bool) -> Tensor:
        if call:
            return self.not_scripted(x)
        return x + 1


T = torch.tensor
PROGRAMS = [
    (Classes(), {
        "counter": [(1,), (-4,)], "default_argument": [()], "operators": [(1., 2.), (0., -.5)], "comparisons": [(2.,), (1.,), (5.,)],
        "text": [(1.5,)], "aliasing": [(1,)], "in_list": [([1., 2.],), ([],)], "in_dict": [(["a", "b", "a"],)],
        "stack": [([T([1.]), T([2., 3.])],), ([],)], "tree": [(1,), (6,)], "context": [(0,), (2,)], "optional_object": [(True,), (False,)],
        "same_method": [(True, 2), (False, 2)]}),
    (Enums(), {
        "names": [(0,), (1,), (2,)], "compare": [(True,), (False,)], "loop": [()], "attribute": [(T([1., 2., 6.]),)],
        "in_dict": [(1,), (2,), (3,)], "in_list": [()], "returned": [(0,), (1,)]}),
    (Functions(), {
        "defaults": [(T([1., -2.]),)], "tuples": [(5,)], "loops": [(8,), (0,)], "keyword_only": [(4,)], "scripted": [(T([1., 2.]),), (T([-3.]),)],
        "private": [(3,)], "named_state": [(T([.5, 2.]), 3), (T([.5]), 0)], "many_arguments": [(2,), (1, .5), (1, 2., "z", [1, 2])],
        "calls_unused": [(T([1.]), False), (T([1.]), True)]}),
]

# SPDX-License-Identifier: Apache-2.0
"""Lists, dicts, tuples, named tuples, texts."""
from collections import OrderedDict
from typing import Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn


class Point(NamedTuple):
    x: int
    y: float
    label: str = "p"


class Pair(NamedTuple):
    first: Tensor
    second: Optional[Tensor]


class Lists(nn.Module):
    @torch.jit.export
    def methods(self, xs: List[int]) -> Tuple[List[int], int, int]:
        xs.append(7)
        xs.extend([1, 2])
        xs.insert(1, 99)
        last = xs.pop()
        first = xs.pop(0)
        xs.remove(99)
        return xs, last, first

    @torch.jit.export
    def slices(self, xs: List[int]) -> List[List[int]]:
        return [xs[1:], xs[:-1], xs[::2], xs[::-1], xs[-3:-1], xs[5:1], xs[:]]

    @torch.jit.export
    def assign_slice(self, xs: List[int]) -> List[int]:
        xs[1] = 50
        xs[-1] += 5
        del xs[0]
        return xs

    @torch.jit.export
    def comprehension(self, xs: List[int]) -> List[float]:
        return [float(x) / 2 for x in xs]

    @torch.jit.export
    def nested(self, n: int) -> List[List[int]]:
        return [[i * j for j in range(i)] for i in range(n)]

    @torch.jit.export
    def sorts(self, xs: List[int], ys: List[str]) -> Tuple[List[int], List[int], List[str]]:
        a = sorted(xs)
        xs.sort(reverse=True)
        ys.sort()
        return a, xs, ys

    @torch.jit.export
    def queries(self, xs: List[int], x: int) -> Tuple[bool, int, int, bool]:
        return x in xs, xs.count(x), len(xs), x not in xs

    @torch.jit.export
    def index(self, xs: List[int], x: int) -> int:
        return xs.index(x)

    @torch.jit.export
    def arithmetic(self, xs: List[int], ys: List[int]) -> Tuple[List[int], List[int], bool, bool]:
        return xs + ys, xs * 2, xs == ys, xs != ys

    @torch.jit.export
    def alias(self, xs: List[int]) -> Tuple[List[int], List[int]]:
        ys = xs
        zs = xs.copy()
        ys.append(1)
        zs.append(2)
        return xs, zs

    @torch.jit.export
    def of_tensors(self, xs: List[Tensor]) -> Tuple[Tensor, Tensor, int]:
        xs.append(xs[0] * 2)
        return torch.cat(xs), torch.stack([x.sum() for x in xs]), len(xs)

    @torch.jit.export
    def any_all(self, xs: List[bool]) -> Tuple[bool, bool]:
        return any(xs), all(xs)

    @torch.jit.export
    def clears(self, xs: List[float]) -> List[float]:
        xs.reverse()
        ys = list(xs)
        xs.clear()
        return ys + xs

    @torch.jit.export
    def list_of_text(self, s: str) -> List[str]:
        return list(s)

    @torch.jit.export
    def starred(self, xs: List[int]) -> Tuple[int, int]:
        a, b = xs[0], xs[-1]
        a, b = b, a
        return a, b

    @torch.jit.export
    def in_caller(self, xs: List[int]) -> int:
        for i in range(len(xs)):
            xs[i] *= 10
        return len(xs)

    @torch.jit.export
    def tensors_in(self, x: Tensor) -> List[List[float]]:
        values: List[List[float]] = x.tolist()
        return values

    @torch.jit.export
    def enumerate_from(self, xs: List[str]) -> List[Tuple[int, str]]:
        return [(i, x) for i, x in enumerate(xs, 5)]


class Dicts(nn.Module):
    @torch.jit.export
    def methods(self, d: Dict[str, int]) -> Tuple[List[str], List[int], int, int]:
        d["new"] = 9
        d["a"] += 1
        gone = d.pop("b")
        return list(d.keys()), list(d.values()), gone, d.get("zz", -1)

    @torch.jit.export
    def optional_get(self, d: Dict[str, int], k: str) -> int:
        v = d.get(k)
        if v is None:
            return 0
        return v

    @torch.jit.export
    def literal(self, x: Tensor) -> Dict[str, Tensor]:
        return {"a": x, "b": x + 1}

    @torch.jit.export
    def of_ints(self, n: int) -> Dict[int, float]:
        d: Dict[int, float] = {}
        for i in range(n):
            d[i * i] = i / 2
        return d

    @torch.jit.export
    def comprehension(self, xs: List[str]) -> Dict[str, int]:
        return {x: len(x) for x in xs}

    @torch.jit.export
    def nested(self, d: Dict[str, List[int]], k: str, v: int) -> Dict[str, List[int]]:
        if k not in d:
            d[k] = torch.jit.annotate(List[int], [])
        d[k].append(v)
        return d

    @torch.jit.export
    def updates(self, a: Dict[str, int], b: Dict[str, int]) -> Dict[str, int]:
        c = a.copy()
        c.update(b)
        del c["x"]
        return c

    @torch.jit.export
    def setdefault(self, d: Dict[str, int]) -> Tuple[int, int]:
        return d.setdefault("q", 5), len(d)

    @torch.jit.export
    def popitem(self, d: Dict[str, int]) -> int:
        k, v = d.popitem()
        d.clear()
        return v + len(k) + len(d)

    @torch.jit.export
    def contains(self, d: Dict[int, str], k: int) -> str:
        return d[k] if k in d else "none"

    @torch.jit.export
    def over_keys(self, d: Dict[str, Tensor]) -> Tensor:
        total = torch.zeros(2)
        for k in d:
            total = total + d[k] * len(k)
        return total

    @torch.jit.export
    def ordered(self, n: int) -> List[str]:
        d = OrderedDict([("z", 1), ("a", n)])
        d["m"] = 3
        return list(d.keys())

    @torch.jit.export
    def constructor(self, pairs: List[Tuple[str, int]]) -> Dict[str, int]:
        return dict(pairs)


class Tuples(nn.Module):
    @torch.jit.export
    def swap(self, t: Tuple[int, str]) -> Tuple[str, int]:
        a, b = t
        return b, a

    @torch.jit.export
    def nested(self, t: Tuple[int, Tuple[float, str]]) -> str:
        a, (b, c) = t
        return c + str(a) + str(b)

    @torch.jit.export
    def slices(self, t: Tuple[int, float, str, bool]) -> Tuple[Tuple[float, str], Tuple[int, float], int]:
        return t[1:3], t[:2], len(t)

    @torch.jit.export
    def negative(self, t: Tuple[int, int, int]) -> int:
        return t[-1] * 100 + t[-3]

    @torch.jit.export
    def named(self, x: int) -> Point:
        return Point(x, x / 2)

    @torch.jit.export
    def named_fields(self, x: int, s: str) -> Tuple[int, float, str]:
        p = Point(y=2.5, x=x, label=s)
        return p.x, p.y, p.label

    @torch.jit.export
    def named_unpack(self, x: Tensor, flag: bool) -> Tensor:
        pair = Pair(x, x * 2 if flag else None)
        first, second = pair
        return first + second if second is not None else first

    @torch.jit.export
    def compare(self, a: Tuple[int, str], b: Tuple[int, str]) -> Tuple[bool, bool]:
        return a[0] == b[0] and a[1] == b[1], a[0] < b[0]

    @torch.jit.export
    def add(self, a: Tuple[int, int], b: Tuple[str]) -> Tuple[int, int, str]:
        return a + b

    @torch.jit.export
    def single(self, x: int) -> Tuple[int]:
        return (x,)

    @torch.jit.export
    def sort_pairs(self, xs: List[Tuple[int, str]]) -> List[Tuple[int, str]]:
        return sorted(xs)

    @torch.jit.export
    def several_targets(self, x: int) -> Tuple[int, int, int]:
        a = b = x
        b += 1
        c, (d, _) = a, (b, 0)
        return a, c, d


class Texts(nn.Module):
    @torch.jit.export
    def cases(self, s: str) -> List[str]:
        return [s.upper(), s.lower(), s.capitalize(), s.title(), s.swapcase()]

    @torch.jit.export
    def strips(self, s: str) -> List[str]:
        return [s.strip(), s.lstrip(), s.rstrip(), s.strip("xa"), s.lstrip("x")]

    @torch.jit.export
    def splits(self, s: str) -> List[List[str]]:
        return [s.split(","), s.split(), s.split(",", 1), s.rsplit(",", 1), s.splitlines()]

    @torch.jit.export
    def find(self, s: str, t: str) -> List[int]:
        return [s.find(t), s.rfind(t), s.count(t), s.find(t, 2)]

    @torch.jit.export
    def index(self, s: str, t: str) -> int:
        return s.index(t)

    @torch.jit.export
    def tests(self, s: str) -> List[bool]:
        return [s.isdigit(), s.isalpha(), s.isalnum(), s.islower(), s.isupper(), s.isspace(), s.startswith("a"), s.endswith("b"),
                s.isidentifier(), s.istitle(), "b" in s]

    @torch.jit.export
    def join(self, xs: List[str]) -> str:
        return "-".join(xs)

    @torch.jit.export
    def replaces(self, s: str) -> List[str]:
        return [s.replace("a", "bb"), s.replace("a", "", 1), s.expandtabs(4)]

    @torch.jit.export
    def pads(self, s: str) -> List[str]:
        return [s.center(9, "*"), s.ljust(8), s.rjust(8, "."), s.zfill(7)]

    @torch.jit.export
    def slices(self, s: str) -> List[str]:
        return [s[1], s[-1], s[1:3], s[:-2], s[::2], s[3:]]

    @torch.jit.export
    def partitions(self, s: str) -> Tuple[Tuple[str, str, str], Tuple[str, str, str]]:
        return s.partition("="), s.rpartition("=")

    @torch.jit.export
    def format(self, a: int, b: float, s: str) -> List[str]:
        return ["{} {} {}".format(a, b, s), "%d:%s" % (a, s), "{1}{0}".format(s, a) if a > 100 else "{}{{}}".format(a), "%.2f" % b]

    @torch.jit.export
    def f_strings(self, a: int, xs: List[int], x: Tensor) -> str:
        return f"a={a} xs={xs} n={x.size(0)} {a + 1}"

    @torch.jit.export
    def arithmetic(self, s: str, n: int) -> List[str]:
        s += "+"
        return [s + str(n), s + s, "lit" "eral"]

    @torch.jit.export
    def compare(self, a: str, b: str) -> List[bool]:
        return [a == b, a != b, a < b, a <= b, a > b, a >= b]

    @torch.jit.export
    def str_of(self, x: int, y: float, t: Tuple[int, str], d: Dict[str, int], b: Optional[int]) -> List[str]:
        return [str(x), str(y), str(t), str(d), str(b), str([1.5, 2.0]), str(True)]

    @torch.jit.export
    def prints(self, x: int, y: float, s: str) -> int:
        print("values", x, y, s)
        print(s, [x, x + 1], (y, s))
        print()
        return x

    @torch.jit.export
    def print_tensor(self, x: Tensor) -> int:
        print(x)
        print("shape", x.shape, x.dtype)
        return x.numel()

    @torch.jit.export
    def unicode(self, s: str) -> Tuple[str, int, str]:
        return s + "é", len(s), s[0:2]

    @torch.jit.export
    def multiline(self, n: int) -> str:
        return """first
  second """ + str(n) + 'it\'s \\ "quoted"'


T = torch.tensor
PROGRAMS = [
    (Lists(), {
        "methods": [([3, 4],), ([],)], "slices": [([1, 2, 3, 4, 5],), ([],)], "assign_slice": [([1, 2, 3],), ([],)],
        "comprehension": [([1, 2, 3, 4],)], "nested": [(4,)], "sorts": [([3, 1, 2], ["b", "a"])], "queries": [([1, 2, 2], 2), ([], 1)],
        "index": [([4, 5], 5), ([4, 5], 6)], "arithmetic": [([1, 2], [1, 3]), ([1], [1])], "alias": [([5],)],
        "of_tensors": [([T([1., 2.]), T([3., 4.])],)], "any_all": [([True, False],), ([],), ([True],)], "clears": [([1., 2., 3.],)],
        "list_of_text": [("abc",)], "starred": [([1, 2, 3],)], "in_caller": [([1, 2, 3],)], "tensors_in": [(T([[1., 2.], [3., 4.]]),)],
        "enumerate_from": [(["a", "b"],)]}),
    (Dicts(), {
        "methods": [({"a": 1, "b": 2},), ({"a": 1},)], "optional_get": [({"a": 1}, "a"), ({"a": 1}, "b")], "literal": [(T([1.]),)],
        "of_ints": [(4,)], "comprehension": [(["aa", "b"],)], "nested": [({"a": [1]}, "a", 2), ({"a": [1]}, "b", 2)],
        "updates": [({"x": 1, "y": 2}, {"y": 3, "z": 4}), ({}, {})], "setdefault": [({"a": 1},), ({"q": 1},)], "popitem": [({"ab": 3},), ({},)],
        "contains": [({1: "one"}, 1), ({1: "one"}, 2)], "over_keys": [({"a": T([1., 2.]), "bb": T([3., 4.])},)], "ordered": [(2,)],
        "constructor": [([("a", 1), ("b", 2), ("a", 3)],)]}),
    (Tuples(), {
        "swap": [((1, "a"),)], "nested": [((2, (1.5, "x")),)], "slices": [((1, 2.5, "s", True),)], "negative": [((1, 2, 3),)],
        "named": [(3,)], "named_fields": [(3, "q")], "named_unpack": [(T([1.]), True), (T([1.]), False)],
        "compare": [((1, "a"), (1, "a")), ((1, "a"), (1, "b"))], "add": [((1, 2), ("x",))], "single": [(1,)],
        "sort_pairs": [([(2, "a"), (1, "b"), (1, "a")],)], "several_targets": [(4,)]}),
    (Texts(), {
        "cases": [("hello World",), ("",)], "strips": [("  xax ",), ("xxabxx",)], "splits": [("a,b, c",), ("",), ("one\ntwo\n",)],
        "find": [("banana", "an"), ("abc", "z")], "index": [("abc", "c"), ("abc", "z")], "tests": [("ab",), ("12",), ("A b",), ("",)],
        "join": [(["a", "b", "c"],), ([],)], "replaces": [("banana\tx",)], "pads": [("abc",), ("-5",)], "slices": [("abcdef",), ("a",)],
        "partitions": [("k=v=w",), ("none",)], "format": [(3, 2.5, "s"), (-1, 1e10, ""), (200, 0., "z")],
        "f_strings": [(3, [1, 2], torch.zeros(4, 2))], "arithmetic": [("ab", 3), ("", 0)], "compare": [("a", "b"), ("a", "a"), ("b", "A")],
        "str_of": [(1, .1, (1, "a"), {"k": 1}, None), (-5, 1e20, (2, ""), {}, 3)], "prints": [(1, 2.5, "txt")],
        "print_tensor": [(T([[1., 2.], [3., 4.]]),), (T([1, 2, 3]),)], "unicode": [("abc",)], "multiline": [(3,)]}),
]

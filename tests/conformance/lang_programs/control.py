# SPDX-License-Identifier: Apache-2.0
"""Control flow, numbers, exceptions, types that are refined."""
from typing import Any, Dict, List, Optional, Tuple, Union

import math

import torch
from torch import Tensor, nn


class Branches(nn.Module):
    @torch.jit.export
    def sign(self, x: int) -> str:
        if x < 0:
            return "negative"
        elif x == 0:
            return "zero"
        return "positive"

    @torch.jit.export
    def nested(self, x: int, y: int) -> int:
        out = 0
        if x > 0:
            if y > 0:
                out = 1
            else:
                out = 2
                if y < -5:
                    out = 3
        else:
            out = -1 if y > 0 else -2
        return out

    @torch.jit.export
    def chained(self, x: int) -> bool:
        return 0 < x and x <= 10 and not x == 5

    @torch.jit.export
    def short_circuit(self, xs: List[int]) -> bool:
        return len(xs) > 2 and xs[2] > 0 or len(xs) == 1

    @torch.jit.export
    def of_tensor(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            y = x * 2
        else:
            y = x - 1
        return y

    @torch.jit.export
    def early(self, x: Tensor, n: int) -> Tensor:
        for i in range(n):
            if i == 3:
                return x + i
            x = x * 2
        return x

    @torch.jit.export
    def ternary(self, x: int) -> Tuple[int, str]:
        return (x if x > 3 else -x, "odd" if x % 2 == 1 else "even")

    @torch.jit.export
    def all_branches_return(self, x: float) -> float:
        if x > 1.0:
            return x
        else:
            if x > 0.0:
                return x * 10
            else:
                return 0.0

    @torch.jit.export
    def static_test(self, x: Tensor) -> Tensor:
        if torch.jit.is_scripting():
            return x + 1
        return x

    @torch.jit.export
    def pass_only(self, x: int) -> int:
        if x > 2:
            pass
        else:
            x += 100
        return x


class Loops(nn.Module):
    @torch.jit.export
    def ranges(self, a: int, b: int, c: int) -> List[int]:
        out: List[int] = []
        for i in range(a, b, c):
            out.append(i)
        return out

    @torch.jit.export
    def whiles(self, n: int) -> int:
        steps = 0
        while n != 1 and steps < 50:
            if n % 2 == 0:
                n = n // 2
            else:
                n = 3 * n + 1
            steps += 1
        return steps

    @torch.jit.export
    def breaks(self, xs: List[int], stop: int) -> int:
        total = 0
        for x in xs:
            if x == stop:
                break
            if x < 0:
                continue
            total += x
        return total

    @torch.jit.export
    def nested_break(self, n: int) -> List[Tuple[int, int]]:
        out: List[Tuple[int, int]] = []
        for i in range(n):
            j = 0
            while True:
                if j > i:
                    break
                if (i + j) % 3 == 0:
                    j += 1
                    continue
                out.append((i, j))
                j += 1
            if len(out) > 8:
                break
        return out

    @torch.jit.export
    def over_zip(self, xs: List[int], ys: List[float]) -> float:
        total = 0.0
        for i, (x, y) in enumerate(zip(xs, ys)):
            total += x * y + i
        return total

    @torch.jit.export
    def over_text(self, s: str) -> Dict[str, int]:
        counts: Dict[str, int] = {}
        for ch in s:
            if ch in counts:
                counts[ch] += 1
            else:
                counts[ch] = 1
        return counts

    @torch.jit.export
    def over_tensor(self, x: Tensor) -> Tensor:
        total = torch.zeros(x.size(1))
        for row in x:
            total = total * 0.5 + row
        return total

    @torch.jit.export
    def over_dict(self, d: Dict[str, int]) -> List[str]:
        out: List[str] = []
        for k, v in d.items():
            for _ in range(v):
                out.append(k)
        return out

    @torch.jit.export
    def carried(self, n: int) -> Tuple[int, float, str]:
        a, b, s = 0, 1.0, ""
        for i in range(n):
            a, b = a + i, b * 1.5
            s = s + str(a)
        return a, b, s

    @torch.jit.export
    def reversed_range(self, n: int) -> List[int]:
        return [i * i for i in range(n, 0, -1)]

    @torch.jit.export
    def over_tuple(self, t: Tuple[int, int, int]) -> int:
        total = 0
        for x in t:
            total = total * 10 + x
        return total

    @torch.jit.export
    def infinite_with_return(self, limit: int) -> int:
        i = 0
        while True:
            i += 1
            if i * i > limit:
                return i
        return -1

    @torch.jit.export
    def loop_else_flag(self, xs: List[int]) -> Optional[int]:
        found: Optional[int] = None
        for x in xs:
            if x % 7 == 0:
                found = x
                break
        return found


class Numbers(nn.Module):
    @torch.jit.export
    def division(self, a: int, b: int) -> Tuple[int, int, float]:
        return a // b, a % b, a / b

    @torch.jit.export
    def floats(self, a: float, b: float) -> Tuple[float, float, float, float]:
        return a // b, a % b, a / b, a ** b

    @torch.jit.export
    def powers(self, a: int, b: int) -> Tuple[float, float]:
        return float(a) ** b, a * a ** 2

    @torch.jit.export
    def bits(self, a: int, b: int) -> List[int]:
        return [a & b, a | b, a ^ b, a << 2, a >> 1]

    @torch.jit.export
    def casts(self, x: float) -> Tuple[int, bool, str, float]:
        return int(x), bool(x), str(x), float(int(x))

    @torch.jit.export
    def parse(self, s: str) -> Tuple[int, float]:
        return int(s), float(s)

    @torch.jit.export
    def maths(self, x: float) -> List[float]:
        return [math.sqrt(x), math.exp(x), math.log(x), math.sin(x), math.atan2(x, 2.0), float(math.floor(x)), float(math.ceil(x)),
                math.pow(x, 3), math.fabs(-x), math.log1p(x), math.tanh(x), math.erf(x), math.gamma(x), math.degrees(x), math.fmod(x, 0.7)]

    @torch.jit.export
    def constants(self) -> List[float]:
        return [math.pi, math.e, math.inf, -math.inf, math.tau]

    @torch.jit.export
    def builtins(self, a: int, b: int, xs: List[float]) -> Tuple[int, int, int, float, float, float]:
        return min(a, b), max(a, b), abs(a), min(xs), max(xs), sum(xs)

    @torch.jit.export
    def rounding(self, x: float) -> Tuple[float, int, int]:
        return round(x), math.floor(x), int(round(x + 0.5))

    @torch.jit.export
    def divmods(self, a: int, b: int) -> Tuple[int, int]:
        return divmod(a, b)

    @torch.jit.export
    def complexes(self, a: complex, b: complex) -> Tuple[complex, complex, float, complex]:
        return a + b, a * b, abs(a), complex(abs(a), abs(b))

    @torch.jit.export
    def integers(self, a: int, b: int) -> Tuple[int, int, bool]:
        return math.gcd(a, b), math.factorial(min(abs(b), 10)), math.isnan(float(a))

    @torch.jit.export
    def compare(self, a: float, b: int) -> List[bool]:
        return [a < b, a <= b, a > b, a >= b, a == b, a != b]

    @torch.jit.export
    def in_place_arithmetic(self, x: int) -> int:
        x += 3
        x *= 2
        x -= 1
        return x

    @torch.jit.export
    def from_tensor(self, x: Tensor) -> Tuple[int, float, bool]:
        return int(x), float(x), bool(x)

    @torch.jit.export
    def literals(self) -> Tuple[int, int, float, float, complex, str]:
        return 0x1F, 1_000, 1e-3, .5, 2j, 'a\n\t"\x41\''

    @torch.jit.export
    def base(self, x: int) -> Tuple[str, str, str, str, int]:
        return hex(x), oct(x), bin(x), chr(x), ord("q")


class Errors(nn.Module):
    @torch.jit.export
    def raises(self, x: int) -> int:
        if x < 0:
            raise ValueError("x is negative")
        return x * 2

    @torch.jit.export
    def asserts(self, x: int, y: int) -> int:
        assert x > y, "x isn't larger"
        return x - y

    @torch.jit.export
    def asserts_formatted(self, xs: List[int]) -> int:
        assert len(xs) == 2, f"got {len(xs)}"
        a, b = xs
        return a * b

    @torch.jit.export
    def out_of_range(self, xs: List[int], i: int) -> int:
        return xs[i]

    @torch.jit.export
    def no_key(self, d: Dict[str, int], k: str) -> int:
        return d[k]

    @torch.jit.export
    def zero_division(self, a: int, b: int) -> int:
        return a // b

    @torch.jit.export
    def shapes(self, x: Tensor, y: Tensor) -> Tensor:
        return x @ y

    @torch.jit.export
    def raise_in_loop(self, n: int) -> int:
        total = 0
        for i in range(n):
            if i == 4:
                raise RuntimeError("four")
            total += i
        return total

    @torch.jit.export
    def raise_on_one_side(self, x: Optional[Tensor]) -> Tensor:
        if x is None:
            raise RuntimeError("no tensor")
        else:
            y = x + 1
        return y

    @torch.jit.export
    def unwrap(self, x: Optional[int]) -> int:
        return torch.jit._unwrap_optional(x)

    @torch.jit.export
    def not_implemented(self, x: int) -> int:
        if x > 1:
            raise NotImplementedError("not for " + str(x))
        return x

    @torch.jit.export
    def pop_empty(self, xs: List[int]) -> int:
        return xs.pop()

    @torch.jit.export
    def unpack(self, xs: List[int]) -> int:
        a, b, c = xs
        return a + b + c

    @torch.jit.export
    def item_of_many(self, x: Tensor) -> float:
        return float(x.item())

    @torch.jit.export
    def parse_error(self, s: str) -> int:
        return int(s)


class Refinement(nn.Module):
    cache: Optional[Tensor]

    def __init__(self):
        super().__init__()
        self.cache = None

    @torch.jit.export
    def optional(self, x: Optional[Tensor], y: Tensor) -> Tensor:
        if x is not None:
            return x + y
        return y

    @torch.jit.export
    def early_none(self, x: Optional[int]) -> int:
        if x is None:
            return -1
        return x + 1

    @torch.jit.export
    def both(self, x: Optional[int], y: Optional[int]) -> int:
        if x is not None and y is not None:
            return x + y
        if x is not None or y is not None:
            return 1
        return 0

    @torch.jit.export
    def asserted(self, x: Optional[str]) -> str:
        assert x is not None
        return x + "!"

    @torch.jit.export
    def default(self, x: Optional[int] = None, y: int = 3) -> int:
        z = y if x is None else x
        return z * 2

    @torch.jit.export
    def any_value(self, x: Any) -> str:
        if isinstance(x, int):
            return "int " + str(x + 1)
        elif isinstance(x, str):
            return "str " + x
        elif isinstance(x, Tensor):
            return "tensor " + str(x.dim())
        elif isinstance(x, float):
            return "float"
        return "other"

    @torch.jit.export
    def union(self, x: Union[int, str, List[int]]) -> int:
        if isinstance(x, int):
            return x
        elif isinstance(x, str):
            return len(x)
        else:
            return len(x) * 100

    @torch.jit.export
    def attribute(self, x: Tensor) -> Tensor:
        cache = self.cache
        if cache is None:
            self.cache = x
            return x
        y = cache + x
        self.cache = y
        return y

    @torch.jit.export
    def list_of_optional(self, xs: List[Optional[int]]) -> List[int]:
        out: List[int] = []
        for x in xs:
            if x is not None:
                out.append(x)
        return out

    @torch.jit.export
    def isinstance_tuple(self, x: Union[int, float]) -> float:
        if isinstance(x, (int, float)):
            return float(x) / 2
        return 0.0

    @torch.jit.export
    def annotated_empty(self, n: int) -> Tuple[List[int], Dict[str, Tensor]]:
        a = torch.jit.annotate(List[int], [])
        d: Dict[str, Tensor] = {}
        for i in range(n):
            a.append(i)
            d[str(i)] = torch.full([1], float(i))
        return a, d


T = torch.tensor
PROGRAMS = [
    (Branches(), {
        "sign": [(-3,), (0,), (9,)], "nested": [(1, 1), (1, -1), (1, -9), (0, 1), (0, 0)], "chained": [(0,), (5,), (10,), (11,)],
        "short_circuit": [([],), ([1],), ([1, 2, 3],), ([1, 2, -3],)], "of_tensor": [(T([1., 2.]),), (T([-1., .5]),)],
        "early": [(T([1., 2.]), 2), (T([1., 2.]), 9)], "ternary": [(4,), (1,)], "all_branches_return": [(2.5,), (.25,), (-1.,)],
        "static_test": [(T([1., 2.]),)], "pass_only": [(1,), (3,)]}),
    (Loops(), {
        "ranges": [(0, 5, 1), (5, 0, -2), (0, 0, 1), (0, 5, 0)], "whiles": [(27,), (6,)], "breaks": [([1, -2, 3, 4], 4), ([1, 2], 9)],
        "nested_break": [(3,), (9,)], "over_zip": [([1, 2, 3], [.5, 1.5]), ([], [])], "over_text": [("hello",), ("",)],
        "over_tensor": [(T([[1., 2.], [3., 4.], [5., 6.]]),)], "over_dict": [({"a": 2, "b": 0, "c": 1},)], "carried": [(0,), (4,)],
        "reversed_range": [(4,)], "over_tuple": [((1, 2, 3),)], "infinite_with_return": [(50,)], "loop_else_flag": [([1, 14, 21],), ([2],)]}),
    (Numbers(), {
        "division": [(7, 2), (-7, 2), (7, -2), (1, 0)], "floats": [(7.5, 2.), (-7.5, 2.), (1., 0.)], "powers": [(3, 4), (2, -1)],
        "bits": [(12, 10), (-3, 5)], "casts": [(3.7,), (-3.7,), (0.,), (1e20,)], "parse": [("42",), ("-7",), ("x",)],
        "maths": [(.5,), (2.25,), (0.,)], "constants": [()], "builtins": [(3, -4, [1.5, -2., 7.])], "rounding": [(2.5,), (3.5,), (-1.2345,)],
        "divmods": [(7, -3), (-7, 3), (4, 0)], "complexes": [(1 + 2j, 3 - 1j)], "integers": [(12, 18), (7, 0)],
        "compare": [(1.5, 2), (2.0, 2)], "in_place_arithmetic": [(5,), (100,)],
        "from_tensor": [(T([2.7]),), (T(0),), (T([1., 2.]),)], "literals": [()], "base": [(77,), (10,)]}),
    (Errors(), {
        "raises": [(1,), (-1,)], "asserts": [(3, 1), (1, 3)], "asserts_formatted": [([2, 3],), ([1],)],
        "out_of_range": [([1, 2], -1), ([1, 2], 2), ([], 0)], "no_key": [({"a": 1}, "a"), ({"a": 1}, "b")],
        "zero_division": [(4, 2), (4, 0)], "shapes": [(torch.ones(2, 3), torch.ones(3, 2)), (torch.ones(2, 3), torch.ones(2, 3))],
        "raise_in_loop": [(4,), (6,)], "raise_on_one_side": [(T([1.]),), (None,)], "unwrap": [(3,), (None,)],
        "not_implemented": [(0,), (2,)], "pop_empty": [([1, 2],), ([],)], "unpack": [([1, 2, 3],), ([1, 2],), ([1, 2, 3, 4],)],
        "item_of_many": [(T([3.]),), (T([3., 4.]),)], "parse_error": [("12",), ("1x",), ("",)]}),
    (Refinement(), {
        "optional": [(T([1.]), T([2.])), (None, T([2.]))], "early_none": [(None,), (4,)], "both": [(1, 2), (None, 2), (None, None)],
        "asserted": [("a",), (None,)], "default": [(), (4,), (None, 5)], "any_value": [(1,), ("a",), (T([[1.]]),), (1.5,), ([1],)],
        "union": [(3,), ("abc",), ([1, 2],)], "attribute": [(T([1.]),), (T([2.]),), (T([4.]),)], "list_of_optional": [([1, None, 3],)],
        "isinstance_tuple": [(3,), (1.5,)], "annotated_empty": [(0,), (2,)]}),
]

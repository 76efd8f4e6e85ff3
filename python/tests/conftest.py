# SPDX-License-Identifier: Apache-2.0
import os
import pathlib

import numpy as np
import pytest
import sconce

# The repository; the tests may have been copied out of it, so that they see the installed package alone.
ROOT = pathlib.Path(os.environ.get("SCONCE_ROOT") or pathlib.Path(__file__).resolve().parents[2])

SOURCE = '''
def same(x: Tensor) -> Tensor:
    return x
def add_one(x: Tensor) -> Tensor:
    return x.add_(1)
def numbers(f: float, i: int, b: bool, c: complex, s: str) -> Tuple[float, int, bool, complex, str]:
    return f, i, b, c, s
def device(d: Device) -> Device:
    return d
def cast(x: Tensor, d: int) -> Tensor:
    return x.to(d)
def anything(x: Any) -> Any:
    return x
def raising(x: Tensor) -> Tensor:
    if x.sum() > 0:
        raise ValueError("no positive ones")
    return x
def dicts(x: Dict[str, List[Tensor]], y: Optional[int] = None, z: float = 2.5) -> Dict[str, Tensor]:
    r: Dict[str, Tensor] = {}
    for k, v in x.items():
        r[k] = torch.stack(v) * z
    if y is not None:
        r["y"] = torch.tensor(y)
    return r
def total(x: List[int], y: Tuple[int, str]) -> int:
    n = y[0]
    for i in x:
        n += i
    return n
def floats(x: List[float]) -> float:
    return sum(x)
def either(x: Union[int, str, List[int]]) -> Union[int, str, List[int]]:
    return x
def endless(n: int) -> int:
    i = 0
    while i < n:
        i += 1
    return i
def says(x: int) -> None:
    print("said", x)
def square(x: Tensor) -> Tensor:
    return torch.mm(x, x)
'''


@pytest.fixture(scope="session")
def fixtures():
    return ROOT / "fixtures"


@pytest.fixture()
def f():
    """Functions of many kinds of arguments."""
    return sconce.compile(SOURCE)


@pytest.fixture()
def mlp(fixtures):
    return sconce.load(fixtures / "mlp.pt")


@pytest.fixture()
def x():
    return np.random.default_rng(0).standard_normal((4, 32), dtype=np.float32)

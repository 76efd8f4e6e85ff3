# SPDX-License-Identifier: Apache-2.0
"""Recorded cases through Python, and the doctests."""
import doctest
import importlib
import shutil

import numpy as np
import pytest
import sconce
from sconce._compare import Tolerance, difference


def test_fixtures(fixtures):
    report = sconce.verify(fixtures, jobs=2, progress=True)
    assert not report.failures
    assert report.passed >= 20 and report and str(report).endswith(" 0 failed, 0 skipped")


def test_wrong_answers_are_seen(fixtures, tmp_path):
    for name in ("mlp", "small_cnn"):
        shutil.copy(fixtures / f"{name}.pt", tmp_path)
    shutil.copy(fixtures / "mlp.io.pt", tmp_path / "small_cnn.io.pt")
    shutil.copy(fixtures / "mlp.io.pt", tmp_path / "mlp.io.pt")
    (tmp_path / "expected.json").write_text("{}")
    report = sconce.verify(tmp_path)
    assert report.passed == 2 and report.failed == 2 and not report


@pytest.mark.parametrize("a, e", [
    (np.ones(2), np.ones(3)), (np.ones(2), np.ones(2, np.float32)), (np.ones(2), np.array([1, 1.1])), (1, True), (1, 1.0),
    (1.0, 1.1), ([1], [1, 2]), ([1], (1,)), ({"a": 1}, {"b": 1}), ("a", "b"), (None, 1), (1, None), (1j, 1.5j),
    (np.array([np.nan]), np.array([1.])), (np.array([1j]), np.array([2j])), (np.array([True]), np.array([False]))])
def test_differences(a, e):
    def held(v):
        return sconce.Tensor(v) if isinstance(v, np.ndarray) else v
    assert difference(a, held(e), Tolerance())
    assert not difference(a, held(a), Tolerance("exact")) and not difference(e, held(e), Tolerance("exact"))


def test_doctests(fixtures):
    globs = {"np": np, "sconce": sconce, "fixtures": str(fixtures)}
    page = doctest.testfile(str(fixtures.parent / "docs" / "python.md"), module_relative=False, globs=dict(globs))
    assert page.attempted > 20 and page.failed == 0
    for name in ("sconce", "sconce.passes"):
        assert doctest.testmod(importlib.import_module(name), extraglobs=globs).failed == 0


def test_stubs(fixtures):
    """What is checked in is what nanobind makes of the extension."""
    stubgen = pytest.importorskip("nanobind.stubgen")
    made = stubgen.StubGen(sconce._sconce, include_docstrings=False)
    made.put(sconce._sconce)
    checked_in = fixtures.parent / "python" / "sconce" / "_sconce.pyi"
    assert made.get() == checked_in.read_text()

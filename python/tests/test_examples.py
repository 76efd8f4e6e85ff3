# SPDX-License-Identifier: Apache-2.0
"""The examples' programs in Python say what PyTorch answered, which is recorded beside them; those in C++ are compared with the same."""
import json
import re
import subprocess
import sys

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")


def run(program, *arguments):
    r = subprocess.run([sys.executable, program, *arguments], capture_output=True, text=True, timeout=120)
    assert r.returncode == 0, r.stderr
    return r.stdout.splitlines()


@pytest.fixture()
def examples(fixtures):
    return fixtures.parent / "examples"


def test_classify(examples, tmp_path):
    folder = examples / "classify"
    for picture, answer in json.loads((folder / "answers.json").read_text()).items():
        lines = run(folder / "classify.py", folder / "objects.pt", folder / f"{picture}.png")
        found = [re.fullmatch(r" *([\d.]+) %  (.+)", line).groups() for line in lines]
        assert [name for _, name in found] == [name for name, _ in answer]
        assert all(abs(float(share) - wanted) < 0.11 for (share, _), (_, wanted) in zip(found, answer)), picture
    names = tmp_path / "names.txt"
    names.write_text("".join(f"thing {i}\n" for i in range(16)))
    assert run(folder / "classify.py", folder / "objects.pt", folder / "photo.png", names)[0].endswith("%  thing 12")


def test_detect(examples, tmp_path):
    folder = examples / "detect"
    recorded = json.loads((folder / "table.json").read_text())
    names = ["apple", "banana", "die", "doughnut", "mug"]
    lines = run(folder / "detect.py", folder / "detector.pt", folder / "table.png", tmp_path / "out.png")
    assert len(lines) == len(recorded["classes"]) == len(recorded["things"])
    for line, box, score, which in zip(lines, recorded["boxes"], recorded["scores"], recorded["classes"]):
        name, share, *corners = re.fullmatch(r"(\w+) +([\d.]+) %  ([\d.]+),([\d.]+) to ([\d.]+),([\d.]+)", line).groups()
        assert name == names[which] and abs(float(share) - 100 * score) < 0.11
        assert np.abs(np.array(corners, float) - box).max() < 0.11
    before, after = (np.asarray(Image.open(p).convert("RGB")) for p in (folder / "table.png", tmp_path / "out.png"))
    assert before.shape == after.shape
    changed = (before != after).any(2)
    for x0, y0, x1, y1 in np.floor(np.array(recorded["boxes"]) + 0.5).astype(int):
        for edge in (changed[y0:y0 + 2, x0:x1], changed[y1 - 2:y1, x0:x1], changed[y0:y1, x0:x0 + 2], changed[y0:y1, x1 - 2:x1]):
            assert edge.size and edge.mean() > 0.95  # a pixel may have the colour already
    assert changed.mean() < 0.2

# SPDX-License-Identifier: Apache-2.0
"""Draws the pictures of this folder with scenes.py; train.py has seen none of them. Records in answers.json what PyTorch says of them by
objects.pt: the five best classes and their shares in percent. Needs torch, numpy and Pillow.

usage: make_pictures.py [--answers]     --answers: the pictures stay
"""
import json
import pathlib
import sys

import numpy
import torch
from PIL import Image

import scenes

HERE = pathlib.Path(__file__).parent
# Which one, width and height, and what differs from chance.
PICTURES = {
    "photo": ("mug", 104, 320, 240, {"table": 0, "pitch": 0.45, "distance": 3.0, "noise": 0.0, "bright": 1.05}),
    "banana": ("banana", 7, 200, 150, {"noise": 0.0}),
    "die": ("die", 12, 200, 150, {"noise": 0.0}),
    "doughnut": ("doughnut", 5, 150, 150, {"noise": 0.0}),
    "mushroom": ("mushroom", 3, 150, 200, {"noise": 0.0, "pitch": 0.25, "bright": 1.0}),
}


def draw():
    for name, (thing, seed, width, height, fixed) in PICTURES.items():
        g = torch.Generator().manual_seed(seed)
        scene = {**scenes.random_scene(g, [scenes.NAMES.index(thing)]), **fixed}
        picture, _ = scenes.render(scene, height, width, g, samples=3)
        Image.fromarray((picture.permute(1, 2, 0) * 255).round().byte().numpy()).save(HERE / f"{name}.png", optimize=True)


def answers():
    """{picture: [[name, percent], ...]}, the best first."""
    network, answers = torch.jit.load(str(HERE / "objects.pt")), {}
    for name in PICTURES:
        pixels = numpy.asarray(Image.open(HERE / f"{name}.png"), dtype=numpy.float32) / 255
        with torch.no_grad():
            shares = network(torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None])[0].softmax(0)
        answers[name] = [[scenes.NAMES[i], round(100 * shares[i].item(), 3)] for i in shares.argsort(descending=True)[:5]]
    return answers


def main():
    if "--answers" not in sys.argv[1:]:
        draw()
    lines = [f"{json.dumps(name)}: {json.dumps(best)}" for name, best in answers().items()]
    (HERE / "answers.json").write_text("{" + ",\n ".join(lines) + "}\n")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Draws the pictures of this folder with scenes.py; train.py has seen none of them. Needs torch and Pillow."""
import pathlib

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


def main():
    for name, (thing, seed, width, height, fixed) in PICTURES.items():
        g = torch.Generator().manual_seed(seed)
        scene = {**scenes.random_scene(g, [scenes.NAMES.index(thing)]), **fixed}
        picture, _ = scenes.render(scene, height, width, g, samples=3)
        Image.fromarray((picture.permute(1, 2, 0) * 255).round().byte().numpy()).save(HERE / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Makes objects.pt: a small network that names the things of scenes.py. Needs torch and numpy.

usage: train.py [--images PER_CLASS] [--epochs N] [--cache FILE]
Takes three minutes of one core.
"""
import argparse
import multiprocessing
import pathlib
import time

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import scenes

HERE = pathlib.Path(__file__).parent
SIDE = 64


class Block(nn.Module):
    """A depthwise convolution between two of one pixel, around them a short cut."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 1, bias=False), nn.BatchNorm2d(2 * channels), nn.Hardswish(),
            nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels, bias=False), nn.BatchNorm2d(2 * channels), nn.Hardswish(),
            nn.Conv2d(2 * channels, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def down(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.Hardswish())


class Classifier(nn.Module):
    """Scores of pictures [N, 3, H, W], colours from 0 to 1, of any size: the square in their middle is looked at."""

    def __init__(self, classes: int):
        super().__init__()
        self.features = nn.Sequential(down(3, 16), down(16, 24), Block(24), down(24, 40), Block(40), down(40, 64), Block(64))
        self.scores = nn.Linear(2 * 64, classes)
        self.register_buffer("mean", torch.full((3, 1, 1), 0.5))
        self.register_buffer("std", torch.full((3, 1, 1), 0.25))

    def forward(self, pictures: Tensor) -> Tensor:
        height, width = pictures.size(2), pictures.size(3)
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = pictures[:, :, top:top + side, left:left + side]
        small = F.interpolate(square, [64, 64], mode="bilinear", antialias=True)
        x = self.features((small - self.mean) / self.std)
        return self.scores(torch.cat([x.mean([2, 3]), x.amax([2, 3])], 1))


def draw_one(number):
    torch.set_num_threads(1)
    g = torch.Generator().manual_seed(number)
    picture, _ = scenes.render(scenes.random_scene(g, [number % len(scenes.NAMES)]), SIDE, SIDE, g)
    return (picture * 255).round().byte().numpy()


def draw(first, per_class):
    numbers = range(first, first + per_class * len(scenes.NAMES))
    with multiprocessing.Pool() as pool:
        pictures = pool.map(draw_one, numbers, chunksize=16)
    return torch.from_numpy(numpy.stack(pictures)), torch.tensor([n % len(scenes.NAMES) for n in numbers])


def varied(x, g):
    """Mirrored, moved, of another light."""
    if torch.rand((), generator=g) < 0.5:
        x = x.flip(3)
    x = F.pad(x, (6, 6, 6, 6), mode="replicate")
    top, left = torch.randint(0, 13, (2,), generator=g).tolist()
    x = x[:, :, top:top + SIDE, left:left + SIDE]
    n = len(x)
    x = (x * (0.8 + 0.4 * torch.rand((n, 3, 1, 1), generator=g))).clamp(0, 1)
    blur = torch.rand((n, 1, 1, 1), generator=g) < 0.25
    return torch.where(blur, F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1), x)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=22)
    parser.add_argument("--cache", type=pathlib.Path, help="where drawn pictures are kept")
    o = parser.parse_args()
    torch.manual_seed(0)
    began = time.time()
    (x, y), (test_x, test_y) = scenes.kept(o.cache, lambda: (draw(1_600_000, o.images), draw(3_200_000, 6)))
    print(f"{len(x)} pictures drawn in {time.time() - began:.0f} s", flush=True)
    g = torch.Generator().manual_seed(3)
    m = Classifier(len(scenes.NAMES))
    print(sum(p.numel() for p in m.parameters()), "numbers")
    batch, steps = 32, o.epochs * (len(x) // 32)
    optimizer = torch.optim.AdamW(m.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    for epoch in range(o.epochs):
        m.train()
        total = 0.0
        order = torch.randperm(len(x), generator=g)
        for i in range(len(x) // batch):
            some = order[i * batch:(i + 1) * batch]
            loss = F.cross_entropy(m(varied(x[some].float() / 255, g)), y[some], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        m.eval()
        with torch.no_grad():
            right = (m(test_x.float() / 255).argmax(1) == test_y)
        print(f"epoch {epoch + 1}: loss {total / (len(x) // batch):.3f}, {right.float().mean():.1%} of {len(test_x)} new pictures right, {time.time() - began:.0f} s", flush=True)
    torch.jit.script(m).save(str(HERE / "objects.pt"), _extra_files={"labels.txt": "\n".join(scenes.NAMES) + "\n"})


if __name__ == "__main__":
    main()

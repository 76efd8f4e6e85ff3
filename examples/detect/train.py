# SPDX-License-Identifier: Apache-2.0
"""Makes detector.pt and table.png: a small network that finds the things of ../classify/scenes.py. A point of a coarse map
says that there is the middle of a thing, and how far its sides are (X. Zhou, D. Wang, P. Kraehenbuehl, Objects as points, 2019).
Needs torch and Pillow. usage: train.py [--images N] [--epochs N] [--cache FILE]
"""
import argparse
import json
import pathlib
import sys
import time
from typing import Tuple

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "classify"))
import scenes  # noqa: E402

HEIGHT, WIDTH, CELL = 96, 128, 8
NAMES = ["apple", "banana", "die", "doughnut", "mug"]
PLACES = [(-0.95, -0.75), (0.95, -0.75), (-0.95, 0.75), (0.95, 0.75), (0.0, 0.0)]


def down(a: int, b: int, stride: int = 2) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())


class Detector(nn.Module):
    """From a picture [1, 3, H, W], colours from 0 to 1, three high to four wide, to boxes [n, 4] of x0, y0, x1, y1 in pixels, their
    scores [n] and classes [n], the best first."""

    def __init__(self, classes: int):
        super().__init__()
        self.fine = nn.Sequential(down(3, 16), down(16, 24), down(24, 40), down(40, 40, 1))
        self.wide = nn.Sequential(down(40, 64), down(64, 64, 1))
        self.head = nn.Sequential(nn.Conv2d(104, 40, 3, 1, 1, bias=False), nn.BatchNorm2d(40), nn.ReLU(), nn.Conv2d(40, classes + 4, 1))
        self.classes = classes
        self.least = 0.35

    def maps(self, pictures: Tensor) -> Tuple[Tensor, Tensor]:
        """Of each cell of eight pixels: scores before the sigmoid [N, classes, h, w], distances to the sides in cells [N, 4, h, w]."""
        fine = self.fine(pictures * 4 - 2)
        wide = F.interpolate(self.wide(fine), scale_factor=2.0, mode="nearest")
        y = self.head(torch.cat([fine, wide], 1))
        return y[:, :self.classes] - 3, torch.exp(y[:, self.classes:])

    def forward(self, picture: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        small = F.interpolate(picture, [96, 128], mode="bilinear", antialias=True)
        heat, sides = self.maps(small)
        heat = torch.sigmoid(heat)
        best = F.max_pool2d(heat.amax(1, keepdim=True), 3, 1, 1)
        cls, y, x = torch.where((heat[0] == best[0]) & (heat[0] > self.least))
        scores = heat[0, cls, y, x]
        d = sides[0, :, y, x]
        cx, cy = x + 0.5, y + 0.5
        # From cells of the map to pixels of the picture, and not beyond it.
        sx, sy = picture.size(3) / 16, picture.size(2) / 12
        boxes = torch.stack([(cx - d[0]).clamp(0, 16) * sx, (cy - d[1]).clamp(0, 12) * sy,
                             (cx + d[2]).clamp(0, 16) * sx, (cy + d[3]).clamp(0, 12) * sy], 1)
        order = torch.argsort(scores, descending=True)
        return boxes[order], scores[order], cls[order]


def table(g, count, height, width, samples=1, **fixed):
    """A picture and its things: [(class, x0, y0, x1, y1)], of what is seen of them."""
    kinds = torch.randperm(len(NAMES), generator=g)[:count].tolist()
    scene = scenes.random_scene(g, [scenes.NAMES.index(NAMES[k]) for k in kinds], size=(0.75, 1.0))
    places = torch.randperm(len(PLACES), generator=g)[:count].tolist()
    scene["things"] = [(kind, (PLACES[p][0] + scenes.uniform(g, -0.15, 0.15), PLACES[p][1] + scenes.uniform(g, -0.15, 0.15)), turn, size, k)
                       for (kind, _, turn, size, k), p in zip(scene["things"], places)]
    scene.update(pitch=scenes.uniform(g, 0.45, 0.9), distance=scenes.uniform(g, 4.2, 5.2), noise=scene["noise"] * 0.7, **fixed)
    picture, shown = scenes.render(scene, height, width, g, samples)
    boxes = []
    for i, k in enumerate(kinds):
        ys, xs = torch.where(shown == i)
        if len(ys) > 20:
            boxes.append((k, xs.min().item(), ys.min().item(), xs.max().item() + 1, ys.max().item() + 1))
    return picture, boxes


def targets(boxes, flip):
    """What the maps should say; the middle's cell is the thing's, its neighbours are left alone."""
    h, w = HEIGHT // CELL, WIDTH // CELL
    heat, weight, sides, own = torch.zeros(len(NAMES), h, w), torch.ones(len(NAMES), h, w), torch.ones(4, h, w), torch.zeros(h, w)
    for k, x0, y0, x1, y1 in boxes:
        if flip:
            x0, x1 = WIDTH - x1, WIDTH - x0
        i, j = min(h - 1, int((y0 + y1) / 2 // CELL)), min(w - 1, int((x0 + x1) / 2 // CELL))
        weight[k, max(0, i - 1):i + 2, max(0, j - 1):j + 2] = 0.1
        for a in range(max(0, i - 1), min(h, i + 2)):
            for b in range(max(0, j - 1), min(w, j + 2)):
                cx, cy = (b + 0.5) * CELL, (a + 0.5) * CELL
                d = torch.tensor([cx - x0, cy - y0, x1 - cx, y1 - cy]) / CELL
                if (a, b) == (i, j) or (own[a, b] == 0 and d.min() > 0.2):
                    sides[:, a, b], own[a, b] = d.clamp(min=0.1), 1.0 if (a, b) == (i, j) else 0.3
    for k, x0, y0, x1, y1 in boxes:
        if flip:
            x0, x1 = WIDTH - x1, WIDTH - x0
        i, j = min(h - 1, int((y0 + y1) / 2 // CELL)), min(w - 1, int((x0 + x1) / 2 // CELL))
        heat[k, i, j], weight[k, i, j] = 1, 8
    return heat, weight, sides, own


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--cache", type=pathlib.Path, help="where drawn pictures are kept")
    o = parser.parse_args()
    torch.manual_seed(0)
    began = time.time()
    if o.cache and o.cache.exists():
        pictures, boxes = torch.load(o.cache)
    else:
        g = torch.Generator().manual_seed(11)
        made = [table(g, 2 + i % 4, HEIGHT, WIDTH) for i in range(o.images)]
        pictures, boxes = torch.stack([(p * 255).round().byte() for p, _ in made]), [b for _, b in made]
        if o.cache:
            torch.save((pictures, boxes), o.cache)
    print(f"{len(boxes)} pictures drawn in {time.time() - began:.0f} s", flush=True)
    wanted = [[torch.stack(t) for t in zip(*(targets(b, flip) for b in boxes))] for flip in (False, True)]
    m, g, batch = Detector(len(NAMES)), torch.Generator().manual_seed(12), 16
    steps = o.epochs * (len(boxes) // batch)
    optimizer = torch.optim.AdamW(m.parameters(), 3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, steps)
    for epoch in range(o.epochs):
        order, total = torch.randperm(len(boxes), generator=g), 0.0
        for i in range(len(boxes) // batch):
            some = order[i * batch:(i + 1) * batch]
            flip = int(torch.randint(0, 2, (), generator=g))
            x = pictures[some].float() / 255
            x = (x * (0.85 + 0.3 * torch.rand((batch, 3, 1, 1), generator=g))).clamp(0, 1)
            heat, weight, sides, own = (t[some] for t in wanted[flip])
            got, d = m.maps(x.flip(3) if flip else x)
            loss = (weight * F.binary_cross_entropy_with_logits(got, heat, reduction="none")).sum() / heat.sum()
            loss = loss + (own[:, None] * (d.log() - sides.log()).abs()).sum() / own.sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / (len(boxes) // batch):.3f}, {time.time() - began:.0f} s", flush=True)
    m.eval()
    torch.jit.script(m).save(str(HERE / "detector.pt"), _extra_files={"labels.txt": "\n".join(NAMES) + "\n"})
    picture, true = table(torch.Generator().manual_seed(5), 4, 2 * HEIGHT, 2 * WIDTH, 3, noise=0.0, bright=1.05)
    Image.fromarray((picture.permute(1, 2, 0) * 255).round().byte().numpy()).save(HERE / "table.png", optimize=True)
    (HERE / "table.json").write_text(json.dumps([[NAMES[k], *b] for k, *b in true]) + "\n")
    print(true, m(picture[None]), sep="\n")


if __name__ == "__main__":
    main()

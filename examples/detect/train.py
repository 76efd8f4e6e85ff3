# SPDX-License-Identifier: Apache-2.0
"""Makes detector.pt, table.png and table.json: a small network that finds the things of ../classify/scenes.py. Needs torch and Pillow.

Each cell of a coarse map says what has its middle there, and how far the sides of that thing are (X. Zhou, D. Wang, P. Kraehenbuehl,
Objects as points, 2019). usage: train.py [--images N] [--epochs N] [--cache FILE]; takes three minutes of one core.
"""
import argparse
import json
import pathlib
import sys
import time
from typing import List, Tuple

import numpy
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


def overlaps(box: Tensor, others: Tensor) -> Tensor:
    """Of a box [4] with each of others [n, 4]: the area of both, as a part of the area of either."""
    size = (torch.minimum(box[2:], others[:, 2:]) - torch.maximum(box[:2], others[:, :2])).clamp(min=0.0)
    both = size[:, 0] * size[:, 1]
    areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    return both / ((box[2] - box[0]) * (box[3] - box[1]) + areas - both)


def best_of_each(boxes: Tensor, scores: Tensor, most: float) -> Tensor:
    """Which boxes stay, the best first: those that overlap by more than most with none of a higher score (non-maximum suppression)."""
    left = torch.argsort(scores, descending=True)
    kept: List[int] = []
    while left.numel() > 0:
        best = int(left[0])
        kept.append(best)
        left = left[1:]
        left = left[overlaps(boxes[best], boxes[left]) <= most]
    return torch.tensor(kept, dtype=torch.long)


class Detector(nn.Module):
    """From a picture [1, 3, H, W], colours from 0 to 1, about three high to four wide, to boxes [n, 4] of x0, y0, x1, y1 in
    pixels, their scores [n] and classes [n], the best first. least: below this score nothing is found."""

    def __init__(self, classes: int):
        super().__init__()
        self.fine = nn.Sequential(down(3, 16), down(16, 24), down(24, 32), down(32, 32, 1))
        self.wide = nn.Sequential(down(32, 32), down(32, 32, 1))
        self.head = nn.Sequential(nn.Conv2d(64, 28, 3, 1, 1, bias=False), nn.BatchNorm2d(28), nn.ReLU(), nn.Conv2d(28, classes + 4, 1))
        self.classes = classes

    def maps(self, pictures: Tensor) -> Tuple[Tensor, Tensor]:
        """Of each cell of eight pixels: scores before the sigmoid [N, classes, h, w], distances to the sides in cells [N, 4, h, w]."""
        fine = self.fine(pictures * 4 - 2)
        wide = self.wide(fine).repeat_interleave(2, 2).repeat_interleave(2, 3)
        y = self.head(torch.cat([fine, wide], 1))
        return y[:, :self.classes] - 3, torch.exp(y[:, self.classes:])

    def forward(self, picture: Tensor, least: float = 0.4, most_overlap: float = 0.4) -> Tuple[Tensor, Tensor, Tensor]:
        if picture.dim() != 4 or picture.size(0) != 1 or picture.size(1) != 3:
            raise ValueError("a picture is [1, 3, H, W]")
        heat, sides = self.maps(F.interpolate(picture, [96, 128], mode="bilinear", antialias=True))
        score, which = torch.sigmoid(heat[0]).max(0)
        y, x = torch.where(score > least)
        scores, classes, d = score[y, x], which[y, x], sides[0, :, y, x]
        cx, cy = x + 0.5, y + 0.5
        # From cells of the map to pixels of the picture, and not beyond it.
        right, bottom = score.size(1), score.size(0)
        to_x, to_y = picture.size(3) / right, picture.size(2) / bottom
        boxes = torch.stack([(cx - d[0]).clamp(0, right) * to_x, (cy - d[1]).clamp(0, bottom) * to_y,
                             (cx + d[2]).clamp(0, right) * to_x, (cy + d[3]).clamp(0, bottom) * to_y], 1)
        kept = best_of_each(boxes, scores, most_overlap)
        return boxes[kept], scores[kept], classes[kept]


def table(g, count, height, width, samples=1, **fixed):
    """A picture and its things: [(class, x0, y0, x1, y1)], of what is seen of them."""
    kinds = torch.randperm(len(NAMES), generator=g)[:count].tolist()
    scene = scenes.random_scene(g, [scenes.NAMES.index(NAMES[k]) for k in kinds], size=(0.75, 1.0))
    places = torch.randperm(len(PLACES), generator=g)[:count].tolist()
    scene["things"] = [(kind, (PLACES[p][0] + scenes.uniform(g, -0.15, 0.15), PLACES[p][1] + scenes.uniform(g, -0.15, 0.15)), turn, size, k)
                       for (kind, _, turn, size, k), p in zip(scene["things"], places)]
    scene.update(pitch=scenes.uniform(g, 0.45, 0.9), distance=scenes.uniform(g, 4.2, 5.2), noise=scene["noise"] * 0.7)
    scene.update(fixed)
    picture, shown = scenes.render(scene, height, width, g, samples)
    boxes = []
    for i, k in enumerate(kinds):
        ys, xs = torch.where(shown == i)
        if len(ys) > 20:
            boxes.append((k, xs.min().item(), ys.min().item(), xs.max().item() + 1, ys.max().item() + 1))
    return picture, boxes


def tables(first, n):
    made = [table(torch.Generator().manual_seed(first + i), 2 + i % 4, HEIGHT, WIDTH) for i in range(n)]
    return torch.stack([(p * 255).round().byte() for p, _ in made]), [b for _, b in made]


def targets(boxes, flip):
    """What the maps should say: scores and how much each of them counts [classes, h, w], distances [4, h, w] and how much they count [h, w].
    The cell of a thing's middle is the thing's, of its neighbours little is asked."""
    h, w = HEIGHT // CELL, WIDTH // CELL
    heat, weight, sides, own = torch.zeros(len(NAMES), h, w), torch.ones(len(NAMES), h, w), torch.ones(4, h, w), torch.zeros(h, w)
    middles = []
    for k, x0, y0, x1, y1 in boxes:
        if flip:
            x0, x1 = WIDTH - x1, WIDTH - x0
        i, j = min(h - 1, int((y0 + y1) / 2 // CELL)), min(w - 1, int((x0 + x1) / 2 // CELL))
        middles.append((k, i, j))
        weight[k, max(0, i - 1):i + 2, max(0, j - 1):j + 2] = 0.1
        for a in range(max(0, i - 1), min(h, i + 2)):
            for b in range(max(0, j - 1), min(w, j + 2)):
                cx, cy = (b + 0.5) * CELL, (a + 0.5) * CELL
                d = torch.tensor([cx - x0, cy - y0, x1 - cx, y1 - cy]) / CELL
                if (a, b) == (i, j) or (own[a, b] == 0 and d.min() > 0.2):
                    sides[:, a, b], own[a, b] = d.clamp(min=0.1), 1.0 if (a, b) == (i, j) else 0.3
    for k, i, j in middles:
        heat[k, i, j], weight[k, i, j] = 1, 8
    return heat, weight, sides, own


def found(m, pictures, boxes):
    """Of all things the part that is found in its place (an overlap above a half), and how many were found that aren't there."""
    right = extra = things = 0
    with torch.no_grad():
        for picture, true in zip(pictures, boxes):
            got, _, classes = m(picture[None].float() / 255)
            free = list(range(len(got)))
            things += len(true)
            for k, *box in true:
                hit = [i for i in free if classes[i] == k and overlaps(torch.tensor(box).float(), got[i:i + 1])[0] > 0.5]
                if hit:
                    right += 1
                    free.remove(hit[0])
            extra += len(free)
    return right / things, extra


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=800)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--cache", type=pathlib.Path, help="where drawn pictures are kept")
    o = parser.parse_args()
    torch.manual_seed(0)
    began = time.time()
    (pictures, boxes), (new_pictures, new_boxes) = scenes.kept(o.cache, lambda: (tables(1_600_000, o.images), tables(3_200_000, 60)))
    print(f"{len(boxes)} pictures drawn in {time.time() - began:.0f} s", flush=True)
    wanted = [[torch.stack(t) for t in zip(*(targets(b, flip) for b in boxes))] for flip in (False, True)]
    m, g, batch = Detector(len(NAMES)), torch.Generator().manual_seed(12), 16
    print(sum(p.numel() for p in m.parameters()), "numbers")
    steps = o.epochs * (len(boxes) // batch)
    optimizer = torch.optim.AdamW(m.parameters(), 3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, steps)
    for epoch in range(o.epochs):
        m.train()
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
    part, extra = found(m, new_pictures, new_boxes)
    print(f"of {sum(map(len, new_boxes))} things in {len(new_boxes)} new pictures {part:.1%} are found, and {extra} that aren't there")
    m = torch.jit.script(m)
    m.save(str(HERE / "detector.pt"), _extra_files={"labels.txt": "\n".join(NAMES) + "\n"})

    # A new picture, what is on it, and what PyTorch answers for it.
    picture, true = table(torch.Generator().manual_seed(5), 4, 3 * HEIGHT, 3 * WIDTH, 3, noise=0.0, bright=1.05)
    Image.fromarray((picture.permute(1, 2, 0) * 255).round().byte().numpy()).save(HERE / "table.png", optimize=True)
    pixels = numpy.asarray(Image.open(HERE / "table.png"), dtype=numpy.float32) / 255
    with torch.no_grad():
        answer = m(torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None])
    lines = [f'"things": {json.dumps([[NAMES[k], *b] for k, *b in true])}']
    lines += [f'"{name}": {json.dumps(t.tolist())}' for name, t in zip(("boxes", "scores", "classes"), answer)]
    (HERE / "table.json").write_text("{" + ",\n ".join(lines) + "}\n")
    print((HERE / "table.json").read_text())


if __name__ == "__main__":
    main()

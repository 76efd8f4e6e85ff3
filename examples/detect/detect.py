# SPDX-License-Identifier: Apache-2.0
"""Finds things in a picture, prints a line for each and draws boxes with their names into a copy.

usage: detect.py MODEL.pt PICTURE OUT.png     needs numpy and Pillow
MODEL.pt gives boxes [n, 4] (x0, y0, x1, y1 in pixels), scores [n] and classes [n] for a picture, and names its classes in
extra/labels.txt.
"""
import sys

import numpy
import sconce
from PIL import Image, ImageDraw

COLOURS = [(230, 25, 75), (0, 130, 200), (40, 140, 60), (220, 100, 20), (145, 30, 180)]

model, source, out = sys.argv[1:4]
extra = {"labels.txt": b""}
m = sconce.load(model, extra_files=extra)
names = extra["labels.txt"].decode().splitlines()

picture = Image.open(source).convert("RGB")
pixels = numpy.asarray(picture, dtype=numpy.float32) / 255  # [H, W, 3]
boxes, scores, classes = m(pixels.transpose(2, 0, 1)[None].copy())

draw = ImageDraw.Draw(picture)
found = [(names[which], 100 * score, box, COLOURS[which % len(COLOURS)]) for box, score, which in zip(boxes, scores, classes)]
for _, _, box, colour in found:
    x0, y0, x1, y1 = (int(v) for v in numpy.floor(box + 0.5))
    draw.rectangle([x0, y0, x1 - 1, y1 - 1], outline=colour, width=2)
for name, share, box, colour in found:
    text, x, bottom = f" {name} {share:.0f}% ", int(box[0] + 0.5), max(int(box[1] + 0.5), 14)
    draw.rectangle([x, bottom - 14, x + round(draw.textlength(text)) - 1, bottom - 1], fill=colour)
    draw.text((x, bottom - 13), text, fill="white")
picture.save(out)
for name, share, box, _ in found:
    print("{:9} {:5.1f} %  {:.1f},{:.1f} to {:.1f},{:.1f}".format(name, share, *box))

# SPDX-License-Identifier: Apache-2.0
"""What is in a picture: the names and shares of the five best classes.

usage: classify.py MODEL.pt PICTURE [LABELS.txt]     needs numpy and Pillow
"""
import pathlib
import sys
import zipfile

import numpy
import sconce
from PIL import Image


def labels_of(archive):
    """The names that train.py stored next to the weights: torch.jit.save(m, path, _extra_files={"labels.txt": ...})."""
    with zipfile.ZipFile(archive) as z:
        record = next(n for n in z.namelist() if n.endswith("/extra/labels.txt"))
        return z.read(record).decode().splitlines()


model, picture = sys.argv[1:3]
names = pathlib.Path(sys.argv[3]).read_text().splitlines() if len(sys.argv) > 3 else labels_of(model)

pixels = numpy.asarray(Image.open(picture).convert("RGB"), dtype=numpy.float32) / 255  # [H, W, 3]
m = sconce.load(model)
scores = numpy.asarray(m(pixels.transpose(2, 0, 1)[None].copy()))[0]

share = numpy.exp(scores - scores.max())
share /= share.sum()
for i in numpy.argsort(-share)[:5]:
    print(f"{100 * share[i]:5.1f} %  {names[i]}")

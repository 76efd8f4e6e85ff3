# SPDX-License-Identifier: Apache-2.0
"""Names what is in many pictures with Ray Data: a pool of actors, each with a model of its own.

usage: batch.py MODEL.pt FOLDER [--rows N] [--workers N] [--batch N]     needs ray[data]; writes Parquet files into FOLDER
"""
import argparse
import os
import pathlib
import time

import numpy
import ray
import sconce


def pictures(ids):
    """Draws the picture of each id, 64 squares of random colours. Pictures of your own: ray.data.read_images(FOLDER)."""
    squares = numpy.stack([numpy.random.default_rng(i).random((3, 8, 8), numpy.float32) for i in ids])
    return squares.repeat(8, axis=2).repeat(8, axis=3)  # [N, 3, 64, 64]


class Classify:
    """An actor. Ray unpickles the model once for each, so that it is loaded once; batches then come one after the other."""

    def __init__(self, model, names):
        self.model, self.names = model, names

    def __call__(self, batch):
        scores = self.model(pictures(batch["id"]))  # [N, classes]
        share = numpy.exp(scores - scores.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        best = share.argmax(axis=1)
        return {"id": batch["id"], "name": self.names[best], "share": share.max(axis=1)}


def load(path):
    """The model and the names of its classes. From bytes, it is pickled with its weights: workers need not see the file."""
    extra = {"labels.txt": b""}
    model = sconce.load(pathlib.Path(path).read_bytes(), extra_files=extra)  # one thread; as many actors as cores
    return model, numpy.array(extra["labels.txt"].decode().splitlines())


def classify(model, rows, workers, batch=64, actor=Classify):
    """A dataset of id, name and share. Ray runs a batch again whose actor died."""
    ids = ray.data.range(rows, override_num_blocks=max(2 * workers, rows // (8 * batch)))
    return ids.map_batches(actor, fn_constructor_args=load(model), concurrency=workers, num_cpus=1, batch_size=batch)


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("folder")
    p.add_argument("--rows", type=int, default=20000)
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--batch", type=int, default=64)
    options = p.parse_args()
    # The cluster that RAY_ADDRESS names, else one of this machine; each actor takes a core of it, and reading and writing take one.
    ray.init(num_cpus=None if "RAY_ADDRESS" in os.environ else options.workers + 1)
    began = time.time()
    classify(options.model, options.rows, options.workers, options.batch).write_parquet(options.folder)
    seconds = time.time() - began
    print(f"{options.rows} rows in {seconds:.1f} s by {options.workers} workers: {options.rows / seconds:.0f} rows a second")

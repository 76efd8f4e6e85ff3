# SPDX-License-Identifier: Apache-2.0
"""Names what is in many pictures with Spark: mapInPandas, and a model that each Python worker loads once.

usage: batch.py MODEL.pt FOLDER [--rows N] [--workers N] [--batch N] [--master URL]     writes Parquet files into FOLDER
needs pyspark, pandas, pyarrow and a Java runtime; without --master a cluster of this machine is started, each worker a process with one core
"""
import argparse
import os
import pathlib
import sys
import time

import numpy
import pandas
import sconce
from pyspark.sql import SparkSession


def pictures(ids):
    """Draws the picture of each id, 64 squares of random colours. Pictures of your own: spark.read.format("binaryFile")."""
    squares = numpy.stack([numpy.random.default_rng(i).random((3, 8, 8), numpy.float32) for i in ids])
    return squares.repeat(8, axis=2).repeat(8, axis=3)  # [N, 3, 64, 64]


def load(path):
    """The model and the names of its classes. From bytes, it is pickled with its weights: workers need not see the file."""
    extra = {"labels.txt": b""}
    model = sconce.load(pathlib.Path(path).read_bytes(), extra_files=extra)
    return model, numpy.array(extra["labels.txt"].decode().splitlines())


def classify(spark, path, rows, partitions):
    """A DataFrame of id, name and share. Spark runs a partition again whose worker died."""
    model = spark.sparkContext.broadcast(load(path))

    def answer(frames):
        module, names = model.value  # unpickled when this Python worker first asks for it, then kept
        for frame in frames:
            scores = module(pictures(frame["id"]))  # [N, classes]
            share = numpy.exp(scores - scores.max(axis=1, keepdims=True))
            share /= share.sum(axis=1, keepdims=True)
            yield pandas.DataFrame({"id": frame["id"], "name": names[share.argmax(axis=1)], "share": share.max(axis=1)})

    return spark.range(rows, numPartitions=partitions).mapInPandas(answer, "id long, name string, share float")


def session(master, batch=64):
    """batch: rows in a DataFrame that a worker gets."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    return (SparkSession.builder.master(master).appName("sconce").config("spark.ui.enabled", "false")
            .config("spark.executor.memory", "1g").config("spark.sql.execution.arrow.maxRecordsPerBatch", batch).getOrCreate())


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("folder")
    p.add_argument("--rows", type=int, default=20000)
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--master")
    options = p.parse_args()
    spark = session(options.master or f"local-cluster[{options.workers},1,1024]", options.batch)
    began = time.time()
    classify(spark, options.model, options.rows, 8 * options.workers).write.mode("overwrite").parquet(options.folder)
    seconds = time.time() - began
    print(f"{options.rows} rows in {seconds:.1f} s by {options.workers} workers: {options.rows / seconds:.0f} rows a second")
    spark.stop()

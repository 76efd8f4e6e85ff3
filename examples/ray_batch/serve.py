# SPDX-License-Identifier: Apache-2.0
"""Names what is in a picture over HTTP with Ray Serve: requests that come at about the same time are answered in one call of the model.

usage: serve.py MODEL.pt [--replicas N] [--port N]     needs ray[serve]
POST / with the bytes of a .npy file, or with JSON: a picture [3, H, W] of floats from 0 to 1.
"""
import argparse
import asyncio
import io
import json

import numpy
import sconce
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse


class Classify:
    """A replica. Ray unpickles the model once for each."""

    def __init__(self, model, names):
        self.model, self.names = model, names

    async def __call__(self, request: Request):
        body = await request.body()
        try:
            is_json = "json" in request.headers.get("content-type", "")
            picture = numpy.asarray(json.loads(body) if is_json else numpy.lib.format.read_array(io.BytesIO(body)), numpy.float32)
            if picture.ndim != 3 or picture.shape[0] != 3 or 0 in picture.shape:
                raise ValueError(f"a picture is [3, H, W], not {list(picture.shape)}")
        except (ValueError, TypeError) as e:
            return JSONResponse({"error": str(e)}, status_code=400)
        return await self.answer(picture)

    @serve.batch(max_batch_size=16, batch_wait_timeout_s=0.005)
    async def answer(self, pictures):
        """Called with one picture, runs with a list of those that wait. Pictures of one size share a call."""
        answers = [None] * len(pictures)
        for shape in {p.shape for p in pictures}:
            which = [i for i, p in enumerate(pictures) if p.shape == shape]
            # In a thread, so that requests are taken meanwhile: sconce lets go of Python's lock.
            scores = await asyncio.to_thread(self.model, numpy.stack([pictures[i] for i in which]))
            share = numpy.exp(scores - scores.max(axis=1, keepdims=True))
            share /= share.sum(axis=1, keepdims=True)
            for i, s in zip(which, share):
                answers[i] = {"name": str(self.names[s.argmax()]), "share": float(s.max()), "batch": len(which)}
        return answers


def application(path, replicas=2, replica=Classify):
    extra = {"labels.txt": b""}
    with open(path, "rb") as f:
        model = sconce.load(f, extra_files=extra)  # from bytes: the pickle holds the weights
    names = numpy.array(extra["labels.txt"].decode().splitlines())
    return serve.deployment(replica, num_replicas=replicas, max_ongoing_requests=64).bind(model, names)


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("--replicas", type=int, default=2)
    p.add_argument("--port", type=int, default=8000)
    options = p.parse_args()
    serve.start(http_options={"port": options.port})
    serve.run(application(options.model, options.replicas), blocking=True)

"""The mask decoder for all objects of a picture against the public one, object by object.

    python benchmarks/segmenters_decoder.py [--threads 1] [--keep-memory] [--rounds 5]

Weights and embedding are random: speed does not depend on them. Prints CPU time of the whole
process (the least of the rounds) and its ratio to calling the public decoder once per object, and
the largest difference of the logits as a share of their scale.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from segment_anything.modeling import Sam
from torch import Tensor, nn

from rvsam_video.segmenters.sam.allocator import keep_freed_memory
from rvsam_video.segmenters.sam.decoder import BatchedDecoder, PreparedImage
from rvsam_video.segmenters.sam.geometry import Geometry
from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.segmenters.sam.prompts import DecodeRequest

POINTS = (1, 8, 17, 30)
OBJECTS = (1, 5, 20)
SQUARE = Geometry(1024, 1024)


def make_requests(objects: int, points: int, *, masks: bool) -> list[DecodeRequest]:
    """Return requests with as many random points each; half of them off the object."""
    rng = np.random.default_rng(objects)
    return [
        DecodeRequest(
            rng.uniform(0, 1024, (points, 2)),
            np.arange(points) % 2,
            mask_input=torch.randn(256, 256) if masks else None,
        )
        for _ in range(objects)
    ]


def public(sam: Sam, embedding: Tensor, request: DecodeRequest) -> Tensor:
    """Return the (1, 1, 256, 256) logits of the public decoder for one object."""
    xy = torch.tensor(request.points, dtype=torch.float32)[None]
    labels = torch.tensor(request.labels)[None]
    masks = None if request.mask_input is None else request.mask_input[None, None]
    sparse, dense = sam.prompt_encoder(points=(xy, labels), boxes=None, masks=masks)
    position = sam.prompt_encoder.get_dense_pe()
    logits: Tensor = sam.mask_decoder(embedding, position, sparse, dense, False)[0]
    return logits


def least(call: Callable[[], object], rounds: int) -> float:
    """Return the least CPU seconds of some rounds."""
    call()
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return min(seconds)


def measure(
    sam: Sam, embedding: Tensor, image: PreparedImage, requests: list[DecodeRequest], rounds: int
) -> tuple[float, float, float]:
    """Return seconds one by one, seconds together, and the largest relative difference."""
    decoder = BatchedDecoder(sam.prompt_encoder, sam.mask_decoder)
    expected = torch.cat([public(sam, embedding, request) for request in requests])
    found = decoder.decode(image, requests, multimask=False).low_res_logits
    difference = float((found - expected).abs().max() / expected.abs().max())
    alone = least(lambda: [public(sam, embedding, request) for request in requests], rounds)
    together = least(lambda: decoder.decode(image, requests, multimask=False), rounds)
    return alone, together, difference


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep-memory", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.keep_memory and not keep_freed_memory():
        parser.error("freed memory can only be kept on Linux with glibc")
    torch.manual_seed(0)
    sam, embedding = sam_around(nn.Identity()), torch.randn(1, 256, 64, 64)
    image = BatchedDecoder(sam.prompt_encoder, sam.mask_decoder).prepare(embedding, SQUARE)
    print("objects points mask  one by one ms  together ms  ratio  difference")
    with torch.inference_mode():
        for points in POINTS:
            for masks in (False, True):
                for count in OBJECTS:
                    requests = make_requests(count, points, masks=masks)
                    alone, together, off = measure(sam, embedding, image, requests, options.rounds)
                    name = f"{count:>7} {points:>6} {'yes' if masks else 'no':>4}"
                    times = f"{alone * 1e3:>13.0f}  {together * 1e3:>11.0f}"
                    print(f"{name}  {times}  {together / alone:>5.2f}  {off:>10.1e}", flush=True)


if __name__ == "__main__":
    main()

"""How fast the segmenters are on this machine: encoder, decoder, memory, and frames to expect.

Weights do not change the time, so random ones are measured and nothing is downloaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rvsam_video.frame import Image
from rvsam_video.segmenters.base import ObjectPrompt, Segmenter
from rvsam_video.segmenters.sam.exported import ExportedSam
from rvsam_video.segmenters.sam.fusing import fuse
from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.segmenters.sam.registry import SAM_VARIANTS, SamVariant
from rvsam_video.segmenters.sam.segmenter import SamSegmenter

FRAME_SIZE = (854, 480)
"""(width, height) of the frame that is timed: DAVIS at 480p."""

POINTS = 8
"""Points of every object: about what is visible of the sixteen chosen when an object starts."""

_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterSpeed:
    """What one segmenter takes on this machine.

    Attributes:
        name: registry name.
        backend: what ran the network.
        device: where it ran.
        threads: CPU threads that PyTorch used.
        parameters: of the image encoder, in inference form.
        gmacs: billions of multiply-accumulates of the image encoder for one frame.
        encode_seconds: median time of encoding one frame.
        decode_seconds: number of objects to the median time of their masks.
    """

    name: str
    backend: str
    device: str
    threads: int
    parameters: int
    gmacs: float
    encode_seconds: float
    decode_seconds: dict[int, float]

    def frames_per_second(self, objects: int) -> float:
        """Frames a second to expect of the segmenter with so many objects."""
        return 1 / (self.encode_seconds + self.decode_seconds[objects])


def measure_segmenters(
    names: Sequence[str],
    *,
    objects: Sequence[int] = (1, 5, 20),
    device: str = "auto",
    backend: str = "torch",
    repeats: int = 3,
) -> Iterator[SegmenterSpeed]:
    """Time segmenters one after another; each is warmed up once.

    Args:
        names: of `SAM_VARIANTS`.
        objects: numbers of objects to decode.
        device: "auto", or a PyTorch device.
        backend: what runs the network.
        repeats: timed rounds, of which the median counts.

    Yields:
        one measurement per name, as soon as it is there.

    Raises:
        UsageError: if there is no such device or backend, or its package is missing.
        KeyError: if a name is unknown.
    """
    for name in names:
        yield _measure(SAM_VARIANTS[name], objects, device, backend, repeats)


def _measure(
    variant: SamVariant, objects: Sequence[int], device: str, backend: str, repeats: int
) -> SegmenterSpeed:
    torch.manual_seed(_SEED)
    sam = sam_around(variant.encoder()).eval()
    if variant.fusible:
        sam.image_encoder = fuse(sam.image_encoder)
    parameters = sum(item.numel() for item in sam.image_encoder.parameters())
    gmacs = _gmacs(sam.image_encoder)
    segmenter: SamSegmenter | ExportedSam
    if backend == "torch":
        segmenter = SamSegmenter(variant.name, sam, device)
        place = str(segmenter.device)
    else:
        segmenter, place = _exported(variant, backend), "cpu"
    image = _picture()
    embedding = segmenter.embed(image)
    return SegmenterSpeed(
        name=variant.name,
        backend=backend,
        device=place,
        threads=torch.get_num_threads(),
        parameters=parameters,
        gmacs=gmacs,
        encode_seconds=_median_time(lambda: segmenter.embed(image), repeats),
        decode_seconds={
            count: _decode_time(segmenter, embedding, count, repeats) for count in objects
        },
    )


def _exported(variant: SamVariant, backend: str) -> ExportedSam:
    """Return a segmenter with random weights as another runtime runs it."""
    # They have no place in the user's cache.
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        weights = Path(folder) / "random.pt"
        torch.manual_seed(_SEED)
        torch.save(sam_around(variant.encoder()).state_dict(), weights)
        return ExportedSam(variant, weights, backend, cache=Path(folder))


def _decode_time(segmenter: Segmenter, embedding: object, count: int, repeats: int) -> float:
    rng = np.random.default_rng(_SEED)
    prompts = [
        ObjectPrompt(
            object_id=number + 1,
            # Anywhere: the time depends on the number of points, not on where they are.
            points=rng.uniform(0, FRAME_SIZE, (POINTS, 2)).astype(np.float32),
            labels=np.ones(POINTS, np.int8),
            point_ids=np.arange(POINTS),
        )
        for number in range(count)
    ]
    return _median_time(lambda: segmenter.predict(embedding, prompts), repeats)


def _median_time(call: Callable[[], object], repeats: int) -> float:
    # The first call allocates, chooses kernels and, elsewhere than on a CPU, compiles.
    call()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        # Calls return before the card is done.
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return median(times)


def _gmacs(encoder: nn.Module) -> float:
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        encoder(torch.zeros(1, 3, 1024, 1024))
    # A multiply-accumulate is two operations.
    return counter.get_total_flops() / 2e9


def _picture() -> Image:
    shape = (FRAME_SIZE[1], FRAME_SIZE[0], 3)
    return np.random.default_rng(_SEED).integers(0, 256, shape, np.uint8)

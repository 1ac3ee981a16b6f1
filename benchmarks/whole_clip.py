"""Memory and time of SAM-PT on whole clips: CoTracker 1, RepViT-SAM, preset "paper".

    python benchmarks/whole_clip.py [--frames 20,40,80] [--objects 1,5,20] [--refinements 3]
    python benchmarks/whole_clip.py --segmented 2    # quicker: points in all frames, masks in two

Weights are made by rule and the clip is rendered: neither memory nor speed depends on them. Prints

* the most memory a run takes above that of the loaded networks, by frames, which should be flat;
* CPU time of tracking, encoding and decoding, by objects, and what each further object adds to the
  decoder's time, as a share of the first one's.

An empty list (`--frames ""`) leaves a part out. `--segmented` is for memory alone.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import psutil
import torch
from cotracker_weights import golden_network

from rvsam_video.clips.frames import longest_side
from rvsam_video.clips.segmenter import ClipObject, ClipSegmenter
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.frame import Frame, Image
from rvsam_video.presets import find_preset
from rvsam_video.segmenters.base import MaskPrediction, ObjectPrompt
from rvsam_video.segmenters.sam.allocator import keep_freed_memory
from rvsam_video.segmenters.sam.decoder import PreparedImage
from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.segmenters.sam.registry import SAM_VARIANTS, sam_with_weights
from rvsam_video.segmenters.sam.segmenter import SamSegmenter
from rvsam_video.trackers.base import FramesFactory, QueryPoints, TrackedPoints
from rvsam_video.trackers.cotracker.sam_pt import BothWays
from rvsam_video.trackers.cotracker.tracker import CoTracker

DATA = Path(__file__).resolve().parents[1] / "tests" / "data"
SIZE = (854, 480)
COLUMNS, ROWS = 5, 4
SIDE = 60
"""Pixels of the side of each object's mask: squares on a grid of `COLUMNS` by `ROWS`."""
ENCODER_GAIN, REST_GAIN = 0.66, 1.3
"""Sizes of random weights with which answers depend on the prompts."""


def golden_sam() -> SamSegmenter:
    """Build RepViT-SAM with weights made by rule."""
    sys.path.insert(0, str(DATA))
    make = importlib.import_module("deterministic_weights").deterministic_array
    variant = SAM_VARIANTS["repvit-sam"]
    state = {}
    for name, tensor in sam_around(variant.encoder()).state_dict().items():
        gain = ENCODER_GAIN if name.startswith("image_encoder.") else REST_GAIN
        state[name] = torch.from_numpy(np.asarray(make(name, tuple(tensor.shape), gain)))
    return sam_with_weights(variant, state, source="rule", device="cpu")


class Stopwatch:
    """Adds up CPU seconds of the whole process by name."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("tracking", "encoding", "decoding", "all"), 0.0)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Add the time of the block."""
        start = time.process_time()
        yield
        self.seconds[name] += time.process_time() - start


@dataclass(frozen=True)
class TimedTracker:
    """A tracker for whole clips with a stopwatch."""

    inner: BothWays
    watch: Stopwatch
    name: str = "cotracker1"

    def track_clip(self, frames: FramesFactory, queries: QueryPoints) -> Iterable[TrackedPoints]:
        """Follow points; reading and resizing the pictures is part of the time."""
        with self.watch.of("tracking"):
            return list(self.inner.track_clip(frames, queries))


@dataclass(frozen=True)
class TimedSegmenter:
    """A segmenter with a stopwatch; counts the objects that it looked for."""

    inner: SamSegmenter
    watch: Stopwatch
    asked: list[int]
    name: str = "repvit-sam"

    def embed(self, image: Image) -> PreparedImage:
        """Encode a picture."""
        with self.watch.of("encoding"):
            return self.inner.embed(image)

    def predict(
        self, embedding: PreparedImage, prompts: Sequence[ObjectPrompt]
    ) -> list[MaskPrediction]:
        """Segment objects."""
        with self.watch.of("decoding"):
            answers = self.inner.predict(embedding, prompts)
        self.asked.append(sum(answer.prompted for answer in answers))
        return answers


class Peak:
    """Looks at the resident size until the block ends; `mebibytes` is the most it saw."""

    def __enter__(self) -> Peak:
        """Begin."""
        self.mebibytes, self._stop = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.01):
            self.mebibytes = max(self.mebibytes, resident())


def resident() -> float:
    """Return the resident size of this process in MiB."""
    return float(psutil.Process().memory_info().rss) / 2**20


class Bench:
    """The networks, and runs with them.

    Args:
        refinements: passes after the first two.
    """

    def __init__(self, refinements: int) -> None:
        preset = find_preset("paper")
        self._settings = replace(preset.settings, refinements=refinements)
        self._rule = longest_side(preset.longest_side or max(SIZE))
        self._tracker = BothWays(CoTracker("cotracker1", golden_network("cotracker1")))
        self._segmenter = golden_sam()
        self._clip = SyntheticClip(frames=10_000, size=SIZE)
        self._base = resident()

    def run(
        self, frames: int, objects: int, segmented: int | None = None
    ) -> tuple[Stopwatch, float]:
        """Segment a clip; return times, and the share of objects that were looked for.

        Args:
            frames: of the clip, through which points are followed.
            objects: how many.
            segmented: frames that masks are made of, the first ones; None for all.
        """
        watch, asked = Stopwatch(), list[int]()
        engine = ClipSegmenter(
            TimedTracker(self._tracker, watch),
            TimedSegmenter(self._segmenter, watch, asked),
            self._settings,
            rule=self._rule,
        )

        def source() -> Iterator[Frame]:
            return (self._clip.frame(index) for index in range(frames))

        with watch.of("all"):
            for _ in islice(engine.segment(source, squares(objects), SIZE), segmented):
                pass
        return watch, sum(asked) / (len(asked) * objects)

    def memory(self, frames: int, segmented: int | None) -> float:
        """Return the most MiB that is there in a run with one object, above the networks."""
        with Peak() as peak:
            self.run(frames, 1, segmented)
        return peak.mebibytes - self._base


def squares(count: int) -> list[ClipObject]:
    """Return objects in frame 0, each a square of its own."""
    objects = []
    for number in range(count):
        x = (2 * (number % COLUMNS) + 1) * SIZE[0] // (2 * COLUMNS) - SIDE // 2
        y = (2 * (number // COLUMNS % ROWS) + 1) * SIZE[1] // (2 * ROWS) - SIDE // 2
        mask = np.zeros(SIZE[::-1], np.bool_)
        mask[y : y + SIDE, x : x + SIDE] = True
        objects.append(ClipObject(object_id=number + 1, frame=0, mask=mask))
    return objects


def print_memory(bench: Bench, frames: Sequence[int], segmented: int | None) -> None:
    """Print a row per number of frames."""
    print("frames  MiB above the networks")
    for count in frames:
        print(f"{count:>6}{bench.memory(count, segmented):>12.0f}", flush=True)


def print_times(bench: Bench, objects: Sequence[int], frames: int) -> None:
    """Print a row per number of objects; times are milliseconds a frame."""
    print("objects  tracking  encoding  decoding     other  looked for  further object's share")
    first = None
    for count in objects:
        watch, share = bench.run(frames, count)
        seconds = watch.seconds
        parts = [seconds[name] for name in ("tracking", "encoding", "decoding")]
        cells = [*parts, seconds["all"] - sum(parts)]
        row = "".join(f"{cell / frames * 1e3:>10.0f}" for cell in cells)
        first = first or seconds["decoding"] / count
        further = f"{(seconds['decoding'] - first) / (count - 1) / first:.2f}" if count > 1 else "-"
        print(f"{count:>7}{row}{share:>12.0%}{further:>24}", flush=True)


def numbers(text: str) -> list[int]:
    """Read whole numbers with commas."""
    return [int(part) for part in text.split(",") if part]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=numbers, default=[20, 40, 80])
    parser.add_argument("--objects", type=numbers, default=[1, 5, 20])
    parser.add_argument("--segmented", type=int)
    parser.add_argument("--timed-frames", type=int, default=8)
    parser.add_argument("--refinements", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    keep_freed_memory()  # as the command line does
    torch.set_num_threads(options.threads)
    bench = Bench(options.refinements)
    if options.frames:
        print_memory(bench, options.frames, options.segmented)
    if options.objects:
        print_times(bench, options.objects, options.timed_frames)


if __name__ == "__main__":
    main()

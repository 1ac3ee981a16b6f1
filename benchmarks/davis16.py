"""J, F and frames per second on sequences in the DAVIS 2016 layout, from one prompt.

    python benchmarks/davis16.py DAVIS [--sequences a,b] [--tracker NAME] [--segmenter NAME]
    python benchmarks/davis16.py DAVIS --part judge           # of the halves of `starts.txt`
    python benchmarks/davis16.py DAVIS --start click          # or box; the mask by default
    python benchmarks/davis16.py DAVIS --without texture      # what a voice of `grabcut` is worth
    python benchmarks/davis16.py DAVIS --set texture=0.5      # how much a constant matters

DAVIS holds `JPEGImages/480p/NAME/*.jpg` and `Annotations/480p/NAME/*.png`. J and F are means over
all frames but the first and the last, as in the DAVIS protocol. The time is that of reading,
tracking and segmenting together, in one process; scoring is not in it. `cpu` is the processor time
of a frame, which other programs disturb less.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from davis_sequences import PARTS, annotations, box_of, middle_click, names_of, truth_of

import rvsam_video as rv
from rvsam_video.evals.metrics.boundary import boundary_similarity
from rvsam_video.evals.metrics.region import region_similarity
from rvsam_video.segmenters import Segmenter, create_segmenter
from rvsam_video.segmenters.grabcut.segmenter import GrabCut, GrabCutSettings


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one sequence, or their means."""

    name: str
    frames: float
    region: float
    boundary: float
    rate: float
    processor: float

    def text(self) -> str:
        """Return a line of the table."""
        both = (self.region + self.boundary) / 2
        return (
            f"{self.name:<16}{self.frames:>8.0f}{self.region:>8.3f}{self.boundary:>8.3f}"
            f"{both:>8.3f}{self.rate:>8.1f}{1000 * self.processor:>8.0f}"
        )


def prompt_of(path: Path, start: str) -> rv.Prompt:
    """Return what the first frame's truth says, as a prompt of one kind."""
    truth = truth_of(path)
    if start == "click":
        return rv.Prompt.create(points=middle_click(truth))
    if start == "box":
        return rv.Prompt.create(box=box_of(truth))
    return rv.Prompt.create(mask=truth)


def run_sequence(segmenter: rv.VideoSegmenter, root: Path, name: str, start: str) -> Row:
    """Track one sequence and score it."""
    truths = annotations(root, name)
    prompt = prompt_of(truths[0], start)
    began, began_cpu = time.perf_counter(), time.process_time()
    masks = [
        np.packbits(result.masks[1])
        for result in segmenter.track(root / "JPEGImages" / "480p" / name, prompt)
    ]
    seconds, processor = time.perf_counter() - began, time.process_time() - began_cpu
    scores = []
    for bits, path in list(zip(masks, truths, strict=True))[1:-1]:
        truth = truth_of(path)
        found = np.unpackbits(bits, count=truth.size).reshape(truth.shape).astype(bool)
        scores.append((region_similarity(found, truth), boundary_similarity(found, truth)))
    region, boundary = np.mean(scores, axis=0).tolist()
    count = len(masks)
    return Row(name, count, region, boundary, count / seconds, processor / count)


def segmenter_of(options: argparse.Namespace) -> Segmenter:
    """Build the segmenter, for `grabcut` with the settings asked for."""
    changes = {name: 0.0 for name in options.without}
    for item in options.set:
        name, value = item.split("=")
        changes[name] = type(getattr(GrabCutSettings(), name))(float(value))
    if not changes:
        return create_segmenter(options.segmenter)
    return GrabCut(GrabCutSettings(**changes))  # type: ignore[arg-type]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--sequences", help="comma-separated; all by default")
    parser.add_argument("--part", choices=PARTS, default="all")
    parser.add_argument("--whole", action="store_true", help="only sequences that are there whole")
    parser.add_argument("--start", choices=("mask", "click", "box"), default="mask")
    parser.add_argument("--tracker", default="lucas-kanade")
    parser.add_argument("--segmenter", default="grabcut")
    parser.add_argument("--without", action="append", default=[], metavar="VOICE")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    names = names_of(options.root, options.part, whole=options.whole)
    names = options.sequences.split(",") if options.sequences else names
    segmenter = rv.VideoSegmenter(options.tracker, segmenter_of(options))
    print(
        f"{'sequence':<16}{'frames':>8}{'J':>8}{'F':>8}{'J&F':>8}{'fps':>8}{'cpu ms':>8}",
        flush=True,
    )
    rows = []
    for name in names:
        rows.append(run_sequence(segmenter, options.root, name, options.start))
        print(rows[-1].text(), flush=True)
    values = [(row.frames, row.region, row.boundary, row.rate, row.processor) for row in rows]
    print(Row("mean", *np.mean(values, axis=0).tolist()).text())


if __name__ == "__main__":
    main()

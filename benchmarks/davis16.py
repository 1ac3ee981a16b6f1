"""J and frames per second on sequences in the DAVIS 2016 layout, from the first frame's mask.

    python benchmarks/davis16.py DAVIS [--sequences a,b] [--tracker NAME] [--segmenter NAME]

DAVIS holds `JPEGImages/480p/NAME/*.jpg` and `Annotations/480p/NAME/*.png`. J is the mean over all
frames but the first and the last, as in the DAVIS protocol. The time is that of reading, tracking
and segmenting together, in one process.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import rvsam_video as rv
from rvsam_video.evals.metrics.region import region_similarity


def truth_of(path: Path) -> NDArray[np.bool_]:
    """Read an annotation as one object, (H, W) bool."""
    return np.asarray(Image.open(path)) > 0


def run_sequence(
    segmenter: rv.VideoSegmenter, root: Path, name: str
) -> tuple[list[float], float, int]:
    """Track one sequence; return J per scored frame, seconds, and frames."""
    annotations = sorted((root / "Annotations" / "480p" / name).glob("*.png"))
    prompt = rv.Prompt.create(mask=truth_of(annotations[0]))
    began = time.perf_counter()
    masks = [
        np.packbits(result.masks[1])
        for result in segmenter.track(root / "JPEGImages" / "480p" / name, prompt)
    ]
    seconds = time.perf_counter() - began
    shape = truth_of(annotations[0]).shape
    scores = [
        region_similarity(
            np.unpackbits(mask, count=shape[0] * shape[1]).reshape(shape).astype(bool),
            truth_of(path),
        )
        for mask, path in list(zip(masks, annotations, strict=True))[1:-1]
    ]
    return scores, seconds, len(masks)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--sequences", help="comma-separated; all by default")
    parser.add_argument("--tracker", default="lucas-kanade")
    parser.add_argument("--segmenter", default="grabcut")
    options = parser.parse_args()
    folder = options.root / "JPEGImages" / "480p"
    names = options.sequences.split(",") if options.sequences else sorted(
        path.name for path in folder.iterdir()
    )  # fmt: skip
    segmenter = rv.VideoSegmenter(options.tracker, options.segmenter)
    print(f"{'sequence':<16}{'frames':>8}{'mean J':>9}{'J > 0.5':>9}{'fps':>8}")
    means, rates = [], []
    for name in names:
        scores, seconds, frames = run_sequence(segmenter, options.root, name)
        means.append(float(np.mean(scores)))
        rates.append(frames / seconds)
        recall = float(np.mean(np.array(scores) > 0.5))
        print(f"{name:<16}{frames:>8}{means[-1]:>9.3f}{recall:>9.2f}{rates[-1]:>8.1f}")
    print(f"{'mean':<16}{'':>8}{np.mean(means):>9.3f}{'':>9}{np.mean(rates):>8.1f}")


if __name__ == "__main__":
    main()

"""Whole sequences from one click, or from the first mask: J, and what the scores are worth.

    python benchmarks/click_sequences.py DAVIS --part tune|judge|all [--mask] [--segmenter NAME]

The click is deepest in the object's first mask. J is the mean over the frames after the first one,
then over sequences. Scores are held against "IoU under 0.5" by the area under the ROC curve, over
all frames after the first ones, and against the IoU itself by the mean error.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from davis_sequences import PARTS, annotations, middle_click, names_of, pictures, truth_of
from numpy.typing import NDArray

import rvsam_video as rv
from rvsam_video.evals.metrics.region import region_similarity


def follow(
    segmenter: rv.VideoSegmenter, root: Path, name: str, *, from_mask: bool
) -> NDArray[np.float64]:
    """Return (T - 1, 2): IoU and score of every frame after the first."""
    files = annotations(root, name)
    first = truth_of(files[0])
    prompt = (
        rv.Prompt.create(mask=first) if from_mask else rv.Prompt.create(points=middle_click(first))
    )
    rows = []
    results = segmenter.track(pictures(root, name)[0].parent, prompt)
    for result, file in zip(results, files, strict=True):
        (found,) = result.objects
        rows.append((region_similarity(found.mask, truth_of(file)), found.score))
    return np.array(rows[1:])


def area_under_roc(scores: NDArray[np.float64], bad: NDArray[np.bool_]) -> float:
    """Return how often a bad mask is scored lower than a good one; ties count half."""
    if bad.all() or not bad.any():
        return float("nan")
    good = np.sort(scores[~bad])
    below = len(good) - np.searchsorted(good, scores[bad], "right")
    equal = np.searchsorted(good, scores[bad], "right") - np.searchsorted(good, scores[bad])
    return float((below + equal / 2).mean() / len(good))


def main() -> None:
    """Print J by sequence, their mean, and what the scores are worth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("root", type=Path)
    parser.add_argument("--part", choices=PARTS, default="judge")
    parser.add_argument("--whole", action="store_true", help="only sequences that are given whole")
    parser.add_argument("--mask", action="store_true", help="from the first mask, not from a click")
    parser.add_argument("--segmenter", default="grabcut")
    args = parser.parse_args()
    segmenter = rv.VideoSegmenter("lucas-kanade", args.segmenter)
    found, began = {}, time.process_time()
    for name in names_of(args.root, args.part, whole=args.whole):
        found[name] = follow(segmenter, args.root, name, from_mask=args.mask)
        print(f"{name:20s} {len(found[name]) + 1:4d} frames  J {found[name][:, 0].mean():.3f}")
    rows = np.concatenate(list(found.values()))
    seconds = (time.process_time() - began) / (len(rows) + len(found))
    mean = np.mean([one[:, 0].mean() for one in found.values()])
    roc = area_under_roc(rows[:, 1], rows[:, 0] < 0.5)
    error = np.abs(rows[:, 1] - rows[:, 0]).mean()
    print(f"{len(found)} sequences: J {mean:.3f}; {seconds:.3f} CPU seconds a frame")
    print(
        f"{len(rows)} scores, {(rows[:, 0] < 0.5).sum()} of an IoU under 0.5: area under ROC "
        f"{roc:.3f}, mean error {error:.3f}"
    )


if __name__ == "__main__":
    main()

"""First masks: what clicks and boxes make of one object, beside what needs no method.

    python benchmarks/first_masks.py DAVIS --part tune|judge|all [--every 10] [--segmenter NAME]

Truth says where is clicked: deepest in the object ("middle"), and at random but fixed places; a box
is the object's own, or larger by 10 %. Per sequence the mean over its frames, then the mean over
sequences: IoU, the share of masks above 0.5, and processor time of one answer, the look at the
picture included. Baselines: a disc of usual size around the click, the filled box, and
`cv2.grabCut` in the box (5 rounds).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from davis_sequences import (
    PARTS,
    annotations,
    box_of,
    middle_click,
    names_of,
    picture_of,
    pictures,
    random_clicks,
    truth_of,
)
from numpy.typing import NDArray

from rvsam_video.evals.metrics.region import region_similarity
from rvsam_video.segmenters import ObjectPrompt, Segmenter, create_segmenter

Mask = NDArray[np.bool_]
Work = Callable[[], Mask]

_USUAL_SHARE = 0.07
"""Share of the picture that a disc around a click covers: about what objects of DAVIS do."""


def prompts_of(truth: Mask, seed: int) -> dict[str, ObjectPrompt]:
    """Return what is asked of a frame, by name."""
    clicks = {
        "1 click, middle": middle_click(truth),
        "1 click, random": random_clicks(truth, 1, seed),
        "3 clicks, random": random_clicks(truth, 3, seed),
    }
    prompts = {
        name: ObjectPrompt(1, points, np.ones(len(points), np.int8), np.arange(len(points)))
        for name, points in clicks.items()
    }
    prompts["box"] = ObjectPrompt(1, box=box_of(truth))
    prompts["box, 10 % larger"] = ObjectPrompt(1, box=box_of(truth, 0.1))
    return prompts


def baselines(
    image: NDArray[np.uint8], prompts: dict[str, ObjectPrompt]
) -> Iterator[tuple[str, Work]]:
    """Yield what needs no method, by name."""
    for name, prompt in prompts.items():
        if prompt.box is not None:
            yield f"{name}: filled", lambda box=prompt.box: filled(image, box)
            yield f"{name}: cv2.grabCut", lambda box=prompt.box: plain_grabcut(image, box)
        elif len(prompt.points) == 1:
            yield f"{name}: disc", lambda at=prompt.points[0]: disc(image, at)


def disc(image: NDArray[np.uint8], place: NDArray[np.float32]) -> Mask:
    """Return a disc of usual size around x, y."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    radius = np.sqrt(_USUAL_SHARE * height * width / np.pi)
    return np.hypot(columns - place[0], rows - place[1]) <= radius


def filled(image: NDArray[np.uint8], box: NDArray[np.float32]) -> Mask:
    """Return all of a box."""
    mask = np.zeros(image.shape[:2], np.bool_)
    x0, y0, x1, y1 = np.round(box).astype(int)
    mask[y0 : y1 + 1, x0 : x1 + 1] = True
    return mask


def plain_grabcut(image: NDArray[np.uint8], box: NDArray[np.float32]) -> Mask:
    """Return what OpenCV makes of a box by itself."""
    labels = np.zeros(image.shape[:2], np.uint8)
    x0, y0, x1, y1 = np.round(box).astype(int)
    cv2.setRNGSeed(1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    rectangle = (int(x0), int(y0), int(x1 - x0 + 1), int(y1 - y0 + 1))
    inside = filled(image, box)
    if inside.all():
        return inside
    bgr = np.ascontiguousarray(image[..., ::-1])
    cv2.grabCut(bgr, labels, rectangle, *models, 5, cv2.GC_INIT_WITH_RECT)  # type: ignore[call-overload]
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))


def answers(
    segmenter: Segmenter, image: NDArray[np.uint8], prompts: dict[str, ObjectPrompt]
) -> Iterator[tuple[str, Work]]:
    """Yield what a segmenter makes of a single picture, by what it is asked."""
    for name, prompt in prompts.items():
        yield (
            name,
            lambda one=prompt: segmenter.predict(segmenter.embed(image), [one])[0].logits > 0,
        )


def measure(
    segmenter: Segmenter | None, root: Path, name: str, every: int
) -> dict[str, list[tuple[float, float]]]:
    """Return IoU and processor seconds of every frame looked at, by what was asked."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    pairs = list(zip(pictures(root, name), annotations(root, name), strict=True))
    for number, (picture, annotation) in enumerate(pairs):
        image, truth = picture_of(picture), truth_of(annotation)
        if number % every or not truth.any():
            continue
        prompts = prompts_of(truth, seed=number)
        work = dict(
            baselines(image, prompts) if segmenter is None else answers(segmenter, image, prompts)
        )
        for key, make in work.items():
            began = time.process_time()
            mask = make()
            found[key].append((region_similarity(mask, truth), time.process_time() - began))
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--part", choices=PARTS, default="all")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--sequences", help="comma-separated; all of the part by default")
    parser.add_argument("--segmenter", default="grabcut")
    parser.add_argument("--baselines", action="store_true", help="in place of the segmenter")
    parser.add_argument("--json", type=Path, help="write every figure to a file")
    options = parser.parse_args()
    names = names_of(options.root, options.part)
    names = options.sequences.split(",") if options.sequences else names
    segmenter = None if options.baselines else create_segmenter(options.segmenter)
    rows = {name: measure(segmenter, options.root, name, options.every) for name in names}
    if options.json:
        options.json.write_text(json.dumps(rows))
    print(f"{'asked':<32}{'IoU':>8}{'> 0.5':>8}{'cpu ms':>8}")
    for kind in next(iter(rows.values())):
        values = [np.array(row[kind]) for row in rows.values()]
        overlap = np.mean([item[:, 0].mean() for item in values])
        good = np.mean([(item[:, 0] > 0.5).mean() for item in values])
        seconds = np.mean([item[:, 1].mean() for item in values])
        print(f"{kind:<32}{overlap:>8.3f}{good:>8.0%}{1000 * seconds:>8.0f}")


if __name__ == "__main__":
    main()

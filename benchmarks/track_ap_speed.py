"""AP and AR of object tracks: CPU time against the definitions taken literally, and equal numbers.

    python benchmarks/track_ap_speed.py [--videos 25] [--reference-videos 25]

Draws truth and predictions of the size of a part of UVO: videos of 80 frames of 720x1280 with 10
true tracks, two in five absent for a while, and 100 predicted ones, half of them made from a true
one. The reference goes through them pair by pair and frame by frame with two merges of run-length
codes each, as the public evaluation does, and matches and averages by plain loops. Reading the
files is part of both times.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from rvsam_video.evals.uvo.scores import score_track_files

HEIGHT, WIDTH, FRAMES, TRUTHS, PREDICTIONS = 720, 1280, 80, 10, 100
UVO_VAL = {"videos": 256, "frames": 90, "truths": 12, "predictions": 100}
"""UVO v1.0 dense val; the number of true tracks of a video is about this."""

Vector = NDArray[np.float64]
Track = dict[str, Any]
Group = tuple[list[Track], list[Track], list[list[float]]]
"""Predictions, true tracks and their overlaps in one video."""

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RANGES = ((0, 1e10), (0, 128**2), (128**2, 256**2), (256**2, 1e10))


class Blob:
    """An uneven, moving blob."""

    def __init__(
        self, rng: np.random.Generator, size: tuple[int, int], centre: Vector, speed: Vector
    ) -> None:
        self.rng, self.size, self.centre, self.speed = rng, size, centre, speed
        width, height = size
        across = np.linspace(-1, 1, width + 2)[1:-1]
        self.half = np.sqrt(1 - across**2) * height / 2

    @classmethod
    def anywhere(cls, rng: np.random.Generator) -> Blob:
        """Draw one of 40 to 420 pixels."""
        width, height = rng.integers(40, 421, 2)
        return cls(
            rng,
            (int(width), int(height)),
            rng.uniform((0, 0), (WIDTH, HEIGHT)),
            rng.normal(0, 2, 2),
        )

    def like_it(self) -> Blob:
        """Draw one that is more or less the same."""
        spread = self.rng.choice((0.05, 0.3, 0.8))
        grown = np.array(self.size) * np.exp(self.rng.normal(0, spread / 2, 2))
        width, height = np.clip(grown, 20, 800).astype(int)
        moved = self.centre + self.rng.normal(0, 1, 2) * spread * np.array(self.size) / 2
        return Blob(self.rng, (int(width), int(height)), moved, self.speed)

    def codes(self) -> list[dict[str, Any]]:
        """Return the run-length code of each frame."""
        return [self._code(self.centre + self.speed * frame) for frame in range(FRAMES)]

    def _code(self, centre: NDArray[np.float64]) -> dict[str, Any]:
        rough = self.rng.normal(0, 30, (2, self.size[0]))
        columns = np.arange(self.size[0]) + int(centre[0] - self.size[0] / 2)
        top = np.clip(np.rint(centre[1] - self.half + rough[0]), 0, HEIGHT).astype(int)
        foot = np.clip(np.rint(centre[1] + self.half + rough[1]), 0, HEIGHT).astype(int)
        there = (columns >= 0) & (columns < WIDTH) & (foot > top)
        edges = np.zeros(2 * there.sum() + 2, np.int64)
        edges[1:-1:2] = columns[there] * HEIGHT + top[there]
        edges[2:-1:2] = columns[there] * HEIGHT + foot[there]
        edges[-1] = HEIGHT * WIDTH
        plain = {"size": [HEIGHT, WIDTH], "counts": np.diff(edges).tolist()}
        code = coco.frPyObjects(plain, HEIGHT, WIDTH)
        return {"size": [HEIGHT, WIDTH], "counts": code["counts"].decode()}


def draw(videos: int, folder: Path) -> tuple[Path, Path]:
    """Write truth and results."""
    rng = np.random.default_rng(0)
    truths: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for video in range(1, videos + 1):
        blobs = [Blob.anywhere(rng) for _ in range(TRUTHS)]
        for index, blob in enumerate(blobs):
            codes: list[dict[str, Any] | None] = list(blob.codes())
            if index % 5 < 2:
                away, back = sorted(rng.integers(0, FRAMES, 2))
                codes[away:back] = [None] * (back - away)
            areas = [None if code is None else int(coco.area(code)) for code in codes]
            truths.append(track(video, codes) | {"id": len(truths) + 1, "areas": areas})
        for index in range(PREDICTIONS):
            half = index < PREDICTIONS // 2
            blob = blobs[index % TRUTHS].like_it() if half else Blob.anywhere(rng)
            results.append(track(video, blob.codes()) | {"score": float(rng.random())})
    files = folder / "truth.json", folder / "results.json"
    sizes = [
        {"id": video, "height": HEIGHT, "width": WIDTH, "length": FRAMES}
        for video in range(1, videos + 1)
    ]
    document = {"videos": sizes, "categories": [{"id": 1}], "annotations": truths}
    files[0].write_text(json.dumps(document))
    files[1].write_text(json.dumps(results))
    return files


def track(video: int, codes: Sequence[dict[str, Any] | None]) -> dict[str, Any]:
    """Return an entry of a file."""
    return {"video_id": video, "category_id": 1, "iscrowd": 0, "segmentations": codes}


def reference(truth: Path, results: Path) -> list[float]:
    """Return the twelve numbers by the definitions."""
    truths, found = json.loads(truth.read_text()), json.loads(results.read_text())
    for entry in found:
        entry["size"] = mean_area([coco.area(code) for code in entry["segmentations"]])
    for entry in truths["annotations"]:
        entry["size"] = mean_area(entry["areas"])
    groups = []
    for video in truths["videos"]:
        true = [it for it in truths["annotations"] if it["video_id"] == video["id"]]
        best = [it for it in found if it["video_id"] == video["id"]]
        best = sorted(best, key=lambda it: -it["score"])[:100]
        groups.append((best, true, [[overlap(p, g) for g in true] for p in best]))
    curves = {
        (size, limit): list(curve(groups, RANGES[size], limit))
        for size, limit in [(0, 100), (1, 100), (2, 100), (3, 100), (0, 1), (0, 10)]
    }
    whole = curves[0, 100]
    wanted = [whole, whole[:1], whole[5:6], *(curves[size, 100] for size in (1, 2, 3))]
    precisions = [
        average([value for precision, _ in rows for value in precision]) for rows in wanted
    ]
    cases = [(0, 1), (0, 10), (0, 100), (1, 100), (2, 100), (3, 100)]
    return precisions + [average([recall for _, recall in curves[case]]) for case in cases]


def mean_area(areas: Sequence[float | None]) -> float:
    """Return the mean over frames with something to see."""
    there = [area for area in areas if area]
    return float(np.mean(there)) if there else 0.0


def average(values: list[float]) -> float:
    """Return the mean of what is known, -1 if nothing is."""
    known = [value for value in values if value > -1]
    return float(np.mean(known)) if known else -1.0


def overlap(prediction: Track, truth: Track) -> float:
    """Return intersection over union of two tracks."""
    shared = union = 0
    for first, second in zip(prediction["segmentations"], truth["segmentations"], strict=True):
        if first and second:
            shared += int(coco.area(coco.merge([first, second], intersect=True)))
            union += int(coco.area(coco.merge([first, second], intersect=False)))
        else:
            union += int(coco.area(first or second)) if first or second else 0
    return shared / union if union else 0.0


def curve(
    groups: Sequence[Group], size_range: tuple[float, float], limit: int
) -> Iterator[tuple[list[float], float]]:
    """Yield precision at 101 recalls, and recall, for each threshold."""
    low, high = size_range
    for threshold in THRESHOLDS:
        rows, wanted = [], 0
        for best, true, overlaps in groups:
            inside = [low <= it["size"] <= high for it in true]
            wanted += sum(inside)
            taken: set[int] = set()
            for prediction, row in zip(best[:limit], overlaps[:limit], strict=True):
                match = find(row, inside, taken, threshold)
                taken.add(match)
                if match >= 0 and inside[match]:
                    rows.append((prediction["score"], True))
                elif match < 0 and low <= prediction["size"] <= high:
                    rows.append((prediction["score"], False))
        yield read_off([right for _, right in sorted(rows, key=lambda it: -it[0])], wanted)


def find(row: list[float], inside: list[bool], taken: set[int], threshold: float) -> int:
    """Return the free true track with the largest overlap, one that counts before all others."""
    for wanted in (True, False):
        free = [
            (value, index)
            for index, value in enumerate(row)
            if inside[index] == wanted and index not in taken and value >= threshold
        ]
        if free:
            return max(free)[1]
    return -1


def read_off(rows: list[bool], wanted: int) -> tuple[list[float], float]:
    """Return precision at 101 recalls, and the recall reached."""
    if not wanted:
        return [-1.0] * 101, -1.0
    right = np.cumsum(rows, dtype=float)
    recalls = right / wanted
    precisions = right / (np.arange(1, len(rows) + 1) - right + right + np.spacing(1))
    read = [max(precisions[recalls >= point], default=0.0) for point in np.linspace(0.0, 1.0, 101)]
    return read, float(recalls[-1]) if rows else 0.0


def main() -> None:
    """Print times, ratio and what UVO would take."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=25)
    parser.add_argument("--reference-videos", type=int, help="fewer than --videos to save time")
    options = parser.parse_args()
    fewer = options.reference_videos or options.videos
    with tempfile.TemporaryDirectory() as name:
        truth, results = draw(options.videos, Path(name))
        megabytes = results.stat().st_size / 1e6
        began = time.process_time()
        report = score_track_files(truth, results)
        ours = time.process_time() - began
        print(f"{options.videos} videos, {options.videos * PREDICTIONS} tracks, {megabytes:.0f} MB")
        print(f"ours       {ours:8.2f} CPU s")
        if fewer != options.videos:
            truth, results = draw(fewer, Path(name))
            began = time.process_time()
            report = score_track_files(truth, results)
            ours = time.process_time() - began
            print(f"ours       {ours:8.2f} CPU s for {fewer} of the videos")
        began = time.process_time()
        expected = reference(truth, results)
        literal = time.process_time() - began
    found = list(report.scores.named().values())
    print(f"reference  {literal:8.2f} CPU s for {fewer} of the videos")
    print(f"ratio      {literal / ours:8.1f}")
    apart = max(abs(a - b) for a, b in zip(found, expected, strict=True))
    print(f"the twelve numbers differ by at most {apart:.1e}")
    print("  ".join(f"{name} {value:.4f}" for name, value in report.scores.named().items()))
    scale = UVO_VAL["videos"] * UVO_VAL["frames"] / (fewer * FRAMES)
    print(
        f"UVO v1.0 dense val ({UVO_VAL['videos']} videos of {UVO_VAL['frames']} frames, 100 tracks "
        f"each): about {ours * scale:.0f} s, the reference "
        f"{literal * scale * UVO_VAL['truths'] / TRUTHS / 60:.0f} min"
    )


if __name__ == "__main__":
    main()

"""Speed and memory of scoring DAVIS masks, against a straightforward program in the same run.

    python benchmarks/eval_speed.py [--repeats 3] [--sequences 10] [--frames 40] [--long 1000]

Writes a set in the DAVIS layout into a temporary folder: 854x480, three objects that move and
change their outline, and masks that are shifted, grown or shrunk per object. Scores it by
`score_davis` with one process and with two, and by a program that follows the definitions mask by
mask. CPU seconds are those of all processes; the least of the repeats counts. Each measurement is a
process of its own, so memory is that of scoring alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEIGHT, WIDTH, OBJECTS = 480, 854, 3
DIFFERENT = 40
"""Frames that are drawn; longer sequences repeat them."""
PALETTE = bytes(number for index in range(256) for number in (index, index, index))


def blob(y: float, x: float, radius: float, phase: float) -> NDArray[np.int32]:
    """Return the wavy outline of a region as (N, 2) x, y; its centre and radius in pixels."""
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    wave = 1 + 0.18 * np.sin(3 * angle + phase) + 0.08 * np.sin(7 * angle - 2 * phase)
    across, down = x + radius * wave * np.cos(angle), y + radius * wave * np.sin(angle)
    return np.round(np.stack((across, down), axis=-1)).astype(np.int32)


def index_map(sequence: int, frame: int, *, predicted: bool) -> NDArray[np.uint8]:
    """Draw one frame, (H, W) uint8; a prediction is off by some pixels, more towards the end."""
    import cv2  # here: scoring does not load it, and its memory is measured

    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number in range(1, OBJECTS + 1):
        turn = 0.05 * frame + number + sequence
        y = HEIGHT * (0.5 + 0.18 * np.sin(turn * 1.3 + number))
        x = WIDTH * (0.18 + 0.32 * (number - 1)) + 40 * np.cos(turn)
        off = (2 + number + 0.1 * frame) * predicted
        outline = blob(y + off, x - off, 100 + off * (number - 2), turn + 0.05 * off)
        cv2.fillPoly(labels, [outline], number)
    return labels


def write_set(root: Path, sequences: int, frames: int) -> None:
    """Write annotations, masks to be scored, and the list of sequences."""
    names = [f"made-{number}" for number in range(sequences)]
    (root / "ImageSets" / "2017").mkdir(parents=True)
    (root / "ImageSets" / "2017" / "val.txt").write_text("\n".join(names) + "\n")
    for number, name in enumerate(names):
        folders = root / "Annotations" / "480p" / name, root / "results" / name
        for folder, predicted in zip(folders, (False, True), strict=True):
            folder.mkdir(parents=True)
            for frame in range(frames):
                path = folder / f"{frame:05d}.png"
                if frame >= DIFFERENT:
                    shutil.copy(folder / f"{frame % DIFFERENT:05d}.png", path)
                    continue
                picture = Image.fromarray(index_map(number, frame, predicted=predicted))
                picture.putpalette(PALETTE)
                picture.save(path)


def by_definition(root: Path) -> tuple[float, float]:
    """Score mask by mask, as the definitions read; return J and F means over objects."""
    import cv2

    cv2.setNumThreads(1)
    radius = int(np.ceil(0.008 * np.hypot(HEIGHT, WIDTH)))
    span = np.arange(-radius, radius + 1)
    disk = (span[:, None] ** 2 + span**2 <= radius**2).astype(np.uint8)

    def outline(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
        padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
        beside, below, across = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
        return ((mask != beside) | (mask != below) | (mask != across)).astype(np.uint8)

    def both(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[float, float]:
        united = (found | truth).sum()
        j = (found & truth).sum() / united if united else 1.0
        ours, theirs = outline(found), outline(truth)
        hits = (ours & cv2.dilate(theirs, disk)).sum(), (theirs & cv2.dilate(ours, disk)).sum()
        if not ours.any() or not theirs.any():
            return float(j), float(ours.any() == theirs.any())
        precision, recall = hits[0] / ours.sum(), hits[1] / theirs.sum()
        total = precision + recall
        return float(j), float(2 * precision * recall / total) if total else 0.0

    means = []
    for folder in sorted((root / "Annotations" / "480p").iterdir()):
        scores = []
        for path in sorted(folder.glob("*.png"))[1:-1]:
            with (
                Image.open(path) as true,
                Image.open(root / "results" / folder.name / path.name) as m,
            ):
                truth, found = np.asarray(true), np.asarray(m)
            scores.append([both(found == n, truth == n) for n in range(1, OBJECTS + 1)])
        means.append(np.mean(scores, axis=0))
    j, f = np.concatenate(means).mean(axis=0)
    return float(j), float(f)


def by_us(root: Path, workers: int) -> tuple[float, float]:
    """Score with the package; return J and F means over objects."""
    from rvsam_video.evals.davis.layout import find_davis
    from rvsam_video.evals.davis.scores import score_davis

    summary = score_davis(find_davis(root), root / "results", workers=workers).summary()
    return summary["J-Mean"], summary["F-Mean"]


def only_reading(root: Path) -> tuple[float, float]:
    """Read all masks that count, with Pillow."""
    for path in sorted((root / "Annotations").rglob("*.png")):
        for each in (path, root / "results" / path.parent.name / path.name):
            with Image.open(each) as picture:
                np.asarray(picture)
    return 0.0, 0.0


def long_sequence(root: Path) -> tuple[float, float]:
    """Score one sequence; return resident MiB when a tenth of it is done, and at its end."""
    from rvsam_video.evals.davis.layout import find_davis
    from rvsam_video.evals.davis.scoring import score_sequence

    (sequence,) = find_davis(root).sequences
    sizes: list[float] = []
    pages = resource.getpagesize() / 2**20

    def tick() -> None:
        sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * pages)

    score_sequence(sequence, root / "results", tick=tick)
    return sizes[len(sizes) // 10], sizes[-1]


PROGRAMS: dict[str, Callable[[Path], tuple[float, float]]] = {
    "by the definitions": by_definition,
    "ours, 1 process": lambda root: by_us(root, 1),
    "ours, 2 processes": lambda root: by_us(root, 2),
    "reading with Pillow": only_reading,
    "long": long_sequence,
}


@dataclass
class Measured:
    """One run: CPU and wall seconds without imports, peak MiB of one process, what it returned."""

    cpu: float
    wall: float
    peak: float
    values: tuple[float, float]


def measure(name: str, root: Path) -> Measured:
    """Run a program in a process of its own."""
    command = [sys.executable, __file__, "--run", name, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Measured(*json.loads(done.stdout))


def run(name: str, root: Path) -> None:
    """Run a program in this process and print what it took."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    wall = time.perf_counter()
    values = PROGRAMS[name](root)
    wall = time.perf_counter() - wall
    used = [resource.getrusage(one) for one in who]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    peak = max(one.ru_maxrss for one in used) / 1024
    print(json.dumps([cpu, wall, peak, values]))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sequences", type=int, default=10)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--long", type=int, default=1000)
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run(options.run[0], Path(options.run[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        write_set(root, options.sequences, options.frames)
        names = [name for name in PROGRAMS if name != "long"]
        turns = [{name: measure(name, root) for name in names} for _ in range(options.repeats)]
        print(f"{options.sequences} sequences of {options.frames} frames, {WIDTH}x{HEIGHT}")
        base = min(turn[names[0]].cpu for turn in turns)
        for name in names:
            cpu = min(turn[name].cpu for turn in turns)
            wall = min(turn[name].wall for turn in turns)
            peak = max(turn[name].peak for turn in turns)
            j, f = turns[0][name].values
            print(
                f"{name:<22}CPU {cpu:6.2f} s  wall {wall:6.2f} s  peak {peak:4.0f} MiB  "
                f"ratio {base / cpu:5.1f}  J {j:.9f}  F {f:.9f}"
            )
        root = Path(folder) / "long"
        write_set(root, 1, options.long)
        early, late = measure("long", root).values
        print(f"{options.long} frames: {early:.1f} MiB after a tenth, {late:.1f} MiB at the end")


if __name__ == "__main__":
    main()

"""Sequences in the DAVIS 2016 layout, for the benchmarks: names by part, pictures, truth, places.

The names in `ImageSets/2016/starts.txt` are split in their order: constants are tuned on the first
half, and judged on the other.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

PARTS = ("tune", "judge", "all")

_MARGIN = 4
"""Pixels from the edge of the object within which nobody clicks at random, where it is wider."""


def names_of(root: Path, part: str = "all", *, whole: bool = False) -> list[str]:
    """Return names of sequences.

    Args:
        root: holds `JPEGImages/480p/NAME` and `Annotations/480p/NAME`.
        part: "tune", "judge" (halves of `starts.txt`) or "all".
        whole: leave out sequences of which only the start is there (not in `val.txt`).
    """
    lists = root / "ImageSets" / "2016"
    names = sorted(path.name for path in (root / "JPEGImages" / "480p").iterdir())
    if part != "all":
        listed = (lists / "starts.txt").read_text().split()
        half = len(listed) // 2
        names = listed[:half] if part == "tune" else listed[half:]
    if whole and (lists / "val.txt").exists():
        complete = set((lists / "val.txt").read_text().split())
        names = [name for name in names if name in complete]
    return names


def annotations(root: Path, name: str) -> list[Path]:
    """Return the files of truth of a sequence, in order."""
    return sorted((root / "Annotations" / "480p" / name).glob("*.png"))


def pictures(root: Path, name: str) -> list[Path]:
    """Return the pictures of a sequence, in order."""
    return sorted((root / "JPEGImages" / "480p" / name).glob("*.jpg"))


def truth_of(path: Path) -> NDArray[np.bool_]:
    """Read an annotation as one object, (H, W) bool."""
    return np.asarray(Image.open(path)) > 0


def picture_of(path: Path) -> NDArray[np.uint8]:
    """Read a picture, (H, W, 3) uint8 RGB."""
    return np.asarray(Image.open(path).convert("RGB"))


def _depth(truth: NDArray[np.bool_]) -> NDArray[np.float32]:
    padded = np.pad(truth.astype(np.uint8), 1)  # the border of the picture is an edge as well
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def middle_click(truth: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return (1, 2) x, y: the place that is deepest in the object."""
    depth = _depth(truth)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return np.array([[x, y]], np.float32)


def random_clicks(truth: NDArray[np.bool_], count: int, seed: int) -> NDArray[np.float32]:
    """Return (count, 2) x, y anywhere on the object, but not on its very edge."""
    depth = _depth(truth)
    rows, columns = np.nonzero(depth > min(_MARGIN, 0.5 * float(depth.max())))
    chosen = np.random.default_rng(seed).integers(len(rows), size=count)
    return np.stack([columns[chosen], rows[chosen]], axis=1).astype(np.float32)


def box_of(truth: NDArray[np.bool_], loosened: float = 0.0) -> NDArray[np.float32]:
    """Return (4,) x0, y0, x1, y1 around the object, each side moved out by a share of its length.

    Args:
        truth: (H, W) bool.
        loosened: 0.1 makes the box 10 % larger: 5 % on every side.
    """
    x, y, width, height = cv2.boundingRect(truth.astype(np.uint8))
    more = np.array([width, height]) * loosened / 2
    last = np.array(truth.shape[::-1]) - 1
    low = np.clip([x, y] - more, 0, last)
    high = np.clip(np.array([x + width - 1, y + height - 1]) + more, 0, last)
    return np.concatenate([low, high]).astype(np.float32)

"""A small DAVIS tree with the official scores of several results, and one made to order."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from golden_data import DATA
from PIL import Image

from rvsam_video.evals.davis.layout import find_davis

ARCHIVE = DATA / "davis_mini.tar.xz"


def save_mask(path: Path, numbers: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.asarray(numbers, np.uint8))
    picture.putpalette(bytes(768))  # a short one would cut the numbers
    picture.save(path)


@pytest.fixture(scope="session")
def davis_mini(tmp_path_factory):
    """`root` in the DAVIS layout, `results/NAME`, and `expected/RUN` by the official evaluation.

    The masks of bike-packing, dogs-jump and shooting are from its sample results.
    """
    folder = tmp_path_factory.mktemp("davis")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    for path in (folder / "root" / "Annotations").rglob("*.png"):
        name = Path(path.parent.name, path.name)
        truth = np.asarray(Image.open(path))
        objects = np.asarray(Image.open(path.parent / "00000.png"))
        known = np.where(truth > objects[objects < 255].max(), 0, truth)
        ends = sorted(path.parent.glob("*.png"))
        if path not in (ends[0], ends[-1]):  # these need no masks
            save_mask(folder / "results" / "same" / name, known)
            save_mask(folder / "results" / "zeros" / name, 0 * truth)
    return folder


class Tree:
    """A DAVIS tree of one sequence `one`, and results, from small arrays of numbers."""

    def __init__(self, folder: Path) -> None:
        self.root, self.results = folder / "root", folder / "results"
        (self.root / "ImageSets" / "2017").mkdir(parents=True)
        (self.root / "ImageSets" / "2017" / "val.txt").write_text("one\n")

    @staticmethod
    def square(number: int = 1, size: tuple[int, int] = (12, 16)) -> np.ndarray:
        numbers = np.zeros(size, np.uint8)
        numbers[3:8, 4:9] = number
        return numbers

    def write(self, truth: list[np.ndarray], found: list[np.ndarray | None]) -> None:
        for kind in ("Annotations", "Annotations_unsupervised"):
            for index, numbers in enumerate(truth):
                save_mask(self.root / kind / "480p" / "one" / f"{index:05d}.png", numbers)
        shutil.rmtree(self.results, ignore_errors=True)
        self.results.mkdir()
        for index, numbers in enumerate(found):
            if numbers is not None:
                save_mask(self.results / "one" / f"{index:05d}.png", numbers)

    def sequence(self, task: str = "semi-supervised"):
        (sequence,) = find_davis(self.root, task=task).sequences
        return sequence


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)

"""Finding the files of DAVIS 2016 and 2017 in the official layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ...errors import SourceError, UsageError

Task = Literal["semi-supervised", "unsupervised"]
Year = Literal[2016, 2017]

SPLITS = ("train", "val", "test-dev", "test-challenge")
_NEW_UNSUPERVISED_SPLITS = ("test-dev", "test-challenge")
"""Drawn in 2019 for the unsupervised task, with other sequences than in 2017."""

_LAYOUT = (
    "it should hold JPEGImages/480p/NAME/*.jpg, Annotations/480p/NAME/*.png "
    "(Annotations_unsupervised for that task) and ImageSets/2017/val.txt; DAVIS is not downloaded "
    "by this program, get it from https://davischallenge.org"
)


@dataclass(frozen=True, slots=True)
class DavisSequence:
    """One sequence and its truth.

    Attributes:
        name: of the sequence.
        pictures: folder of its frames; need not exist to score masks.
        truth: its annotations, one per frame, in order.
    """

    name: str
    pictures: Path
    truth: tuple[Path, ...]

    @property
    def frame_ids(self) -> list[str]:
        """The names of the frames, which a prediction's file has too."""
        # Inner dots go as well, as in the official evaluation.
        return [path.stem.replace(".", "") for path in self.truth]


@dataclass(frozen=True, slots=True)
class DavisSet:
    """The part of DAVIS that is evaluated.

    Attributes:
        root: the folder it is in.
        year: 2016 sees one object, 2017 several.
        split: name of the part.
        task: whose truth and rules hold.
        sequences: in the order of the list.
    """

    root: Path
    year: Year
    split: str
    task: Task
    sequences: tuple[DavisSequence, ...]


def find_davis(
    root: Path,
    split: str = "val",
    *,
    task: Task = "semi-supervised",
    year: Year = 2017,
    names: Sequence[str] | None = None,
    resolution: str = "480p",
) -> DavisSet:
    """Find a part of DAVIS.

    Args:
        root: the folder with `JPEGImages`, `Annotations` and `ImageSets`.
        split: "train", "val", "test-dev" or "test-challenge".
        task: "semi-supervised" or "unsupervised"; 2016 has only the first set of rules.
        year: 2016 or 2017.
        names: the sequences wanted; all of the split by default.
        resolution: "480p" or "Full-Resolution", a folder name.

    Raises:
        UsageError: if the parts do not go together.
        SourceError: if something is missing.
    """
    _check(split, task, year)
    if not root.is_dir():
        msg = f"there is no folder {root}; {_LAYOUT}"
        raise SourceError(msg)
    if names is None:
        names = _listed(root, split, task, year)
    kind = "Annotations_unsupervised" if task == "unsupervised" else "Annotations"
    # In the order of the list, which is that of the rows in the official table.
    found = tuple(
        _sequence(name, root / "JPEGImages" / resolution / name, root / kind / resolution / name)
        for name in names
    )
    return DavisSet(root, year, split, task, found)


def _check(split: str, task: Task, year: Year) -> None:
    for what, value, allowed in (
        ("split", split, SPLITS),
        ("task", task, get_args(Task)),
        ("year", year, get_args(Year)),
    ):
        if value not in allowed:
            choices = ", ".join(map(str, allowed))
            msg = f"there is no {what} {value!r} of DAVIS; choose from: {choices}"
            raise UsageError(msg)
    if year == 2016 and (task == "unsupervised" or split not in {"train", "val"}):
        msg = (
            f"DAVIS 2016 has no {task} {split}: all its results are scored alike, as "
            "semi-supervised, on train or val"
        )
        raise UsageError(msg)


def _listed(root: Path, split: str, task: Task, year: Year) -> list[str]:
    """Read the names of a split."""
    folders = [str(year)]
    if task == "unsupervised" and split in _NEW_UNSUPERVISED_SPLITS:
        folders = ["2019"]
    elif year == 2016:
        folders.append("480p")  # where the first release of DAVIS has them
    # The first that is there counts.
    lists = [root / "ImageSets" / folder / f"{split}.txt" for folder in folders]
    path = next((path for path in lists if path.is_file()), None)
    if path is None:
        hint = _other_year(root, year)
        msg = (
            f"there is no list {lists[0]}; {hint}name the sequences, or check the folder: {_LAYOUT}"
        )
        raise SourceError(msg)
    # Some editors begin UTF-8 files with a byte order mark.
    try:
        text = path.read_text(encoding="utf-8-sig")
    except ValueError as error:
        msg = f"the list {path} is not UTF-8 text; write the names of the sequences, one a line"
        raise SourceError(msg) from error
    lines = [line.strip() for line in text.splitlines()]
    # Once each: the list of the first release names every frame.
    return list(dict.fromkeys(_name(line) for line in lines if line))


def _other_year(root: Path, year: Year) -> str:
    """Return the advice to take the other release, if its lists are there."""
    other, folders = (2016, ("2016", "480p")) if year == 2017 else (2017, ("2017",))
    if any((root / "ImageSets" / folder).is_dir() for folder in folders):
        return f"this looks like DAVIS {other}: use --year {other}, or "
    return ""


def _name(line: str) -> str:
    """Return the sequence of a line: its name, or in the first release a path of each frame."""
    return Path(line.split(maxsplit=1)[0]).parent.name if "/" in line else line


def _sequence(name: str, pictures: Path, annotations: Path) -> DavisSequence:
    truth = tuple(sorted(annotations.glob("*.png")))
    if not truth:
        msg = f"there are no annotations of {name} in {annotations}; {_LAYOUT}"
        raise SourceError(msg)
    # Fewer pictures are fine, scoring does not look at them; more are a truth cut off.
    frames = len(list(pictures.glob("*.jpg")))
    if frames > len(truth):
        msg = (
            f"{name} has {frames} frames in {pictures}, but only {len(truth)} annotations in "
            f"{annotations}; unpack the annotations of the whole sequence again"
        )
        raise SourceError(msg)
    return DavisSequence(name, pictures, truth)

"""SegInW, "segmentation in the wild": 25 small sets, each scored by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ....errors import SourceError
from ..pictures import PictureChoice
from ..published import SEGINW_SETS
from .truth import InstanceTruth, load_instances

_INNER = Path("valid") / "_annotations_min1cat.coco.json"


def seginw_file(name: str) -> str:
    """Return what the challenge calls the results of a set."""
    return f"seginw-{name}_val.json"


@dataclass(frozen=True, slots=True, eq=False)
class WildSet:
    """One of the 25 sets.

    Attributes:
        name: as its folder is called.
        truth: annotations.
        images: folder of the pictures.
    """

    name: str
    truth: InstanceTruth
    images: Path


def find_seginw(root: Path, choice: PictureChoice | None = None) -> list[WildSet]:
    """Read the annotations of the sets; the pictures stand beside them.

    Args:
        root: the folder with a folder for each set.
        choice: which sets are taken; None takes all 25.

    Raises:
        UsageError: if there is no set of one of the names.
        SourceError: if one is not there, or its annotations are damaged.
    """
    names = (choice or PictureChoice()).choose(list(SEGINW_SETS))
    places = _all_there(
        {name: root / name / _INNER for name in names},
        "unpack seginw.zip of huggingface.co/sam-hq-team/SegInW, or choose sets with --names",
    )
    return [WildSet(name, load_instances(path), path.parent) for name, path in places.items()]


def seginw_files(folder: Path, names: Sequence[str], patterns: Sequence[str]) -> dict[str, Path]:
    """Return the file of each set in a folder.

    Args:
        folder: with a file for each set.
        names: of the sets.
        patterns: what a file may be called, "NAME" standing for the set.

    Raises:
        SourceError: if one is not there.
    """
    found = {}
    for name in names:
        places = [folder / pattern.replace("NAME", name) for pattern in patterns]
        found[name] = next((place for place in places if place.is_file()), places[0])
    return _all_there(found, "there must be one for each set; or choose sets with --names")


def _all_there(files: dict[str, Path], advice: str) -> dict[str, Path]:
    missing = [path for path in files.values() if not path.is_file()]
    if missing:
        msg = f"{len(missing)} of {len(files)} files are missing, as {missing[0]}; {advice}"
        raise SourceError(msg)
    return files

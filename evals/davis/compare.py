"""Several runs on DAVIS side by side, and beside published ones."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import SourceError
from .files import SCORES_FILE

_GLOBAL_FILES = "global_results-*.csv"


@dataclass(frozen=True, slots=True)
class RunScores:
    """What one run reached; fractions.

    Attributes:
        name: of the run.
        benchmark: such as "DAVIS 2017 val"; empty where a table does not say.
        objects: how many were scored; None where a table does not say. A part of a set does not
            compare with the whole.
        j_and_f: mean of the two others.
        j: mean region similarity over all objects.
        f: mean boundary measure over all objects.
    """

    name: str
    benchmark: str
    objects: int | None
    j_and_f: float
    j: float
    f: float


# SAM replaced in SAM-PT with CoTracker, without re-initialisation. Source: Wang et al.,
# "RepViT-SAM: Towards Real-Time Segmenting Anything", 2023 (arXiv 2312.05760), table 4.
PUBLISHED_ROWS = tuple(
    RunScores(f"{name} (RepViT-SAM paper)", "DAVIS 2017 val", 61, j_and_f, j, f)
    for name, j_and_f, j, f in (
        ("ViT-H-SAM", 0.774, 0.746, 0.802),
        ("ViT-B-SAM", 0.713, 0.685, 0.741),
        ("MobileSAM", 0.711, 0.686, 0.736),
        ("RepViT-SAM", 0.735, 0.71, 0.761),
    )
)
"""What published runs reached."""


def load_run(path: Path) -> RunScores:
    """Read the scores of a run.

    Args:
        path: `scores.json`, a table `global_results-SPLIT.csv` of this program or of the official
            evaluation, or the folder with one of them.

    Raises:
        SourceError: if there are none, or they cannot be read.
    """
    file = _scores_file(path)
    # The folder's name is what people know a run by; all files in it are called alike.
    name = path.name if path.is_dir() else path.parent.name
    try:
        benchmark, objects, values = _read(file)
        j_and_f, j, f = (float(values[f"{measure}-Mean"]) for measure in ("J&F", "J", "F"))
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        msg = (
            f"{file} does not hold scores on DAVIS; give what `rvsam-video score davis` has written"
        )
        raise SourceError(msg) from error
    return RunScores(name or str(file), benchmark, objects, j_and_f, j, f)


def _scores_file(path: Path) -> Path:
    if path.is_file():
        return path
    # Our own file first: it says how many objects, and of which set.
    found = [path / SCORES_FILE, *sorted(path.glob(_GLOBAL_FILES))]
    file = next((file for file in found if file.is_file()), None)
    if file is None:
        msg = (
            f"there are no scores in {path}; it should hold {SCORES_FILE} or {_GLOBAL_FILES}, as "
            "`rvsam-video score davis` writes them"
        )
        raise SourceError(msg)
    return file


def _read(file: Path) -> tuple[str, int | None, Mapping[str, float | str]]:
    """Return set, number of objects and values of a file."""
    if file.suffix == ".json":
        content = json.loads(file.read_text(encoding="utf-8"))
        name = f"{content['benchmark']} {content['split']}"
        return name, len(content["objects"]), content["global"]
    with file.open(encoding="utf-8", newline="") as rows:
        # The official table does not say what it is of.
        return "", None, next(csv.DictReader(rows))

"""Scoring maps of edges of any tool on BSDS500, picture by picture, in several processes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....errors import SourceError
from ....json_values import as_json
from ....weights.fetch import file_sha256
from ....writing import replacing, writing
from ...metrics.edge_scores import (
    BSDS_TOLERANCE,
    EdgeCounts,
    EdgeScores,
    edge_counts,
    edge_scores,
    thresholds,
)
from ...workers import Tick, Watch, each
from ..pictures import pictures_by_name, read_grey, refuse_gaps
from .layout import EdgePicture, EdgeSet, read_annotators

COUNTS_FOLDER = "counts"
"""What was counted of each picture, so that an interrupted scoring goes on where it was."""

_CHANGES_COUNTS = 1
"""Raised when counts change, so that old ones are not taken for new ones."""


@dataclass(frozen=True, slots=True, eq=False)
class EdgeResult:
    """A scored set.

    Attributes:
        chosen: the set.
        thresholds: (T,) float64.
        counts: of each picture, in the order of the set.
        scores: of the whole set.
        annotators: of each picture.
    """

    chosen: EdgeSet
    thresholds: NDArray[np.float64]
    counts: tuple[EdgeCounts, ...]
    scores: EdgeScores
    annotators: tuple[int, ...]


def edge_files(chosen: EdgeSet, results: Path) -> dict[str, Path]:
    """Return the map of every picture.

    Raises:
        SourceError: if the folder or a map is missing.
    """
    files = pictures_by_name(results, (".png",))
    refuse_gaps([item.name for item in chosen.pictures], files, f"map of edges in {results}")
    return files


def score_edges(
    chosen: EdgeSet,
    results: Path,
    out: Path,
    *,
    count: int = 99,
    tolerance: float = BSDS_TOLERANCE,
    workers: int = 1,
    watch: Watch[tuple[int, EdgeCounts]] | None = None,
) -> EdgeResult:
    """Score maps of edges; what was counted before of the same files is not counted again.

    Args:
        chosen: from `find_bsds`.
        results: folder that holds `NAME.png`: grey, 8 or 16 bits, of the picture's size.
        out: takes the folder `counts`; made if it is missing.
        count: thresholds; 99 in all publications.
        tolerance: how far from the truth an edge may lie, as a share of the picture's diagonal.
        workers: processes; pictures are shared out among them.
        watch: is told how far it is: ticks are pictures.

    Raises:
        SourceError: if a map is missing, or cannot be read, or has another size.
        OutputError: if counts cannot be written.
    """
    files = edge_files(chosen, results)
    with writing(out):
        (out / COUNTS_FOLDER).mkdir(parents=True, exist_ok=True)
    work = partial(_counted, files=files, out=out, count=count, tolerance=tolerance)
    counted = each(work, chosen.pictures, workers=workers, watch=watch)
    counts = tuple(item for _, item in counted)
    at = thresholds(count)
    annotators = tuple(number for number, _ in counted)
    return EdgeResult(chosen, at, counts, edge_scores(counts, at), annotators)


def _counted(
    item: EdgePicture,
    tick: Tick,
    *,
    files: dict[str, Path],
    out: Path,
    count: int,
    tolerance: float,
) -> tuple[int, EdgeCounts]:
    """Return the number of annotators and the counts of one picture."""
    kept = out / COUNTS_FOLDER / f"{item.name}.json"
    inputs = as_json(
        {
            "counting": _CHANGES_COUNTS,
            "edges": file_sha256(files[item.name]),
            "truth": file_sha256(item.truth),
            "thresholds": count,
            "tolerance": tolerance,
        }
    )
    found = _kept(kept, inputs)
    if found is None:
        annotators = read_annotators(item.truth)
        strength = read_grey(files[item.name])
        _refuse_other_size(files[item.name], strength, annotators)
        counts = edge_counts(strength, annotators, thresholds(count), tolerance=tolerance)
        found = len(annotators), counts
        content = {"of": inputs, "annotators": len(annotators), "counts": counts.table.tolist()}
        with replacing(kept, durable=False) as temporary:
            temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")
    tick()
    return found


def _kept(path: Path, inputs: object) -> tuple[int, EdgeCounts] | None:
    """Return what was counted before, if it was counted of the same files in the same way."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["of"] == inputs:
            return int(content["annotators"]), EdgeCounts.of(np.array(content["counts"]))
    except (OSError, ValueError, KeyError, TypeError):
        # Counted again, which costs some seconds; there is nothing to be told.
        return None
    return None


def _refuse_other_size(
    path: Path, strength: NDArray[np.float64], annotators: Sequence[NDArray[np.bool_]]
) -> None:
    shape = annotators[0].shape
    if strength.shape != shape:
        mine, theirs = ("x".join(map(str, reversed(size))) for size in (strength.shape, shape))
        msg = (
            f"{path} has {mine} pixels, but the annotators drew on {theirs}; save edges in the "
            "size of the picture"
        )
        raise SourceError(msg)

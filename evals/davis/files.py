"""The files that hold DAVIS scores: the official tables, and all numbers as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...writing import replacing, writing
from .scores import GLOBAL_COLUMNS, DavisScores

SCORES_FILE = "scores.json"


def global_file(split: str) -> str:
    """Return the name that the official evaluation gives to the table of a whole set."""
    return f"global_results-{split}.csv"


def save_tables(scores: DavisScores, folder: Path) -> list[Path]:
    """Write the two official tables and `scores.json`.

    `global_results-SPLIT.csv` and `per-sequence_results-SPLIT.csv` are as the DAVIS 2017 evaluation
    writes them: fractions with three decimals, one row per object in the second. `scores.json` has
    full precision, and J and F of every frame.

    Args:
        scores: what is to be written.
        folder: made if it is missing; files of these names are replaced.

    Returns:
        the files.

    Raises:
        OutputError: if they cannot be written.
    """
    summary = scores.summary()
    rows = [(row.name, row.j.mean, row.f.mean) for row in scores.objects]
    texts = {
        global_file(scores.split): _csv(
            GLOBAL_COLUMNS, [[summary[column] for column in GLOBAL_COLUMNS]]
        ),
        f"per-sequence_results-{scores.split}.csv": _csv(("Sequence", "J-Mean", "F-Mean"), rows),
        # NaN is no JSON: rather an error here than a file that others cannot read.
        SCORES_FILE: json.dumps(scores_json(scores), indent=1, allow_nan=False) + "\n",
    }
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        with replacing(folder / name) as temporary:
            # Line feeds on every system: the official files have them.
            temporary.write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in texts]


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a sequence was tracked.

    Attributes:
        frames: how many it has.
        seconds: that reading, tracking, segmenting and writing took, in one process.
    """

    frames: int
    seconds: float

    @property
    def frames_per_second(self) -> float:
        """Frames by seconds; 0 if it took no time."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


SPEEDS_FILE = "sequences.csv"


def save_speeds(scores: DavisScores, speeds: Mapping[str, Speed], folder: Path) -> Path:
    """Write a table with a row per sequence: objects, frames, seconds, speed and scores.

    Args:
        scores: of all sequences.
        speeds: by sequence; those that are not known stay empty.
        folder: for the file, `sequences.csv`.

    Raises:
        OutputError: if it cannot be written.
    """
    rows: list[Sequence[str | float]] = []
    for sequence in scores.sequences:
        objects, _ = sequence.j.shape
        speed = speeds.get(sequence.name)
        took = ["", "", ""]
        if speed is not None:
            took = [str(speed.frames), f"{speed.seconds:.3f}", f"{speed.frames_per_second:.3f}"]
        j, f = (float(part.mean()) if objects else 0.0 for part in (sequence.j, sequence.f))
        means = [f"{value:.3f}" if objects else "" for value in ((j + f) / 2, j, f)]
        rows.append((sequence.name, str(objects), *took, *means))
    header = ("Sequence", "Objects", "Frames", "Seconds", "FPS", "J&F-Mean", "J-Mean", "F-Mean")
    with replacing(folder / SPEEDS_FILE) as temporary:
        temporary.write_text(_csv(header, rows), encoding="utf-8", newline="\n")
    return folder / SPEEDS_FILE


def scores_json(scores: DavisScores) -> dict[str, object]:
    """Return everything as JSON values: `global`, `objects`, and `frames` by sequence."""
    return {
        "benchmark": f"DAVIS {scores.year}",
        "split": scores.split,
        "task": scores.task,
        "global": scores.summary(),
        "objects": [
            {
                "name": row.name,
                "sequence": row.sequence,
                "J-Mean": row.j.mean,
                "J-Recall": row.j.recall,
                "J-Decay": row.j.decay,
                "F-Mean": row.f.mean,
                "F-Recall": row.f.recall,
                "F-Decay": row.f.decay,
            }
            for row in scores.objects
        ],
        "frames": {
            sequence.name: {
                "ids": list(sequence.frame_ids),
                "J": sequence.j.tolist(),
                "F": sequence.f.tolist(),
            }
            for sequence in scores.sequences
        },
    }


def _csv(header: Sequence[str], rows: Iterable[Sequence[str | float]]) -> str:
    """Return a table with three decimals."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    for row in rows:
        # Three decimals, as the official evaluation writes them.
        table.writerow(cell if isinstance(cell, str) else f"{cell:.3f}" for cell in row)
    return text.getvalue()

"""What an evaluation of pictures tells: tables for people, JSON and CSV for machines."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...json_values import Json
from ...writing import replacing, writing
from ..tables import TableRows

SCORES_JSON, SCORES_CSV = "scores.json", "scores.csv"

DASH = "-"
"""Stands where there is no number."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageReport:
    """The outcome of an evaluation.

    Attributes:
        values: all numbers of the whole set by name; NaN and None where there is none.
        headings: of the rows.
        rows: what each picture, or set, reached; one line of the CSV file each.
        tables: for people.
        notes: sentences about what should be known of the numbers.
        files: what was written besides.
    """

    values: Mapping[str, Any]
    headings: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    tables: Sequence[TableRows]
    notes: Sequence[str] = ()
    files: Sequence[Path] = field(default=())

    def as_json(self) -> dict[str, Json]:
        """Return the numbers and notes; null where there is no number."""
        values = {name: _finite(value) for name, value in self.values.items()}
        return {**values, "notes": list(self.notes)}

    def save(self, folder: Path) -> list[Path]:
        """Write `scores.json` and `scores.csv`; return all files of the report.

        Raises:
            OutputError: if they cannot be written.
        """
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(self.headings)
        table.writerows(["" if _is_nan(cell) else cell for cell in row] for row in self.rows)
        contents = {
            SCORES_JSON: json.dumps(self.as_json(), indent=1, allow_nan=False) + "\n",
            SCORES_CSV: text.getvalue(),
        }
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            with replacing(folder / name) as temporary:
                temporary.write_text(content, encoding="utf-8", newline="\n")
        return [*(folder / name for name in contents), *self.files]


def _is_nan(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _finite(value: Any) -> Any:  # noqa: ANN401 (whatever JSON holds)
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if _is_nan(value) else value


def share(value: float | None, places: int = 3) -> str:
    """Return a number in [0, 1] as it is shown; a dash if there is none."""
    return DASH if value is None or math.isnan(value) else f"{value:.{places}f}"


def percent(value: float | None, places: int = 1) -> str:
    """Return a number in [0, 1] in percent; a dash if there is none, or it is below 0."""
    return DASH if value is None or math.isnan(value) or value < 0 else f"{100 * value:.{places}f}"

"""How the scores of object tracks and of points are shown, and what others have reached."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .tables import TableRows

if TYPE_CHECKING:
    from .metrics.points import PointScores
    from .tapvid.clips import PointReport
    from .uvo.scores import TrackReport

UVO_AR100 = {"ViT-H": 28.8, "RepViT-SAM": 25.3, "MobileSAM": 22.7, "ViT-B": 19.1}
"""AR100 on UVO v1.0 dense val, in percent, of SAM-PT with CoTracker and each of these segmenters.

Source: Wang et al., RepViT-SAM, 2023, Table 4.
"""

_POINT_COLUMNS = {
    "AJ": "average_jaccard",
    "<δ avg": "average_pts_within_thresh",
    "OA": "occlusion_accuracy",
}
"""The three numbers that papers give, and what the public evaluation code calls them."""

_DASH = "-"


def track_values(report: TrackReport) -> dict[str, object]:
    """Return a report for machines: the twelve numbers in [0, 1], -1 where nothing was to find."""
    return {
        "scores": report.scores.named(),
        "videos": report.videos,
        "true_tracks": report.true_tracks,
        "predicted_tracks": report.predicted_tracks,
        "videos_without_predictions": list(report.videos_without_predictions),
        "dropped": report.dropped,
        "minus_infinity": report.minus_infinity,
    }


def track_tables(report: TrackReport, *, with_paper: bool) -> list[TableRows]:
    """Return a report for people, in percent.

    Args:
        report: to show.
        with_paper: also compare AR100 with that of `UVO_AR100`.
    """
    named = report.scores.named()
    title = f"{report.predicted_tracks} tracks against {report.true_tracks} true ones"
    title += f" in {report.videos} videos, percent"
    # Twelve columns are wider than a screen: AP in one table, AR in the next.
    half = len(named) // 2
    names, values = tuple(named), tuple(_percent(value) for value in named.values())
    tables = [
        TableRows(title, names[:half], (values[:half],)),
        TableRows("", names[half:], (values[half:],)),
    ]
    if with_paper:
        others = tuple((f"SAM-PT, {name}", f"{value:.1f}") for name, value in UVO_AR100.items())
        cells = (("these results", _percent(report.scores.ar100)), *others)
        tables.append(TableRows("UVO v1.0 dense val, as published", ("method", "AR100"), cells))
    return tables


def track_notes(report: TrackReport) -> list[str]:
    """Return sentences about what in the results deserves a second look."""
    notes = []
    if missing := report.videos_without_predictions:
        shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        notes.append(
            f"{len(missing)} of {report.videos} videos have no predictions ({shown}); "
            "their tracks count as missed"
        )
    if report.dropped:
        notes.append(
            f"{report.dropped} tracks have a category that the annotations do not list; "
            "they were dropped"
        )
    if report.minus_infinity:
        notes.append(
            f"{report.minus_infinity} tracks have the score -Infinity; they were ranked last"
        )
    return notes


def point_values(report: PointReport) -> dict[str, object]:
    """Return a report for machines: numbers in [0, 1], null where there was nothing to score."""
    return {
        "mean": _finite({**report.mean.named(), "AJ_RD": report.mean_redetection}),
        "clips": {
            name: {
                **_finite({**scores.named(), **report.redetection[name].named()}),
                "returns": report.redetection[name].returns,
            }
            for name, scores in report.clips.items()
        },
    }


def point_table(report: PointReport) -> TableRows:
    """Return a report for people, in percent."""
    cells = [
        _point_cells(name, scores, report.redetection[name].average)
        for name, scores in report.clips.items()
    ]
    mean = _point_cells(f"mean of {len(cells)}", report.mean, report.mean_redetection)
    return TableRows("TAP-Vid, percent", ("clip", *_POINT_COLUMNS, "AJ_RD"), (*cells, mean))


def _point_cells(name: str, scores: PointScores, redetection: float) -> tuple[str, ...]:
    named = scores.named()
    return (name, *(_percent(named[key]) for key in _POINT_COLUMNS.values()), _percent(redetection))


def _percent(value: float) -> str:
    # -1 and NaN both say that there was nothing to score.
    return _DASH if value < 0 or math.isnan(value) else f"{value * 100:.1f}"


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in values.items()}

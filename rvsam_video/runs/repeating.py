"""From a run's record to the options that repeat it, whichever face it was started from."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from rvsam_video.errors import OutputError
from rvsam_video.methods import Method
from rvsam_video.prompts.as_json import prompts_from_json
from rvsam_video.runs.layout import RUN_FILE
from rvsam_video.runs.objects import RunOptions
from rvsam_video.runs.record import RunRecord, load_record
from rvsam_video.settings import SegmentationSettings
from rvsam_video.sources.part import part_of
from rvsam_video.weights.fetch import PUBLISHED, cached_file


def options_of_run(folder: Path | str, out: Path) -> RunOptions:
    """Return the options that repeat a run of objects.

    Args:
        folder: the run folder.
        out: where the repetition is to be written.

    Raises:
        OutputError: if there is no run of objects in the folder, or its record is damaged.
        PromptError: if its prompts are.
    """
    place = Path(folder) / RUN_FILE
    record = load_record(place)
    try:
        return _options(record, out)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"{place} is not the record of a run that follows objects; choose another folder"
        raise OutputError(msg) from error


def _options(record: RunRecord, out: Path) -> RunOptions:
    command: dict[str, Any] = dict(record.command)
    red, green, blue = command["background"]
    return RunOptions(
        source=command["source"],
        out=out,
        prompts=prompts_from_json(command["prompts"]),
        save=tuple(command["save"]),
        background=(red, green, blue),
        max_frames=command["max_frames"],
        fps=command["fps"],
        reader=command["reader"],
        on_bad_frame=command["on_bad_frame"],
        live=command["live"],
        part=part_of(command["start"], command["end"], command["stride"]),
        longest_side=command["longest_side"],
        direction=command["direction"],
        method=Method(
            preset=command["preset"],
            tracker=command["tracker"],
            segmenter=command["segmenter"],
            tracker_checkpoint=_own_file(record, "tracker_weights", command["tracker"]),
            checkpoint=_own_file(record, "weights", command["segmenter"]),
            tracker_options=tuple(command.get("tracker_options", {}).items()),
            segmenter_options=tuple(command.get("segmenter_options", {}).items()),
            device=command["device"],
            backend=command["backend"],
            settings=_settings(command["settings"]),
        ),
    )


def _own_file(record: RunRecord, name: str, part: str) -> Path | None:
    """Return the file of weights of a part; None if it was the published one in the cache."""
    facts: Any = record.notes.get(name, {})
    if "file" not in facts:
        return None
    path = Path(facts["file"])
    # The published file may lie elsewhere on the machine that repeats the run.
    return None if part in PUBLISHED and path == cached_file(PUBLISHED[part]) else path


def _settings(values: dict[str, Any]) -> SegmentationSettings:
    unknown = set(values) - {item.name for item in fields(SegmentationSettings)}
    if unknown:
        msg = (
            f"the run has the settings {', '.join(sorted(unknown))}, which this version does not "
            "know; repeat it with the version that run.json names"
        )
        raise OutputError(msg)
    return SegmentationSettings(**values)

"""`RunRecord`: what `run.json` says about a run."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, get_args

from rvsam_video.errors import OutputError
from rvsam_video.json_values import Json, as_json
from rvsam_video.runs.pictures import Ranges, are_ranges, is_file_name, picture_folder
from rvsam_video.writing import replacing

RunStatus = Literal["running", "interrupted", "complete", "failed"]

_PROGRAM = "rvsam-video"
_FORMAT = 1
_LONGEST = 1e12
"""Seconds that no run takes; NaN and infinity are not below it either."""
# Four packages install the same library; any of them may be the one.
_OPENCV_WHEELS = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """The content of `run.json`.

    Attributes:
        status: `running` also after a kill; the lock tells whether a process is alive.
        command: inputs, prompts and options, as the caller gave them.
        versions: of this package and what its results depend on.
        device: what the networks ran on.
        started: time of the first start, ISO 8601 in UTC.
        updated: time of the last change.
        finished: time at which the run became complete, else None.
        resumed: how often the run went on after an interruption.
        timings: seconds by part of the work.
        counts: frames, bad frames, dropped frames and the like.
        messages: warnings and errors for people.
        files: what was written at the end, as paths below the run folder.
        pictures: folder name to the pictures that were written into it, see `runs.pictures`.
        notes: anything else worth keeping, such as weights and their licence.
    """

    status: RunStatus
    command: Mapping[str, Json]
    versions: Mapping[str, str]
    device: str | None = None
    started: str
    updated: str
    finished: str | None = None
    resumed: int = 0
    timings: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    pictures: Mapping[str, Ranges] = field(default_factory=dict)
    notes: Mapping[str, Json] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Json]:
        """Return the record as `run.json` holds it."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        # Plain values already, and of prompts perhaps a hundred thousand.
        command = values.pop("command")
        plain = as_json({"program": _PROGRAM, "format": _FORMAT, **values})
        return {**plain, "command": command}


def new_record(command: Mapping[str, Json]) -> RunRecord:
    """Return the record of a run that begins now."""
    now = timestamp()
    return RunRecord(
        status="running",
        command=as_json(command),
        versions=current_versions(),
        started=now,
        updated=now,
    )


def timestamp() -> str:
    """Return the time now, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def current_versions() -> dict[str, str]:
    """Return the versions of all that results depend on, without importing any of it."""
    # From the packages' records: importing torch for its number alone would take a second.
    versions = {_PROGRAM: _version(_PROGRAM), "python": platform.python_version()}
    versions |= {name: _version(name) for name in ("numpy", "torch", "av", "pillow", "pycocotools")}
    versions["opencv"] = next(
        (found for name in _OPENCV_WHEELS if (found := _version(name)) != "unknown"), "unknown"
    )
    return versions


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def save_record(record: RunRecord, path: Path) -> None:
    """Write `run.json` durably in one step.

    Raises:
        OutputError: if it cannot be written.
    """
    text = _text(record.to_dict())
    with replacing(path) as temporary:
        # What is not Unicode in a file name becomes the escape that JSON has for it.
        temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


_PROMPTS = "prompts"


def _text(values: dict[str, Json]) -> str:
    """Return values as JSON for people: indented, and names in their own letters."""
    lists: list[str] = []
    text = json.dumps(_without_prompts(values, lists), indent=2, ensure_ascii=False)
    # One line for all prompts: indenting a hundred thousand of them takes seconds each time.
    return _MARK.sub(lambda match: lists[int(match[1])], text)


_MARK = re.compile(r'"\\u0000([0-9]+)"')
"""What stands for a list of prompts until the rest is written; no name holds a zero."""


def _without_prompts(values: Json, lists: list[str]) -> Json:
    """Replace prompts by marks, and collect their JSON."""
    if not isinstance(values, Mapping):
        return values
    result: dict[str, Json] = {}
    for name, value in values.items():
        if name == _PROMPTS:
            lists.append(json.dumps(value, ensure_ascii=False))
            result[name] = f"\0{len(lists) - 1}"
        else:
            result[name] = _without_prompts(value, lists)
    return result


def load_record(path: Path) -> RunRecord:
    """Read `run.json`.

    Raises:
        OutputError: if it is damaged, of another program or of another version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    # Deeply nested brackets exhaust the reader; no record looks so.
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, "it is damaged or cannot be read") from error
    if not isinstance(content, dict) or content.pop("program", None) != _PROGRAM:
        raise _unusable(path, "another program wrote it")
    if (version := content.pop("format", None)) != _FORMAT:
        raise _unusable(path, f"its format is {version}, this version reads {_FORMAT}")
    return _record(content, path)


def _record(content: dict[str, Any], path: Path) -> RunRecord:
    try:
        # JSON knows no tuples, and the record is to be unchangeable.
        messages, files = tuple(content.pop("messages")), tuple(content.pop("files"))
        record = RunRecord(messages=messages, files=files, **content)
    except (KeyError, TypeError, AttributeError) as error:
        raise _unusable(path, "entries are missing or unknown") from error
    mappings = (record.command, record.versions, record.timings, record.counts, record.notes)
    texts = (*messages, *files)
    if (
        record.status not in get_args(RunStatus)
        or not all(isinstance(item, dict) for item in mappings)
        or not all(isinstance(item, str) for item in texts)
        or not all(map(is_file_name, files))
        or not _numbers_make_sense(record)
        or not isinstance(record.pictures, dict)
        or not all(picture_folder(name) for name in record.pictures)
        or not all(map(are_ranges, record.pictures.values()))
    ):
        raise _unusable(path, "it holds values that make no sense")
    return record


def _numbers_make_sense(record: RunRecord) -> bool:
    """Whether times and counts are such that more can be added to them."""
    times, counts = record.timings.values(), (*record.counts.values(), record.resumed)
    return (
        all(isinstance(item, int | float) and abs(item) < _LONGEST for item in times)
        # By type: True is a whole number to Python, and no count.
        and all(type(item) is int and item >= 0 for item in counts)
        and all(isinstance(item, str) for item in (record.started, record.updated))
        and isinstance(record.device, str | None)
        and isinstance(record.finished, str | None)
    )


def _unusable(path: Path, reason: str) -> OutputError:
    msg = f"cannot use {path}: {reason}; choose another folder with --out, or remove this one"
    return OutputError(msg)

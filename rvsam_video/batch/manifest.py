"""What is to be tracked: a manifest of JSON lines, a folder or a pattern."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rvsam_video.batch.clips import BatchClip
from rvsam_video.errors import PromptError, UsageError
from rvsam_video.prompts.files import load_prompts
from rvsam_video.prompts.prompt import Prompt, merge_prompts
from rvsam_video.prompts.words import parse_prompts
from rvsam_video.runs.objects import RunOptions
from rvsam_video.sources.finding import is_pattern
from rvsam_video.sources.part import moment_text, part_of

MANIFEST_SUFFIXES = (".jsonl", ".ndjson")

_BESIDE = (".json", ".txt", ".png")
"""Endings of the prompts that lie beside a clip, the first that is there: a prompt file, a
query-point file of SAM-PT, a mask of frame 0."""

_PROMPTS = ("prompts", "points", "box", "mask")
_READING = ("max_frames", "fps", "reader", "on_bad_frame", "longest_side", "direction")
_METHOD = ("preset", "tracker", "segmenter", "device")
KEYS = ("clip", "name", *_PROMPTS, "save", "start", "end", "stride", *_READING, *_METHOD)
"""What a line of a manifest may say; all but the clip and one kind of prompts can be left out."""


def batch_clips(what: str | Path, common: RunOptions) -> list[BatchClip]:
    """Find the clips that are to be tracked.

    Args:
        what: a manifest (.jsonl), a folder in which `clip.mp4` lies beside `clip.json`, or a
            pattern of such clips.
        common: what holds where a line says nothing else.

    Raises:
        UsageError: if there is none, or a line says something that is not understood.
        PromptError: if the prompts of a clip cannot be read.
    """
    path = Path(what)
    if path.suffix.lower() in MANIFEST_SUFFIXES and path.is_file():
        clips = list(_of_manifest(path, common))
    elif path.is_dir():
        clips = [_beside(clip, common) for clip in sorted(path.iterdir()) if _has_prompts(clip)]
    elif is_pattern(str(what)):
        root = Path(path.anchor) if path.is_absolute() else Path()
        pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
        clips = [_beside(clip, common) for clip in sorted(root.glob(pattern)) if _is_clip(clip)]
    else:
        msg = (
            f"{what} is neither a manifest ({' or '.join(MANIFEST_SUFFIXES)}), nor a folder, nor "
            "a pattern such as 'clips/*.mp4'"
        )
        raise UsageError(msg)
    if not clips:
        msg = f"{what} holds no clip with prompts beside it, such as clip.mp4 and clip.json"
        raise UsageError(msg)
    return clips


def _is_clip(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() not in _BESIDE


def _has_prompts(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return not hidden and _is_clip(path) and _prompts_beside(path) is not None


def _prompts_beside(path: Path) -> Path | None:
    stem = path.name if path.is_dir() else path.stem
    places = (path.with_name(stem + suffix) for suffix in _BESIDE)
    return next((place for place in places if place.is_file()), None)


def _beside(path: Path, common: RunOptions) -> BatchClip:
    place = _prompts_beside(path)
    if place is None:
        msg = f"{path} has no prompts beside it; write {path.with_suffix('.json')}"
        raise UsageError(msg)
    mask = place.suffix == ".png"
    prompts = parse_prompts(masks=[str(place)]) if mask else parse_prompts([str(place)])
    return BatchClip(_folder_name(path.stem), replace(common, source=str(path), prompts=prompts))


def _of_manifest(path: Path, common: RunOptions) -> Iterator[BatchClip]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _of_line(line, f"{path} line {number}", path.parent, common)


def _of_line(line: str, place: str, folder: Path, common: RunOptions) -> BatchClip:
    try:
        content = json.loads(line)
    except ValueError as error:
        msg = f"{place} is not JSON: {error}; write one object a line"
        raise UsageError(msg) from error
    if not isinstance(content, dict):
        msg = f"{place} is {line.strip()[:40]!r}; write one object a line"
        raise UsageError(msg)
    return clip_of(content, common, folder, place)


def clip_of(
    content: Mapping[str, Any], common: RunOptions, folder: Path, place: str = "a job"
) -> BatchClip:
    """Read what a line of a manifest, or a job in Python, says of a clip.

    Args:
        content: see `KEYS`; paths are relative to the folder.
        common: what holds where it says nothing else.
        folder: of the manifest.
        place: where it stands, for errors.

    Raises:
        UsageError: if something is unknown or missing.
        PromptError: if the prompts cannot be read.
    """
    unknown = sorted(content.keys() - set(KEYS))
    if unknown or not isinstance(content.get("clip"), str | Path):
        said = f"{unknown[0]!r} is unknown" if unknown else "it names no clip"
        msg = f"{place}: {said}; a line has {', '.join(KEYS)}"
        raise UsageError(msg)
    source = _located(str(content["clip"]), folder)
    try:
        prompts = _prompts_of(content, folder)
        options = replace(common, source=source, prompts=prompts, **_changes(content, common))
    except PromptError as error:
        raise PromptError(f"{place}: {error}") from error
    except (UsageError, TypeError) as error:
        raise UsageError(f"{place}: {error}") from error
    name = str(content.get("name") or Path(source.rstrip("/")).stem)
    return BatchClip(_folder_name(name), options)


def _prompts_of(content: Mapping[str, Any], folder: Path) -> list[Prompt]:
    given = content.get("prompts")
    if isinstance(given, list) and all(isinstance(item, Prompt) for item in given):
        prompts = list(given)
    else:
        prompts = [] if given is None else load_prompts(_located(str(given), folder))
    points, boxes, masks = (_texts(content.get(name)) for name in ("points", "box", "mask"))
    masks = [_located_mask(text, folder) for text in masks]
    prompts = merge_prompts([*prompts, *parse_prompts(points, boxes, masks)])
    if not prompts:
        msg = f"nothing to follow; give one of {', '.join(_PROMPTS)}"
        raise PromptError(msg)
    return prompts


def _changes(content: Mapping[str, Any], common: RunOptions) -> dict[str, Any]:
    """Return the options that a line sets."""
    changes = {name: content[name] for name in _READING if name in content}
    if "save" in content:
        changes["save"] = tuple(_texts(content["save"]))
    part = common.part
    if {"start", "end", "stride"} & content.keys():
        start, end = content.get("start"), content.get("end")
        until = None if part.end is None else moment_text(part.end)
        changes["part"] = part_of(
            moment_text(part.start) if start is None else str(start),
            until if end is None else str(end),
            content.get("stride", part.stride),
        )
    method = {name: content[name] for name in _METHOD if name in content}
    return changes | ({"method": replace(common.method, **method)} if method else {})


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]


def _located(text: str, folder: Path) -> str:
    """Return a path below the manifest's folder; an address or a number as it is."""
    return text if "://" in text or text.isdecimal() else str(folder / text)


_MASK_PLACE = re.compile(r"((?:[0-9]{1,10}:)?)(.+)", re.DOTALL)


def _located_mask(text: str, folder: Path) -> str:
    match = _MASK_PLACE.fullmatch(text)
    return text if match is None else f"{match[1]}{folder / match[2]}"


def _folder_name(name: str) -> str:
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
    return safe.strip("._") or "clip"

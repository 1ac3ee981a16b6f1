"""Prompts as plain JSON values: the content of prompt files, also kept in `run.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import PromptError
from rvsam_video.limits import too_large, too_many_masks
from rvsam_video.mask_rle import MAX_SIDE, decode_mask, encode_mask
from rvsam_video.prompts.json_place import JsonPlace
from rvsam_video.prompts.masks import load_mask
from rvsam_video.prompts.prompt import MAX_FRAME, MAX_OBJECT_ID, Prompt, check_against_frame

VERSION = 1
"""Version of the form; raised when older readers would misread what newer ones write."""

MAX_COORDINATE = 3.4028235e38
"""The largest float32, which coordinates are kept as, as it is written in short."""


def prompts_to_json(
    prompts: Sequence[Prompt],
    *,
    frame_size: tuple[int, int] | None = None,
    source: str | None = None,
) -> dict[str, Any]:
    """Return prompts as plain values for `json.dumps`: the content of a prompt file.

    Args:
        prompts: what to write.
        frame_size: (width, height) of the video in pixels, if known.
        source: name of the video, for the reader's information.

    Raises:
        PromptError: if a prompt does not fit `frame_size`.
    """
    document: dict[str, Any] = {"version": VERSION}
    if source:
        document["source"] = source
    # Checked when written, too: a file that names a size must be one that can be read again.
    if frame_size is not None:
        document["frame_size"] = list(frame_size)
        for prompt in prompts:
            check_against_frame(prompt, frame_size)
    document["prompts"] = [_entry(prompt) for prompt in prompts]
    return document


def prompts_from_json(document: object, folder: Path | None = None) -> list[Prompt]:
    """Read what `prompts_to_json` returned, or a person wrote.

    Args:
        document: as `json.loads` returned it.
        folder: where mask files stand; None allows no mask files.

    Raises:
        PromptError: naming the place in the document, and what is allowed there.
    """
    root = JsonPlace(document).fields({"version", "prompts"}, {"source", "frame_size"})
    version = root["version"].whole(1, MAX_FRAME)
    if version > VERSION:
        msg = f"version is {version}; this program reads up to {VERSION}: use a newer rvsam-video"
        raise PromptError(msg)
    if "source" in root:
        root["source"].text("the name of a video")
    frame_size = _size(root["frame_size"], "[width, height]") if "frame_size" in root else None
    places = root["prompts"].items(0, None, "a list of prompts")
    prompts = []
    masks = 0
    for place in places:
        prompts.append(_prompt(place, folder, frame_size))
        mask = prompts[-1].mask
        if mask is not None:
            # Together: a few bytes each can ask for the memory of a picture.
            masks += mask.size
            if (reason := too_many_masks(masks)) is not None:
                raise PromptError(f"the file cannot be read up to {place.place}: {reason}")
    return prompts


def _entry(prompt: Prompt) -> dict[str, Any]:
    entry: dict[str, Any] = {"object": prompt.object_id, "frame": prompt.frame}
    if prompt.name is not None:
        entry["name"] = prompt.name
    if len(prompt.points):
        entry["points"] = [
            [*_numbers(point), int(label)]
            for point, label in zip(prompt.points, prompt.labels, strict=True)
        ]
    if prompt.box is not None:
        entry["box"] = _numbers(prompt.box)
    if prompt.mask is not None:
        entry["mask"] = {"size": list(prompt.mask.shape), "counts": encode_mask(prompt.mask)}
    return entry


def _numbers(values: NDArray[np.float32]) -> list[float]:
    """Return float32 values as the shortest numbers that read back as the same float32."""
    # float32 as NumPy prints it: 0.1 and not 0.10000000149011612.
    short = [float(str(value)) for value in values]
    exact = [float(value) for value in values]
    return short if np.array_equal(np.array(short, np.float32), values) else exact


def _prompt(place: JsonPlace, folder: Path | None, frame_size: tuple[int, int] | None) -> Prompt:
    fields = place.fields(set(), {"object", "frame", "name", "points", "box", "mask"})
    # Only those given are read: people write short files by hand.
    object_id = fields["object"].whole(1, MAX_OBJECT_ID) if "object" in fields else 1
    frame = fields["frame"].whole(0, MAX_FRAME) if "frame" in fields else 0
    points = _points(fields["points"]) if "points" in fields else []
    box = _box(fields["box"]) if "box" in fields else None
    mask = _mask(fields["mask"], folder, object_id) if "mask" in fields else None
    name = fields["name"].text("a name") if "name" in fields else None
    try:
        prompt = Prompt.create(
            object_id,
            frame,
            points=[(x, y) for x, y, _ in points],
            labels=[label for _, _, label in points],
            box=box,
            mask=mask,
            name=name,
        )
        if frame_size is not None:
            check_against_frame(prompt, frame_size)
    except PromptError as error:
        # The prompt knows what is wrong, the place knows where in the file.
        msg = f"{place.place}: {error}"
        raise PromptError(msg) from error
    return prompt


def _points(place: JsonPlace) -> list[tuple[float, float, int]]:
    points = []
    for item in place.items(1, None, "a list of at least one point"):
        fields = item.items(2, 3, "[x, y] or [x, y, label]")
        # Within float32 at least; whether they lie in the picture is known with the frame's size
        # only.
        x, y = (field.number(MAX_COORDINATE) for field in fields[:2])
        points.append((x, y, fields[2].whole(0, 1) if len(fields) == 3 else 1))
    return points


def _box(place: JsonPlace) -> list[float]:
    corners = place.items(4, 4, "[x0, y0, x1, y1]")
    return [corner.number(MAX_COORDINATE) for corner in corners]


def _size(place: JsonPlace, what: str) -> tuple[int, int]:
    first, second = (side.whole(1, MAX_SIDE) for side in place.items(2, 2, what))
    return first, second


def _mask(place: JsonPlace, folder: Path | None, object_id: int) -> NDArray[np.bool_]:
    # Looked for by name first, so that a wrong file is not reported as damaged run lengths.
    if isinstance(place.value, dict) and "file" in place.value:
        file = place.fields({"file"}, set())["file"]
        return _mask_of_file(file, folder, object_id)
    fields = place.fields({"size", "counts"}, set())
    height, width = _size(fields["size"], "[height, width]")
    counts = fields["counts"].text("the run lengths of a mask")
    if (reason := too_large(width, height)) is not None:
        raise PromptError(f"{place.place} cannot be read: {reason}")
    try:
        return decode_mask(counts, height, width)
    except ValueError as error:
        msg = f"{place.place} is damaged: {error}"
        raise PromptError(msg) from error


def _mask_of_file(place: JsonPlace, folder: Path | None, object_id: int) -> NDArray[np.bool_]:
    what = "the name of a picture in the folder of the prompt file or below it"
    name = place.text(what)
    if folder is None:
        place.refuse("left out here: write the mask itself (size and counts)")
    # Prompt files are passed on: one from a stranger must not reach other files of this machine.
    windows = PureWindowsPath(name)
    if windows.anchor or windows.drive or ".." in windows.parts:
        place.refuse(what)
    try:
        # Resolved: a link inside the folder must not lead out of it either.
        path = (folder / name).resolve()
        inside = path.is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, RuntimeError, ValueError):
        inside = False
    if not inside:
        place.refuse(what)
    try:
        (prompt,) = load_mask(path, 0, object_id)
    except PromptError as error:
        msg = f"{place.place}: {error}"
        raise PromptError(msg) from error
    if prompt.mask is None:
        place.refuse(what)
    return prompt.mask

"""Prompts as callers write them in Python, and whether they make sense as a whole."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rvsam_video.errors import PromptError
from rvsam_video.prompts.prompt import Prompt

_LOGGER = logging.getLogger(__name__)

_NAMES = ("object", "object_id", "frame", "points", "labels", "box", "mask")

_FORMS = (
    "a Prompt, a list of them, {'points': [[x, y]], 'object': 1, 'frame': 0}, or points [[x, y]]"
)


def as_prompts(given: object) -> list[Prompt]:
    """Return prompts, however they were given.

    Args:
        given: a `Prompt`; a mapping with the names of a prompt file; [x, y] or [x, y, label];
            (N, 2) or (N, 3) of those, points of object 1; or a list of prompts and mappings.

    Raises:
        PromptError: naming what was given, and what is allowed.
    """
    if isinstance(given, Prompt):
        return [given]
    if isinstance(given, Mapping):
        return [_of_mapping(given)]
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        msg = f"prompts are given as {given!r:.60}; give {_FORMS}"
        raise PromptError(msg)
    items = list(given)
    if all(isinstance(item, Prompt | Mapping) for item in items):
        return [item if isinstance(item, Prompt) else _of_mapping(item) for item in items]
    return [_of_points(items, {})]


def _of_mapping(given: Mapping[Any, Any]) -> Prompt:
    unknown = [name for name in given if name not in _NAMES]
    if unknown or ("object" in given and "object_id" in given):
        msg = f"a prompt has the name {(unknown or ['object'])[0]!r}; allowed: {', '.join(_NAMES)}"
        raise PromptError(msg)
    rest = {name: given[name] for name in ("frame", "labels", "box", "mask") if name in given}
    rest["object_id"] = given.get("object", given.get("object_id", 1))
    return _of_points(given.get("points"), rest)


def _of_points(points: Any, rest: dict[str, Any]) -> Prompt:  # noqa: ANN401 (whatever was given)
    if points is None:
        return Prompt.create(**rest)
    try:
        table = np.asarray(points, np.float64)
    except (TypeError, ValueError) as error:
        msg = f"points are given as {points!r:.60}; give {_FORMS}"
        raise PromptError(msg) from error
    # One point alone.
    table = table[None] if table.ndim == 1 and table.size else table
    if table.size and (table.ndim != 2 or table.shape[1] not in {2, 3}):
        msg = f"points have shape {table.shape}; give {_FORMS}"
        raise PromptError(msg)
    if table.size and table.shape[1] == 3:
        if "labels" in rest:
            msg = "points have a label each, but labels are given as well; leave one of them out"
            raise PromptError(msg)
        rest = {**rest, "labels": table[:, 2]}
    return Prompt.create(points=table[:, :2] if table.size else [], **rest)


def check_whole(prompts: Sequence[Prompt], frames: int | None = None) -> None:
    """Make sure that prompts can work together, and say what looks like a mistake.

    Args:
        prompts: everything that is known before the video begins.
        frames: how many frames there are for certain; None if that is not known.

    Raises:
        PromptError: if an object has points off it alone, or a frame comes after the last one.
    """
    by_object: defaultdict[int, list[Prompt]] = defaultdict(list)
    for prompt in prompts:
        by_object[prompt.object_id].append(prompt)
        if frames is not None and prompt.frame >= frames:
            msg = (
                f"the prompt of {prompt.where} comes too late: the last frame is {frames - 1}; "
                "frames are numbered from 0"
            )
            raise PromptError(msg)
    for number in sorted(by_object):
        _check_object(number, by_object[number])
    _warn_of_fractions(prompts)


def _check_object(number: int, prompts: Sequence[Prompt]) -> None:
    told = [prompt for prompt in prompts if _shows_it(prompt)]
    if not told:
        msg = (
            f"object {number} has only points off it (label 0); give at least one point on it, "
            "a box or a mask"
        )
        raise PromptError(msg)
    first, begin = min(item.frame for item in prompts), min(item.frame for item in told)
    if first < begin:
        _LOGGER.warning(
            "object %d has only points off it (label 0) before frame %d, so it begins there",
            number,
            begin,
        )


def _shows_it(prompt: Prompt) -> bool:
    return prompt.box is not None or prompt.mask is not None or bool(prompt.labels.any())


def _warn_of_fractions(prompts: Sequence[Prompt]) -> None:
    """Warn if all coordinates look like fractions of the picture's size."""
    places = [prompt.points.ravel() for prompt in prompts]
    places += [prompt.box for prompt in prompts if prompt.box is not None]
    values = np.concatenate([np.zeros(0, np.float32), *places])
    inside = bool(len(values)) and bool(((values >= 0) & (values <= 1)).all())
    whole_box = any(prompt.box is not None for prompt in prompts)
    # The very corner, 1,1, is a place that people name.
    if inside and (whole_box or (values % 1 != 0).any()):
        _LOGGER.warning(
            "all coordinates are from 0 to 1, the top left pixel of the picture: they are pixels; "
            "fractions of the picture are written in percent, as in 50%,30%"
        )

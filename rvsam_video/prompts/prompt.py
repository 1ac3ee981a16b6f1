"""`Prompt`: what a user says about one object in one frame, checked when it is made.

The written forms are in `words` (command line) and `files` (JSON).
"""

from __future__ import annotations

import logging
import operator
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rvsam_video.errors import PromptError

logger = logging.getLogger(__name__)

MAX_OBJECT_ID = 255
"""A palette PNG, the usual form of the results, holds no larger number."""

MAX_FRAME = 2**31 - 1
"""More than two years at 30 frames per second; fits every integer type that frames meet."""

LONGEST_NAME = 60
"""Characters of an object's name; labelling tools show little more."""


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """What is known about one object in one frame: at least one point, a box or a mask.

    The constructor takes arrays of exactly these types; `create` converts lists and numbers.

    Attributes:
        object_id: the user's id, 1 to 255 (a palette PNG holds no more).
        frame: 0-based index of the frame that the prompt belongs to.
        points: (N, 2) float32, x then y in pixels of the displayed frame.
        labels: (N,) int8, 1 on the object, 0 off it.
        box: (4,) float32 x0, y0, x1, y1 in pixels, corners included, or None.
        mask: (H, W) bool of the frame's size with at least one pixel, or None.
        name: what the user calls the object, or None; several objects may have the same.

    Raises:
        PromptError: naming the value and what is allowed.
    """

    object_id: int = 1
    frame: int = 0
    points: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    labels: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    box: NDArray[np.float32] | None = None
    mask: NDArray[np.bool_] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no frame could use; see the class for what is allowed."""
        object_id = _whole_number(self.object_id, "the object id", 1, MAX_OBJECT_ID)
        # Frozen, so set in this way: whole numbers of NumPy become Python's own.
        object.__setattr__(self, "object_id", object_id)
        object.__setattr__(self, "frame", _whole_number(self.frame, "the frame", 0, MAX_FRAME))
        if np.size(self.points) == 0 and self.box is None and self.mask is None:
            msg = f"the prompt of {self.where} is empty; give at least a point, a box or a mask"
            raise PromptError(msg)
        _check_points(self)
        if self.box is not None:
            _check_box(self.box, self.where)
        if self.mask is not None:
            _check_mask(self.mask, self.where)
        if self.name is not None:
            check_name(self.name)

    @classmethod
    def create(
        cls,
        object_id: int = 1,
        frame: int = 0,
        *,
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        box: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        name: str | None = None,
    ) -> Prompt:
        """Make a prompt from lists, numbers or arrays of any type.

        Args:
            object_id: 1 to 255, yours to choose.
            frame: 0-based index of the frame.
            points: (N, 2) x, y in pixels.
            labels: (N,) 1 on the object, 0 off it; all 1 by default.
            box: (4,) x0, y0, x1, y1 in pixels.
            mask: (H, W) bool, or whole numbers: 0, and one other number for the object.
            name: what to call the object.

        Raises:
            PromptError: naming the value and what is allowed.

        Example:
            >>> Prompt.create(points=[[120, 80], [40, 90]], labels=[1, 0]).points.dtype
            dtype('float32')
        """
        rows = np.zeros((0, 2), np.float32) if points is None else _floats(points, "points")
        # An empty list has no second axis.
        rows = rows.reshape(0, 2) if rows.size == 0 else rows
        return cls(
            object_id,
            frame,
            rows,
            np.ones(rows.shape[:1], np.int8) if labels is None else _labels(labels),
            None if box is None else _floats(box, "box"),
            None if mask is None else _bool_mask(mask),
            name,
        )

    @property
    def where(self) -> str:
        """The object and frame, as messages name them."""
        return f"object {self.object_id} in frame {self.frame}"


def check_name(name: str) -> None:
    """Refuse what cannot be the name of an object.

    Raises:
        PromptError: if it is no text of 1 to 60 printable characters.
    """
    good = isinstance(name, str) and name.strip() != "" and len(name) <= LONGEST_NAME
    if not good or not name.isprintable():
        msg = f"the name {name!r} cannot be used; write 1 to {LONGEST_NAME} printable characters"
        raise PromptError(msg)


def object_names(prompts: Iterable[Prompt]) -> dict[int, str]:
    """Return the names of the objects that have one, by rising id.

    Raises:
        PromptError: if an object has two names.
    """
    names: dict[int, str] = {}
    for prompt in prompts:
        if prompt.name is None:
            continue
        if names.setdefault(prompt.object_id, prompt.name) != prompt.name:
            msg = (
                f"object {prompt.object_id} is called {names[prompt.object_id]!r} and "
                f"{prompt.name!r}; give it one name"
            )
            raise PromptError(msg)
    return dict(sorted(names.items()))


def merge_prompts(prompts: Iterable[Prompt]) -> list[Prompt]:
    """Join the prompts of the same object and frame into one, by rising frame, then object id.

    Points are joined in the order given.

    Raises:
        PromptError: if an object has two boxes or two masks in one frame.
    """
    groups: defaultdict[tuple[int, int], list[Prompt]] = defaultdict(list)
    for prompt in prompts:
        # Frame first: sorted like this, prompts come in the order in which a run needs them.
        groups[prompt.frame, prompt.object_id].append(prompt)
    return [_joined(groups[key]) for key in sorted(groups)]


def check_against_frame(prompt: Prompt, frame_size: tuple[int, int]) -> Prompt:
    """Make sure that a prompt fits the pictures it is meant for.

    A box that reaches over the edge of the picture, as those of detectors often do, is cut to the
    picture (and a warning logged).

    Args:
        prompt: what to check.
        frame_size: (width, height) in pixels.

    Returns:
        the prompt itself, or a copy with the box cut to the picture.

    Raises:
        PromptError: if a point or the whole box is outside the picture, or the mask has another
            size.
    """
    _check_points_inside(prompt, frame_size)
    width, height = frame_size
    if prompt.mask is not None and prompt.mask.shape != (height, width):
        mask_height, mask_width = prompt.mask.shape
        msg = (
            f"the mask of {prompt.where} is {mask_width}x{mask_height} pixels, but the frames are "
            f"{width}x{height}; save the mask at the size of the frames"
        )
        raise PromptError(msg)
    return prompt if prompt.box is None else _with_box_inside(prompt, prompt.box, frame_size)


def _joined(prompts: Sequence[Prompt]) -> Prompt:
    first = prompts[0]
    if len(prompts) == 1:
        return first
    boxes = [item.box for item in prompts if item.box is not None]
    masks = [item.mask for item in prompts if item.mask is not None]
    for kind, count in (("boxes", len(boxes)), ("masks", len(masks))):
        if count > 1:
            msg = (
                f"{first.where} has {count} {kind}; give at most one per object and frame, "
                "or another object id"
            )
            raise PromptError(msg)
    return Prompt(
        first.object_id,
        first.frame,
        np.concatenate([item.points for item in prompts]),
        np.concatenate([item.labels for item in prompts]),
        boxes[0] if boxes else None,
        masks[0] if masks else None,
        object_names(prompts).get(first.object_id),
    )


def _check_points_inside(prompt: Prompt, frame_size: tuple[int, int]) -> None:
    width, height = frame_size
    # Centres of pixels: the last one is at width - 1.
    high = np.array([width - 1, height - 1], np.float32)
    outside = ((prompt.points < 0) | (prompt.points > high)).any(axis=1)
    if outside.any():
        msg = (
            f"point {_tuple(prompt.points[outside.argmax()])} of {prompt.where} is outside the "
            f"picture; x must be 0 to {width - 1} and y 0 to {height - 1}"
        )
        raise PromptError(msg)


def _with_box_inside(
    prompt: Prompt, box: NDArray[np.float32], frame_size: tuple[int, int]
) -> Prompt:
    width, height = frame_size
    high = np.array([width - 1, height - 1], np.float32)
    # Nothing of it would be left after cutting.
    if (box[:2] > high).any() or (box[2:] < 0).any():
        msg = (
            f"box {_tuple(box)} of {prompt.where} is outside the picture; "
            f"x must be 0 to {width - 1} and y 0 to {height - 1}"
        )
        raise PromptError(msg)
    inside = np.clip(box, 0, np.tile(high, 2))
    if np.array_equal(inside, box):
        return prompt
    logger.warning(
        "box %s of %s reaches outside the %dx%d picture and was cut to %s",
        _tuple(box),
        prompt.where,
        width,
        height,
        _tuple(inside),
    )
    return replace(prompt, box=inside)


def _check_points(prompt: Prompt) -> None:
    points, labels, where = prompt.points, prompt.labels, prompt.where
    _check_array(points, np.float32, f"the points of {where}")
    _check_array(labels, np.int8, f"the labels of {where}")
    if points.ndim != 2 or points.shape[1] != 2:
        msg = f"the points of {where} have shape {points.shape}; it must be (N, 2): x, y"
        raise PromptError(msg)
    if labels.shape != (len(points),):
        msg = (
            f"{where} has {len(points)} points, but its labels have shape {labels.shape}; "
            "give one label per point"
        )
        raise PromptError(msg)
    unknown = (labels != 0) & (labels != 1)
    if unknown.any():
        msg = f"label {labels[unknown][0]} of {where} is unknown; use 1 (on the object) or 0 (off)"
        raise PromptError(msg)
    # After shape and type: each check may rely on those before.
    infinite = ~np.isfinite(points).all(axis=1)
    if infinite.any():
        msg = f"point {_tuple(points[infinite][0])} of {where} is not made of finite numbers"
        raise PromptError(msg)


def _check_box(box: NDArray[np.float32], where: str) -> None:
    _check_array(box, np.float32, f"the box of {where}")
    if box.shape != (4,):
        msg = f"the box of {where} has shape {box.shape}; it must be (4,): x0, y0, x1, y1"
        raise PromptError(msg)
    if not np.isfinite(box).all():
        msg = f"box {_tuple(box)} of {where} is not made of finite numbers"
        raise PromptError(msg)
    if (box[:2] > box[2:]).any():
        msg = (
            f"box {_tuple(box)} of {where} has its corners in the wrong order; "
            "write the top left corner first: x0 <= x1 and y0 <= y1"
        )
        raise PromptError(msg)


def _check_mask(mask: NDArray[np.bool_], where: str) -> None:
    _check_array(mask, np.bool_, f"the mask of {where}")
    if mask.ndim != 2:
        msg = f"the mask of {where} has shape {mask.shape}; it must be (height, width)"
        raise PromptError(msg)
    if not mask.any():
        msg = f"the mask of {where} is empty; it must cover at least one pixel of the object"
        raise PromptError(msg)


def _check_array(array: NDArray[np.generic], dtype: type[np.generic], what: str) -> None:
    found = getattr(array, "dtype", type(array).__name__)
    if found != dtype:
        msg = f"{what} must be an array of {np.dtype(dtype)}, not {found}; Prompt.create converts"
        raise PromptError(msg)


def _whole_number(value: SupportsIndex, what: str, low: int, high: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or not low <= number <= high:
        msg = f"{what} is {value!r}; it must be a whole number from {low} to {high}"
        raise PromptError(msg)
    return number


def _floats(values: ArrayLike, what: str) -> NDArray[np.float32]:
    try:
        # Too large for float32 becomes infinite, which is refused with a better sentence.
        with np.errstate(over="ignore"):
            # A copy: what the caller does with the array afterwards must not change the prompt.
            return np.array(values, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"{what} {values!r} cannot be read as numbers: {error}"
        raise PromptError(msg) from error


def _labels(values: ArrayLike) -> NDArray[np.int8]:
    # Read wide and then narrowed: straight to int8, 257 would become a valid 1.
    wide = _floats(values, "labels")
    unknown = (wide != 0) & (wide != 1)
    if unknown.any():
        msg = (
            f"label {_tuple(wide[unknown][:1])[1:-1]} is unknown; use 1 (on the object) or 0 (off)"
        )
        raise PromptError(msg)
    return wide.astype(np.int8)


def _bool_mask(values: ArrayLike) -> NDArray[np.bool_]:
    mask = np.asarray(values)
    if mask.dtype == np.bool_:
        return mask
    if not np.issubdtype(mask.dtype, np.integer):
        msg = f"the mask is of type {mask.dtype}; give bool, or whole numbers with 0 off the object"
        raise PromptError(msg)
    # An index map cut at "not 0" would silently join all objects into one.
    if len(np.unique(mask[mask != 0])) > 1:
        msg = (
            f"the mask holds several objects (numbers up to {mask.max()}); "
            "make one prompt per object"
        )
        raise PromptError(msg)
    return np.asarray(mask != 0)


def _tuple(values: NDArray[np.float32]) -> str:
    """Write coordinates as a person would: no trailing zeros, no exponents."""
    return f"({', '.join(np.format_float_positional(item, trim='-') for item in values)})"

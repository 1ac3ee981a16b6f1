"""`ClickBook`: what a visitor has clicked or painted, object by object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import PromptError, UsageError
from rvsam_video.mask_rle import decode_mask, encode_mask
from rvsam_video.prompts.prompt import MAX_OBJECT_ID, Prompt, check_against_frame, merge_prompts
from rvsam_video.sinks.colours import drawing_colour

_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Click:
    """One click, dragged box or painted mask.

    Attributes:
        object_id: the object it belongs to.
        frame: index of the frame.
        point: x, y in pixels of the frame, or None for a box or mask.
        label: 1 on the object, 0 off it.
        box: x0, y0, x1, y1 in pixels, or None.
        mask: height, width and COCO run lengths of a whole mask, or None.
    """

    object_id: int
    frame: int
    point: tuple[float, float] | None = None
    label: int = 1
    box: tuple[float, float, float, float] | None = None
    mask: tuple[int, int, str] | None = None

    @property
    def starts(self) -> bool:
        """Whether an object can begin with it."""
        return self.label == 1 or self.box is not None or self.mask is not None

    def to_prompt(self) -> Prompt:
        """Return it as a prompt.

        Raises:
            PromptError: if a number makes no sense.
        """
        if self.box is not None:
            return Prompt.create(self.object_id, self.frame, box=self.box)
        if self.mask is not None:
            return Prompt.create(self.object_id, self.frame, mask=_decoded(self.mask))
        points = [] if self.point is None else [self.point]
        return Prompt.create(self.object_id, self.frame, points=points, labels=[self.label])

    def to_json(self) -> dict[str, Any]:
        """Return it for a file, or for the page."""
        return {
            "object": self.object_id,
            "frame": self.frame,
            "point": self.point,
            "label": self.label,
            "box": self.box,
            "mask": self.mask,
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Undo `to_json`.

        Raises:
            KeyError, TypeError: if it is damaged.
        """
        point, box, mask = (
            None if entry[name] is None else tuple(entry[name]) for name in ("point", "box", "mask")
        )
        return cls(entry["object"], entry["frame"], point, entry["label"], box, mask)


def _decoded(mask: tuple[int, int, str]) -> NDArray[np.bool_]:
    height, width, counts = mask
    try:
        return decode_mask(counts, height, width)
    except ValueError as error:
        raise PromptError(f"the mask is damaged: {error}") from error


def clicks_of(prompts: Sequence[Prompt]) -> list[Click]:
    """Return the clicks, boxes and masks that prompts are made of."""
    clicks: list[Click] = []
    for prompt in prompts:
        key, frame = prompt.object_id, prompt.frame
        if prompt.mask is not None:
            height, width = prompt.mask.shape
            clicks.append(Click(key, frame, mask=(height, width, encode_mask(prompt.mask))))
        if prompt.box is not None:
            x0, y0, x1, y1 = map(float, prompt.box)
            clicks.append(Click(key, frame, box=(x0, y0, x1, y1)))
        for (x, y), label in zip(prompt.points.tolist(), prompt.labels.tolist(), strict=True):
            clicks.append(Click(key, frame, (x, y), label))
    return clicks


@dataclass(slots=True)
class ClickBook:
    """Objects with their names, and the clicks on them in the order they were made.

    Attributes:
        names: object id to the name that the visitor gave it.
        clicks: all clicks, oldest first.
    """

    names: dict[int, str] = field(default_factory=dict)
    clicks: list[Click] = field(default_factory=list)

    def new_object(self) -> int:
        """Make room for another object and return its id.

        Raises:
            UsageError: if there are as many as a mask file can hold.
        """
        # The lowest free id: after removing object 1 the next one is 1 again, as in its colour.
        free = (key for key in range(1, MAX_OBJECT_ID + 1) if key not in self.names)
        key = next(free, None)
        if key is None:
            msg = f"there are {MAX_OBJECT_ID} objects already; remove one"
            raise UsageError(msg)
        self.names[key] = _unnamed(key)
        return key

    def rename(self, object_id: int, name: str) -> None:
        """Give an object a name.

        Raises:
            UsageError: if there is no such object, or no letter in the name.
        """
        self._check_known(object_id)
        # Line breaks and tabs become blanks.
        cleaned = " ".join(name.split())[:_LONGEST_NAME]
        if not cleaned.isprintable() or not cleaned:
            raise UsageError("the name is empty; type a few letters")
        self.names[object_id] = cleaned

    def add(self, click: Click, frame_size: tuple[int, int]) -> None:
        """Take a click.

        Raises:
            UsageError: if there is no such object.
            PromptError: if it does not fit the frame, or the object has a box there already.
        """
        self._check_known(click.object_id)
        # Before it is kept: what does not fit must not spoil every later prompt.
        check_against_frame(click.to_prompt(), frame_size)
        if not click.starts and not self._has_start(click):
            msg = "a background click corrects an object; click on the object itself first"
            raise PromptError(msg)
        self.clicks = [*(item for item in self.clicks if not _replaces(click, item)), click]

    def _has_start(self, click: Click) -> bool:
        return any(
            item.object_id == click.object_id
            # Up to this frame: an object that starts later cannot be corrected yet.
            and item.frame <= click.frame
            and item.starts
            for item in self.clicks
        )

    def delete(self, number: int) -> None:
        """Forget one click.

        Raises:
            UsageError: if there is none of this number.
        """
        self._check_number(number)
        self.clicks = [item for place, item in enumerate(self.clicks) if place != number]

    def move(self, number: int, point: tuple[float, float], frame_size: tuple[int, int]) -> None:
        """Put one click somewhere else in its frame.

        Raises:
            UsageError: if there is none of this number, or it is a box or mask.
            PromptError: if the place is outside the frame.
        """
        self._check_number(number)
        if self.clicks[number].point is None:
            raise UsageError("only points can be moved; draw the box or mask again")
        moved = replace(self.clicks[number], point=point)
        check_against_frame(moved.to_prompt(), frame_size)
        self.clicks = [moved if place == number else item for place, item in enumerate(self.clicks)]

    def stand_at(self, names: Mapping[int, str], clicks: Sequence[Click]) -> None:
        """Be as it was at another moment."""
        self.names, self.clicks = dict(names), list(clicks)

    def load(self, prompts: Sequence[Prompt], frame_size: tuple[int, int]) -> None:
        """Take prompts of a file besides what is there; objects that are new get names.

        Raises:
            PromptError: if one does not fit the frames.
        """
        for prompt in prompts:
            check_against_frame(prompt, frame_size)
        self.take(prompts)

    def take(self, prompts: Sequence[Prompt]) -> None:
        """Take prompts that are known to fit."""
        for click in clicks_of(merge_prompts(prompts)):
            self.names.setdefault(click.object_id, _unnamed(click.object_id))
            self.clicks = [*(item for item in self.clicks if not _replaces(click, item)), click]

    def remove(self, object_id: int) -> None:
        """Forget an object.

        Raises:
            UsageError: if there is no such object.
        """
        self._check_known(object_id)
        del self.names[object_id]
        self.clicks = [click for click in self.clicks if click.object_id != object_id]

    def prompts(self) -> list[Prompt]:
        """Return all clicks as prompts, one per object and frame.

        Background clicks whose object has lost its start by undoing are left out.
        """
        started = [click for click in self.clicks if self._has_start(click)]
        prompts = merge_prompts([click.to_prompt() for click in started])
        # Those that were never named need no name in any file.
        return [
            replace(item, name=self.names[item.object_id])
            if self.names[item.object_id] != _unnamed(item.object_id)
            else item
            for item in prompts
        ]

    def to_json(self) -> list[dict[str, Any]]:
        """Return objects with their colours and clicks, for the page."""
        numbered = list(enumerate(self.clicks))
        return [
            {
                "id": key,
                "name": name,
                "colour": "#{:02x}{:02x}{:02x}".format(*drawing_colour(key)),
                # The page draws points and boxes; a painted mask is seen as the object's mask.
                "clicks": [
                    {**click.to_json(), "number": number, "mask": click.mask is not None}
                    for number, click in numbered
                    if click.object_id == key
                ],
            }
            for key, name in sorted(self.names.items())
        ]

    def _check_known(self, object_id: int) -> None:
        if object_id not in self.names:
            msg = f"there is no object {object_id}; add one first"
            raise UsageError(msg)

    def _check_number(self, number: int) -> None:
        if not 0 <= number < len(self.clicks):
            raise UsageError("this point is gone already")


def _unnamed(key: int) -> str:
    return f"object {key}"


def _replaces(new: Click, old: Click) -> bool:
    """Tell whether a box or mask takes the place of an older one, or a mask of all before it."""
    if (new.object_id, new.frame) != (old.object_id, old.frame) or new.point is not None:
        return False
    return new.mask is not None or old.point is None

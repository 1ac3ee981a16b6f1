"""`ClickBook`: what a visitor has clicked, object by object, with undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rvsam_video.errors import PromptError, UsageError
from rvsam_video.prompts.prompt import MAX_OBJECT_ID, Prompt, check_against_frame, merge_prompts
from rvsam_video.sinks.colours import drawing_colour

_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Click:
    """One click or dragged box.

    Attributes:
        object_id: the object it belongs to.
        frame: index of the frame.
        point: x, y in pixels of the frame, or None for a box.
        label: 1 on the object, 0 off it.
        box: x0, y0, x1, y1 in pixels, or None for a click.
    """

    object_id: int
    frame: int
    point: tuple[float, float] | None = None
    label: int = 1
    box: tuple[float, float, float, float] | None = None

    def to_prompt(self) -> Prompt:
        """Return it as a prompt.

        Raises:
            PromptError: if a number makes no sense.
        """
        if self.box is not None:
            return Prompt.create(self.object_id, self.frame, box=self.box)
        points = [] if self.point is None else [self.point]
        return Prompt.create(self.object_id, self.frame, points=points, labels=[self.label])


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
        if click.label == 0 and not self._has_start(click):
            msg = "a background click corrects an object; click on the object itself first"
            raise PromptError(msg)
        # A second box for the same object and frame takes the place of the first.
        kept = [
            item
            for item in self.clicks
            if click.box is None
            or item.box is None
            or (item.object_id, item.frame) != (click.object_id, click.frame)
        ]
        self.clicks = [*kept, click]

    def _has_start(self, click: Click) -> bool:
        return any(
            item.object_id == click.object_id
            # Up to this frame: an object that starts later cannot be corrected yet.
            and item.frame <= click.frame
            and (item.label == 1 or item.box is not None)
            for item in self.clicks
        )

    def undo(self) -> Click | None:
        """Take back the last click; return it, or None if there is none."""
        return self.clicks.pop() if self.clicks else None

    def remove(self, object_id: int) -> int | None:
        """Forget an object; return the frame of its first click, None if it had none.

        Raises:
            UsageError: if there is no such object.
        """
        self._check_known(object_id)
        frames = [click.frame for click in self.clicks if click.object_id == object_id]
        del self.names[object_id]
        self.clicks = [click for click in self.clicks if click.object_id != object_id]
        return min(frames, default=None)

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
        return [
            {
                "id": key,
                "name": name,
                "colour": "#{:02x}{:02x}{:02x}".format(*drawing_colour(key)),
                "clicks": [_to_json(click) for click in self._of(key)],
            }
            for key, name in sorted(self.names.items())
        ]

    def _of(self, object_id: int) -> Sequence[Click]:
        return [click for click in self.clicks if click.object_id == object_id]

    def _check_known(self, object_id: int) -> None:
        if object_id not in self.names:
            msg = f"there is no object {object_id}; add one first"
            raise UsageError(msg)


def _unnamed(key: int) -> str:
    return f"object {key}"


def _to_json(click: Click) -> dict[str, Any]:
    return {
        "frame": click.frame,
        "point": click.point,
        "label": click.label,
        "box": click.box,
    }

"""Read JSON values of unknown shape, with errors that name the place: `prompts[2].points[0]`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import NoReturn

from rvsam_video.errors import PromptError

_SHOWN = 60
"""Characters of a wrong value that a message repeats."""


@dataclass(frozen=True, slots=True)
class JsonPlace:
    """A value in a JSON document, and where it stands.

    All methods raise `PromptError` if the value is not what was asked for.

    Attributes:
        value: as `json.loads` returned it.
        place: for example `prompts[2].points[0]`; empty for the whole document.
    """

    value: object
    place: str = ""

    def refuse(self, allowed: str) -> NoReturn:
        """Raise the error that says what stands here, and what may."""
        found = json.dumps(self.value)
        found = found if len(found) <= _SHOWN else found[:_SHOWN] + "..."
        msg = f"{self.place or 'the document'} is {found}; it must be {allowed}"
        raise PromptError(msg)

    def fields(self, required: set[str], optional: set[str]) -> dict[str, JsonPlace]:
        """Return the values of an object by name; it may hold no other names."""
        names = ", ".join(sorted(required | optional))
        if not isinstance(self.value, dict):
            self.refuse(f"an object with the names {names}")
        # Sorted: sets have no order, and the same file should always get the same message.
        for name in sorted(required - self.value.keys()):
            msg = f"{self.place or 'the document'} has no {name!r}"
            raise PromptError(msg)
        for name in self.value.keys() - required - optional:
            msg = f"{self.child(name)} is unknown; allowed names are {names}"
            raise PromptError(msg)
        return {name: JsonPlace(value, self.child(name)) for name, value in self.value.items()}

    def items(self, low: int, high: int | None, what: str) -> list[JsonPlace]:
        """Return the items of a list of `low` to `high` of them (None: any number)."""
        value = self.value
        if not isinstance(value, list) or len(value) < low or (high and len(value) > high):
            self.refuse(what)
        return [JsonPlace(item, f"{self.place}[{index}]") for index, item in enumerate(value)]

    def whole(self, low: int, high: int) -> int:
        """Return a whole number; 3.0 is one, as in JSON Schema, and true is none."""
        value = self.value
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        # In Python true is the number 1.
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.refuse(f"a whole number from {low} to {high}")
        return value

    def number(self, limit: float) -> float:
        """Return a number from `-limit` to `limit`."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse("a number")
        # Compared before the conversion, which whole numbers of any length would not survive.
        if not -limit <= value <= limit or math.isnan(value):
            self.refuse(f"a number from {-limit:g} to {limit:g}")
        return float(value)

    def text(self, what: str) -> str:
        """Return a text with at least one character."""
        if not isinstance(self.value, str) or not self.value:
            self.refuse(what)
        return self.value

    def child(self, name: str) -> str:
        """Return the place of a field of this object."""
        return f"{self.place}.{name}" if self.place else name

"""`History`: what undo and redo go through; and how it is kept in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from rvsam_video.web.clicks import Click

MOST_STEPS = 200
"""Steps kept; more than anybody takes back, and small on disk: clicks are written once."""


@dataclass(frozen=True, slots=True)
class Standing:
    """All that a visitor has said and reached at one moment.

    Attributes:
        names: object id to name.
        clicks: oldest first.
        reach: frames tracked.
        ended: whether that is the whole video.
    """

    names: Mapping[int, str]
    clicks: tuple[Click, ...]
    reach: int = 0
    ended: bool = False


@dataclass(slots=True)
class History:
    """Standings before and after the present one.

    Attributes:
        past: what undo goes back to, the newest last.
        future: what redo goes on to, the nearest last.
    """

    past: list[Standing] = field(default_factory=list)
    future: list[Standing] = field(default_factory=list)

    def did(self, before: Standing) -> None:
        """Note that something was done; what was undone cannot be done again after it."""
        self.past = [*self.past[-MOST_STEPS + 1 :], before]
        self.future = []

    def undo(self, now: Standing) -> Standing | None:
        """Return where to go back to; None if there is nothing to undo."""
        return _moved(self.past, self.future, now)

    def redo(self, now: Standing) -> Standing | None:
        """Return where to go on to; None if nothing was undone."""
        return _moved(self.future, self.past, now)

    def to_json(self, now: Standing) -> dict[str, Any]:
        """Return it with the present standing, each click written once.

        Args:
            now: the present standing.
        """
        pool: dict[Click, int] = {}

        def entry(item: Standing) -> dict[str, Any]:
            return {
                "names": {str(key): name for key, name in item.names.items()},
                "clicks": [pool.setdefault(click, len(pool)) for click in item.clicks],
                "reach": item.reach,
                "ended": item.ended,
            }

        content: dict[str, Any] = {
            "now": entry(now),
            "past": [entry(item) for item in self.past],
            "future": [entry(item) for item in self.future],
        }
        return {**content, "clicks": [click.to_json() for click in pool]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> tuple[Self, Standing]:
        """Undo `to_json`.

        Raises:
            KeyError, IndexError, TypeError, ValueError: if it is damaged.
        """
        pool = [Click.from_json(item) for item in content["clicks"]]

        def standing(entry: Mapping[str, Any]) -> Standing:
            names = {int(key): str(name) for key, name in entry["names"].items()}
            clicks = tuple(pool[number] for number in entry["clicks"])
            return Standing(names, clicks, int(entry["reach"]), bool(entry["ended"]))

        past, future = ([standing(item) for item in content[name]] for name in ("past", "future"))
        return cls(past, future), standing(content["now"])


def _moved(source: list[Standing], target: list[Standing], now: Standing) -> Standing | None:
    if not source:
        return None
    target.append(now)
    return source.pop()

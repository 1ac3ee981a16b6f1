"""`Doubts`: which frames of a run to look at, by the scores of their masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rvsam_video.json_values import Json
from rvsam_video.results import LOOK_BELOW, FrameResult

LOOK_AT = "look_at"
"""Name of the stretches among the notes of `run.json`."""

_MOST = 40
"""Stretches that are kept; of more, the better scored go. Nobody looks at so many."""

_GAP = 3
"""Frames scored well between two stretches that still count as one."""

_SHOWN = 5
"""Stretches named in a sentence."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stretch of frames in which an object's mask is scored low.

    Attributes:
        object_id: the user's id.
        first: index of its first frame.
        last: of its last one.
        worst: of the frame that is scored lowest.
        score: of that frame.
    """

    object_id: int
    first: int
    last: int
    worst: int
    score: float


class Doubts:
    """Collects stretches while results stream by.

    Args:
        known: what `to_json` returned, to go on from there.
    """

    def __init__(self, known: Json = None) -> None:
        rows = known if isinstance(known, list) else []
        self._found = [_doubt(row) for row in rows]

    def add(self, result: FrameResult) -> None:
        """Take the scores of the next frame into account."""
        for item in result.objects:
            if item.doubtful:
                at = result.index
                self._add(Doubt(item.object_id, at, at, at, round(item.score, 3)))

    def _add(self, new: Doubt) -> None:
        for place, old in enumerate(self._found):
            if old.object_id == new.object_id and 0 < new.first - old.last <= _GAP + 1:
                worse = new if new.score < old.score else old
                self._found[place] = Doubt(
                    old.object_id, old.first, new.last, worse.worst, worse.score
                )
                return
        self._found.append(new)
        if len(self._found) > _MOST:
            # Not the newest: it may be the beginning of something long.
            best = max(self._found[:-1], key=lambda doubt: doubt.score)
            self._found.remove(best)

    def stretches(self) -> tuple[Doubt, ...]:
        """Return the stretches, the worst first."""
        return tuple(sorted(self._found, key=lambda doubt: (doubt.score, doubt.first)))

    def to_json(self) -> list[Json]:
        """Return the stretches as `run.json` holds them, the worst first."""
        return [asdict(doubt) for doubt in self.stretches()]


def _doubt(row: Json) -> Doubt:
    values = row if isinstance(row, dict) else {}
    names = ("object_id", "first", "last", "worst")
    object_id, first, last, worst = (int(str(values[name])) for name in names)
    return Doubt(object_id, first, last, worst, float(str(values["score"])))


def doubts_in(notes: Json) -> tuple[Doubt, ...]:
    """Return the stretches that `run.json` holds among its notes."""
    return Doubts(notes).stretches()


def sentence(doubts: Sequence[Doubt]) -> str:
    """Say which frames to look at, the worst first; an empty text if there are none."""
    if not doubts:
        return ""
    several = len({doubt.object_id for doubt in doubts}) > 1
    named = ", ".join(_named(doubt, several=several) for doubt in doubts[:_SHOWN])
    more = f" and {len(doubts) - _SHOWN} more" if len(doubts) > _SHOWN else ""
    return f"scored below {LOOK_BELOW}, worth a look: {named}{more}"


def _named(doubt: Doubt, *, several: bool) -> str:
    frames = f"frame {doubt.first}"
    if doubt.last > doubt.first:
        frames = f"frames {doubt.first}-{doubt.last}"
    return f"{frames} of object {doubt.object_id}" if several else frames

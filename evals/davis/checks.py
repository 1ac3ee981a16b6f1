"""What is wrong or strange about masks, seen before any of them is scored."""

from __future__ import annotations

from pathlib import Path

from ...errors import SourceError
from .layout import DavisSequence, DavisSet
from .masks import first_objects
from .scoring import counted_results, refuse_missing_masks


def refuse_unscorable(chosen: DavisSet, results: Path | None = None) -> None:
    """Refuse a set that would be scored for hours and then give nothing.

    Args:
        chosen: from `find_davis`.
        results: folder that holds `NAME/FRAME.png`; None looks at the annotations alone.

    Raises:
        SourceError: if a mask is missing, or no sequence has an object.
    """
    for sequence in chosen.sequences if results is not None else ():
        refuse_missing_masks(counted_results(sequence, Path(results or ""), chosen.task))
    # Lazily: the first object found is enough.
    if not any(first_objects(sequence, chosen.year).any() for sequence in chosen.sequences):
        # Of the numbers that are annotated there, only void can be left.
        hint = (
            "; they are white on black, as those of DAVIS 2016: use --year 2016"
            if chosen.year == 2017
            and any(first_objects(sequence, 2016).any() for sequence in chosen.sequences)
            else ""
        )
        msg = (
            f"the first annotations of {chosen.split} show no object: there is nothing to score"
            f"{hint}"
        )
        raise SourceError(msg)


def remarks(chosen: DavisSet, results: Path) -> list[str]:
    """Return sentences on masks that can be scored, but hardly mean what they are called.

    Args:
        chosen: from `find_davis`.
        results: folder that holds `NAME/FRAME.png`.
    """
    shifted = [sequence for sequence in chosen.sequences if _is_shifted(sequence, results)]
    if not shifted:
        return []
    first = shifted[0]
    others = f" and {len(shifted) - 1} other sequences" if len(shifted) > 1 else ""
    ids = first.frame_ids
    return [
        f"the masks of {first.name}{others} seem to be numbered from 1: {ids[0]}.png is missing "
        f"and {_beyond(ids[-1])}.png is more than the annotations have, so each mask is compared "
        "with the frame behind its own; number them as the annotations"
    ]


def _is_shifted(sequence: DavisSequence, results: Path) -> bool:
    folder, ids = results / sequence.name, sequence.frame_ids
    behind = folder / f"{_beyond(ids[-1])}.png"
    return not (folder / f"{ids[0]}.png").exists() and behind.exists()


def _beyond(frame: str) -> str:
    """Return the number behind a frame's; the name itself if it is none."""
    return f"{int(frame) + 1:0{len(frame)}d}" if frame.isdecimal() else frame

"""The errors of rvsam-video: every message says what, where and what to do next.

All derive from `RvsamError`; each also derives from the built-in error a caller would expect, so
`except ValueError` and `except OSError` keep working.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class RvsamError(Exception):
    """Root of all errors raised on purpose by rvsam-video.

    Attributes:
        exit_code: what the command line returns: 1 for a failed run, 2 for bad usage.
    """

    exit_code = 1

    def __str__(self) -> str:
        """Return the sentence on one line: names in it may come from files of strangers."""
        return on_one_line(super().__str__())


def on_one_line(text: str) -> str:
    """Return a text with escapes in place of line breaks, control characters and half letters."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


class UsageError(RvsamError, ValueError):
    """Something that was asked for makes no sense: a wrong value, an unknown name."""

    exit_code = 2


class PromptError(UsageError):
    """A point, box, mask or prompt file that cannot be used as given."""


class SourceError(RvsamError, OSError):
    """A video, image folder or camera that cannot be opened or read."""


class OutputError(RvsamError, OSError):
    """Results that cannot be written: full disk, no permission, a folder of another run."""


class WeightsError(RvsamError, OSError):
    """Weights of a network that cannot be fetched, do not verify or are not a checkpoint."""


def unknown_name(what: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a name that there is not: with the nearest one, and all others.

    Args:
        what: kind of thing, as "tracker".
        name: as it was given.
        known: the names that there are.
    """
    names = list(known)
    near = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    advice = f"did you mean {near[0]!r}? Choose" if near else "choose"
    return UsageError(f"there is no {what} named {name!r}; {advice} one of: {', '.join(names)}")

"""The errors of rvsam-video: every message says what, where and what to do next.

All derive from `RvsamError`; each also derives from the built-in error a caller would expect, so
`except ValueError` and `except OSError` keep working.
"""

from __future__ import annotations


class RvsamError(Exception):
    """Root of all errors raised on purpose by rvsam-video.

    Attributes:
        exit_code: what the command line returns: 1 for a failed run, 2 for bad usage.
    """

    exit_code = 1


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

"""Note in `run.json` how an evaluation ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import RvsamError
from ..runs.folder import RunFolder


@contextmanager
def noting_the_end(folder: RunFolder) -> Iterator[None]:
    """Note how the block ended, if it did not end well."""
    try:
        yield
    except KeyboardInterrupt:
        folder.finish("interrupted")
        raise
    except RvsamError as error:
        folder.finish("failed", str(error))
        raise

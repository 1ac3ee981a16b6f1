"""`ClosesItself`: the `with` statement for everything here that has to be closed."""

from __future__ import annotations

from types import TracebackType
from typing import Self


class ClosesItself:
    """Leaving a `with` statement calls `close`, whatever happened."""

    def close(self) -> None:
        """Let go of files, threads, cameras or connections; can be called twice."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Return the object itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Call `close`."""
        self.close()

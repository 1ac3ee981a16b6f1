"""`Registry`: parts by name, whether they are ours, a program's own, or brought by a package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from rvsam_video.errors import UsageError, unknown_name

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """What there is of one kind of part.

    A package that others install brings parts by entry points of the group `rvsam_video.KINDs`,
    such as `rvsam_video.trackers`: the entry's name is that of the part, and its value names
    something that is registered when its module is imported. It is imported when it is asked for.

    Args:
        kind: what the parts are, in the singular: "tracker".
        entries: those that come with this package.
        group: of the entry points; None makes it from the kind.
    """

    def __init__(self, kind: str, entries: Mapping[str, Entry], group: str | None = None) -> None:
        self.kind = kind
        self._group = group or f"rvsam_video.{kind}s"
        self._own = frozenset(entries)
        self._entries = dict(entries)

    @cached_property
    def _brought(self) -> dict[str, EntryPoint]:
        """Entry points of installed packages; looked for once, since that reads many files."""
        return {entry.name: entry for entry in entry_points(group=self._group)}

    def add(self, name: str, entry: Entry) -> None:
        """Enter a part; one that a program entered before is replaced.

        Raises:
            UsageError: if the name is that of a part of this package.
        """
        if name in self._own:
            msg = f"the {self.kind} {name!r} is part of this package; register another name"
            raise UsageError(msg)
        self._entries[name] = entry

    def names(self) -> list[str]:
        """Return all names, our own first; nothing is imported for it."""
        return list(dict.fromkeys((*self._entries, *sorted(self._brought))))

    def __contains__(self, name: object) -> bool:
        """Whether there is a part of this name."""
        return name in self._entries or name in self._brought

    def find(self, name: str) -> Entry:
        """Return the part of this name.

        Raises:
            UsageError: if there is none, or the package that should bring it fails to.
        """
        if name not in self._entries and name in self._brought:
            self._load(self._brought[name])
        if name not in self._entries:
            raise unknown_name(self.kind, name, self.names())
        return self._entries[name]

    def _load(self, entry: EntryPoint) -> None:
        package = entry.dist.name if entry.dist is not None else entry.value
        try:
            entry.load()
        except Exception as error:
            # Somebody else's code: whatever it raises, the user should learn whose it is.
            msg = f"the {self.kind} {entry.name!r} of the package {package} fails to load: {error}"
            raise UsageError(msg) from error
        if entry.name not in self._entries:
            msg = (
                f"the package {package} names the {self.kind} {entry.name!r} but does not register "
                "it; tell its authors"
            )
            raise UsageError(msg)

"""What makes two runs the same run: their command, and the content of their source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from rvsam_video.errors import SourceError
from rvsam_video.json_values import Json

_END_BYTES = 1 << 20
"""Read at each end of a file: containers keep their index there, and it takes milliseconds."""

_DIGITS = 16
_LONGEST_SHOWN = 60


def first_difference(old: Json, new: Json, name: str = "") -> str | None:
    """Say where two commands differ first, in the order of the new one; None if nowhere.

    Args:
        old: the command of the run that exists, as JSON.
        new: the command that is to be run, as JSON.
        name: of the option both are values of, for the text.

    Returns:
        For example `crf was 20 and is now 23`.
    """
    if old == new:
        return None
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        # Both ways: options that are gone differ as much as options that are new.
        for key in [*new, *old]:
            inner = f"{name}.{key}" if name else key
            if key not in old or key not in new:
                return f"{inner} was {_shown(old, key)} and is now {_shown(new, key)}"
            if (found := first_difference(old[key], new[key], inner)) is not None:
                return found
    return f"{name} was {_short(old)} and is now {_short(new)}"


def _shown(values: Mapping[str, Json], key: str) -> str:
    return _short(values[key]) if key in values else "not given"


def _short(value: Json) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def fingerprint(path: Path) -> str:
    """Return a short text that changes when a video file or image folder does.

    Args:
        path: a file, of which the size and both ends count; or a folder, of which the names and
            sizes of the files directly inside count.

    Returns:
        For example `file, 1048576 bytes, 9f86d081884c7d65`.

    Raises:
        SourceError: if it does not exist or cannot be read.
    """
    try:
        return _folder_fingerprint(path) if path.is_dir() else _file_fingerprint(path)
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}; check the path"
        raise SourceError(msg) from error


def pictures_fingerprint(paths: Iterable[Path]) -> str:
    """Return a short text that changes when the pictures of a pattern do, their names or sizes.

    Raises:
        SourceError: if one cannot be looked at.
    """
    try:
        entries = [(str(path), path.stat().st_size) for path in paths]
    except OSError as error:
        msg = f"cannot read {error.filename}: {error.strerror}; check the path"
        raise SourceError(msg) from error
    digest = hashlib.sha256(json.dumps(entries).encode())
    return f"pictures, {len(entries)} files, {digest.hexdigest()[:_DIGITS]}"


def _file_fingerprint(path: Path) -> str:
    digest = hashlib.sha256()
    size = path.stat().st_size
    with path.open("rb") as file:
        # Short files are read twice in part, which changes nothing: the text only has to repeat.
        digest.update(file.read(_END_BYTES))
        file.seek(max(0, size - _END_BYTES))
        digest.update(file.read(_END_BYTES))
    return f"file, {size} bytes, {digest.hexdigest()[:_DIGITS]}"


def _folder_fingerprint(path: Path) -> str:
    # Sorted: the order in which a system lists a folder is its own affair.
    entries = sorted((item.name, item.stat().st_size) for item in path.iterdir() if item.is_file())
    digest = hashlib.sha256(json.dumps(entries).encode())
    return f"folder, {len(entries)} files, {digest.hexdigest()[:_DIGITS]}"

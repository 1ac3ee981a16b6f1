"""`Checkpoint`: all that a killed run needs to go on, in one file that is replaced in one step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import OutputError, RvsamError
from rvsam_video.json_values import Json, as_json
from rvsam_video.sinks.base import Mark
from rvsam_video.writing import replacing

# Raised when the header changes; a run is never gone on with across versions anyway.
_FORMAT = 1
_HEADER = "header"
_STATE_PREFIX = "state:"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Where a run stood between two frames.

    Attributes:
        next_frame: index of the first frame that the source must give again.
        marks: of each sink, by name.
        state: the engine's arrays by name, of plain dtypes.
        info: whatever else the caller wants back, such as counts.
    """

    next_frame: int
    marks: Mapping[str, Mark]
    state: Mapping[str, NDArray[Any]]
    info: Mapping[str, Json] = field(default_factory=dict)


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint durably, in place of the one before, in one step.

    Raises:
        ValueError: if an array holds Python objects.
        OutputError: if it cannot be written; the one before then stays.
    """
    header = {
        "format": _FORMAT,
        "next_frame": int(checkpoint.next_frame),
        "marks": as_json(checkpoint.marks),
        "info": as_json(checkpoint.info),
        # Names alone: the arrays stand beside the header, under a prefix that keeps the two apart.
        "state": sorted(checkpoint.state),
    }
    arrays: dict[str, NDArray[Any]] = {
        # JSON as an array of bytes, so that one file holds all and is replaced in one step.
        _HEADER: np.frombuffer(json.dumps(header).encode(), np.uint8)
    }
    for name, array in checkpoint.state.items():
        # NumPy would pickle them, and reading a pickle can run code.
        if np.asarray(array).dtype.hasobject:
            msg = f"the state array {name!r} holds Python objects; only plain dtypes can be saved"
            raise ValueError(msg)
        arrays[_STATE_PREFIX + name] = np.asarray(array)
    with replacing(path) as temporary, temporary.open("wb") as file:
        # Not compressed: the run waits for it every few frames, and only the last one is kept.
        np.savez(file, **arrays)  # type: ignore[arg-type]


def load_checkpoint(path: Path) -> Checkpoint | None:
    """Read a checkpoint; None if there is none yet.

    Raises:
        OutputError: if the file is damaged, or of another version.
    """
    if not path.exists():
        return None
    try:
        return _read(path)
    except OutputError:
        raise
    except Exception as error:
        # Depending on which byte is wrong, the readers of ZIP, NumPy and JSON raise any kind.
        raise _unusable(path, "it is damaged, or is no checkpoint of rvsam-video") from error


def _read(path: Path) -> Checkpoint:
    with np.load(path, allow_pickle=False) as arrays:
        header = json.loads(arrays[_HEADER].tobytes())
        if header["format"] != _FORMAT:
            raise _unusable(path, f"its format is {header['format']}, this version reads {_FORMAT}")
        state = {name: arrays[_STATE_PREFIX + name] for name in header["state"]}
    marks = {
        name: {key: int(value) for key, value in mark.items()}
        for name, mark in header["marks"].items()
    }
    return Checkpoint(int(header["next_frame"]), marks, state, header["info"])


def _unusable(path: Path, reason: str) -> OutputError:
    return OutputError(f"cannot go on from {path}: {reason}; use --overwrite to start again")


@contextmanager
def trusted(folder: Path) -> Iterator[None]:
    """Say in one sentence when the working files that a run goes on from do not fit together.

    Whoever changed one may have made anything of it, so any error can follow.

    Args:
        folder: the run folder.

    Raises:
        OutputError: in place of any error but those meant for people.
    """
    try:
        yield
    except RvsamError:
        raise
    except Exception as error:
        msg = (
            f"cannot go on with {folder}: its working files are damaged or were changed "
            f"({type(error).__name__}: {error}); use --overwrite to start again"
        )
        raise OutputError(msg) from error

"""`TrainingFolder`: the folder of a training: its settings, checkpoints and logs, safe from kills.

run.json            what is trained on what, and how
decoder.pt          the teacher's prompt encoder and mask decoder
checkpoints/        step-00001500.pt, the last two, and best.pt
log.csv             a line every so many steps
scores.csv          a line every scoring
curves.png          both, drawn
"""

from __future__ import annotations

import json
import logging
import pickle
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import OutputError, WeightsError
from rvsam_video.json_values import Json, as_json
from rvsam_video.runs.identity import first_difference
from rvsam_video.runs.lock import FolderLock
from rvsam_video.weights.read import check_stored_sums
from rvsam_video.writing import AppendFile, replacing, writing

RUN_SETTINGS = "run.json"
LOG_FILE, SCORES_FILE, CURVES_FILE = "log.csv", "scores.csv", "curves.png"

_CHECKPOINTS = "checkpoints"
_BEST = "best.pt"
_PATTERN = "step-*.pt"
_KEPT = 2
"""Checkpoints besides the best: the second is for the day on which the last one is damaged."""

_LOGGER = logging.getLogger(__name__)

TrainingState = dict[str, Any]
"""Tensors and plain values only, so that reading it can run no code."""


class CsvLog:
    """A table that grows line by line and can be cut back to where a checkpoint was.

    Args:
        path: of the file.
        columns: its headings.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._file, self._columns = AppendFile(path), tuple(columns)

    def open(self, size: int) -> None:
        """Begin anew (size 0), or go on behind so many bytes.

        Raises:
            OutputError: if it cannot be written, or is shorter.
        """
        self._file.open(size)
        if size == 0:
            self._file.write((",".join(self._columns) + "\n").encode())
            self._file.flush()

    def add(self, row: Mapping[str, float]) -> None:
        """Append a line; numbers have the digits that tell them from all others.

        Raises:
            OutputError: if it cannot be written.
        """
        self._file.write((",".join(str(row[name]) for name in self._columns) + "\n").encode())
        self._file.flush()

    def mark(self) -> int:
        """Wait for the disk to have all lines; return the size of the file."""
        return self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_table(path: Path) -> list[dict[str, float]]:
    """Read what `CsvLog` wrote; an empty list if there is no file."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    names = lines[0].split(",") if lines else []
    return [dict(zip(names, map(float, line.split(",")), strict=True)) for line in lines[1:]]


class TrainingFolder(ClosesItself):
    """The folder of a training; use `begin` to write and `look` to read.

    Attributes:
        path: the folder.
        settings: what `run.json` says.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], lock: FolderLock | None) -> None:
        self.path, self.settings, self._lock = path, settings, lock

    @classmethod
    def begin(
        cls, path: Path, settings: Mapping[str, Json], decoder: Path, *, overwrite: bool = False
    ) -> Self:
        """Begin a training, or go on with the same one.

        Args:
            path: the folder; made if it is missing.
            settings: everything that decides the result.
            decoder: the teacher's, of which a copy is kept.
            overwrite: begin anew; what an earlier training left here is removed.

        Raises:
            OutputError: if the folder is of another training or process, or cannot be written.
        """
        with writing(path):
            (path / _CHECKPOINTS).mkdir(parents=True, exist_ok=True)
        lock = FolderLock(path / "lock")
        lock.acquire()
        try:
            wanted = as_json(settings)
            if overwrite:
                _remove_training(path)
            if (path / RUN_SETTINGS).exists():
                there = _read_settings(path)
                if difference := first_difference(there, wanted):
                    msg = f"{path} holds another training: {difference}; choose another --out, or "
                    raise OutputError(msg + "--overwrite to begin again")
            else:
                with replacing(path / decoder.name) as temporary:
                    shutil.copyfile(decoder, temporary)
                with replacing(path / RUN_SETTINGS) as temporary:
                    temporary.write_text(json.dumps(wanted, indent=1), encoding="utf-8")
        except BaseException:
            lock.release()
            raise
        return cls(path, wanted, lock)

    @classmethod
    def look(cls, path: Path) -> Self:
        """Open a training to read from, while it runs or later.

        Raises:
            OutputError: if there is none.
        """
        return cls(path, _read_settings(path), None)

    def close(self) -> None:
        """Let others write here."""
        if self._lock is not None:
            self._lock.release()

    def save(self, step: int, state: TrainingState, *, best: bool = False) -> None:
        """Keep a checkpoint; older ones but the last two are removed.

        Args:
            step: the step that comes next.
            state: everything to go on with.
            best: whether to keep it as the best one, too.

        Raises:
            OutputError: if it cannot be written.
        """
        names = [f"step-{step:08d}.pt", *([_BEST] if best else [])]
        for name in names:
            with replacing(self.path / _CHECKPOINTS / name) as temporary:
                torch.save(state, temporary)
        for old in self._steps()[:-_KEPT]:
            with writing(old):
                old.unlink(missing_ok=True)

    def newest(self) -> TrainingState | None:
        """Return the last checkpoint that can be read; None if there is none yet.

        Raises:
            OutputError: if there are some, all of them damaged.
        """
        files = self._steps()[::-1]
        for path in files:
            try:
                return read_state(path)
            except WeightsError as error:
                _LOGGER.warning("%s; trying the one before", error)
        if files:
            msg = f"no checkpoint in {self.path} can be read; use --overwrite to begin again"
            raise OutputError(msg)
        return None

    def chosen(self, which: str) -> TrainingState:
        """Return the "best" or "last" checkpoint.

        Raises:
            OutputError: if there is none.
            WeightsError: if it is damaged.
        """
        path = self.path / _CHECKPOINTS / _BEST
        state = read_state(path) if which == "best" and path.is_file() else self.newest()
        if state is None:
            msg = f"{self.path} has no checkpoint yet; wait for the first, or train again"
            raise OutputError(msg)
        return state

    def _steps(self) -> list[Path]:
        return sorted((self.path / _CHECKPOINTS).glob(_PATTERN))


def read_state(path: Path) -> TrainingState:
    """Read a checkpoint of a training.

    Raises:
        WeightsError: if it is damaged.
    """
    check_stored_sums(path)
    try:
        state: TrainingState = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
        msg = f"{path} is not a readable checkpoint ({type(error).__name__})"
        raise WeightsError(msg) from error
    return state


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        values = json.loads((path / RUN_SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path} is no folder of a training ({error}); make one with `distill train`"
        raise OutputError(msg) from error
    return dict(values)


def _remove_training(path: Path) -> None:
    with writing(path):
        for name in (RUN_SETTINGS, LOG_FILE, SCORES_FILE, CURVES_FILE):
            (path / name).unlink(missing_ok=True)
        for file in (path / _CHECKPOINTS).glob("*.pt"):
            file.unlink()

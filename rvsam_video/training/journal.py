"""`TrainingJournal`: the tables of a training, TensorBoard's files if asked for, and its curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image as PillowImage

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import UsageError
from rvsam_video.training.curves import draw_training
from rvsam_video.training.run_folder import (
    CURVES_FILE,
    LOG_FILE,
    SCORES_FILE,
    CsvLog,
    read_table,
)
from rvsam_video.training.scoring import SCORES
from rvsam_video.writing import replacing

LOG_COLUMNS = (
    "step", "epoch", "loss", "rate", "gradient_norm", "pictures_per_second", "waiting_share",
    "memory_mib",
)  # fmt: skip


class TrainingJournal(ClosesItself):
    """Writes down how a training goes.

    Args:
        folder: of the training.
        marks: sizes of the tables at the checkpoint to go on from; empty to begin.
        averaged: whether an average of the weights is scored, too.
        tensorboard: whether to write for TensorBoard as well.

    Raises:
        OutputError: if a table is shorter than its mark, or cannot be written.
        UsageError: if TensorBoard is asked for and not installed.
    """

    def __init__(
        self, folder: Path, marks: Mapping[str, int], *, averaged: bool, tensorboard: bool
    ) -> None:
        self._folder = folder
        scores = (*SCORES, *(f"average_{name}" for name in SCORES if averaged))
        self._tables = {
            LOG_FILE: CsvLog(folder / LOG_FILE, LOG_COLUMNS),
            SCORES_FILE: CsvLog(folder / SCORES_FILE, ("step", "epoch", *scores)),
        }
        for name, table in self._tables.items():
            table.open(marks.get(name, 0))
        self._board = _board(folder) if tensorboard else None

    def log(self, row: Mapping[str, float]) -> None:
        """Write a line of the log."""
        self._tables[LOG_FILE].add(row)
        self._show("train", row)

    def score(self, row: Mapping[str, float]) -> None:
        """Write a line of scores, and draw the curves anew."""
        self._tables[SCORES_FILE].add(row)
        self._show("score", row)
        self.draw()

    def marks(self) -> dict[str, int]:
        """Return the sizes of the tables, once the disk has them."""
        return {name: table.mark() for name, table in self._tables.items()}

    def draw(self) -> None:
        """Draw the curves.

        Raises:
            OutputError: if the picture cannot be written.
        """
        log, scores = (read_table(self._folder / name) for name in (LOG_FILE, SCORES_FILE))
        if log:
            with replacing(self._folder / CURVES_FILE, durable=False) as temporary:
                picture = PillowImage.fromarray(draw_training(log, scores))
                picture.save(temporary, format="PNG")

    def close(self) -> None:
        """Close all files."""
        for table in self._tables.values():
            table.close()
        if self._board is not None:
            self._board.close()

    def _show(self, what: str, row: Mapping[str, float]) -> None:
        if self._board is not None:
            for name, value in row.items():
                if name not in ("step", "epoch"):
                    self._board.add_scalar(f"{what}/{name}", value, row["step"])


def _board(folder: Path) -> Any:  # noqa: ANN401 (TensorBoard has no types)
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        msg = "--tensorboard needs the package tensorboard; pip install 'rvsam-video[train]'"
        raise UsageError(msg) from error
    return SummaryWriter(folder / "tensorboard")

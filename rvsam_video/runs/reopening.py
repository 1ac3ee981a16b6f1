"""Open a complete run again for corrections, without tracking all of it a second time."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

from rvsam_video.runs.layout import RUN_FILE
from rvsam_video.runs.record import load_record, save_record
from rvsam_video.sinks.names import PARTS_FOLDER
from rvsam_video.writing import writing


def keep_working_files(folder: Path, place: Path) -> None:
    """Give the working files of a run a second name elsewhere; a complete run loses its own.

    Args:
        folder: the run folder.
        place: a folder for the second names, on the same disk; what was there goes.

    Raises:
        OutputError: if it cannot be written.
    """
    with writing(place):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        _link_all(folder / PARTS_FOLDER, place)


def reopen(folder: Path, place: Path) -> None:
    """Make a complete run one that can go on, from its kept working files where there are some.

    Without them the run starts again at its first frame when it is opened, and its results go.

    Args:
        folder: the run folder; nobody has it open.
        place: where `keep_working_files` put them.

    Raises:
        OutputError: if it cannot be written, or the record is damaged.
    """
    record = load_record(folder / RUN_FILE)
    if record.status != "complete":
        return
    with writing(folder):
        if place.is_dir():
            (folder / PARTS_FOLDER).mkdir(exist_ok=True)
            # Before the record says so: a kill in between leaves a complete run, which cleans up.
            _link_all(place, folder / PARTS_FOLDER)
    opened = dataclasses.replace(record, status="interrupted", finished=None)
    save_record(opened, folder / RUN_FILE)


def _link_all(source: Path, target: Path) -> None:
    for path in source.glob("*"):
        if not path.is_file():
            continue
        other = target / path.name
        other.unlink(missing_ok=True)
        try:
            # A second name costs no bytes; a run either appends to these files or replaces them.
            os.link(path, other)
        except OSError:
            shutil.copyfile(path, other)

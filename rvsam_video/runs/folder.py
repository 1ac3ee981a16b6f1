"""`RunFolder`: the folder of one run, which outlives kills and refuses to mix with another run."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import OutputError
from rvsam_video.json_values import Json, as_json
from rvsam_video.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rvsam_video.runs.identity import first_difference
from rvsam_video.runs.layout import (
    CHECKPOINT_FILE,
    LOCK_FILE,
    RUN_FILE,
    planned_files,
    refuse_links,
    remove_results,
    remove_working_files,
)
from rvsam_video.runs.lock import FolderLock
from rvsam_video.runs.pictures import Ranges, logged, missing, picture_folder
from rvsam_video.runs.record import (
    RunRecord,
    RunStatus,
    current_versions,
    load_record,
    new_record,
    save_record,
    timestamp,
)
from rvsam_video.sinks.names import PARTS_FOLDER
from rvsam_video.writing import temporary_name, writing

_LOGGER = logging.getLogger(__name__)

_MOST_MESSAGES = 100
"""A source that fails in every frame must not make `run.json` grow without end."""

_OWN_VERSION = "rvsam-video"


class RunFolder(ClosesItself):
    """The folder of one run: its lock, its `run.json` and its checkpoint.

    Use `RunFolder.open`, best in a `with` block; leaving it gives back the lock and changes
    nothing else.

    Attributes:
        path: the folder.
        record: what `run.json` says now.
        checkpoint: where to go on; None for a run that begins, or that is complete.
    """

    def __init__(
        self, path: Path, lock: FolderLock, record: RunRecord, checkpoint: Checkpoint | None
    ) -> None:
        self.path = path
        self.record = record
        self.checkpoint = checkpoint
        self._lock = lock

    @classmethod
    def open(
        cls, path: Path | str, command: Mapping[str, Json], *, overwrite: bool = False
    ) -> Self:
        """Begin a run in a new or empty folder, or go on with the same run.

        Args:
            path: the folder; made if it is missing.
            command: everything that decides the results: inputs (with their `fingerprint`),
                prompts, options. A run is the same if this is equal.
            overwrite: begin anew; what the run that is there has written is removed, other files
                are not.

        Raises:
            OutputError: if the folder belongs to another command, another version, another
                process or nobody, is damaged, or cannot be written.
        """
        folder = Path(path)
        # Before anything is made: a slip in --out must leave no trace in somebody's folder.
        _refuse_foreign(folder)
        refuse_links(folder)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(folder / LOCK_FILE)
        # Before the record is read: another process may be about to change it.
        lock.acquire()
        try:
            return cls._open_locked(folder, lock, command, overwrite)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _open_locked(
        cls, folder: Path, lock: FolderLock, command: Mapping[str, Json], overwrite: bool
    ) -> Self:
        existing = load_record(folder / RUN_FILE) if (folder / RUN_FILE).exists() else None
        if existing is None or overwrite:
            return cls._begin(folder, lock, new_record(command), existing)
        _refuse_other_command(folder, existing, command)
        # A kill between saying so and cleaning up leaves working files; they go now.
        if existing.status == "complete":
            with writing(folder):
                remove_working_files(folder)
            _refuse_gaps(folder, existing)
            return cls(folder, lock, existing, None)
        _refuse_other_version(folder, existing)
        checkpoint = load_checkpoint(folder / PARTS_FOLDER / CHECKPOINT_FILE)
        record = dataclasses.replace(existing, status="running", resumed=existing.resumed + 1)
        # Killed before the first checkpoint: there is nothing to go on from.
        if checkpoint is None:
            return cls._begin(folder, lock, record, existing)
        opened = cls(folder, lock, record, checkpoint)
        opened._save()
        return opened

    @classmethod
    def _begin(
        cls, folder: Path, lock: FolderLock, record: RunRecord, before: RunRecord | None
    ) -> Self:
        """Start at the first frame, in an order that a kill at any point leaves usable.

        Args:
            folder: the run folder.
            lock: held.
            record: of the run that begins.
            before: of the run that has been there, whose results are removed.
        """
        # Until they are gone they stay listed, so that a kill in between leaves none behind.
        files, pictures = _written(folder, before)
        record = dataclasses.replace(record, files=files, pictures=pictures)
        opened = cls(folder, lock, record, None)
        with writing(folder):
            # The checkpoint first, then the record, then results: never a checkpoint without its
            # results.
            (folder / PARTS_FOLDER / CHECKPOINT_FILE).unlink(missing_ok=True)
            opened._save()
            remove_working_files(folder)
            remove_results(folder, files, pictures)
            (folder / PARTS_FOLDER).mkdir(exist_ok=True)
        # What is gone must not be missed when this run is complete.
        opened.record = dataclasses.replace(opened.record, files=(), pictures={})
        return opened

    @property
    def complete(self) -> bool:
        """Whether the run has ended and nothing is left to do."""
        return self.record.status == "complete"

    @property
    def checkpoint_file(self) -> Path:
        """Where the checkpoint is kept."""
        return self.path / PARTS_FOLDER / CHECKPOINT_FILE

    def renew(self) -> None:
        """Keep the folder, where file systems have no locks; call it now and then.

        Raises:
            OutputError: if another process has taken it.
        """
        self._lock.renew()

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Make this the place where the run goes on after a kill, in one step.

        Call it after the sinks' `commit`, with the marks that gave.

        Raises:
            OutputError: if it cannot be written; the checkpoint before then stays in force.
        """
        # Before it, not after: who has lost the folder must not write into it.
        self.renew()
        save_checkpoint(checkpoint, self.checkpoint_file)
        self.checkpoint = checkpoint

    def stand_at(self, place: Path | None) -> None:
        """Make an earlier checkpoint the one that counts.

        Args:
            place: its file; None for the very start.

        Raises:
            OutputError: if it is damaged, or cannot be put in its place.
        """
        checkpoint = None if place is None else load_checkpoint(place)
        if checkpoint is None:
            with writing(self.checkpoint_file):
                self.checkpoint_file.unlink(missing_ok=True)
            self.checkpoint = None
        else:
            self.save_checkpoint(checkpoint)

    def change_command(self, command: Mapping[str, Json]) -> None:
        """Note that the run is one of another command from now on.

        What is written must be what that command would have written so far.

        Raises:
            OutputError: if it cannot be written.
        """
        self.record = dataclasses.replace(self.record, command=as_json(command))
        self._save()

    def update(
        self,
        *,
        device: str | None = None,
        timings: Mapping[str, float] | None = None,
        counts: Mapping[str, int] | None = None,
        notes: Mapping[str, Json] | None = None,
        message: str | None = None,
        files: Sequence[Path] = (),
        pictures: Mapping[str, Ranges] | None = None,
    ) -> None:
        """Change `run.json`; what is not given stays as it is.

        Args:
            device: what the networks run on.
            timings: seconds by part of the work; entries given replace those of the same name.
            counts: by what is counted; entries given replace those of the same name.
            notes: anything else; entries given replace those of the same name.
            message: a warning or error to add.
            files: what was written, added to what is listed.
            pictures: folder below the run folder to the pictures written there; entries given
                replace those of the same folder.

        Raises:
            OutputError: if it cannot be written.
        """
        record = self.record
        # With forward slashes on every system: folders are moved between machines.
        written = [path.relative_to(self.path).as_posix() for path in files]
        messages = record.messages
        if message is not None and len(messages) < _MOST_MESSAGES:
            messages = (*messages, message)
        self.record = dataclasses.replace(
            record,
            device=device or record.device,
            timings={**record.timings, **(timings or {})},
            counts={**record.counts, **(counts or {})},
            notes={**record.notes, **(notes or {})},
            messages=messages,
            files=tuple(sorted({*record.files, *written})),
            pictures={**record.pictures, **(pictures or {})},
        )
        self._save()

    def finish(self, status: RunStatus, message: str | None = None) -> None:
        """Say how the run ended; a complete one loses its working files.

        Call it after the sinks' `finish`.

        Args:
            status: `complete`, `interrupted` (to be resumed) or `failed` (also resumable).
            message: a warning or error to add.

        Raises:
            OutputError: if it cannot be written, unless the run failed anyway.
        """
        finished = timestamp() if status == "complete" else None
        self.record = dataclasses.replace(self.record, status=status, finished=finished)
        if status == "complete":
            with writing(self.path):
                # Only now: while the run lasts its working files have them.
                pictures = {**self.record.pictures, **logged(self.path)}
                self.record = dataclasses.replace(self.record, pictures=pictures)
        try:
            self.update(message=message)
        except OutputError as error:
            if status != "failed":
                raise
            # The first error is the one to be told; on a full disk this one only repeats it.
            _LOGGER.info("%s", error)
        # After the record says so: a kill before would lose the checkpoint of an unfinished run.
        if status == "complete":
            with writing(self.path):
                remove_working_files(self.path)

    def close(self) -> None:
        """Give the lock back; can be called twice."""
        self._lock.release()

    def _save(self) -> None:
        self.record = dataclasses.replace(self.record, updated=timestamp())
        save_record(self.record, self.path / RUN_FILE)


def _written(
    folder: Path, record: RunRecord | None
) -> tuple[tuple[str, ...], dict[str, list[Sequence[str]]]]:
    """Return all that the run of a record has written: files, and pictures by their folder."""
    if record is None:
        return (), {}
    files = set(record.files)
    # Killed while its files were built, it may not have come to list them.
    if record.status != "complete":
        files |= set(planned_files(record.command))
    pictures = {name: list(ranges) for name, ranges in record.pictures.items()}
    with writing(folder):
        for name, ranges in logged(folder).items():
            pictures[name] = [*pictures.get(name, []), *ranges]
    return tuple(sorted(files)), {
        name: ranges for name, ranges in pictures.items() if picture_folder(name)
    }


def _refuse_gaps(folder: Path, record: RunRecord) -> None:
    """Refuse to call a run complete of which results are gone."""
    gone = [name for name in record.files if not (folder / name).exists()]
    for name, ranges in record.pictures.items():
        count, first = missing(folder / name, ranges)
        gone += [f"{name}/{first}"] * count
    if gone:
        several = len(gone) > 1
        what = f"{len(gone)} of its files are gone" if several else "one of its files is gone"
        msg = (
            f"{folder} holds a complete run, but {what}: {gone[0]}"
            f"{' and others' if several else ''}; put back what was removed, or use "
            "--overwrite to start again"
        )
        raise OutputError(msg)


def _refuse_foreign(folder: Path) -> None:
    """Refuse a place that is no folder, or a folder with files that no run of ours left."""
    with writing(folder):
        if folder.exists() and not folder.is_dir():
            msg = f"{folder} is a file, not a folder; choose another folder with --out"
            raise OutputError(msg)
        if not folder.exists() or (folder / RUN_FILE).exists():
            return
        # What a kill in the first moments of a run leaves behind.
        known = {LOCK_FILE, f"{LOCK_FILE}.lease", temporary_name(RUN_FILE)}
        if any(item.name not in known for item in folder.iterdir()):
            msg = (
                f"{folder} holds files but no {RUN_FILE}, so it is not a folder of an earlier "
                "run; choose a new or empty folder with --out"
            )
            raise OutputError(msg)


def _refuse_other_command(folder: Path, record: RunRecord, command: Mapping[str, Json]) -> None:
    difference = first_difference(record.command, as_json(command))
    if difference is not None:
        msg = (
            f"{folder} holds the run of a different command: {difference}; use --overwrite to "
            "replace it, or choose another folder with --out"
        )
        raise OutputError(msg)


def _refuse_other_version(folder: Path, record: RunRecord) -> None:
    """Refuse to go on with another version, whose results and states may differ."""
    old, new = record.versions.get(_OWN_VERSION), current_versions()[_OWN_VERSION]
    if old != new:
        msg = (
            f"{folder} holds an unfinished run of rvsam-video {old}, and this is {new}; use "
            "--overwrite to start again, or choose another folder with --out"
        )
        raise OutputError(msg)

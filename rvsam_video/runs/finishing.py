"""Making the files of a run that was killed, from what it had written: the source is not needed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from rvsam_video.errors import OutputError, RvsamError
from rvsam_video.points.queries import PointRequest
from rvsam_video.prompts.as_json import prompts_from_json
from rvsam_video.prompts.prompt import object_names
from rvsam_video.runs.checkpoint import trusted
from rvsam_video.runs.folder import RunFolder
from rvsam_video.runs.job import RunListener, RunSummary, Silent, can_go_on, summary_of
from rvsam_video.runs.layout import CHECKPOINT_FILE, RUN_FILE
from rvsam_video.runs.record import RunRecord, load_record
from rvsam_video.sinks.base import (
    POINT_RUN_SINKS,
    SINKS,
    Sink,
    SinkContext,
    SinkWriter,
    create_sinks,
)
from rvsam_video.sinks.names import PARTS_FOLDER


def finish_run(folder: Path | str, listener: RunListener | None = None) -> RunSummary:
    """Make overlay, tables and all other files of an unfinished run, up to its last checkpoint.

    A run whose source can be read again stays resumable: the same command goes on with it. A live
    one cannot be gone on with, so it is complete then.

    Args:
        folder: the run folder.
        listener: is told what happens.

    Returns:
        How the run stands.

    Raises:
        OutputError: if there is no run in the folder, nothing of it was kept, it is being written
            by another process, or its files are damaged.
    """
    listener, place = listener or Silent(), Path(folder) / RUN_FILE
    # Looked for before anything is made there.
    if not place.is_file():
        msg = f"there is no run in {folder}: it holds no {RUN_FILE}; give the folder of a run"
        raise OutputError(msg)
    record = load_record(place)
    # Before the folder is opened, which clears away what no checkpoint speaks of.
    if record.status != "complete" and not (place.parent / PARTS_FOLDER / CHECKPOINT_FILE).exists():
        msg = (
            f"{folder} holds nothing to finish but the pictures that are there: the run ended "
            "before its first checkpoint; run its command again, with --overwrite"
        )
        raise OutputError(msg)
    with RunFolder.open(folder, record.command) as opened:
        if opened.complete:
            listener.message(f"{folder} is already complete")
            return summary_of(opened.record, opened.path)
        try:
            files = _build(opened, record)
        except RvsamError as error:
            opened.finish("failed", str(error))
            raise
        opened.update(files=files)
        opened.finish("interrupted" if can_go_on(record) else "complete")
        return summary_of(opened.record, opened.path, files)


def _build(opened: RunFolder, record: RunRecord) -> list[Path]:
    checkpoint = opened.checkpoint
    with trusted(opened.path), closing(SinkWriter(_sinks(opened.path, record))) as writer:
        frames = int(str(checkpoint.info["frames"])) if checkpoint is not None else 0
        opened.update(counts={"frames": frames})
        writer.start(None if checkpoint is None else checkpoint.marks)
        return writer.finish(complete=False)


def _sinks(folder: Path, record: RunRecord) -> dict[str, Sink]:
    """Return the outputs of a run from its record alone."""
    command: Any = record.command
    facts: Any = record.notes["source"]
    width, height = facts["size"]
    if "points" in command:
        prompts = prompts_from_json(command["points"]["prompts"])
        request = PointRequest(
            prompts=prompts,
            grid=command["points"]["grid"],
            query_frame=command["points"]["query_frame"],
        )
        queries, _ = request.points((width, height))
        context = SinkContext(queries=queries)
        return create_sinks(command["save"], folder, context, POINT_RUN_SINKS)
    names = object_names(prompts_from_json(command["prompts"]))
    return create_sinks(command["save"], folder, SinkContext(facts["video"], names=names), SINKS)

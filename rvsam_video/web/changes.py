"""Where two lists of prompts differ: what of a run still holds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rvsam_video.errors import OutputError
from rvsam_video.prompts.as_json import prompts_from_json, prompts_to_json
from rvsam_video.prompts.prompt import Prompt, merge_prompts
from rvsam_video.runs.layout import RUN_FILE
from rvsam_video.runs.record import load_record


def first_changes(old: Iterable[Prompt], new: Iterable[Prompt]) -> dict[int, int]:
    """Return for each object the first frame that asks something else of it.

    Names do not count: they change no mask.

    Args:
        old: the prompts before.
        new: the prompts now.
    """
    before, after = _entries(old), _entries(new)
    changed = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    first: dict[int, int] = {}
    for object_id, frame in sorted(changed, reverse=True):
        first[object_id] = frame
    return first


def _entries(prompts: Iterable[Prompt]) -> dict[tuple[int, int], dict[str, Any]]:
    written = prompts_to_json(merge_prompts(prompts))["prompts"]
    return {
        (entry["object"], entry["frame"]): {
            name: value for name, value in entry.items() if name != "name"
        }
        for entry in written
    }


def recorded_prompts(folder: Path) -> list[Prompt] | None:
    """Return the prompts of the run in a folder; None if there is no run of objects.

    Raises:
        OutputError: if its record is damaged.
    """
    if not (folder / RUN_FILE).exists():
        return None
    command = load_record(folder / RUN_FILE).command
    if "prompts" not in command:
        msg = f"{folder} holds a run that follows no objects; choose another folder with --out"
        raise OutputError(msg)
    return prompts_from_json(command["prompts"])

"""Prompt files: prompts as JSON that can be read again, edited by hand and passed on.

The form is published as `prompts.schema.json` beside this file (JSON Schema, draft 2020-12) and
described in `docs/prompts.md`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rvsam_video.errors import PromptError
from rvsam_video.limits import VARIABLE, max_pixels
from rvsam_video.prompts.as_json import prompts_from_json, prompts_to_json
from rvsam_video.prompts.prompt import Prompt


def load_prompts(path: str | Path) -> list[Prompt]:
    """Read a prompt file.

    Returns:
        the prompts in the order of the file, exactly as they were saved.

    Raises:
        PromptError: naming the place in the file, and what is allowed there.
    """
    path = Path(path)
    text = read_text(path)
    try:
        document = json.loads(text)
    # Deeply nested brackets exhaust the reader; no prompt file looks so.
    except (ValueError, RecursionError) as error:
        msg = f"{path} is not JSON: {error}"
        raise PromptError(msg) from error
    try:
        return prompts_from_json(document, path.parent)
    except PromptError as error:
        msg = f"{path}: {error}"
        raise PromptError(msg) from error


def save_prompts(
    path: str | Path,
    prompts: Sequence[Prompt],
    *,
    frame_size: tuple[int, int] | None = None,
    source: str | None = None,
) -> None:
    """Write a prompt file; either the whole file appears or nothing changes.

    Args:
        path: usually ends in `.json`.
        prompts: what to write.
        frame_size: (width, height) of the video in pixels, if known.
        source: name of the video, for the reader's information.

    Raises:
        PromptError: if a prompt does not fit `frame_size`.
        OutputError: if the file cannot be written.
    """
    # Imported late: reading prompts needs nothing of the readers and writers of videos.
    from rvsam_video.writing import replacing

    document = prompts_to_json(prompts, frame_size=frame_size, source=source)
    with replacing(Path(path)) as temporary:
        temporary.write_text(_text(document), encoding="utf-8")


def read_text(path: Path) -> str:
    """Return the text of a small file that a person made.

    Raises:
        PromptError: if it cannot be read, is not UTF-8 text, or is too large.
    """
    try:
        # Read whole it takes many times its size; 100 000 points are 3 MB.
        if (size := path.stat().st_size) > max_pixels():
            msg = (
                f"{path} has {size} bytes, more than the {max_pixels()} that are read; if that is "
                f"right, set the environment variable {VARIABLE} to at least {size}"
            )
            raise PromptError(msg)
        # Some editors begin UTF-8 files with a byte order mark.
        return path.read_text(encoding="utf-8-sig")
    except PromptError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        msg = f"{path} cannot be read: {reason}"
        raise PromptError(msg) from error


def _text(document: dict[str, Any]) -> str:
    """Write one prompt per line: easy to read, to compare and to edit."""
    head = json.dumps({name: item for name, item in document.items() if name != "prompts"})
    rows = ",\n".join(json.dumps(entry) for entry in document["prompts"])
    return f'{head[:-1]}, "prompts": [\n{rows}\n]}}\n'

"""Makes every hostile file, reads each, and prints what came of it.

    python benchmarks/hostile_files.py [--reader pyav|decord] [--on-bad-frame skip|stop]

"got" counts the frames that were read, "whole" those whose bytes are all in the file, and "wrong"
the frames read that do not show the number of a whole one: their references were damaged.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from hostile_clips import CLIPS, Clip
from numbered_clips import read_number

from rvsam_video.errors import RvsamError
from rvsam_video.sources import open_source


def try_clip(clip: Clip, folder: Path, reader: str, on_bad_frame: str) -> tuple[str, str, str]:
    """Make and read one clip; return frames got of whole ones, wrong ones, and the message."""
    path = folder / clip.file
    whole = clip.make(path) if clip.make else []
    try:
        with open_source(path, reader=reader, on_bad_frame=on_bad_frame) as source:
            numbers = [read_number(frame.image) for frame in source]
            wrong = len(numbers) - (Counter(numbers) & Counter(whole)).total()
            message = "; ".join(source.report.messages) or "-"
            return f"{len(numbers)} / {len(whole)}", str(wrong), message
    except RvsamError as error:
        message = str(error).replace(f"{folder}/", "")
        return f"- / {len(whole) or '-'}", "-", message


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reader", choices=["pyav", "decord"], default="pyav")
    parser.add_argument("--on-bad-frame", choices=["skip", "stop"], default="skip")
    options = parser.parse_args()
    print("| clip | got / whole | wrong | message |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, clip in CLIPS.items():
            got, wrong, message = try_clip(clip, Path(folder), options.reader, options.on_bad_frame)
            print(f"| {name} | {got} | {wrong} | {message} |", flush=True)


if __name__ == "__main__":
    main()

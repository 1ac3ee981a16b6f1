"""Kills a run at file operations, one after the other, and goes on with the same command.

    python benchmarks/kill.py [--every 7] [--most 60] [--overwrite]

A run of a short clip is done once to its end, counting every operation that changes a file: open
for writing, rename, unlink, mkdir, truncate. Then, for every operation chosen, a process is ended
right before it as by `kill -9`, and the same command is run again without disturbance. Right is an
ending with the same bytes as the undisturbed run. With `--overwrite` the folder holds another run
before, whose prompts the command reads and which it replaces: then the command must be able to
start again after every kill.
"""

from __future__ import annotations

import argparse
import builtins
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

FRAMES = 40
OUTPUTS = "overlay,masks,rle,points,summary,coco,cvat,npz,cutout-png,frames"


def counted(kill_at: int) -> list[int]:
    """Count operations that change files below the run folder; end the process before one."""
    count = [0]
    root = os.environ["KILL_ROOT"]

    def hit(path: object) -> None:
        # Relative paths and descriptors are those of libraries, and change no run folder.
        if not isinstance(path, str | bytes | os.PathLike) or not os.fsdecode(path).startswith(
            root
        ):
            return
        count[0] += 1
        if count[0] == kill_at:
            os._exit(9)

    def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: object, *arguments: object, **named: object) -> object:
            hit(path)
            return function(path, *arguments, **named)

        return call

    for name in ("rename", "replace", "unlink", "remove", "mkdir", "rmdir", "truncate", "link"):
        setattr(os, name, wrapped(getattr(os, name)))
    plain = builtins.open

    def opened(file: object, mode: str = "r", *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        if set(mode) & set("wax+"):
            hit(file)
        return plain(file, mode, *arguments, **named)  # type: ignore[call-overload]

    builtins.open = io.open = opened  # type: ignore[assignment]
    return count


def child(kill_at: int, arguments: list[str]) -> int:
    """Run a command with kills; print how many operations there were."""
    count = counted(kill_at)
    from rvsam_video.cli.main import main

    code = main(arguments)
    print(f"operations {count[0]}")
    return code


def run(folder: Path, arguments: list[str], kill_at: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, __file__, "--child", str(kill_at), "--", *arguments]
    environment = os.environ | {"KILL_ROOT": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def contents(folder: Path) -> dict[str, bytes]:
    """All results of a run by relative path; `run.json` holds times and is left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


def main() -> int:
    """Kill at every operation chosen; return 1 if any ending differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=7, help="operations between two kills")
    parser.add_argument("--most", type=int, default=60, help="kills at most")
    parser.add_argument("--overwrite", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        return _kill_all(Path(place), options)


def _kill_all(place: Path, options: argparse.Namespace) -> int:
    from rvsam_video.demos.synthetic import SyntheticClip

    SyntheticClip(frames=FRAMES, size=(96, 64)).write(place / "clip.mp4")
    clip, out = str(place / "clip.mp4"), place / "run"
    first = ["track", clip, "--points", "48,32", "--out", str(out), "--save", OUTPUTS]
    arguments = first
    if options.overwrite:
        arguments = ["track", clip, "--points", str(out / "prompts.json"), "--overwrite"]
        arguments += ["--out", str(out), "--save", "masks,rle,points"]

    def prepared() -> None:
        shutil.rmtree(out, ignore_errors=True)
        if options.overwrite:
            shutil.copytree(place / "before", out)

    if options.overwrite:
        run(out, first)
        out.rename(place / "before")
    prepared()
    done = run(out, arguments)
    operations = int(done.stdout.rsplit("operations ", 1)[1])
    wanted, wrong = contents(out), 0
    places = list(range(1, operations + 1, options.every))[: options.most]
    for kill_at in places:
        prepared()
        killed = run(out, arguments, kill_at)
        again = run(out, arguments)
        if killed.returncode != 9 or again.returncode != 0 or contents(out) != wanted:
            wrong += 1
            print(f"operation {kill_at}: {again.returncode} {again.stderr.strip()[-300:]}")
    print(f"{len(places)} kills over {operations} operations, {wrong} ended otherwise")
    return 1 if wrong else 0


if __name__ == "__main__":
    if "--child" in sys.argv:
        at = sys.argv.index("--child")
        sys.exit(child(int(sys.argv[at + 1]), sys.argv[at + 3 :]))
    sys.exit(main())

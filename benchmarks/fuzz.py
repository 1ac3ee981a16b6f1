"""Feeds mutated files to every reader of files from strangers, for as long as one likes.

    python benchmarks/fuzz.py --minutes 60 [--kind video] [--seed 7] [--keep FOLDER]

Every input is made from a good one by flipping, cutting, repeating and filling bytes, or, for JSON,
by putting surprising values in place of good ones. Right is a result, or an `RvsamError` with one
sentence. Wrong is any other exception, more than `--seconds` of time, or more than `--memory` MiB.
Each kind runs in a process of its own with these limits, so that a crash ends no more than itself;
inputs that went wrong are kept and named.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from fuzz_kinds import TARGETS, Target

from rvsam_video.errors import RvsamError


def _alarm(_number: int, _frame: object) -> None:
    raise TimeoutError


def work(name: str, options: argparse.Namespace, answers: Any, seed: int) -> None:  # noqa: ANN401
    """Fuzz one kind until its time is over; send how many went well, and what went wrong."""
    target, chance = TARGETS[name], random.Random(seed)  # noqa: S311 (faults, no secrets)
    signal.signal(signal.SIGALRM, _alarm)
    # Of libraries, on what damage has made up; thousands of them hide what went wrong.
    warnings.simplefilter("ignore")
    logging.disable()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "good").mkdir()
        files = target.good(folder / "good")
        peak = _peak()
        until, count = time.monotonic() + options.seconds_each, 0
        while time.monotonic() < until:
            good = chance.choice(files)
            path = folder / f"{count}-{good.name}"
            path.write_bytes(target.mutate(good.read_bytes(), chance))
            # Before it is read: a crash leaves the number of the input that did it.
            answers.send(("trying", count, str(path)))
            problem = _tried(target, path, options.seconds)
            if problem is None and (grown := _peak() - peak) > options.memory:
                problem, peak = f"took {grown} MiB", _peak()
            if problem is not None:
                answers.send(("wrong", problem, path.read_bytes()))
            path.unlink(missing_ok=True)
            count += 1
        answers.send(("done", count, None))


def _tried(target: Target, path: Path, seconds: int) -> str | None:
    signal.alarm(seconds)
    try:
        target.read(path)
    except RvsamError as error:
        lines = str(error).splitlines()
        return None if len(lines) == 1 else f"{len(lines)} lines in place of a sentence: {error}"
    except TimeoutError:
        return f"took more than {seconds} s"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    return None


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def fuzz(name: str, options: argparse.Namespace) -> tuple[int, list[str]]:
    """Fuzz one kind in a process of its own; return how many inputs there were, and problems."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=work, args=(name, options, theirs, options.seed), daemon=True
    )
    process.start()
    theirs.close()
    count, problems = 0, []
    try:
        while True:
            kind, first, second = ours.recv()
            if kind == "wrong":
                problems.append(f"{first} ({_kept(name, second, len(problems), options)})")
            count = first if kind in {"trying", "done"} else count
    except EOFError:
        process.join()
    if process.exitcode:
        problems.append(f"the process ended with {process.exitcode} at input {count}")
    return count, problems


def _kept(name: str, content: bytes, number: int, options: argparse.Namespace) -> Path:
    options.keep.mkdir(parents=True, exist_ok=True)
    path: Path = options.keep / f"{name.replace(' ', '-')}-{number}"
    path.write_bytes(content)
    return path


def main() -> int:
    """Fuzz all kinds, and print a table; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="in all")
    parser.add_argument("--kind", choices=TARGETS, action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=20, help="that one input may take")
    parser.add_argument("--memory", type=int, default=600, help="MiB that one input may take")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-found"))
    options = parser.parse_args()
    kinds = options.kind or list(TARGETS)
    options.seconds_each = 60 * options.minutes / len(kinds)
    wrong = 0
    print("| kind | inputs | wrong |\n|---|---|---|")
    for name in kinds:
        count, problems = fuzz(name, options)
        wrong += len(problems)
        print(f"| {name} | {count} | {len(problems)} |", flush=True)
        for problem in problems[:5]:
            print(f"  {problem}", file=sys.stderr, flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

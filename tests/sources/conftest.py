"""Clips whose frames carry their own number, made by the code that the benchmark uses too."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

sys.path.insert(0, str(_BENCHMARKS))
try:
    # From here on the tests of this folder can import both by name.
    numbered_clips = importlib.import_module("numbered_clips")
    hostile_clips = importlib.import_module("hostile_clips")
finally:
    sys.path.remove(str(_BENCHMARKS))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, list[int]]]:
    """Make a hostile clip once: `clip(name)` gives its path and the frames that are whole."""
    folder = tmp_path_factory.mktemp("clips")
    made: dict[str, tuple[Path, list[int]]] = {}

    def make(name: str) -> tuple[Path, list[int]]:
        if name not in made:
            entry = hostile_clips.CLIPS[name]
            path = folder / entry.file
            made[name] = path, entry.make(path) if entry.make else []
        return made[name]

    return make

"""The golden files of this folder: numbers that public code computed, read in one place.

Tests import this by name, as they do the makers of weights and pictures beside it.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).parent


@cache
def golden(name: str) -> dict[str, np.ndarray]:
    """Return all arrays of `name.npz`, read once; they must not be changed."""
    with np.load(DATA / f"{name}.npz") as file:
        arrays = dict(file)
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def golden_part(name: str, part: str) -> dict[str, np.ndarray]:
    """Return the arrays of `name.npz` below `part/`, without that prefix."""
    start = f"{part}/"
    return {
        key[len(start) :]: array for key, array in golden(name).items() if key.startswith(start)
    }


@cache
def manifest(family: str, network: str) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of an official checkpoint.

    Args:
        family: "sam", "cotracker" or "tapir", as the file is called.
        network: its name there, with dashes or underscores.
    """
    content: dict[str, dict[str, Any]] = json.loads(
        gzip.decompress((DATA / f"{family}_manifest.json.gz").read_bytes())
    )
    return {key: tuple(shape) for key, shape in content[network.replace("-", "_")].items()}


@cache
def document(name: str) -> Any:
    """Return what `name.json` or `name.json.gz` holds, read once; it must not be changed."""
    plain = DATA / f"{name}.json"
    if plain.is_file():
        return json.loads(plain.read_text(encoding="utf-8"))
    return json.loads(gzip.decompress((DATA / f"{name}.json.gz").read_bytes()))

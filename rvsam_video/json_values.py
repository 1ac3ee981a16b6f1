"""`Json`: values that a JSON file can hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
"""Anything that JSON can hold."""


def as_json(values: Mapping[str, Json]) -> dict[str, Json]:
    """Return the values as they come back from a JSON file: tuples as lists, paths as text."""
    copied: dict[str, Json] = json.loads(json.dumps(values, default=str))
    return copied

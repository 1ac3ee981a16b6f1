"""Instances that were followed already, kept so that a command that was killed goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rvsam_video.clips.instances import Instance
from rvsam_video.json_values import Json, as_json
from rvsam_video.writing import refuse_link, replacing, writing


class KeptInstances:
    """What was found in each frame that was looked at, in one file that is replaced in one step.

    Args:
        out: the file of results; the kept ones stand beside it under a hidden name.
        identity: all that decides the results; what another command kept is not used.
    """

    def __init__(self, out: Path, identity: Mapping[str, Json]) -> None:
        self._path = out.with_name(f".{out.name}.parts")
        self._identity = as_json(identity)
        self._found: dict[int, list[Instance]] = self._load()

    def _load(self) -> dict[int, list[Instance]]:
        refuse_link(self._path)
        try:
            content: Any = json.loads(self._path.read_text(encoding="utf-8"))
            if content["identity"] != self._identity:
                return {}
            return {
                int(key): [_instance(item) for item in found] for key, found in content["found"]
            }
        # What cannot be read is found again: nothing but time is lost.
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    @property
    def found(self) -> Mapping[int, Sequence[Instance]]:
        """Position of a frame to what was found in it and followed."""
        return self._found

    def keep(self, position: int, found: Sequence[Instance]) -> None:
        """Keep what was found in a frame, durably.

        Raises:
            OutputError: if it cannot be written.
        """
        self._found[position] = list(found)
        content = {
            "identity": self._identity,
            "found": [(key, [asdict(item) for item in kept]) for key, kept in self._found.items()],
        }
        with replacing(self._path) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")

    def remove(self) -> None:
        """Forget everything: the results are written.

        Raises:
            OutputError: if the file cannot be removed.
        """
        with writing(self._path):
            self._path.unlink(missing_ok=True)


def _instance(item: dict[str, Any]) -> Instance:
    width, height = item["size"]
    return Instance(
        int(item["object_id"]),
        int(item["frame"]),
        (int(width), int(height)),
        float(item["score"]),
        [str(code) for code in item["counts"]],
    )

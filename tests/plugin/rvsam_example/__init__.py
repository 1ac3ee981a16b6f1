"""A package as somebody else would publish it: one tracker, one segmenter, one output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rvsam_video import Frame, FrameResult, register_segmenter, register_sink, register_tracker
from rvsam_video.segmenters import MaskPrediction, ObjectPrompt, SegmenterRequest
from rvsam_video.sinks.base import Mark, SinkContext
from rvsam_video.trackers import QueryPoints, TrackedPoints, TrackerRequest


@dataclass(frozen=True)
class DriftSettings:
    """How fast everything moves to the right."""

    speed: float = 1.0


class DriftState:
    """All points move at one speed."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.points: dict[int, tuple[int, float, float]] = {}

    def add(self, queries: QueryPoints) -> None:
        for key, frame, (x, y) in zip(queries.ids, queries.frames, queries.xy, strict=True):
            self.points[int(key)] = (int(frame), float(x), float(y))

    def remove(self, ids: Sequence[int]) -> None:
        for key in ids:
            self.points.pop(int(key), None)

    def push(self, frame: Frame) -> list[TrackedPoints]:
        lives = {key: item for key, item in self.points.items() if item[0] <= frame.index}
        places = [(x + self.speed * (frame.index - born), y) for born, x, y in lives.values()]
        count = len(lives)
        return [
            TrackedPoints(
                frame.index,
                np.array(list(lives), np.int64),
                np.array(places, np.float32).reshape(-1, 2),
                np.ones(count, np.bool_),
                np.ones(count, np.float32),
            )
        ]

    def flush(self) -> list[TrackedPoints]:
        return []

    def snapshot(self) -> dict[str, np.ndarray]:
        rows = [(key, *item) for key, item in self.points.items()]
        return {"rows": np.array(rows, np.float64).reshape(-1, 4)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.points = {int(key): (int(born), x, y) for key, born, x, y in arrays["rows"]}


class Drift:
    """A tracker that looks at nothing."""

    name = "drift"
    lookahead = 0

    def __init__(self, settings: DriftSettings) -> None:
        self.settings = settings

    def start(self, frame_size: tuple[int, int]) -> DriftState:
        return DriftState(self.settings.speed)


@register_tracker("drift", settings=DriftSettings())
def drift(request: TrackerRequest) -> Drift:
    """Build the tracker."""
    return Drift(request.settings)


@dataclass(frozen=True)
class SquareSettings:
    """Half the side of the squares, in pixels."""

    half: int = 5


class Squares:
    """A segmenter that draws a square around the middle of an object's points."""

    name = "squares"

    def __init__(self, settings: SquareSettings) -> None:
        self.settings = settings

    def embed(self, image: np.ndarray) -> tuple[int, ...]:
        return image.shape[:2]

    def predict(
        self, embedding: tuple[int, ...], prompts: Sequence[ObjectPrompt]
    ) -> list[MaskPrediction]:
        return [self._one(embedding, prompt) for prompt in prompts]

    def _one(self, shape: tuple[int, ...], prompt: ObjectPrompt) -> MaskPrediction:
        own = prompt.points[(prompt.labels == 1) & (prompt.point_ids >= 0)]
        rows, columns = np.indices(shape)
        x, y = own.mean(axis=0) if len(own) else (-99, -99)
        inside = self.settings.half - np.maximum(abs(columns - x), abs(rows - y))
        return MaskPrediction(inside.astype(np.float32), 0.75, None)


@register_segmenter("squares", settings=SquareSettings())
def squares(request: SegmenterRequest) -> Squares:
    """Build the segmenter."""
    return Squares(request.settings)


@register_sink("areas")
class Areas:
    """Writes `areas.txt`: a line per frame with the area of each object."""

    def __init__(self, folder: Path, context: SinkContext) -> None:
        self.path = folder / "areas.txt"

    def start(self, mark: Mark | None) -> None:
        text = self.path.read_text() if mark else ""
        self.path.write_text(text[: mark["size"]] if mark else "")

    def write(self, result: FrameResult) -> None:
        areas = " ".join(f"{item.object_id}:{item.mask.sum()}" for item in result.objects)
        with self.path.open("a") as file:
            file.write(f"{result.index} {areas}\n")

    def commit(self) -> Mark:
        return {"size": self.path.stat().st_size}

    def finish(self, complete: bool) -> list[Path]:
        return [self.path]

    def close(self) -> None:
        pass

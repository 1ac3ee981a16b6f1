"""Stand-ins with closed-form answers: a tracker that drifts and a segmenter that draws discs."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

# Workers side by side share the processors: threads of one would take turns with those of another.
# Said before PyTorch comes in, and to what the tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from made_results import make_result

from rvsam_video import Frame
from rvsam_video.results import FrameResult
from rvsam_video.segmenters.base import MaskPrediction, Memory, ObjectPrompt
from rvsam_video.snapshot import Arrays
from rvsam_video.trackers.base import QueryPoints, TrackedPoints


class DriftState:
    """Moves every point by the same step per frame; gives frames out `lookahead` later."""

    def __init__(self, lookahead: int, step: tuple[float, float]) -> None:
        self.lookahead, self.step = lookahead, np.asarray(step, np.float32)
        self.points: dict[int, tuple[int, np.ndarray]] = {}
        self.open: deque[int] = deque()

    def add(self, queries: QueryPoints) -> None:
        for key, frame, xy in zip(queries.ids, queries.frames, queries.xy, strict=True):
            if int(key) in self.points:
                raise ValueError(f"id {key} is in use")
            self.points[int(key)] = (int(frame), xy.copy())

    def remove(self, ids: Sequence[int]) -> None:
        for key in ids:
            self.points.pop(int(key), None)

    def _answer(self, index: int) -> TrackedPoints:
        alive = {key: value for key, value in self.points.items() if value[0] <= index}
        xy = [start + (index - frame) * self.step for frame, start in alive.values()]
        return TrackedPoints(
            index,
            np.array(list(alive), np.int64),
            np.array(xy, np.float32).reshape(-1, 2),
            np.ones(len(alive), np.bool_),
            np.ones(len(alive), np.float32),
        )

    def push(self, frame: Frame) -> list[TrackedPoints]:
        self.open.append(frame.index)
        ready = len(self.open) - self.lookahead
        return [self._answer(self.open.popleft()) for _ in range(ready)]

    def flush(self) -> list[TrackedPoints]:
        return [self._answer(self.open.popleft()) for _ in range(len(self.open))]

    def snapshot(self) -> Arrays:
        return {
            "ids": np.array(list(self.points), np.int64),
            "frames": np.array([frame for frame, _ in self.points.values()], np.int64),
            "xy": np.array([xy for _, xy in self.points.values()], np.float32).reshape(-1, 2),
            "open": np.array(self.open, np.int64),
        }

    def restore(self, arrays: Arrays) -> None:
        self.add(QueryPoints(arrays["ids"], arrays["frames"], arrays["xy"]))
        self.open = deque(int(index) for index in arrays["open"])


class DriftTracker:
    name = "drift"

    def __init__(self, lookahead: int = 0, step: tuple[float, float] = (1.0, 0.0)) -> None:
        self.lookahead, self.step = lookahead, step

    def start(self, frame_size: tuple[int, int]) -> DriftState:
        return DriftState(self.lookahead, self.step)


class DiscSegmenter:
    """Draws a disc around the mean of an object's own positive points; counts its calls."""

    name = "disc"

    def __init__(self, radius: float = 6.0, score: float = 0.9) -> None:
        self.radius, self.score = radius, score
        self.embeds = 0
        self.batches: list[list[ObjectPrompt]] = []

    def embed(self, image: np.ndarray) -> tuple[int, int]:
        self.embeds += 1
        return image.shape[0], image.shape[1]

    def predict(
        self, embedding: tuple[int, int], prompts: Sequence[ObjectPrompt]
    ) -> list[MaskPrediction]:
        self.batches.append(list(prompts))
        return [self._one(embedding, prompt) for prompt in prompts]

    def _one(self, shape: tuple[int, int], prompt: ObjectPrompt) -> MaskPrediction:
        seen = 0 if prompt.memory is None else int(prompt.memory["seen"])
        memory: Memory = {"seen": np.array(seen + 1)}
        if prompt.mask is not None:
            return MaskPrediction(np.where(prompt.mask, 5, -5).astype(np.float32), 1.0, memory)
        own = prompt.points[(prompt.labels == 1) & (prompt.point_ids >= 0)]
        if prompt.box is not None:
            own = prompt.box.reshape(2, 2)
        if not len(own):
            return MaskPrediction(np.full(shape, -5, np.float32), 0.0, memory)
        y, x = np.mgrid[: shape[0], : shape[1]]
        centre = own.mean(axis=0)
        distance = np.hypot(x - centre[0], y - centre[1])
        return MaskPrediction((self.radius - distance).astype(np.float32), self.score, memory)


@pytest.fixture
def fakes() -> Any:
    """The two stand-in classes."""
    return SimpleNamespace(DriftTracker=DriftTracker, DiscSegmenter=DiscSegmenter)


@pytest.fixture
def make_frames() -> Callable[..., list[Frame]]:
    """Build frames of noise that differ from each other."""

    def build(count: int, size: tuple[int, int] = (64, 48)) -> list[Frame]:
        rng = np.random.default_rng(0)
        shape = (size[1], size[0], 3)
        return [Frame(i, i / 10, rng.integers(0, 255, shape, np.uint8)) for i in range(count)]

    return build


@pytest.fixture(name="make_result", scope="session")
def make_result_fixture() -> Callable[..., FrameResult]:
    """Makes the result of one frame: `make_result(index, size=(61, 43), time=index / 25)`."""
    return make_result


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterable[None]:
    """Threads that wait for each other are slow where other tests run at the same time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

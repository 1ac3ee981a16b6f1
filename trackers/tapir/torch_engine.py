"""`TorchEngine`: TAPIR networks run by PyTorch, without gradients, on any device."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from ...frame import Image
from ...snapshot import Arrays
from .engine import MEMORY_SHAPE, STEPS, Found, PointRows
from .network import QUERY_WIDTH, Pyramid, Stage, TapirNetwork
from .variants import TapirSettings, sizes_of

_TOKENS = 1024
"""Points times frames that go through a whole-clip network at once: what is around them takes 64 kB
each on the coarse map."""


class _PastInPlace:
    """Two frames in turns; the new one takes the place of the older, so that nothing is moved.

    Args:
        memory: (N, 2, 12, 5, 512).
        turn: which of the two is the older one.
    """

    def __init__(self, memory: Tensor, turn: int) -> None:
        self._older, self._last = memory[:, turn], memory[:, 1 - turn]

    def read(self, block: int) -> tuple[Tensor, Tensor]:
        return self._older[:, block], self._last[:, block]

    def write(self, block: int, normal: Tensor, copies: Tensor) -> None:
        self._older[:, block, 0] = normal
        self._older[:, block, 1:] = copies


class TorchEngine:
    """Runs a network; it is not changed and may serve others. See `Engine`.

    Args:
        network: prepared, on `device` and in evaluation mode.
        settings: how it is used.
        device: where its weights are.
    """

    def __init__(
        self, network: TapirNetwork, settings: TapirSettings, device: torch.device | str = "cpu"
    ) -> None:
        self.network = network
        self.device = torch.device(device)
        self.side = int(settings.resolution)
        self._settings = settings
        self._sizes = sizes_of(settings)

    @torch.inference_mode()
    def encode(self, picture: Image) -> Pyramid:
        """Encode a (side, side, 3) uint8 RGB picture."""
        # A copy: decoders may hand out memory that must not be written to.
        pixels = torch.tensor(np.ascontiguousarray(picture)).to(self.device)
        pictures = pixels.permute(2, 0, 1)[None].float() / 255 * 2 - 1
        with self._precision():
            return tuple(self.network.encode(resized(pictures, size)) for size in self._sizes)

    @torch.inference_mode()
    def describe(self, encoded: Pyramid, xy: NDArray[np.float32]) -> Tensor:
        """Return what is under (N, 2) places of a picture: (N, sizes, 384)."""
        places = torch.tensor(np.asarray(xy, np.float32)).to(self.device)
        return torch.stack([self.network.describe(maps, places) for maps in encoded], 1)

    def nothing(self) -> Tensor:
        """Return what `describe` says of no points."""
        return torch.zeros(0, len(self._sizes), QUERY_WIDTH, device=self.device)

    def start(self, encoded: Pyramid, xy: NDArray[np.float32]) -> PointRows:
        """Describe points at (N, 2) places of a picture; nothing is remembered of them yet."""
        queries = self.describe(encoded, xy)
        steps, *rest = MEMORY_SHAPE
        shape = (len(queries), steps * len(self._sizes), *rest)
        return PointRows(queries, torch.zeros(shape, device=self.device))

    @torch.inference_mode()
    def follow(self, encoded: Pyramid, rows: PointRows) -> Found:
        """Find points in one more picture, and remember it in the rows."""
        pasts = [
            _PastInPlace(rows.memory[:, step], rows.turn) for step in range(rows.memory.shape[1])
        ]
        with self._precision():
            stages = self.network.step(encoded, rows.queries, pasts, self._settings.temperature)
        rows.turn = 1 - rows.turn
        return self._found(stages)

    @torch.inference_mode()
    def follow_clip(
        self,
        encoded: Sequence[Pyramid],
        queries: Tensor,
        frames: NDArray[np.int64],
        xy: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Find points in all pictures of a clip at once.

        Args:
            encoded: the T pictures.
            queries: (N, sizes, 384) as from `describe`.
            frames: (N,) the picture that each was described in; may lie outside of the clip.
            xy: (N, 2) places there.

        Returns:
            Places (N, T, 2) and confidence (N, T).
        """
        count = max(1, _TOKENS // len(encoded))
        places = torch.tensor(np.asarray(xy, np.float32)).to(self.device)
        numbers = torch.tensor(frames, dtype=torch.int64).to(self.device)
        found_xy = [np.zeros((0, len(encoded), 2), np.float32)]
        found_confidence = [np.zeros((0, len(encoded)), np.float32)]
        for start in range(0, len(queries), count):
            part = slice(start, start + count)
            known = (numbers[part], places[part])
            with self._precision():
                stages = self.network.clip(
                    encoded, queries[part], known, self._settings.temperature
                )
            found = self._found(stages)
            found_xy.append(found.xy.reshape(-1, len(encoded), 2))
            found_confidence.append(found.confidence().reshape(-1, len(encoded)))
        return np.concatenate(found_xy), np.concatenate(found_confidence)

    def join(self, parts: Sequence[PointRows]) -> PointRows:
        """Put rows below each other."""
        turn = parts[0].turn
        return PointRows(
            torch.cat([rows.queries for rows in parts]),
            torch.cat([_turned(rows, turn) for rows in parts]),
            turn,
        )

    def take(self, rows: PointRows, chosen: NDArray[np.bool_]) -> PointRows:
        """Return the points marked in `chosen`, (N,) bool."""
        marked = torch.tensor(chosen).to(self.device)
        return PointRows(rows.queries[marked], rows.memory[marked], rows.turn)

    def arrays(self, rows: PointRows) -> Arrays:
        """Return rows as plain arrays; the older of the two frames first."""
        return {
            "queries": rows.queries.cpu().numpy().copy(),
            "memory": _turned(rows, 0).cpu().numpy().copy(),
        }

    def rows(self, arrays: Arrays) -> PointRows:
        """Undo `arrays`."""
        queries, memory = (
            torch.tensor(np.asarray(arrays[name], np.float32)).to(self.device)
            for name in ("queries", "memory")
        )
        return PointRows(queries, memory)

    def _found(self, stages: Sequence[Stage]) -> Found:
        answer = answer_of(stages, self._settings)
        return Found(answer.xy.float().cpu().numpy(), answer.logits.float().cpu().numpy())

    def _precision(self) -> AbstractContextManager[object]:
        half = self._settings.half and self.device.type != "cpu"
        return torch.autocast(self.device.type) if half else nullcontext()


def answer_of(stages: Sequence[Stage], settings: TapirSettings) -> Stage:
    """Return the last of the stages, or the mean of the last of each size."""
    if not settings.mean_of_sizes:
        return stages[-1]
    last = stages[STEPS::STEPS]
    return Stage(
        torch.stack([stage.xy for stage in last]).mean(0),
        torch.stack([stage.logits for stage in last]).mean(0),
    )


def resized(pictures: Tensor, size: int) -> Tensor:
    """Resize (F, 3, S, S) pictures, as the public code does within the network."""
    if pictures.shape[-1] == size:
        return pictures
    return F.interpolate(pictures, (size, size), mode="bilinear", align_corners=False)


def _turned(rows: PointRows, turn: int) -> Tensor:
    """Return the memory of rows with its two frames in the order that `turn` stands for."""
    memory: Tensor = rows.memory
    return memory if rows.turn == turn else memory.flip(2)

"""`QueryGroup`: points that are followed together, and how they go from window to window."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...snapshot import Arrays
from ...tables import Table, column
from .network import Inference, Levels, WindowInput

SUPPORT = -1
"""Id of support points; they are never given out."""

# Far from the type's end, so that no sum or difference with a frame number wraps around.
NOT_YET = np.iinfo(np.int64).max // 4
"""Number of a frame that has not come."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupPoints(Table):
    """The points of one group, in the order they were added.

    Attributes:
        ids: (N,) int64, `SUPPORT` for support points.
        order: (N,) int64, rising in the order of adding over all groups.
        indices: (N,) int64, index of the query frame in the source.
        frames: (N,) int64, query frame counted from the first frame pushed, `NOT_YET` before it
            has come.
        joined: (N,) int64, first frame of the first window that a point was followed in, -1
            before that.
        given: (N, 2) float32, query places, x then y in frame pixels.
        cells: (N, 2) float32, the same in cells of the network's features.
    """

    ids: NDArray[np.int64] = field(metadata=column(np.int64))
    order: NDArray[np.int64] = field(metadata=column(np.int64))
    indices: NDArray[np.int64] = field(metadata=column(np.int64))
    frames: NDArray[np.int64] = field(metadata=column(np.int64))
    joined: NDArray[np.int64] = field(metadata=column(np.int64))
    given: NDArray[np.float32] = field(metadata=column(np.float32, 2))
    cells: NDArray[np.float32] = field(metadata=column(np.float32, 2))

    @classmethod
    def create(
        cls,
        *,
        ids: NDArray[np.int64],
        order: int,
        indices: NDArray[np.int64],
        frames: NDArray[np.int64],
        given: NDArray[np.float32],
        cells: NDArray[np.float32],
    ) -> GroupPoints:
        """Return points that no window has followed yet; their order counts on from `order`."""
        return cls(
            ids=np.array(ids, np.int64),
            order=order + np.arange(len(ids), dtype=np.int64),
            indices=np.array(indices, np.int64),
            frames=np.array(frames, np.int64),
            joined=np.full(len(ids), -1, np.int64),
            given=np.array(given, np.float32),
            cells=np.array(cells, np.float32),
        )

    @property
    def support(self) -> NDArray[np.bool_]:
        """(N,) bool, which are support points."""
        return np.equal(self.ids, SUPPORT)


_TENSORS = ("features", "start_xy", "start_logits", "end_xy", "end_logits")


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The frames that are looked at together.

    Attributes:
        start: number of its first frame, counted from the first frame of the video.
        frames: number of frames that count as real; later ones repeat the last.
        levels: feature pyramid of all its frames.
    """

    start: int
    frames: int
    levels: Levels

    @property
    def length(self) -> int:
        """Number of frames, repeats included."""
        return len(self.levels[0])

    @property
    def end(self) -> int:
        """Number of the frame after the window."""
        return self.start + self.length


class QueryGroup:
    """The points of one group and what the last window left behind.

    A group keeps the values that its last window started from. A point that is added while its
    query frame lies in that window can so be followed through it after all: the window is run
    once more, with the point in it, before the next one.

    Args:
        inference: follows the points.
        iterations: refinements of each window.
        leave_out_waiting: keep points out of windows that end before their query frame, also
            where the public code lets them take part.
        begin: number of the frame in which the group begins.
    """

    def __init__(
        self, inference: Inference, iterations: int, *, leave_out_waiting: bool, begin: int
    ) -> None:
        network = inference.network
        self.points = GroupPoints.empty()
        self.begin = begin
        self.stale = False
        self.rows: NDArray[np.intp] = np.zeros(0, np.intp)
        self.features: Tensor | None = None
        self.start_xy: Tensor | None = None
        self.start_logits: Tensor | None = None
        self.end_xy: Tensor | None = None
        self.end_logits: Tensor | None = None
        self._inference = inference
        self._iterations = iterations
        self._leave_out_waiting = leave_out_waiting or not network.waiting_take_part

    def add(self, points: GroupPoints) -> None:
        """Follow more points from the next window on (or from the last one, run again)."""
        # Start values at once, the rest zeros: if the last window is run again it begins from
        # these.
        more: dict[str, Tensor] = {}
        if self.start_xy is not None:
            xy, logits = self._initial(points, self.start_xy.shape[1])
            more = {"start_xy": xy, "start_logits": logits}
        for name in _TENSORS:
            values = getattr(self, name)
            if values is not None:
                rows = more.get(name, values.new_zeros(len(points), *values.shape[1:]))
                setattr(self, name, torch.cat([values, rows]))
        self.points = self.points.then(points)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop all points but those marked in `rows`, (N,) bool."""
        self.points = self.points.take(rows)
        for name in _TENSORS:
            values = getattr(self, name)
            if values is not None:
                setattr(self, name, values[torch.from_numpy(rows).to(values.device)])

    def resolve(self, index: int, frame: int) -> None:
        """Let the points start whose query frame has now come, as frame number `frame`."""
        # Not equal: a source may leave numbers out, and the point starts in the next frame there
        # is.
        waiting = (self.points.frames == NOT_YET) & (self.points.indices <= index)
        self.points.frames[waiting] = frame

    def choose(self, end: int) -> bool:
        """Choose the points to follow in a window up to frame `end`; return whether any are."""
        self.rows = self._taking_part(end)
        return len(self.rows) > 0

    @torch.inference_mode()
    def run(self, window: Window) -> None:
        """Follow the chosen points through the next window."""
        self._set_out(window)
        self._follow(window)

    @torch.inference_mode()
    def run_again(self, window: Window) -> None:
        """Repeat the last window, with points that came too late for it."""
        self.stale = False
        if self.choose(window.end):
            if self.start_xy is None:
                self._set_out(window)
            self._follow(window)

    def arrays(self) -> Arrays:
        """Return all state as plain arrays."""
        tensors = {name: getattr(self, name) for name in _TENSORS}
        return {
            **self.points.to_arrays(),
            "begin": np.array(self.begin),
            "stale": np.array(self.stale),
            **{
                key: value.cpu().numpy().copy()
                for key, value in tensors.items()
                if value is not None
            },
        }

    def restore(self, arrays: Arrays) -> None:
        """Take over what `arrays` returned."""
        self.points = GroupPoints.from_arrays(arrays)
        self.begin, self.stale = int(arrays["begin"]), bool(arrays["stale"])
        for name in _TENSORS:
            known = name in arrays
            value = torch.tensor(np.asarray(arrays[name])) if known else None
            setattr(self, name, None if value is None else value.to(self._inference.device))

    def _taking_part(self, end: int) -> NDArray[np.intp]:
        """Return the points to give to the network, in the order it wants them.

        Version 1 depends on the order: by query frame, real points before support points.
        """
        points = self.points
        if not self._leave_out_waiting:
            # The last key is the first to sort by.
            return np.lexsort((points.order, points.support))
        # Stable by `order`. PyTorch's sort is not, from 17 points on, and in version 1 the order
        # alone moves places by up to 0.18 pixels (with the tests' weights).
        rows = np.lexsort((points.order, points.support, points.frames))
        return rows[points.frames[rows] < end]

    def _initial(self, points: GroupPoints, length: int) -> tuple[Tensor, Tensor]:
        """Return the query places and the first logits, for all frames of a window."""
        network, device = self._inference.network, self._inference.device
        cells = torch.from_numpy(points.cells).to(device)
        shape = (len(points), length, network.logit_channels)
        logits = torch.full(shape, float(network.initial_logit), device=device)
        return cells[:, None].repeat(1, length, 1), logits

    def _set_out(self, window: Window) -> None:
        """Fill the values that the window starts from; what was found in the overlap goes on."""
        self.start_xy, self.start_logits = self._initial(self.points, window.length)
        carried = (self.points.joined >= 0) & (self.points.joined < window.start)
        if self.end_xy is None or self.end_logits is None or not carried.any():
            return
        # Points that joined later than the last window have no overlap to go on from.
        rows = torch.from_numpy(carried).to(self.start_xy.device)
        self.start_xy[rows] = self._carry(self.end_xy[rows], window.length)
        self.start_logits[rows] = self._carry(self.end_logits[rows], window.length)

    def _carry(self, values: Tensor, length: int) -> Tensor:
        """Shift (N, S, K) results by one step and repeat the last of them."""
        overlap = values[:, self._inference.network.step :]
        # The new half starts from the last place known: no motion is assumed.
        last = overlap[:, -1:].expand(-1, max(length - overlap.shape[1], 0), -1)
        return torch.cat([overlap, last], 1)[:, :length]

    def _follow(self, window: Window) -> None:
        """Refine what the window starts from and keep the result."""
        carried = (self.points.joined >= 0) & (self.points.joined < window.start)
        self._join(window)
        rows = torch.from_numpy(self.rows).to(self._inference.device)
        start_xy, start_logits = _present(self.start_xy), _present(self.start_logits)
        frames = torch.from_numpy(self.points.frames[self.rows] - window.start)
        output = self._inference.refine(
            WindowInput(
                levels=window.levels,
                xy=start_xy[rows].transpose(0, 1).contiguous(),
                logits=start_logits[rows].transpose(0, 1).contiguous(),
                features=_present(self.features)[rows],
                query_frames=frames.to(rows.device),
                carried=torch.from_numpy(carried[self.rows]).to(rows.device),
                first=window.start == 0,
                frames=window.frames,
            ),
            self._iterations,
        )
        self.end_xy = torch.zeros_like(start_xy)
        self.end_xy[rows] = output.xy.transpose(0, 1)
        self.end_logits = torch.zeros_like(start_logits)
        self.end_logits[rows] = output.logits.transpose(0, 1)

    def _join(self, window: Window) -> None:
        """Describe the points whose query frame this window is the first to hold."""
        points = self.points
        new = np.flatnonzero((points.joined < 0) & (points.frames < window.end))
        for frame in np.unique(points.frames[new]):
            rows = new[points.frames[new] == frame]
            place = int(frame) - window.start
            self._describe(rows, tuple(level[place : place + 1] for level in window.levels))
        # Once and for all: later windows keep the feature of the query frame, not one of their own.
        points.joined[new] = window.start
        if self.features is None:  # All are waiting: only the shape is needed.
            self._describe(self.rows[:0], tuple(level[:1] for level in window.levels))

    def _describe(self, rows: NDArray[np.intp], levels: Levels) -> None:
        cells = torch.from_numpy(self.points.cells[rows]).to(self._inference.device)
        found = self._inference.describe(levels, cells)
        if self.features is None:
            self.features = found.new_zeros(len(self.points), *found.shape[1:])
        self.features[torch.from_numpy(rows).to(found.device)] = found


def _present(values: Tensor | None) -> Tensor:
    """Return values that the steps before have filled in.

    Raises:
        RuntimeError: if they have not.
    """
    if values is None:
        msg = "a window was run before its start values were set"
        raise RuntimeError(msg)
    return values

"""What the sliding window asks of a CoTracker network, and how a network is called.

Networks hold weights and nothing else; what changes from frame to frame lives in the window, so
that one network serves any number of videos and of query groups at once.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Levels = tuple[Tensor, ...]
"""Feature pyramid: L tensors (frames, C, h_l, w_l), each level half the size of the last."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowInput:
    """One window of S frames and N points. Places are (x, y) in cells of pyramid level 0.

    Attributes:
        levels: feature pyramid of the S frames; frames past the end of the video repeat its last.
        xy: (S, N, 2) float32, places to start from.
        logits: (S, N, K) float32, logits to start from: visibility, and in version 3 confidence.
        features: (N, ...) float32, what `describe` gave for each point; zeros for points whose
            query frame lies after the window.
        query_frames: (N,) int64, query frames counted from the first frame of the window.
        carried: (N,) bool, points that were already followed in the window before.
        first: no window of this video ran before this one.
        frames: number of frames that exist; the other S - frames are repeats.
    """

    levels: Levels
    xy: Tensor
    logits: Tensor
    features: Tensor
    query_frames: Tensor
    carried: Tensor
    first: bool
    frames: int


@dataclass(frozen=True, slots=True, eq=False)
class WindowOutput:
    """The refined places (S, N, 2) in cells and logits (S, N, K) of one window, float32."""

    xy: Tensor
    logits: Tensor


class WindowNetwork(Protocol):
    """A CoTracker network without state.

    Attributes:
        window: frames of a window, S.
        step: frames from one window to the next.
        stride: pixels of the picture per cell of level 0.
        logit_channels: K, 1 (visibility) or 2 (visibility, confidence).
        initial_logit: logits that a point starts with.
        waiting_take_part: whether points whose query frame lies after the window are given to
            `refine` nevertheless, as the public code does (versions 2 and 3).
        pads: whether a short window is filled up to S frames by repeating the last one.
        aligned_corners: how pictures are resized for it: corner to corner (versions 2 and 3) or
            by half-pixel centres (version 1); places are scaled to match.
    """

    window: int
    step: int
    stride: int
    logit_channels: int
    initial_logit: float
    waiting_take_part: bool
    pads: bool
    aligned_corners: bool

    def encode(self, images: Tensor) -> Levels:
        """Compute the feature pyramid of (n, 3, H, W) float pictures, RGB, 0 to 255."""

    def describe(self, levels: Levels, xy: Tensor) -> Tensor:
        """Describe points of one frame by what lies under them.

        Args:
            levels: pyramid of that frame, tensors (1, C, h_l, w_l).
            xy: (N, 2) places in cells.

        Returns:
            (N, ...) float32, the features that `refine` wants of these points.
        """

    def refine(self, window: WindowInput, iterations: int) -> WindowOutput:
        """Follow the points through one window."""


class Inference:
    """Calls a network without gradients.

    Args:
        network: on `device` and in evaluation mode. It is not changed and may serve others.
        device: where the network's weights are.
        half: let PyTorch choose half precision where it thinks it safe (CUDA and Apple GPUs);
            results then differ from the published ones by more than rounding.
        compiled: run the network through `torch.compile`: faster on GPUs after a slow start.
    """

    def __init__(
        self,
        network: WindowNetwork,
        device: torch.device | str = "cpu",
        *,
        half: bool = False,
        compiled: bool = False,
    ) -> None:
        self.network = network
        self.device = torch.device(device)
        self._half = half
        self._encode = torch.compile(network.encode) if compiled else network.encode
        self._refine = torch.compile(network.refine) if compiled else network.refine

    @torch.inference_mode()
    def encode(self, picture: Tensor) -> Levels:
        """Return the pyramid of one (1, 3, h, w) picture; tensors (1, C, h_l, w_l) float32."""
        with self._precision():
            levels = self._encode(picture.to(self.device))
        # Whatever autocast gave: NumPy, and with it every snapshot, knows no bfloat16.
        return tuple(level.float() for level in levels)

    @torch.inference_mode()
    def describe(self, levels: Levels, xy: Tensor) -> Tensor:
        """Return the features of (N, 2) places, in cells, of one frame."""
        with self._precision():
            return self.network.describe(levels, xy).float()

    @torch.inference_mode()
    def refine(self, window: WindowInput, iterations: int) -> WindowOutput:
        """Follow the points through one window."""
        with self._precision():
            output = self._refine(window, iterations)
        return WindowOutput(output.xy.float(), output.logits.float())

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type) if self._half else nullcontext()


class EncodedFrame:
    """A frame as the network sees it, and its features from the first time they are asked for.

    One frame at a time is the fastest way on a processor, where larger batches fall out of the
    cache, and gives the same numbers whichever frames come together.

    Args:
        inference: encodes the picture.
        picture: (1, 3, h, w) float32, 0 to 255, at the network's size.
        index: number of the frame in its source.
    """

    __slots__ = ("_inference", "_levels", "index", "picture")

    def __init__(self, inference: Inference, picture: Tensor, index: int = 0) -> None:
        self.picture = picture
        self.index = index
        self._inference = inference
        self._levels: Levels | None = None

    def levels(self) -> Levels:
        """Return the feature pyramid, tensors (1, C, h_l, w_l)."""
        if self._levels is None:
            self._levels = self._inference.encode(self.picture)
        return self._levels

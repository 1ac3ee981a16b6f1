"""`Inference`: how a network is called; `EncodedFrame`: frames that are encoded once."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from rvsam_video.trackers.cotracker.network import (
    Levels,
    WindowInput,
    WindowNetwork,
    WindowOutput,
)


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

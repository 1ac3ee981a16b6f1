"""`CoTracker`: the streaming tracker around a CoTracker network."""

from __future__ import annotations

import sys

import torch

from ...errors import UsageError
from .network import Inference, WindowNetwork
from .state import CoTrackerState
from .variants import CoTrackerSettings


class CoTracker:
    """Follows points with a CoTracker network (Karaev et al., 2023 and 2024) as frames arrive.

    Args:
        name: registry name.
        network: on `device` and in evaluation mode; it keeps no state and may serve others.
        settings: None takes the defaults.
        device: where the network's weights are.
        half: half precision where PyTorch thinks it safe; numbers then differ from the public
            ones by more than rounding.
        compiled: run the network through `torch.compile`.

    Attributes:
        name: registry name.
        lookahead: frames after a frame, at worst, before its result is out: all of a window.
        settings: how the network is used.
        device: where the network runs.
        inference: calls the network.

    Raises:
        UsageError: if the whole video is to be one window of a network with fixed windows.
    """

    def __init__(
        self,
        name: str,
        network: WindowNetwork,
        settings: CoTrackerSettings | None = None,
        device: torch.device | str = "cpu",
        *,
        half: bool = False,
        compiled: bool = False,
    ) -> None:
        self.name = name
        self.settings = settings or CoTrackerSettings()
        if self.settings.whole_video and network.pads:
            msg = (
                f"{name} looks at {network.window} frames at a time; only version 3 offline can "
                "take a whole video as one window: leave out whole_video"
            )
            raise UsageError(msg)
        self.device = torch.device(device)
        self.lookahead = sys.maxsize if self.settings.whole_video else network.window - 1
        self.inference = Inference(network, self.device, half=half, compiled=compiled)

    def start(self, frame_size: tuple[int, int]) -> CoTrackerState:
        """Begin a video whose frames are (width, height) pixels."""
        return CoTrackerState(self.inference, self.settings, frame_size)

    def with_settings(self, settings: CoTrackerSettings) -> CoTracker:
        """Return a tracker with the same network, used in another way.

        Raises:
            UsageError: if the whole video is to be one window of a network with fixed windows.
        """
        other = CoTracker(self.name, self.inference.network, settings, self.device)
        other.inference = self.inference
        return other

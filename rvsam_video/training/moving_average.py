"""`MovingAverage`: an exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """Follows a network's weights and statistics more slowly than they change.

    Args:
        network: that is followed.
        decay: share of the average that each step keeps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._network, self._decay = network, decay
        self._values = {name: value.clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the network as it is now."""
        for name, value in self._network.state_dict().items():
            if value.is_floating_point():
                self._values[name].lerp_(value, 1 - self._decay)
            else:
                # Counters: half a step means nothing.
                self._values[name].copy_(value)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the average into the network for a while."""
        own = {name: value.clone() for name, value in self._network.state_dict().items()}
        self._network.load_state_dict(self._values)
        try:
            yield
        finally:
            self._network.load_state_dict(own)

    def state(self) -> dict[str, Tensor]:
        """Return the averages by name."""
        return dict(self._values)

    def restore(self, values: Mapping[str, Tensor]) -> None:
        """Go on from averages that were kept."""
        for name, value in self._values.items():
            value.copy_(values[name])

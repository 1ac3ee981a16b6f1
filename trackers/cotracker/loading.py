"""Building CoTracker networks, and filling them with weights that are known to fit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import WeightsError
from ...weights.devices import choose_device
from ...weights.fetch import checkpoint_path, load_state_dict
from ...weights.read import load_checked, same_entries
from .tracker import CoTracker
from .v1 import CoTracker1
from .v2 import CoTracker2
from .v3 import CoTracker3
from .variants import (
    COTRACKER_VARIANTS,
    CoTrackerSettings,
    CoTrackerVariant,
)

if TYPE_CHECKING:
    from torch import Tensor

TIME_EMBEDDING = "time_emb"
"""(1, S, D) in the weights of versions 2 and 3: the only thing in them that tells the window."""

Network = CoTracker1 | CoTracker2 | CoTracker3


def load_cotracker(
    variant: CoTrackerVariant,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    settings: CoTrackerSettings | None = None,
) -> CoTracker:
    """Build a tracker with weights from a file.

    Args:
        variant: an entry of `COTRACKER_VARIANTS`.
        checkpoint: a file in the official format, the tensors as they are or under "model"; None
            takes the published one, which is downloaded on first use.
        device: "auto", or a PyTorch device.
        settings: None takes those of the variant.

    Raises:
        WeightsError: if the weights cannot be had, or are those of another network or window.
        UsageError: if there is no such device.
    """
    place = choose_device(device)
    path = checkpoint_path(variant.name) if checkpoint is None else Path(checkpoint)
    network = network_with_weights(variant, load_state_dict(path), source=str(path))
    return CoTracker(variant.name, network.to(place), settings or variant.settings, place)


def build_network(variant: CoTrackerVariant) -> Network:
    """Build the network of a variant on the CPU, for inference, without loading weights."""
    network: Network
    if variant.version == 1:
        network = CoTracker1(stride=variant.stride, window=variant.window)
    elif variant.version == 2:
        network = CoTracker2(window=variant.window)
    else:
        network = CoTracker3(window=variant.window, whole=variant.any_length)
    return network.eval().requires_grad_(False)


def network_with_weights(
    variant: CoTrackerVariant, state_dict: Mapping[str, Tensor], *, source: str
) -> Network:
    """Build the network of a variant with given weights.

    Args:
        variant: an entry of `COTRACKER_VARIANTS`.
        state_dict: names and tensors of the official checkpoint.
        source: where they are from, for messages.

    Raises:
        WeightsError: if the weights are those of another network or another window.
    """
    _check_window(variant, state_dict, source)
    network = build_network(variant)
    load_checked(network, state_dict, source, partial(fitting_variants, state_dict))
    return network


def fitting_variants(state_dict: Mapping[str, Tensor]) -> list[str]:
    """Return the names of the networks that have exactly these names and shapes of weights."""
    import torch

    # On a device without memory or values: only names and shapes are looked at.
    with torch.device("meta"):
        return [
            variant.name
            for variant in COTRACKER_VARIANTS.values()
            if same_entries(build_network(variant), state_dict)
        ]


def _check_window(variant: CoTrackerVariant, state_dict: Mapping[str, Tensor], source: str) -> None:
    """Refuse weights of the same network that were trained with another window."""
    embedding = state_dict.get(TIME_EMBEDDING)
    # Names and shapes of the three networks of version 1 are equal: there is nothing to check.
    if variant.version == 1 or embedding is None or embedding.ndim != 3:
        return
    window = embedding.shape[1]
    if window != variant.window:
        # By all names and shapes: networks of several versions have windows of this length.
        names = " or ".join(fitting_variants(state_dict))
        msg = (
            f"the weights from {source} were trained with windows of {window} frames, but "
            f"{variant.name} looks at {variant.window}; "
            + (f"they are weights of {names}: choose that" if names else "choose other weights")
        )
        raise WeightsError(msg)

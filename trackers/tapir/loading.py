"""Building TAPIR networks with weights that are known to fit, and trackers around them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError, WeightsError
from ...weights.devices import choose_device
from ...weights.fetch import checkpoint_path
from ...weights.read import load_checked, load_state_dict
from .network import TapirNetwork
from .offline import TapirOffline
from .torch_engine import TorchEngine
from .tracker import Tapir
from .variants import TAPIR_VARIANTS, TapirClipSettings, TapirSettings, TapirVariant

if TYPE_CHECKING:
    from torch import Tensor

_EXTRA = "extra_convs."
"""Names in the weights of the networks that have the encoder's extra blocks begin so."""


def load_tapir(
    variant: TapirVariant,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    settings: TapirSettings | None = None,
) -> Tapir | TapirOffline:
    """Build a tracker with weights from a file.

    Args:
        variant: an entry of `TAPIR_VARIANTS`.
        checkpoint: a file in the official format; None takes the published one, which is
            downloaded on first use.
        device: "auto", or a PyTorch device.
        settings: None takes those of the variant.

    Raises:
        WeightsError: if the weights cannot be had, or are those of another network.
        UsageError: if there is no such device, or the settings are those of another kind.
    """
    place = choose_device(device)
    path = checkpoint_path(variant.name) if checkpoint is None else Path(checkpoint)
    network = tapir_with_weights(variant, load_state_dict(path), source=str(path)).to(place)
    network.pack()
    chosen = settings or variant.settings
    engine = TorchEngine(network, chosen, place)
    if variant.causal:
        return Tapir(variant.name, engine, chosen)
    if not isinstance(chosen, TapirClipSettings):
        msg = f"{variant.name} looks both ways in time; its settings are a TapirClipSettings"
        raise UsageError(msg)
    return TapirOffline(variant.name, engine, chosen)


def tapir_with_weights(
    variant: TapirVariant, state_dict: Mapping[str, Tensor], *, source: str
) -> TapirNetwork:
    """Build the network of a variant with given weights, for inference on the CPU.

    Args:
        variant: an entry of `TAPIR_VARIANTS`.
        state_dict: names and tensors of the official checkpoint.
        source: where they are from, for messages.

    Raises:
        WeightsError: if the weights are those of another network.
    """
    _check_family(variant, state_dict, source)
    network = TapirNetwork(variant).eval().requires_grad_(requires_grad=False)
    load_checked(network, state_dict, source)
    network.arrange()
    return network


def _check_family(variant: TapirVariant, state_dict: Mapping[str, Tensor], source: str) -> None:
    """Refuse weights of another network of the family, by the names of those that they are for.

    Those of BootsTAPIR online and offline cannot be told apart.
    """
    own = any(name.startswith("torch_pips_mixer.") for name in state_dict)
    extra = any(name.startswith(_EXTRA) for name in state_dict)
    if not own or extra == variant.extra_convs:
        return
    names = [other.name for other in TAPIR_VARIANTS.values() if other.extra_convs == extra]
    msg = (
        f"the weights from {source} are those of TAPIR {'with' if extra else 'without'} the "
        f"encoder's extra blocks, but {variant.name} is the other kind; choose the tracker "
        f"{' or '.join(names)}"
    )
    raise WeightsError(msg)

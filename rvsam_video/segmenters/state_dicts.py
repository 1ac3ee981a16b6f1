"""Loading named tensors into a network, with a message that shows where the two differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from rvsam_video.errors import WeightsError

_SHOWN = 3
"""Differing names that a message lists of each kind; the first ones tell which network it was."""


def load_checked(model: nn.Module, state_dict: Mapping[str, Tensor], source: str) -> None:
    """Copy a state dict into a network if all names and shapes agree.

    Args:
        model: the network; its entries are overwritten in place and keep their type and device.
        state_dict: names to tensors, exactly the network's.
        source: where the tensors are from, for the message.

    Raises:
        WeightsError: naming the first entries that are missing, superfluous or of another shape;
            the network is left as it was.
    """
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state_dict.items()}
    differences = [
        *_listed("lack", [name for name in own if name not in given]),
        *_listed("also hold", [name for name in given if name not in own]),
        *_listed(
            "have other shapes in",
            [
                f"{name} {given[name]} instead of {shape}"
                for name, shape in own.items()
                if given.get(name, shape) != shape
            ],
        ),
    ]
    if differences:
        msg = (
            f"the weights from {source} do not fit this network: they {'; they '.join(differences)}"
            "; choose the segmenter or tracker that these weights were made for, or other weights"
        )
        raise WeightsError(msg)
    model.load_state_dict(dict(state_dict))


def _listed(verb: str, entries: list[str]) -> Iterable[str]:
    if entries:
        more = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
        yield f"{verb} {', '.join(entries[:_SHOWN])}{more}"

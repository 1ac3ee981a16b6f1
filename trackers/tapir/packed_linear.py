"""Linear layers by oneDNN, with weights in the order that it multiplies them in.

PyTorch hands linear layers in full precision to MKL, which on processors that are not Intel's does
without their widest instructions: measured on an AMD EPYC with AVX-512, the two linear layers of a
mixer block take twice as long. PyTorch's own compiler uses the operators here, but does not promise
them: where they are missing, the layer stays as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_NO_ACTIVATION: tuple[str, list[float], str] = ("none", [], "")


class PackedLinear(nn.Module):
    """A linear layer with packed weights, in full precision, on the CPU, for inference.

    Args:
        linear: the layer; it is not changed.

    Raises:
        RuntimeError, AttributeError: if this PyTorch or processor cannot do it.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        # Packed tensors have no shape that could be saved: they are no parameters.
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), None)
        self._bias = linear.bias.detach()
        self(linear.weight.new_zeros(1, linear.in_features))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to (..., inputs)."""
        found: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._weight, self._bias, *_NO_ACTIVATION
        )
        return found


def packed(layer: nn.Module) -> nn.Module:
    """Return the layer in its fastest form that gives the same numbers but for rounding.

    Args:
        layer: a linear layer with bias, with its weights loaded, on the device that is used.
    """
    if not isinstance(layer, nn.Linear) or layer.weight.device.type != "cpu":
        return layer
    try:
        return PackedLinear(layer)
    except (RuntimeError, AttributeError, NotImplementedError):
        return layer

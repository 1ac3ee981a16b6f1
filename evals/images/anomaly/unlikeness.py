"""How unlike the rest of its picture each place is, by the features of a wide residual network.

Source: the visual saliency of SAA+ (arXiv:2305.10724, section 3.4) and its public code. The formula
there speaks of nearest neighbours; the code takes the farthest, and so does this.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses
from torchvision.models import wide_resnet50_2
from torchvision.models.feature_extraction import create_feature_extractor

from ....frame import Image
from ....weights.devices import choose_device
from ....weights.fetch import checkpoint_path, load_state_dict
from ....weights.read import load_checked

SaliencyName = Literal["wide-resnet50-racm", "wide-resnet50-torchvision", "none"]

_SIDE, _PLACES = 256, 64
"""Pixels that a picture is scaled to, and places along each side that are compared."""

_FARTHEST = 400
"""So many of the places that are most unlike count."""

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_LAYERS = ("layer1", "layer2", "layer3")


class Unlikeness:
    """Measures how unlike the rest of its picture each place is.

    Args:
        backbone: WideResNet-50-2 with loaded weights.
        device: a PyTorch device.
    """

    def __init__(self, backbone: nn.Module, device: torch.device) -> None:
        self._device = device
        features = create_feature_extractor(backbone.eval(), return_nodes=list(_LAYERS))
        self._features = features.to(device).eval()

    @torch.inference_mode()
    def features(self, image: Image) -> Tensor:
        """Return what each place looks like, (1, 1792, 64, 64) float32 of length 1.

        Args:
            image: (H, W, 3) uint8, its channels in the order that the network is to see.
        """
        scaled = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
        pixels = torch.from_numpy(scaled).to(self._device).permute(2, 0, 1).float()[None]
        mean, std = (torch.tensor(v, device=self._device)[:, None, None] for v in (_MEAN, _STD))
        found = self._features((pixels - 255 * mean) / (255 * std))
        size = (_PLACES, _PLACES)
        maps = [F.interpolate(found[name], size, mode="nearest") for name in _LAYERS]
        return F.normalize(torch.cat(maps, 1), dim=1)

    @torch.inference_mode()
    def __call__(self, image: Image) -> NDArray[np.float32]:
        """Return (H, W) float32: the mean of half of 1 - cosine to the 400 most unlike places."""
        rows = self.features(image)[0].flatten(1).t()
        # The most unlike are those with the smallest product.
        smallest = (rows @ rows.t()).topk(_FARTHEST, largest=False).values
        unlike = (0.5 * (1 - smallest.mean(1))).view(_PLACES, _PLACES).cpu().numpy()
        size = (image.shape[1], image.shape[0])
        return np.asarray(cv2.resize(unlike, size, interpolation=cv2.INTER_LINEAR), np.float32)


@cache
def unlikeness_in_this_process(name: str, checkpoint: Path | None, device: str) -> Unlikeness:
    """Load once per process what measures all pictures.

    Args:
        name: of the published weights.
        checkpoint: a file of weights instead of those.
        device: "auto", or a PyTorch device.

    Raises:
        UsageError: if there is no such device.
        WeightsError: if weights cannot be had, or are those of another network.
    """
    path = checkpoint_path(name) if checkpoint is None else checkpoint
    backbone = wide_resnet50_2(weights=None)
    load_checked(backbone, load_state_dict(path), str(path))
    return Unlikeness(backbone, choose_device(device))

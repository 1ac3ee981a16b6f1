"""Pictures and masks of clips at other sizes: PyTorch's rule for the nearest neighbour."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from rvsam_video.clips.frames import resize_mask


@pytest.mark.parametrize("size", [(854, 480), (1024, 576), (37, 1080), (1024, 577), (853, 481)])
def test_masks_are_resized_as_pytorch_does(size):
    mask = np.random.default_rng(0).random((577, 1024)) > 0.5
    torchs = F.interpolate(torch.from_numpy(mask)[None, None].float(), size[::-1], mode="nearest")
    np.testing.assert_array_equal(resize_mask(mask, size), torchs[0, 0].numpy() > 0)

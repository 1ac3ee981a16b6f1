"""What CoTracker 3 is told of time and motion: Fourier features of motion, a fitted time embedding.

Follows facebookresearch/co-tracker, cotracker/models/core/cotracker/cotracker3_*.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

SCALES = 10

FOURIER_WIDTH = 4 + 2 * 4 * SCALES
"""Features of a motion: its four components, then the sines and cosines of all scales."""


def relative_motion(xy: Tensor, extent: tuple[float, float]) -> Tensor:
    """Return each place relative to the next and to the last frame, for every point.

    Args:
        xy: (N, S, 2) places in cells.
        extent: width and height in cells that motion is a fraction of.

    Returns:
        (N, S, 4): place minus next place (zero in the last frame), place minus last place (zero
        in the first), x before y.
    """
    width, height = extent
    # Divided as Python numbers: a tensor made here would be copied to the device each time.
    x, y = (xy[:, 1:] - xy[:, :-1]).unbind(-1)
    steps = torch.stack((x / width, y / height), -1)
    # The public order and signs: place minus next place, then place minus last place.
    forward = F.pad(-steps, (0, 0, 0, 1))
    backward = F.pad(steps, (0, 0, 1, 0))
    return torch.cat((forward, backward), -1)


def motion_features(motion: Tensor) -> Tensor:
    """Return (..., 84) Fourier features of (..., 4) motions.

    Sines, then cosines, of the components times 1, 2, 4 ... 512; all components of a scale stand
    together.
    """
    scales = 2.0 ** torch.arange(SCALES, device=motion.device, dtype=motion.dtype)
    angles = (motion[..., None, :] * scales[:, None]).flatten(-2)
    # Cosines as shifted sines, which round as the public code's do. There is no factor of pi.
    waves = torch.cat((angles, angles + math.pi / 2), -1).sin()
    return torch.cat((motion, waves), -1)


def fit_time(embedding: Tensor, frames: int) -> Tensor:
    """Resize a time embedding to the frames of a window, by linear interpolation.

    Args:
        embedding: (1, S, D), one row for each frame that the weights were trained with.
        frames: rows to return.

    Returns:
        (frames, D).
    """
    if embedding.shape[1] == frames:
        return embedding[0]
    # By half-pixel centres, unlike the pictures.
    resized = F.interpolate(embedding.transpose(1, 2), size=frames, mode="linear")
    return resized[0].transpose(0, 1).contiguous()

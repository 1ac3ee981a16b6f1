"""From HDR video (PQ, HLG) to the range and colours of ordinary pictures."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image

PQ, HLG = 16, 18
"""Transfer functions by their numbers in ITU-T H.273: SMPTE ST 2084, and ARIB STD-B67."""

BT2020 = 9
"""Primaries by their number in ITU-T H.273."""

_LEVELS = 1 << 16

_WHITE_NITS = 100.0
"""What ordinary pictures call white, ITU-R BT.1886."""

_KNEE = 0.5
"""Up to half of white light stays as it is; above, more and more of it is pressed below white, so
that the 203 nits that HDR calls white (ITU-R BT.2408) come out at 98 %, and 1000 nits at white."""

_HLG_PEAK_NITS, _HLG_GAMMA = 1000.0, 1.2
"""The screen that HLG is shown on by its definition, ITU-R BT.2100."""

_GAMMA = 2.4
"""Of ordinary pictures, ITU-R BT.1886."""

# ITU-R BT.2087, light of BT.2020 primaries in those of BT.709.
_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)
_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)


def to_ordinary(pixels: NDArray[np.uint16], transfer: int, primaries: int) -> Image:
    """Return an HDR picture as ordinary 8-bit RGB.

    Args:
        pixels: (H, W, 3) uint16, RGB as the video codes it, 0 to 65535.
        transfer: `PQ` or `HLG`.
        primaries: of the video, by their number in ITU-T H.273; other than `BT2020` are kept.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    light = _light_table(transfer)[pixels]
    if transfer == HLG:
        # The screen's own curve, by the brightness of the pixel: BT.2100, OOTF.
        luma = np.maximum(light @ _LUMA, 1e-6)[..., None]
        light *= luma ** (_HLG_GAMMA - 1) * (_HLG_PEAK_NITS / _WHITE_NITS)
    if primaries == BT2020:
        light = np.asarray(cv2.transform(light, _TO_BT709), np.float32)
    # By the brightest channel, so that hues stay.
    brightest = np.maximum(light.max(2, keepdims=True), 1e-6)
    above = 1 - np.exp(-np.maximum(brightest - _KNEE, 0) / (1 - _KNEE))
    pressed = np.where(brightest > _KNEE, _KNEE + (1 - _KNEE) * above, brightest)
    shown = np.clip(light * (pressed / brightest), 0, 1)
    codes = _code_table()[np.rint(shown * (_LEVELS - 1)).astype(np.uint16)]
    return np.asarray(codes, np.uint8)


@cache
def _light_table(transfer: int) -> NDArray[np.float32]:
    """Return the light of every code: of a screen, white being 1; of HLG of the scene, 0 to 1."""
    code = np.arange(_LEVELS) / (_LEVELS - 1)
    if transfer == HLG:
        # ITU-R BT.2100, table 5.
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
        return light.astype(np.float32)
    # SMPTE ST 2084: 1 is 10000 nits.
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    root = code ** (1 / m2)
    light = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return (light * 10_000 / _WHITE_NITS).astype(np.float32)


@cache
def _code_table() -> NDArray[np.uint8]:
    light = np.arange(_LEVELS) / (_LEVELS - 1)
    return np.rint(255 * light ** (1 / _GAMMA)).astype(np.uint8)

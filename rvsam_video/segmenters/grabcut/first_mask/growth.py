"""Growth: an object grown from a guess of where it is, by its colours against those around it.

As in GrabCut (Rother et al., 2004), the colours of object and surroundings are learned from the
mask, and the mask from the colours, in turn. Two things differ: a smooth leaning towards the guess
takes the part of a hard frame, and blurring the evidence that of a cut. That is quicker, and
keeps freckles and spots, whose colours the guess holds as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.segmenters.grabcut.crop import Map
from rvsam_video.segmenters.grabcut.first_mask.colours import PaletteMap, shares

_ROUNDS = 5
"""Times that colours and mask are learned from one another; it changes little after the third."""

_WIDER = 2.5
"""Radius of the surroundings whose colours are learned, in radii of the guess."""

_FLOOR = 0.002
"""Share granted to every colour, so that one unseen so far does not decide alone."""

_DENIED_SHARE = 0.3
"""How much of the surroundings' colours comes from the clicks beside the object. A few pixels
would not count otherwise, and the part they deny would keep all but a hole."""

_LOUDEST = 2.5
"""Most that the colour of a pixel may say, as a log ratio."""

_BLUR = 1.2
"""Standard deviation, in pixels of the grid, over which pixels agree with their neighbours."""

_SLOPE = 2.0
"""From log ratios to log odds. Neighbours are not independent, yet they make each other surer."""


@dataclass(frozen=True, slots=True)
class Guess:
    """Where an object may be.

    Attributes:
        reach: distance from the middle of the guess, in its radii: 1 on its rim.
        lean: log odds that a pixel belongs to the object, before colours are looked at.
        denied: 1 around the clicks beside the object, else 0.
    """

    reach: Map
    lean: Map
    denied: Map


def grow(colours: PaletteMap, guess: Guess) -> NDArray[np.bool_]:
    """Return the (h, w) mask that a guess grows, or shrinks, into."""
    # Colours count by nearness to the guess: its rim is as likely surroundings as object.
    inner = np.exp(-0.5 * np.square(guess.reach))
    outer = np.exp(-0.5 * np.square(guess.reach / _WIDER))
    # Of the guess, only what the leaning allows.
    odds = np.where(guess.reach < 1, guess.lean, -_LOUDEST).astype(np.float32)
    belief = (odds > -1).astype(np.float32)
    for _ in range(_ROUNDS):
        # Weighed by belief: a doubtful pixel counts on both sides.
        on = shares(colours, belief * inner) + _FLOOR
        off = _off_shares(colours, (1 - belief) * outer, guess.denied) + _FLOOR
        says = np.clip(np.log(on / off), -_LOUDEST, _LOUDEST).astype(np.float32)
        # Evidence is blurred and not the mask, so that a thin part with clear colours stays.
        blurred = cv2.GaussianBlur(says[colours], (0, 0), _BLUR)
        odds = np.asarray(_SLOPE * (blurred + guess.lean), np.float32)
        belief = np.asarray(1 / (1 + np.exp(-odds)), np.float32)
    return np.asarray(odds > 0, np.bool_)


def _off_shares(colours: PaletteMap, around: Map, denied: Map) -> NDArray[np.float64]:
    if not denied.any():
        return shares(colours, around)
    return (1 - _DENIED_SHARE) * shares(colours, around) + _DENIED_SHARE * shares(colours, denied)

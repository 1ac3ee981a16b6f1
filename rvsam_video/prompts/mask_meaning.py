"""What the pixels of a mask mean: numbers of objects, or one object with soft edges.

A mask that was resized, blurred or drawn with smooth edges holds shades between 0 and the object.
They are told from numbers of objects by where they stand: a shade lies on the way from a darker
pixel to a brighter one, a number fills a region of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GreyValues = NDArray[np.uint8] | NDArray[np.uint16]
_Mask = NDArray[np.bool_]

_FEW = 8
"""With up to so many shades they must also surround a region of the brightest one."""

_MANY = 32
"""Hand made index maps hold fewer numbers; with more, smooth shading is taken for shading."""

_SMOOTH_STEP = 8
"""Steps between neighbours of up to an eighth of the whole range are smooth."""

_MOSTLY = 0.5
_NEARLY_ALL = 0.9
_VIA_TO_DIRECT = 4
"""In a map that was interpolated hardly any object of number 2 or more touches a 0 directly."""

_ONE_COLOUR = 24
"""How far pixels may be from shades of one colour, for rounding and compression."""


def is_soft(values: GreyValues) -> bool:
    """Whether grey values are shades of one object, and no numbers of objects.

    Args:
        values: (H, W), 0 off the objects.
    """
    top = int(values.max())
    shades = (values > 0) & (values < top)
    if not shades.any():
        return False
    counts = np.bincount(values[values > 0])
    distinct = np.count_nonzero(counts)
    if distinct > _MANY and _is_smooth(values):
        return True
    # A window of five: the edge of a mask that was blown up four times is about that wide.
    between = _between(values, 5)
    if between[shades].mean() < _MOSTLY:
        return False
    return bool(distinct > _FEW or counts.argmax() == top)


def _between(values: GreyValues, side: int) -> _Mask:
    """Return where a pixel is strictly between the extremes of the window around it."""
    import cv2  # late: most runs have no mask

    window = np.ones((side, side), np.uint8)
    low, high = cv2.erode(values, window), cv2.dilate(values, window)
    return np.asarray((low < values) & (values < high))


def _is_smooth(values: GreyValues) -> bool:
    steps = [np.abs(np.diff(values.astype(np.int32), axis=axis)).ravel() for axis in (0, 1)]
    moving = np.concatenate([step[step > 0] for step in steps])
    return bool((moving <= int(values.max()) / _SMOOTH_STEP).mean() > _NEARLY_ALL)


def bright_part(values: GreyValues) -> _Mask:
    """Return the pixels that are at least half as bright as the brightest one, (H, W) bool."""
    return np.asarray(values >= max(1.0, int(values.max()) / 2))


def _bodies(values: GreyValues) -> _Mask:
    """Return the pixels of regions that are at least 3x3 pixels of one value."""
    import cv2  # late, likewise

    window = np.ones((3, 3), np.uint8)
    flat = (cv2.erode(values, window) == cv2.dilate(values, window)).astype(np.uint8)
    # All neighbours of a flat pixel have its value, so no other value is reached.
    return np.asarray(cv2.dilate(flat, window) > 0)


def without_slivers(numbers: GreyValues) -> GreyValues:
    """Give the in-between numbers of an index map that was interpolated to the objects they edge.

    Args:
        numbers: (H, W), numbers of objects.

    Returns:
        the same array if it was not interpolated.
    """
    bodies = _bodies(numbers)
    slivers = (numbers > 0) & ~bodies & _between(numbers, 3)
    high = bodies & (numbers > 1)
    via, direct = _touching(high, slivers), _touching(high, numbers == 0)
    if via <= _VIA_TO_DIRECT * direct or not via:
        return numbers
    owners = _nearest(numbers, bodies & (numbers > 0))
    cleaned = numbers.copy()
    # At least half of the object's number: at least half of the pixel is the object's.
    mine = 2 * numbers[slivers].astype(np.int64) >= owners[slivers]
    cleaned[slivers] = np.where(mine, owners[slivers], 0)
    return cleaned


def _touching(one: _Mask, other: _Mask) -> int:
    """Return how many sides of pixels lie between two masks."""
    down = (one[:-1] & other[1:], other[:-1] & one[1:])
    right = (one[:, :-1] & other[:, 1:], other[:, :-1] & one[:, 1:])
    return sum(int(np.count_nonzero(sides)) for sides in (*down, *right))


def _nearest(values: GreyValues, where: _Mask) -> GreyValues:
    """Return for every pixel the value of the nearest pixel in a mask that is not empty."""
    import cv2  # late, likewise

    _, labels = cv2.distanceTransformWithLabels(
        (~where).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(int(labels.max()) + 1, values.dtype)
    table[labels[where]] = values[where]
    nearest: GreyValues = table[labels]
    return nearest


def shades_of_one_colour(colours: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return how bright each pixel is if all are shades of one colour on black; else None.

    Args:
        colours: (H, W, 3), RGB.

    Returns:
        (H, W) uint8, 255 for the full colour.
    """
    flat = colours.reshape(-1, 3)
    brightness = flat.max(1)
    full = flat[brightness >= 0.9 * brightness.max()].astype(np.float32).mean(0)
    share = flat.astype(np.float32) @ full / float(full @ full)
    distance = np.abs(flat - share[:, None] * full).max(1)
    # Some pixels may be further off, where a lossy format has smeared colours.
    if (distance > _ONE_COLOUR).mean() > 0.01:
        return None
    shades = np.clip(255 * share, 0, 255).reshape(colours.shape[:2])
    return np.asarray(shades, np.uint8)


def flat_colours(colours: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], list[int]] | None:
    """Return the regions of a picture of plain colours, numbered; None if it is no such picture.

    Args:
        colours: (H, W, 3), RGB.

    Returns:
        (H, W) uint8, 0 for the background, and the colours of the numbers from 0 on as 0xRRGGBB.
        The background is black, or else the colour that most of the picture's edge has.
    """
    codes = colours.astype(np.int64) @ np.array([65536, 256, 1])
    names, ranks = np.unique(codes, return_inverse=True)
    if len(names) > 65535:
        return None
    ranked = ranks.reshape(codes.shape).astype(np.uint16)
    bodies = _bodies(ranked)
    plain = names[np.unique(ranked[bodies])]
    background = 0 if (plain == 0).any() else _of_edge(codes)
    objects = [int(name) for name in plain if name != background]
    edges = ~bodies & (codes != background)
    if not 1 <= len(objects) <= 255 or edges.mean() > (codes != background).mean() * _MOSTLY:
        return None
    table = np.array([background, *objects])
    numbers = _nearest_colours(colours, codes, table, bodies)
    return numbers, table.tolist()


def _of_edge(codes: NDArray[np.int64]) -> int:
    edge = np.concatenate([codes[0], codes[-1], codes[:, 0], codes[:, -1]])
    names, counts = np.unique(edge, return_counts=True)
    return int(names[counts.argmax()])


def _nearest_colours(
    colours: NDArray[np.uint8], codes: NDArray[np.int64], table: NDArray[np.int64], bodies: _Mask
) -> NDArray[np.uint8]:
    numbers = np.zeros(codes.shape, np.uint8)
    for number, code in enumerate(table):
        numbers[codes == code] = number
    # Mixed colours stand on edges: each goes to the object beside it or to the background,
    # whichever it is more like.
    mixed = ~np.isin(codes, table)
    if mixed.any():
        rgb = (table[:, None] >> np.array([16, 8, 0]) & 255).astype(np.int32)
        owners = _nearest(numbers, bodies & (numbers > 0))[mixed]
        pixels = colours[mixed].astype(np.int32)
        to_owner = ((pixels - rgb[owners]) ** 2).sum(1)
        to_background = ((pixels - rgb[0]) ** 2).sum(1)
        numbers[mixed] = np.where(to_owner <= to_background, owners, 0)
    return numbers

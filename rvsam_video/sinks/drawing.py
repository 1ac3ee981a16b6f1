"""Masks, contours, points, trails and object ids drawn onto a frame."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.results import FrameResult, ObjectResult, PointState, PointTable
from rvsam_video.sinks.colours import drawing_colour, point_colour

Colour = tuple[int, int, int]

MASK_OPACITY = 0.42
"""Share of the object's colour inside its mask: clearly tinted, the picture still readable."""

_REFERENCE_SIDE = 480.0
"""Shorter side in pixels at which strokes have their base width; they grow with the picture."""

_SUBPIXEL_BITS = 4
"""OpenCV takes fixed-point coordinates; 1/16 pixel keeps slow points from jumping."""

_WHITE: Colour = (255, 255, 255)
_DARK: Colour = (20, 20, 20)
_FONT = cv2.FONT_HERSHEY_DUPLEX


def draw_overlay(result: FrameResult) -> Image:
    """Draw everything known about a frame onto a copy of its picture.

    Masks are tinted and outlined in their object's colour. Points used as prompts are filled
    dots, hidden ones hollow rings, negative ones crosses; points outside the picture are left
    out. Each visible object carries its id. Points with trails are drawn for themselves, see
    `draw_trails`.

    Args:
        result: one frame's result; not changed.

    Returns:
        (H, W, 3) uint8, RGB, of the frame's size.
    """
    canvas: Image = np.array(result.image, dtype=np.uint8, order="C")
    scale = max(1.0, min(canvas.shape[:2]) / _REFERENCE_SIDE)
    # All masks, then points, then labels: what is small must not be covered.
    boxes = {item.object_id: _draw_mask(canvas, item, scale) for item in result.objects}
    if result.trails is None:
        _draw_points(canvas, result.points, scale)
    else:
        draw_trails(canvas, result.points, result.trails, scale)
    for object_id, box in boxes.items():
        if box is not None:
            _draw_label(canvas, object_id, box, scale)
    return canvas


# Results compare by identity, so this holds one frame and never a wrong one.
@lru_cache(maxsize=1)
def shared_overlay(result: FrameResult) -> Image:
    """Return `draw_overlay` of a result, drawn once for all outputs that show it; read-only."""
    overlay = draw_overlay(result)
    # An output that drew on it would change what the next one writes.
    overlay.flags.writeable = False
    return overlay


def _draw_mask(canvas: Image, item: ObjectResult, scale: float) -> tuple[int, int, int, int] | None:
    """Tint and outline one mask; return its bounding box x, y, width, height, None if empty."""
    # Seen as bytes: OpenCV knows no bool, and a copy of every mask would cost a pass.
    mask = np.ascontiguousarray(item.mask).view(np.uint8)
    x, y, width, height = cv2.boundingRect(mask)
    if width == 0:
        return None
    colour = drawing_colour(item.object_id)
    # In the box only: most objects cover a small part of the picture.
    inside = mask[y : y + height, x : x + width]
    window = canvas[y : y + height, x : x + width]
    tint = np.full_like(window, colour)
    blended = cv2.addWeighted(window, 1 - MASK_OPACITY, tint, MASK_OPACITY, 0)
    cv2.copyTo(blended, inside, window)
    # With holes: the inner edge is an edge of the mask, too.
    contours, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y))
    # Dark below bright, so that the line shows on any ground.
    cv2.drawContours(canvas, contours, -1, _DARK, round(3 * scale), cv2.LINE_AA)
    cv2.drawContours(canvas, contours, -1, colour, round(2 * scale), cv2.LINE_AA)
    return x, y, width, height


def _draw_points(canvas: Image, points: PointTable, scale: float) -> None:
    """Draw the points that lie in the picture, hidden ones first so that they never cover."""
    height, width = canvas.shape[:2]
    # First: comparisons with NaN are false, but a lost point may also be infinitely far away.
    near = np.isfinite(points.xy).all(axis=1)
    near &= ((points.xy >= 0) & (points.xy <= (width - 1, height - 1))).all(axis=1)
    near &= points.states != PointState.OUTSIDE
    for row in sorted(np.flatnonzero(near), key=lambda row: bool(points.visible[row])):
        colour = drawing_colour(int(points.object_ids[row]))
        draw = _draw_dot if points.labels[row] == 1 else _draw_cross
        draw(canvas, points.xy[row], colour, bool(points.visible[row]), scale)


def _fixed(value: float) -> int:
    return round(float(value) * (1 << _SUBPIXEL_BITS))


def _draw_dot(
    canvas: Image, xy: NDArray[np.float32], colour: Colour, used: bool, scale: float
) -> None:
    """Draw a positive point: a filled dot with a white rim, or a hollow ring."""
    centre = (_fixed(xy[0]), _fixed(xy[1]))

    def disc(radius: float, paint: Colour, thickness: int) -> None:
        size = _fixed(radius * scale)
        cv2.circle(canvas, centre, size, paint, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)

    if used:
        disc(5.0, _DARK, cv2.FILLED)
        disc(4.2, _WHITE, cv2.FILLED)
        disc(3.0, colour, cv2.FILLED)
    else:
        disc(5.5, _DARK, round(4 * scale))
        disc(5.5, colour, round(2 * scale))


def _draw_cross(
    canvas: Image, xy: NDArray[np.float32], colour: Colour, used: bool, scale: float
) -> None:
    """Draw a negative point: a cross, in white rim if it is used, thin if it is hidden."""
    arm = 4.0 * scale
    strokes = (
        ((_DARK, 5.0), (_WHITE, 3.6), (colour, 1.8)) if used else ((_DARK, 3.6), (colour, 1.5))
    )
    for paint, thickness in strokes:
        for slope in (-1, 1):
            ends = [
                (_fixed(xy[0] + sign * arm), _fixed(xy[1] + sign * slope * arm)) for sign in (-1, 1)
            ]
            width = max(1, round(thickness * scale))
            cv2.line(canvas, ends[0], ends[1], paint, width, cv2.LINE_AA, _SUBPIXEL_BITS)


def _draw_label(
    canvas: Image, object_id: int, box: tuple[int, int, int, int], scale: float
) -> None:
    """Write the object's id in a tag on the top edge of its box, kept inside the picture."""
    text, size, stroke = str(object_id), 0.5 * scale, max(1, round(scale))
    (width, height), _ = cv2.getTextSize(text, _FONT, size, stroke)
    margin = round(5 * scale)
    tag_width, tag_height = width + 2 * margin, height + 2 * margin
    left = int(np.clip(box[0] + (box[2] - tag_width) // 2, 0, canvas.shape[1] - tag_width))
    top = int(np.clip(box[1] - tag_height - margin, 0, canvas.shape[0] - tag_height))
    colour = drawing_colour(object_id)
    corner = (left + tag_width, top + tag_height)
    cv2.rectangle(canvas, (left, top), corner, colour, cv2.FILLED)
    cv2.rectangle(canvas, (left, top), corner, _DARK, max(1, round(scale)))
    origin = (left + margin, top + margin + height)
    cv2.putText(canvas, text, origin, _FONT, size, _text_colour(colour), stroke, cv2.LINE_AA)


def _text_colour(background: Colour) -> Colour:
    """Return black or white, whichever reads better; luma weights of ITU-R BT.601."""
    luma = 0.299 * background[0] + 0.587 * background[1] + 0.114 * background[2]
    return _DARK if luma > 140 else _WHITE


_LARGEST, _SMALLEST = 4.0, 1.5
"""Radii of dots in pixels of a picture of 480 lines: few points are large, thousands small."""

_SHARE = 0.12
"""Radius as a share of the mean distance between points, so that a full grid leaves gaps."""


def draw_trails(
    canvas: Image, points: PointTable, trails: NDArray[np.float32], scale: float
) -> None:
    """Draw trails and points onto a picture: seen ones filled, hidden ones hollow.

    Args:
        canvas: (H, W, 3) uint8, RGB; is drawn on.
        points: N points of this frame.
        trails: (N, L, 2) float32, places of the last L frames, NaN where a point was not seen.
        scale: stroke width relative to a picture of 480 lines.
    """
    stroke = max(1, round(scale))
    for number, trail in zip(points.ids.tolist(), trails, strict=True):
        # OpenCV draws integers, and NaN turned into one is a place far off.
        for way in _unbroken(trail):
            fixed = np.rint(way * (1 << _SUBPIXEL_BITS)).astype(np.int32)
            colour = point_colour(number)
            cv2.polylines(canvas, [fixed], False, colour, stroke, cv2.LINE_AA, _SUBPIXEL_BITS)
    spacing = float(np.sqrt(canvas.shape[0] * canvas.shape[1] / max(len(points), 1)))
    radius = min(max(_SHARE * spacing, _SMALLEST * scale), _LARGEST * scale)
    # Hidden ones first, so that they never cover a seen one.
    for row in np.flatnonzero(points.states == PointState.HIDDEN).tolist():
        _circle(canvas, points, row, radius, stroke)
    for row in np.flatnonzero(points.visible).tolist():
        _circle(canvas, points, row, radius, cv2.FILLED)


def _unbroken(trail: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Yield the stretches of at least two frames in which a point was seen throughout."""
    seen = np.isfinite(trail[:, 0])
    breaks = np.flatnonzero(seen[1:] != seen[:-1]) + 1
    for way in np.split(trail, breaks):
        if len(way) > 1 and np.isfinite(way[0, 0]):
            yield way


def _circle(canvas: Image, points: PointTable, row: int, radius: float, thickness: int) -> None:
    x, y = (round(float(value) * (1 << _SUBPIXEL_BITS)) for value in points.xy[row])
    size = round(radius * (1 << _SUBPIXEL_BITS))
    colour = point_colour(int(points.ids[row]))
    cv2.circle(canvas, (x, y), size, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)

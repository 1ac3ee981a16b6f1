"""What a crop looks like, and how much each pixel looks like the object."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.grabcut.carrying import Carried
from rvsam_video.segmenters.grabcut.colours import ColourModel, colour_indices
from rvsam_video.segmenters.grabcut.crop import Crop, Map
from rvsam_video.segmenters.grabcut.local_colours import LocalColours, coarse_colours
from rvsam_video.segmenters.grabcut.memory import ObjectMemory
from rvsam_video.segmenters.grabcut.motion import Grey
from rvsam_video.segmenters.grabcut.pose import Pose

EVIDENCE_LIMIT = 3.0
"""Most that one model of colours may say: odds of 20 to 1. Colours never seen elsewhere would
else outvote everything."""

_NEAR_CELLS = 16
"""Cells along the longer side of a crop: fine enough for the colours on either side of a limb."""

_PARTS_CELLS = 11
_PARTS_CELL = 0.25
"""Side of a cell in sizes of the object: 11 reach 1.4 sizes from its centre, and blur what
bends and turns by less than a cell."""


@dataclass(frozen=True, slots=True, eq=False)
class Colours:
    """The colours of a crop.

    Attributes:
        image: (height, width, 3) uint8 RGB.
        fine: (height, width) int, bins of `ColourModel`.
        coarse: (height, width) int, bins of `LocalColours`.
        grey: (height, width) uint8, brightness.
    """

    image: Image
    fine: NDArray[np.intp]
    coarse: NDArray[np.intp]
    grey: Grey

    @classmethod
    def of(cls, image: Image, crop: Crop) -> Colours:
        """Take the colours of a crop of an (H, W, 3) RGB picture."""
        part = crop.take(image)
        lab = np.asarray(cv2.cvtColor(part, cv2.COLOR_RGB2LAB), np.uint8)
        grey = np.asarray(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), np.uint8)
        return cls(part, colour_indices(lab), coarse_colours(lab), grey)


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """How much each pixel of a crop looks like the object: logs of ratios, (h, w) float32.

    Attributes:
        anywhere: by its colour alone.
        parts: by what was seen at this part of the object.
        here: by what was seen right here in the frame before, as far as motion is known.
    """

    anywhere: Map
    parts: Map
    here: Map


def likeness(
    colours: Colours,
    memory: ObjectMemory,
    carried: Carried,
    where: NDArray[np.bool_],
    recent: float,
) -> Likeness:
    """Compare a crop with what is remembered of the object.

    The models back each other off: what was seen in this place decides; colours that were not
    seen there are judged by the model of the wider place.

    Args:
        colours: of the crop.
        memory: of the object.
        carried: where the object is expected.
        where: (height, width) bool, pixels to compare; the others get 0.
        recent: share of the recent colours against those of the user's frame.
    """
    # The user's frame keeps most of the weight: what was learnt since may hold mistakes.
    model = memory.anchor.blend(memory.recent, recent)
    # Only the pixels asked for: the others cannot become the object, whatever they look like.
    coarse, trust = colours.coarse[where], carried.trust[where]
    anywhere = _limited(model.evidence()[colours.fine[where]])
    place = _parts_place(carried.pose, _chosen(carried.grid, where))
    parts = _limited(memory.parts.evidence(coarse, place, anywhere))
    # At the origins: what lies here now is judged by the colours of where it came from.
    place = _near_place(memory.last.crop, _chosen(carried.origins, where))
    near = _limited(memory.near.evidence(coarse, place, parts))
    # Where motion is unknown the last frame's colours belong to another place.
    here = trust * near + (1 - trust) * parts
    return Likeness(*(_spread_out(values, where) for values in (anywhere, parts, here)))


def _chosen(grid: tuple[Map, Map], where: NDArray[np.bool_]) -> tuple[Map, Map]:
    return grid[0][where], grid[1][where]


def _spread_out(values: NDArray[np.float32], where: NDArray[np.bool_]) -> Map:
    whole = np.zeros(where.shape, np.float32)
    whole[where] = values
    return whole


def typical_likeness(colours: Colours, model: ColourModel, inside: NDArray[np.bool_]) -> float:
    """Return how much an object looks like itself on average: the scale of later comparisons."""
    return float(_limited(model.evidence()[colours.fine])[inside].mean())


def learn_near(colours: Colours, crop: Crop, on: Map) -> LocalColours:
    """Learn the colours by place in the picture; `on` is (height, width) in [0, 1]."""
    place = _near_place(crop, crop.grid())
    return LocalColours.learn(colours.coarse, place, on, (_NEAR_CELLS, _NEAR_CELLS))


def learn_parts(colours: Colours, crop: Crop, on: Map, pose: Pose) -> LocalColours:
    """Learn the colours by place on the object; `on` is (height, width) in [0, 1]."""
    place = _parts_place(pose, crop.grid())
    return LocalColours.learn(colours.coarse, place, on, (_PARTS_CELLS, _PARTS_CELLS))


def _near_place(crop: Crop, places: tuple[Map, Map]) -> tuple[Map, Map]:
    cell = max(crop.x1 - crop.x0, crop.y1 - crop.y0) / _NEAR_CELLS
    unit = np.float32(1 / cell)
    return (
        # Cell centres are whole numbers, as `LocalColours` wants them; pixel centres are, too.
        (places[0] - np.float32(crop.x0 - 0.5)) * unit - np.float32(0.5),
        (places[1] - np.float32(crop.y0 - 0.5)) * unit - np.float32(0.5),
    )


def _parts_place(pose: Pose, grid: tuple[Map, Map]) -> tuple[Map, Map]:
    return pose.place(grid, _PARTS_CELL, (_PARTS_CELLS, _PARTS_CELLS))


def _limited(evidence: Map) -> Map:
    return np.clip(evidence, -EVIDENCE_LIMIT, EVIDENCE_LIMIT)

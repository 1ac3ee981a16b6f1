"""`GrabCut`: a segmenter without weights, on dense motion, colours and a minimum cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.band_cut import cut, edge_costs, signed_distance
from rvsam_video.segmenters.base import MaskPrediction, ObjectPrompt
from rvsam_video.segmenters.colour_models import ColourModel, colour_indices
from rvsam_video.segmenters.crop import Crop, Map
from rvsam_video.segmenters.dense_motion import Picture
from rvsam_video.segmenters.first_mask import mask_from_box, mask_from_clicks
from rvsam_video.segmenters.local_colours import LocalColours, coarse_colours
from rvsam_video.segmenters.object_memory import ObjectMemory

_LOGIT_LIMIT = 10.0
_FAR = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GrabCutSettings:
    """How masks are carried on and cut anew.

    Attributes:
        flow_side: longest side of the picture that motion is measured in.
        most_pixels: most pixels of the grid that an object is cut in.
        prior_spread: pixels from the moved boundary at which its word weighs 1.
        stiffness: cost of a boundary between two equal pixels.
        global_weight: weight of the colour models of the whole object.
        local_weight: weight of the colours by place.
        clip: most that one model may say.
        rounds: iterations of the cut.
        recent_rate: share of a new frame in the recent colours.
        recent_share: share of the recent colours against those of the prompt.
        point_weight: weight of a tracked point.
        band: how far from the moved boundary the mask may change, in sizes of the object.
        strength: scale of all evidence and costs.
    """

    flow_side: int = 427
    most_pixels: int = 256 * 256
    prior_spread: float = 4.0
    stiffness: float = 2.0
    global_weight: float = 0.5
    local_weight: float = 1.0
    clip: float = 3.0
    rounds: int = 40
    recent_rate: float = 0.1
    recent_share: float = 0.5
    point_weight: float = 3.0
    band: float = 0.15
    strength: float = 0.3


class GrabCut:
    """Masks that move with the picture and are cut anew in each frame.

    Attributes:
        name: registry name.
    """

    name: str = "grabcut"

    def __init__(self, settings: GrabCutSettings | None = None) -> None:
        """Keep the settings; `None` takes the defaults."""
        self.settings = settings or GrabCutSettings()

    def embed(self, image: Image) -> Picture:
        """Do the work that all objects of a picture share; `image` is (H, W, 3) uint8 RGB."""
        return Picture.of(image, self.settings.flow_side)

    def predict(self, embedding: Picture, prompts: Sequence[ObjectPrompt]) -> list[MaskPrediction]:
        """Segment all objects of a picture, each by itself; one prediction per prompt."""
        return [self._predict_one(embedding, prompt) for prompt in prompts]

    def _predict_one(self, picture: Picture, prompt: ObjectPrompt) -> MaskPrediction:
        if prompt.mask is not None:
            return self._begin(picture, prompt.mask, 1.0)
        image, points, labels = picture.image, prompt.points, prompt.labels
        if prompt.box is not None:
            return self._begin(picture, mask_from_box(image, prompt.box, points, labels), 0.8)
        if prompt.memory:
            return self._go_on(picture, prompt, ObjectMemory.from_arrays(prompt.memory))
        if np.any(labels == 1):
            return self._begin(picture, mask_from_clicks(image, points, labels), 0.7)
        return _nothing(picture, None)

    def _begin(self, picture: Picture, mask: NDArray[np.bool_], score: float) -> MaskPrediction:
        if not mask.any():
            return _nothing(picture, None)
        crop = self._crop(picture, bounds(mask), float(np.sqrt(mask.sum())))
        whole = signed_distance(mask)
        on = crop.take_map(mask.astype(np.float32))
        part = crop.take(picture.image)
        model = ColourModel.learn(colour_indices(part), on, 1 - on)
        signed = crop.take_map(whole)
        memory = self._remember(picture, crop, part, signed, model, model)
        return MaskPrediction(np.clip(whole, -_LOGIT_LIMIT, _LOGIT_LIMIT), score, memory.arrays())

    def _crop(self, picture: Picture, box: NDArray[np.float64], size: float) -> Crop:
        return Crop.around(box, picture.size, max(20, 0.3 * size), self.settings.most_pixels)

    def _remember(
        self,
        picture: Picture,
        crop: Crop,
        part: Image,
        signed: Map,
        anchor: ColourModel,
        recent: ColourModel,
    ) -> ObjectMemory:
        on = (signed > 0).astype(np.float32)
        area = float(on.sum()) / crop.scale**2
        cell = max(8.0, 0.12 * float(np.sqrt(area)))
        local = LocalColours.learn(coarse_colours(part), crop.grid(), on, cell)
        return ObjectMemory(picture.grey, crop, signed, anchor, recent, local, area)

    def _go_on(
        self, picture: Picture, prompt: ObjectPrompt, memory: ObjectMemory
    ) -> MaskPrediction:
        s = self.settings
        motion = picture.motion_since(memory.grey)
        height, width = picture.grey.shape
        whole = Crop(0, 0, *picture.size, width, height)
        x, y = whole.grid()
        fx, fy = picture.size[0] / width, picture.size[1] / height
        moved = memory.crop.sample(
            memory.signed, x + motion.back[..., 0] * fx, y + motion.back[..., 1] * fy, -_FAR
        )
        if not (moved > 0).any():
            return _nothing(picture, memory)
        box = bounds(moved > 0) * np.array([fx, fy, fx, fy])
        size = float(np.sqrt(memory.area))
        crop = self._crop(picture, box, size)
        x, y = crop.grid()
        old_x = x + fx * whole.sample(motion.back[..., 0].copy(), x, y, 0)
        old_y = y + fy * whole.sample(motion.back[..., 1].copy(), x, y, 0)
        phi = memory.crop.sample(memory.signed, old_x, old_y, -_FAR)
        phi = (signed_distance(phi > 0) / crop.scale).astype(np.float32)
        part = crop.take(picture.image)
        colours = colour_indices(part)
        model = memory.anchor.blend(memory.recent, s.recent_share)
        everywhere = np.clip(model.evidence()[colours], -s.clip, s.clip)
        here = memory.local.look_up(coarse_colours(part), old_x, old_y)
        evidence = np.clip(phi / s.prior_spread, -4, 4)
        evidence += s.global_weight * everywhere
        evidence += s.local_weight * np.clip(here, -s.clip, s.clip)
        self._point_out(evidence, crop, prompt)
        band = max(6.0, s.band * size)
        evidence[phi > band] = _LOGIT_LIMIT
        evidence[phi < -band] = -_LOGIT_LIMIT
        across, down = edge_costs(part, s.stiffness * s.strength)
        inside = cut(evidence * np.float32(s.strength), across, down, s.rounds) > 0.5
        if not inside.any():
            return _nothing(picture, memory)
        on = inside.astype(np.float32)
        phi = (signed_distance(inside) / crop.scale).astype(np.float32)
        fresh = ColourModel.learn(colours, on, 1 - on)
        recent = memory.recent.blend(fresh, s.recent_rate)
        new = self._remember(picture, crop, part, phi, memory.anchor, recent)
        logits = crop.paste(np.clip(phi, -_LOGIT_LIMIT, _LOGIT_LIMIT), picture.size, -_LOGIT_LIMIT)
        return MaskPrediction(logits, 0.7, new.arrays())

    def _point_out(self, evidence: Map, crop: Crop, prompt: ObjectPrompt) -> None:
        places = np.round(crop.points(prompt.points)).astype(int).tolist()
        for place, label in zip(places, prompt.labels.tolist(), strict=True):
            near = np.zeros(evidence.shape, np.uint8)
            cv2.circle(near, place, 2, 1, -1)
            weight = self.settings.point_weight
            evidence[near > 0] += weight if label == 1 else -weight


def _nothing(picture: Picture, memory: ObjectMemory | None) -> MaskPrediction:
    kept = memory.arrays() if memory else None
    return MaskPrediction(np.full(picture.size[::-1], -_LOGIT_LIMIT, np.float32), 0.0, kept)


def bounds(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return x0, y0, x1, y1 of the true pixels, corners included."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return np.array([columns[0], rows[0], columns[-1], rows[-1]], np.float64)

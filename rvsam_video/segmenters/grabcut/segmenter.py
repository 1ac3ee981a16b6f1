"""`GrabCut`: a segmenter without weights, on dense motion, colours, texture and a minimum cut.

In the user's frame an object is cut out of its surroundings by its colours. From then on its mask
moves with the picture's dense motion and is cut anew in a band around where it is expected. Six
voices are weighed there: the moved shape, as far as its motion can be trusted; colours, by place
and overall; texture, by a small learner; whether a pixel moves with the object or stays behind;
the user's own mask, carried over from its frame at once wherever it is recognised, so that errors
do not add up; and the tracked points. An object that is not where it should be is looked for near
where it went, until it is found by its colours and shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.base import MaskPrediction, ObjectPrompt
from rvsam_video.segmenters.grabcut.appearance import (
    Colours,
    learn_near,
    learn_parts,
    likeness,
    typical_likeness,
)
from rvsam_video.segmenters.grabcut.band_cut import signed_distance
from rvsam_video.segmenters.grabcut.carrying import (
    Carried,
    bounds,
    carry,
    carry_back,
    crop_around,
)
from rvsam_video.segmenters.grabcut.colours import ColourModel
from rvsam_video.segmenters.grabcut.corrections import corrected
from rvsam_video.segmenters.grabcut.crop import Map
from rvsam_video.segmenters.grabcut.first_mask.choice import (
    FirstMask,
    mask_from_box,
    mask_from_clicks,
    masks_from_clicks,
)
from rvsam_video.segmenters.grabcut.first_mask.views import LearnedMaps
from rvsam_video.segmenters.grabcut.learned_features import LearnedFeatures
from rvsam_video.segmenters.grabcut.memory import ObjectMemory, Shape
from rvsam_video.segmenters.grabcut.motion import Picture
from rvsam_video.segmenters.grabcut.pose import Pose
from rvsam_video.segmenters.grabcut.recutting import Recut, recut, signed_over, within_reach
from rvsam_video.segmenters.grabcut.relocation import find_again
from rvsam_video.segmenters.grabcut.settings import GrabCutSettings
from rvsam_video.segmenters.grabcut.texture import Features, TextureModel, texture_features

__all__ = ["GrabCut", "GrabCutSettings"]

_LOGIT_LIMIT = 10.0
"""A logit is a pixel's distance from the boundary; farther than this, no more is to be said."""

_COMPLETE = 0.95
"""Share of its area from which an object counts as unhidden, so that its pose may follow its mask
quickly."""

_GIVEN_SCORE, _CORRECTED_SCORE = 1.0, 0.7
"""Scores of the user's own mask, which is true, and of one that a click has mended."""


class GrabCut:
    """Masks that move with the picture and are cut anew in each frame.

    Every object is segmented by itself: which others are asked for changes nothing but the
    points that the prompt holds. All that is remembered is in the predictions' memories.

    Attributes:
        name: registry name; "grabcut+" with learned features.
        settings: constants.
    """

    name: str = "grabcut"

    def __init__(
        self, settings: GrabCutSettings | None = None, features: LearnedFeatures | None = None
    ) -> None:
        """Keep the settings, `None` takes the defaults; `features` help with clicks."""
        self.settings = settings or GrabCutSettings()
        self._features = features
        if features is not None:
            self.name = "grabcut+"

    def embed(self, image: Image) -> Picture:
        """Do the work that all objects of a picture share; `image` is (H, W, 3) uint8 RGB."""
        return Picture.of(image, self.settings.flow_side)

    def predict(self, embedding: Picture, prompts: Sequence[ObjectPrompt]) -> list[MaskPrediction]:
        """Segment all objects of a picture; one prediction per prompt, in order."""
        return [self._predict_one(embedding, prompt) for prompt in prompts]

    def _predict_one(self, picture: Picture, prompt: ObjectPrompt) -> MaskPrediction:
        image, points, labels = picture.image, prompt.points, prompt.labels
        # Before the memory: what the user says of this very frame overrules what was carried here.
        if prompt.mask is not None:
            return self._begin(picture, prompt, prompt.mask, _GIVEN_SCORE)
        if prompt.box is not None:
            first = mask_from_box(image, prompt.box, points, labels)
            return self._begin(picture, prompt, first.mask, first.score)
        if prompt.memory is not None:
            return self._go_on(picture, prompt, ObjectMemory.from_arrays(prompt.memory))
        if np.any(labels == 1):
            first = mask_from_clicks(image, points, labels, self._seen(image))
            return self._begin(picture, prompt, first.mask, first.score)
        return _nothing(picture, None)

    def first_masks(
        self, image: Image, points: NDArray[np.float32], labels: NDArray[np.int8]
    ) -> list[FirstMask]:
        """Return what clicks may mean, the likeliest first: 1 to 3 masks that are unlike.

        Args:
            image: (H, W, 3) uint8 RGB.
            points: (N, 2) float32, x then y in pixels.
            labels: (N,) 1 for a point on the object, at least one; 0 for a point beside it.
        """
        return masks_from_clicks(image, points, labels, self._seen(image))

    def _seen(self, image: Image) -> LearnedMaps | None:
        return None if self._features is None else self._features(image)

    def _begin(
        self,
        picture: Picture,
        prompt: ObjectPrompt,
        mask: NDArray[np.bool_],
        score: float,
    ) -> MaskPrediction:
        """Take a mask as it is, and learn what the object looks like."""
        if not mask.any():
            return _nothing(picture, None)
        size = float(np.sqrt(mask.sum()))
        crop = crop_around(picture, bounds(mask), size, self.settings.most_pixels)
        on = crop.take_map(mask.astype(np.float32))
        colours = Colours.of(picture.image, crop)
        model = ColourModel.learn(colours.fine, on, 1 - on)
        # A thin object may cover no reduced pixel by half; then the best of them count.
        inside = on >= min(0.5, float(on.max()))
        pose = Pose.of(inside, crop.grid(), crop.scale)
        shape = Shape(crop, signed_over(crop, inside), pose)
        texture = TextureModel.learn(texture_features(colours.image), on)
        memory = ObjectMemory(
            grey=picture.grey,
            pose=pose,
            last=shape,
            full=shape,
            given=shape,
            given_grey=colours.grey,
            anchor=model,
            recent=model,
            near=learn_near(colours, crop, on),
            parts=learn_parts(colours, crop, on, pose),
            texture=texture,
            recent_texture=texture,
            typical=typical_likeness(colours, model, inside),
            lost=0,
            point_ids=prompt.point_ids.copy(),
        )
        # From the mask itself and not from the crop: the user's own pixels come out unchanged.
        logits = np.clip(signed_distance(mask), -_LOGIT_LIMIT, _LOGIT_LIMIT)
        return MaskPrediction(logits, score, memory.arrays())

    def _go_on(
        self, picture: Picture, prompt: ObjectPrompt, memory: ObjectMemory
    ) -> MaskPrediction:
        """Segment an object that is known from the frame before."""
        prediction = self._follow(picture, prompt, memory)
        # Only in a frame that was answered before do new points come from the user for certain.
        # In a new frame they may be tracked ones, and the place of these is not beyond doubt.
        if not np.array_equal(memory.grey, picture.grey):
            return prediction
        mask = corrected(picture.image, prompt, memory, prediction.logits)
        return prediction if mask is None else self._begin(picture, prompt, mask, _CORRECTED_SCORE)

    def _follow(
        self, picture: Picture, prompt: ObjectPrompt, memory: ObjectMemory
    ) -> MaskPrediction:
        """Carry the object on; if that fails, or if it was lost, look for it."""
        settings = self.settings
        if not memory.lost:
            carried = carry(picture, memory, settings.most_pixels, settings.mismatch)
            prediction = self._cut_anew(picture, prompt, memory, carried)
            if prediction is not None:
                return prediction
        # Looked for in the very frame it is missed in; the search reaches as far as one missed
        # frame.
        missing = memory if memory.lost else _missed(memory)
        pose = find_again(
            picture,
            missing,
            prompt.points[prompt.labels == 1],
            recent=settings.recent_share,
            least=settings.found_likeness,
        )
        if pose is not None:
            carried = carry_back(picture, missing, pose, settings.most_pixels)
            prediction = self._cut_anew(picture, prompt, missing, carried)
            if prediction is not None:
                return prediction
        # The new picture is kept all the same, to measure motion from in the next frame.
        return _nothing(picture, replace(_missed(memory), grey=picture.grey))

    def _cut_anew(
        self, picture: Picture, prompt: ObjectPrompt, memory: ObjectMemory, carried: Carried
    ) -> MaskPrediction | None:
        """Segment the object where it is expected; None if it is not there."""
        settings = self.settings
        colours = Colours.of(picture.image, carried.crop)
        # Before anything is compared: whatever were cut out of a black picture would be learnt
        # from.
        if float(colours.grey.std()) < settings.blank * float(memory.given_grey.std()):
            return None
        reachable = within_reach(memory, carried, settings)
        looks = likeness(colours, memory, carried, reachable, settings.recent_share)
        features = texture_features(colours.image)
        model = memory.texture.blend(memory.recent_texture, settings.recent_texture)
        texture = model.evidence(features, reachable)
        found = recut(prompt, memory, carried, colours, looks, texture, reachable, settings)
        # By its colours alone it looks more like what was around it.
        unlike = not found.inside.any() or float(looks.anywhere[found.inside].mean()) < 0
        if unlike or found.fullness < settings.lost_area:
            return None
        memory = self._learn(picture, memory, carried, colours, features, found)
        signed = np.clip(memory.last.signed, -_LOGIT_LIMIT, _LOGIT_LIMIT)
        logits = carried.crop.paste(signed, picture.size, -_LOGIT_LIMIT)
        memory = replace(memory, point_ids=prompt.point_ids.copy())
        return MaskPrediction(logits, found.score, memory.arrays())

    def _learn(
        self,
        picture: Picture,
        memory: ObjectMemory,
        carried: Carried,
        colours: Colours,
        features: Features,
        found: Recut,
    ) -> ObjectMemory:
        """Remember the new frame."""
        settings, crop = self.settings, carried.crop
        on: Map = found.inside.astype(np.float32)
        seen = Pose.of(found.inside, carried.grid, crop.scale)
        complete = found.fullness > _COMPLETE
        # The middle of a half-hidden mask is not the object's: the pose follows that very slowly.
        pose = carried.pose.towards(seen, settings.pose_rate if complete else settings.hidden_rate)
        shape = Shape(crop, signed_over(crop, found.inside), pose)
        fresh = ColourModel.learn(colours.fine, on, 1 - on)
        parts = learn_parts(colours, crop, on, pose)
        return replace(
            memory,
            grey=picture.grey,
            pose=pose,
            last=shape,
            # Else a hidden part would be forgotten and could not come back.
            full=shape if found.fullness > settings.whole else memory.full,
            recent=memory.recent.blend(fresh, settings.recent_rate),
            # Not blended: these are the colours of the last frame by definition.
            near=learn_near(colours, crop, on),
            parts=memory.parts.blend(parts, settings.parts_rate),
            recent_texture=memory.recent_texture.blend(
                TextureModel.learn(features, on), settings.recent_rate
            ),
            lost=0,
        )


def _missed(memory: ObjectMemory) -> ObjectMemory:
    """Remember that the object was not seen; its looks stay as they were."""
    return replace(memory, pose=memory.pose.drifted(), lost=memory.lost + 1)


def _nothing(picture: Picture, memory: ObjectMemory | None) -> MaskPrediction:
    logits = np.full(picture.size[::-1], -_LOGIT_LIMIT, np.float32)
    return MaskPrediction(logits, 0.0, None if memory is None else memory.arrays())

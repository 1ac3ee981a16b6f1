"""The patch filter: a point whose surroundings no longer look as in its query frame is not used.

As in SAM-PT: two patches in CIE-Lab colours have the similarity exp(-distance / (2 side²)). Where
it is not above the threshold the point "differs", and it is not trusted any more beyond that
frame. SAM-PT takes red for blue in the conversion; `swapped_colours` does so too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.results import PointState
from rvsam_video.settings import SegmentationSettings
from rvsam_video.snapshot import Arrays
from rvsam_video.tables import Table, column

States = NDArray[np.int8]


def patches(
    image: Image, xy: NDArray[np.float32], side: int, *, swapped_colours: bool = False
) -> NDArray[np.float32]:
    """Cut the neighbourhoods of points out of a picture, in CIE-Lab.

    Args:
        image: (H, W, 3) uint8, RGB.
        xy: (N, 2) x then y in pixels, pixel centres at whole numbers.
        side: odd, in pixels.
        swapped_colours: take red for blue, as SAM-PT.

    Returns:
        (N, 3 side²) float32; bilinear between pixels, 0 outside the picture.
    """
    import cv2

    height, width = image.shape[:2]
    code = cv2.COLOR_BGR2LAB if swapped_colours else cv2.COLOR_RGB2LAB
    lab = cv2.cvtColor(np.ascontiguousarray(image, np.float32) / np.float32(255), code)
    offsets = np.arange(side) - side // 2
    x, y = np.broadcast_arrays(
        xy[:, 0, None, None] + offsets[None, :], xy[:, 1, None, None] + offsets[:, None]
    )
    left, top = np.floor(x), np.floor(y)
    values = np.zeros((*x.shape, 3), np.float32)
    for across in (0, 1):
        for down in (0, 1):
            columns, rows = (left + across).astype(int), (top + down).astype(int)
            weight = (1 - np.abs(x - columns)) * (1 - np.abs(y - rows))
            weight = np.where(
                (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height), weight, 0
            )
            pixels = lab[rows.clip(0, height - 1), columns.clip(0, width - 1)]
            values += (weight[..., None] * pixels).astype(np.float32)
    return values.reshape(len(xy), -1)


def similarity(patch: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the similarity in [0, 1] of (N, 3 side²) patches to those of the query frame."""
    distance = np.linalg.norm(patch.astype(np.float64) - reference, axis=1)
    return np.asarray(np.exp(-distance / (2 * patch.shape[1] / 3)))


@dataclass(frozen=True, slots=True, eq=False)
class _Looks(Table):
    """What points looked like in their query frames.

    Attributes:
        ids: (N,) int64, rising.
        patches: (N, 3 side²) float32.
        differing: (N,) bool, whether a point is not trusted any more.
    """

    ids: NDArray[np.int64] = field(metadata=column(np.int64))
    patches: NDArray[np.float32] = field(metadata=column(np.float32, "values"))
    differing: NDArray[np.bool_] = field(metadata=column(np.bool_))


class PatchFilter:
    """The filter over a video: what each point looked like, and which are not trusted any more.

    Args:
        side: of a patch, odd, in pixels.
        threshold: least similarity, exclusive.
        swapped_colours: take red for blue, as SAM-PT.
    """

    def __init__(self, side: int, threshold: float, *, swapped_colours: bool) -> None:
        self._side, self._threshold, self._swapped = side, threshold, swapped_colours
        self._looks = _Looks.empty(values=3 * side**2)

    def begin(self, ids: NDArray[np.int64], xy: NDArray[np.float32], image: Image) -> None:
        """Remember what points look like in their query frame.

        Args:
            ids: (N,) rising, and larger than those of all points before.
            xy: (N, 2) x then y in pixels.
            image: (H, W, 3) uint8, RGB.
        """
        looks = _Looks(ids, self._patches(image, xy), np.zeros(len(ids), np.bool_))
        self._looks = self._looks.then(looks)

    def judge(
        self, ids: NDArray[np.int64], xy: NDArray[np.float32], states: States, image: Image
    ) -> States:
        """Return the states with visible points that differ, or once did, marked as such.

        To be called frame by frame, walking away from the points' query frames.

        Args:
            ids: (N,) points that have begun.
            xy: (N, 2) where they are in this picture.
            states: (N,) values of `PointState`.
            image: (H, W, 3) uint8, RGB.
        """
        looks = self._looks
        rows = np.searchsorted(looks.ids, ids)
        late = looks.differing[rows]
        states = np.where(late, PointState.AFTER_PATCH_DIFFERS, states).astype(np.int8)
        asked = np.flatnonzero(states == PointState.VISIBLE)
        if not len(asked):
            return states
        alike = similarity(self._patches(image, xy[asked]), looks.patches[rows[asked]])
        differing = asked[alike <= self._threshold]
        states[differing] = PointState.PATCH_DIFFERS
        looks.differing[rows[differing]] = True
        return states

    def drop(self, ids: NDArray[np.int64]) -> None:
        """Forget points; unknown ids are ignored."""
        self._looks = self._looks.take(~np.isin(self._looks.ids, ids))

    def snapshot(self) -> Arrays:
        """Return what is remembered as plain arrays."""
        return self._looks.to_arrays()

    def restore(self, arrays: Arrays) -> None:
        """Take over what `snapshot` returned."""
        self._looks = _Looks.from_arrays(arrays)

    def _patches(self, image: Image, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        return patches(image, xy, self._side, swapped_colours=self._swapped)


def patch_filter(settings: SegmentationSettings) -> PatchFilter | None:
    """Return the filter that the settings ask for, or None."""
    if settings.patch_threshold is None:
        return None
    size, threshold = settings.patch_size, settings.patch_threshold
    return PatchFilter(size, threshold, swapped_colours=settings.sam_pt_exact)

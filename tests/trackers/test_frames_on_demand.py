"""The pictures of a clip in any order: the right ones, a bounded number, and how often decoded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvsam_video import Frame
from rvsam_video.trackers.frames_on_demand import CHUNK, FramesOnDemand


class Clip:
    """Every picture shows its number; counts what is decoded, and skips frames."""

    def __init__(self, count: int, step: int = 1) -> None:
        self.count, self.step = count, step
        self.begun = self.decoded = 0

    def __call__(self):
        self.begun += 1
        for number in range(self.count):
            self.decoded += 1
            yield Frame(number * self.step, float(number), np.full((1, 1, 3), number, np.uint8))


def shown(picture):
    return int(picture[0, 0, 0])


@given(
    count=st.integers(1, 120),
    step=st.integers(1, 3),
    order=st.lists(st.integers(0, 10**6), max_size=30),
)
def test_any_order_gives_the_pictures_of_the_clip(count, step, order):
    images = FramesOnDemand(Clip(count, step))
    assert len(images) == count
    assert images.indices == [number * step for number in range(count)]
    for wanted in order:
        number = wanted % count
        assert shown(images[number]) == number
        assert shown(images[number - count]) == number
        assert len(images._held) <= CHUNK


def test_forward_decodes_once_and_backward_once_for_each_chunk():
    count = 200
    clip = Clip(count)
    images = FramesOnDemand(clip)
    clip.begun = clip.decoded = 0
    assert [shown(image) for image in images] == list(range(count))
    assert (clip.begun, clip.decoded) == (1, count)
    assert [shown(images[number]) for number in range(count - 1, -1, -1)] == [*range(count)][::-1]
    # The last chunk is still there; each other is read up to its end.
    ends = range(count - CHUNK, 0, -CHUNK)
    assert clip.begun == 1 + len(ends)
    assert clip.decoded == count + sum(ends)


def test_slices_and_frames_that_are_not_there():
    images = FramesOnDemand(Clip(5))
    assert [shown(image) for image in images[3:0:-1]] == [3, 2, 1]
    for number in (5, -6):
        with pytest.raises(IndexError, match=f"no frame {number}; the clip has 5"):
            images[number]

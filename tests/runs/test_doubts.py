"""Which frames to look at: stretches of low scores, and the sentence that names them."""

from __future__ import annotations

import numpy as np
import pytest

from rvsam_video.results import FrameResult, ObjectResult, PointTable
from rvsam_video.runs.doubts import Doubts, doubts_in, sentence

IMAGE = np.zeros((4, 6, 3), np.uint8)


def frame(index: int, scores: dict[int, float], *, prompted: bool = True) -> FrameResult:
    mask = np.ones((4, 6), np.bool_)
    objects = tuple(ObjectResult(key, mask, score, None, prompted) for key, score in scores.items())
    return FrameResult(index, index / 10, IMAGE, objects, PointTable.empty())


def collected(scores: list[float]) -> Doubts:
    doubts = Doubts()
    for index, score in enumerate(scores):
        doubts.add(frame(index, {1: score}))
    return doubts


def test_a_stretch_names_its_ends_and_its_worst_frame() -> None:
    (doubt,) = collected([0.9, 0.4, 0.1, 0.3, 0.9]).stretches()
    assert (doubt.first, doubt.last, doubt.worst, doubt.score) == (1, 3, 2, 0.1)


def test_a_few_good_frames_do_not_split_a_stretch_and_many_do() -> None:
    assert len(collected([0.4, 0.9, 0.9, 0.9, 0.4]).stretches()) == 1
    assert len(collected([0.4, 0.9, 0.9, 0.9, 0.9, 0.4]).stretches()) == 2


def test_the_worst_stretch_comes_first() -> None:
    found = collected([0.4, *[0.9] * 5, 0.2]).stretches()
    assert [doubt.first for doubt in found] == [6, 0]


def test_each_object_has_its_own() -> None:
    doubts = Doubts()
    doubts.add(frame(3, {1: 0.4, 2: 0.9, 7: 0.3}))
    assert {doubt.object_id for doubt in doubts.stretches()} == {1, 7}


def test_what_nobody_looked_for_is_no_doubt() -> None:
    doubts = Doubts()
    doubts.add(frame(0, {1: 0.0}, prompted=False))
    assert not doubts.stretches()


def test_it_goes_on_from_what_was_kept() -> None:
    doubts = Doubts(collected([0.9, 0.4]).to_json())
    doubts.add(frame(2, {1: 0.3}))
    (doubt,) = doubts.stretches()
    assert (doubt.first, doubt.last) == (1, 2)
    assert doubts_in(doubts.to_json()) == (doubt,)


def test_of_very_many_the_worst_are_kept() -> None:
    doubts = Doubts()
    for index in range(60):
        doubts.add(frame(index * 10, {1: 0.1 if index == 0 else 0.4}))
    found = doubts.stretches()
    assert len(found) == 40
    assert found[0].first == 0
    assert any(doubt.first == 590 for doubt in found)


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([0.9, 0.9], ""),
        ([0.9, 0.4], "scored below 0.5, worth a look: frame 1"),
        ([0.4, 0.4, 0.4], "scored below 0.5, worth a look: frames 0-2"),
    ],
)
def test_the_sentence_is_short(scores: list[float], said: str) -> None:
    assert sentence(collected(scores).stretches()) == said

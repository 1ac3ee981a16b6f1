"""The segmenter without weights: first masks, masks that move, and objects that vanish."""

from __future__ import annotations

import io
from collections.abc import Mapping

import cv2
import numpy as np
import pytest

from rvsam_video.segmenters import MaskPrediction, ObjectPrompt, create_segmenter
from rvsam_video.segmenters.base import Memory
from rvsam_video.segmenters.grabcut.segmenter import GrabCut

WIDTH, HEIGHT = 200, 150
RED, BLUE, GREEN = (190, 50, 40), (50, 60, 190), (60, 150, 60)


def _grain(seed: int, strength: float = 25) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (HEIGHT, WIDTH, 1)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return strength * (smooth / smooth.std())[..., None]


def _disc(x: float, y: float, radius: float = 25) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def _scene(*discs: tuple[float, float, tuple[int, int, int]]) -> np.ndarray:
    """Draw grainy discs on a grainy ground; the grain of a disc moves with it."""
    image = np.array(GREEN, np.float32) + _grain(0)
    for number, (x, y, colour) in enumerate(discs):
        skin = np.roll(_grain(number + 1), (round(y), round(x)), (0, 1))
        inside = _disc(x, y)
        image[inside] = (np.array(colour) + skin)[inside]
    return np.clip(image, 0, 255).astype(np.uint8)


def _predict(image: np.ndarray, *prompts: ObjectPrompt) -> list[MaskPrediction]:
    segmenter = GrabCut()
    return segmenter.predict(segmenter.embed(image), prompts)


def _points(xy: object, labels: object) -> dict[str, np.ndarray]:
    places = np.asarray(xy, np.float32).reshape(-1, 2)
    return {
        "points": places,
        "labels": np.asarray(labels, np.int8),
        "point_ids": np.arange(len(places)) + 100,
    }


def _follow(clip: list[np.ndarray], mask: np.ndarray) -> list[MaskPrediction]:
    """Give the mask in the first picture, and no points after it."""
    answers: list[MaskPrediction] = []
    for image in clip:
        given = ObjectPrompt(1, memory=answers[-1].memory) if answers else None
        answers += _predict(image, given or ObjectPrompt(1, mask=mask))
    return answers


def _iou(prediction: MaskPrediction, truth: np.ndarray) -> float:
    mask = prediction.logits > 0
    return float((mask & truth).sum() / max((mask | truth).sum(), 1))


def _same(first: Memory | None, second: Memory | None) -> None:
    assert first is not None
    assert second is not None
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_is_found_under_its_registry_name() -> None:
    assert create_segmenter("grabcut").name == "grabcut"


def test_one_click_gives_the_object() -> None:
    image = _scene((80, 70, RED))
    (answer,) = _predict(image, ObjectPrompt(1, **_points([80, 70], [1])))
    assert _iou(answer, _disc(80, 70)) > 0.9


def test_a_box_gives_the_object() -> None:
    box = np.array([53, 43, 107, 97], np.float32)
    (answer,) = _predict(_scene((80, 70, RED)), ObjectPrompt(1, box=box))
    assert _iou(answer, _disc(80, 70)) > 0.9


def test_a_given_mask_is_kept_to_the_pixel() -> None:
    mask = np.random.default_rng(0).random((HEIGHT, WIDTH)) < 0.3
    (answer,) = _predict(_scene(), ObjectPrompt(1, mask=mask))
    np.testing.assert_array_equal(answer.logits > 0, mask)
    assert answer.score == 1.0


def test_without_any_hint_there_is_no_object() -> None:
    (answer,) = _predict(_scene((80, 70, RED)), ObjectPrompt(1))
    assert not (answer.logits > 0).any()
    assert answer.score == 0.0


def test_a_mask_moves_with_its_object() -> None:
    clip = [_scene((60 + 3 * index, 60 + 2 * index, RED)) for index in range(12)]
    answers = _follow(clip, _disc(60, 60))
    truths = [_disc(60 + 3 * index, 60 + 2 * index) for index in range(12)]
    found = [_iou(answer, truth) for answer, truth in zip(answers, truths, strict=True)]
    assert min(found) > 0.9


def test_logits_are_smooth_and_bounded() -> None:
    clip = [_scene((60 + 3 * index, 60, RED)) for index in range(3)]
    logits = _follow(clip, _disc(60, 60))[-1].logits
    assert logits.shape == (HEIGHT, WIDTH)
    assert logits.dtype == np.float32
    assert np.abs(logits).max() <= 10
    assert np.abs(np.diff(logits, axis=1)).max() < 2.5


def test_touching_objects_part_where_they_touch() -> None:
    image = _scene((60, 70, RED), (110, 70, BLUE))
    left, right = _disc(60, 70), _disc(110, 70) & ~_disc(60, 70)
    answers = _predict(image, ObjectPrompt(1, mask=left), ObjectPrompt(2, mask=right))
    for index in range(1, 6):
        image = _scene((60 + 2 * index, 70, RED), (110 + 2 * index, 70, BLUE))
        answers = _predict(
            image,
            ObjectPrompt(1, memory=answers[0].memory),
            ObjectPrompt(2, memory=answers[1].memory),
        )
    first_wins = answers[0].logits > np.maximum(answers[1].logits, 0)
    second_wins = answers[1].logits > np.maximum(answers[0].logits, 0)
    truth_left = np.roll(left, 10, 1)
    truth_right = np.roll(right, 10, 1)
    assert (first_wins & truth_left).sum() > 0.9 * truth_left.sum()
    assert (second_wins & truth_right).sum() > 0.9 * truth_right.sum()


def test_a_vanished_object_is_reported_and_found_again() -> None:
    there, gone = _scene((80, 70, RED)), _scene()
    answers = _follow([there, there, gone, gone, gone, there, there], _disc(80, 70))
    empty = [not (answer.logits > 0).any() for answer in answers]
    assert empty == [False, False, True, True, True, False, False]
    assert all(answer.score == 0 for answer in answers[2:5])
    assert _iou(answers[-1], _disc(80, 70)) > 0.8


def test_looks_are_not_learnt_while_the_object_is_gone() -> None:
    there, gone = _scene((80, 70, RED)), _scene()
    answers = _follow([there, gone, gone], _disc(80, 70))
    first, last = answers[1].memory, answers[2].memory
    assert first is not None
    assert last is not None
    for name in ("anchor", "recent", "near", "parts"):
        np.testing.assert_array_equal(first[name], last[name])


def test_a_black_frame_in_the_middle_does_no_lasting_harm() -> None:
    image = _scene((80, 70, RED))
    answers = _follow([image, image, np.zeros_like(image), image, image], _disc(80, 70))
    assert _iou(answers[-1], _disc(80, 70)) > 0.8


def test_a_partly_hidden_object_is_whole_again_after() -> None:
    clip, bars, truth = [], [], _disc(80, 70)
    for index in range(16):
        left = 30 + 8 * index
        bars.append(_columns(left, left + 24))
        clip.append(np.where(bars[-1][..., None], np.uint8(120), _scene((80, 70, RED))))
    answers = _follow(clip, truth)
    masks = [answer.logits > 0 for answer in answers]
    assert all(mask.any() for mask in masks)
    for mask, bar in zip(masks[1:], bars[1:], strict=True):
        assert (mask & bar).sum() < 0.1 * truth.sum()
    assert _iou(answers[-1], truth) > 0.95


def _columns(left: int, right: int) -> np.ndarray:
    chosen = np.zeros((HEIGHT, WIDTH), bool)
    chosen[:, left:right] = True
    return chosen


@pytest.mark.parametrize(("click", "label"), [((140, 70), 1), ((60, 70), 0)])
def test_a_click_in_an_answered_frame_corrects_it(click: tuple[int, int], label: int) -> None:
    image = _scene((60, 70, RED), (140, 70, BLUE))
    left, right = _disc(60, 70), _disc(140, 70)
    mask = left if label == 1 else left | right
    (before,) = _predict(image, ObjectPrompt(1, mask=mask))
    (after,) = _predict(image, ObjectPrompt(1, memory=before.memory, **_points(click, [label])))
    assert _iou(after, left | right if label == 1 else right) > 0.85


def test_number_and_order_of_objects_change_nothing() -> None:
    first, second = _scene((60, 70, RED), (130, 70, BLUE)), _scene((63, 70, RED), (127, 70, BLUE))
    masks = {1: _disc(60, 70), 2: _disc(130, 70)}
    starts = {key: _predict(first, ObjectPrompt(key, mask=mask))[0] for key, mask in masks.items()}
    prompts = {key: ObjectPrompt(key, memory=start.memory) for key, start in starts.items()}
    (alone,) = _predict(second, prompts[2])
    _, after = _predict(second, prompts[1], prompts[2])
    before, _ = _predict(second, prompts[2], prompts[1])
    for other in (after, before):
        np.testing.assert_array_equal(alone.logits, other.logits)
        assert alone.score == other.score
        _same(alone.memory, other.memory)


def _saved(memory: Memory | None) -> Mapping[str, np.ndarray]:
    assert memory is not None
    file = io.BytesIO()
    np.savez(file, **memory)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        return dict(loaded)


def test_goes_on_from_a_saved_memory_to_the_last_bit() -> None:
    there, gone = _scene((80, 70, RED)), _scene()
    clip = [there, _scene((84, 70, RED)), gone, gone, _scene((84, 72, RED)), there]
    straight = _follow(clip, _disc(80, 70))
    answer = straight[0]
    for image, expected in zip(clip[1:], straight[1:], strict=True):
        (answer,) = _predict(image, ObjectPrompt(1, memory=_saved(answer.memory)))
        np.testing.assert_array_equal(answer.logits, expected.logits)
        assert answer.score == expected.score
        _same(answer.memory, expected.memory)


def test_the_same_question_has_the_same_answer_whatever_the_random_state() -> None:
    image = _scene((80, 70, RED))
    prompt = ObjectPrompt(1, box=np.array([53, 43, 107, 97], np.float32))
    cv2.setRNGSeed(1)
    (first,) = _predict(image, prompt)
    cv2.setRNGSeed(12345)
    (second,) = _predict(image, prompt)
    np.testing.assert_array_equal(first.logits, second.logits)


def _one_pixel() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[0, 0] = True
    return mask


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros((HEIGHT, WIDTH), bool),
        np.ones((HEIGHT, WIDTH), bool),
        _one_pixel(),
        _disc(0, 0),
        _disc(100, 70, 2),
    ],
    ids=["empty", "full", "one pixel", "corner", "tiny"],
)
@pytest.mark.parametrize("grey", [False, True], ids=["scene", "grey"])
def test_any_mask_can_be_followed(mask: np.ndarray, grey: bool) -> None:
    image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8) if grey else _scene((80, 70, RED))
    for answer in _follow([image, image, image], mask)[1:]:
        assert np.isfinite(answer.logits).all()
        assert 0 <= answer.score <= 1


@pytest.mark.parametrize("place", [(0, 0), (WIDTH - 1, HEIGHT - 1), (-30, 20), (500, 500)])
@pytest.mark.parametrize("label", [0, 1])
def test_points_may_lie_on_the_border_and_beyond(place: tuple[int, int], label: int) -> None:
    image = _scene((80, 70, RED))
    (start,) = _predict(image, ObjectPrompt(1, mask=_disc(80, 70)))
    moved = _scene((83, 70, RED))
    prompt = ObjectPrompt(1, memory=start.memory, **_points(place, [label]))
    (answer,) = _predict(moved, prompt)
    assert _iou(answer, _disc(83, 70)) > 0.85


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (40, 3), (17, 16)])
def test_tiny_pictures_do_no_harm(size: tuple[int, int]) -> None:
    width, height = size
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    mask = np.zeros((height, width), bool)
    mask[: height // 2 + 1, : width // 2 + 1] = True
    for answer in _follow([image, image, image], mask):
        assert answer.logits.shape == (height, width)


def test_what_is_remembered_does_not_grow() -> None:
    clip = [_scene((60 + index, 70, RED)) for index in range(10)]
    sizes = [
        sum(item.nbytes for item in (answer.memory or {}).values())
        for answer in _follow(clip, _disc(60, 70))
    ]
    assert max(sizes[1:]) < 1.2 * sizes[1]

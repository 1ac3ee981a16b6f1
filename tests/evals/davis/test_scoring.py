"""Frames, objects and masks that are missing, late, too many or odd: the rules of DAVIS."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from rvsam_video.errors import SourceError
from rvsam_video.evals.davis.layout import find_davis
from rvsam_video.evals.davis.scores import score_davis
from rvsam_video.evals.davis.scoring import score_sequence


def scores(tree, **options):
    found = score_sequence(
        tree.sequence(options.get("task", "semi-supervised")), tree.results, **options
    )
    return found.j.tolist(), found.f.tolist()


def test_the_first_and_last_frame_do_not_count(tree):
    square = tree.square()
    tree.write([square] * 4, [None, square, square, None])
    assert scores(tree) == ([[1, 1]], [[1, 1]])
    tree.write([square] * 4, [tree.square(9), square, square, tree.square(9)])
    assert scores(tree) == ([[1, 1]], [[1, 1]])


def test_extra_files_do_not_matter(tree):
    square = tree.square()
    tree.write([square] * 3, [square] * 8)
    assert scores(tree) == ([[1]], [[1]])


def test_the_first_annotation_says_how_many_objects_there_are(tree):
    square, late = tree.square(), tree.square()
    late[9:11, 12:15] = 2
    tree.write([square, late, square], [None, square, None])
    assert scores(tree) == ([[1]], [[1]])


def test_numbers_that_the_first_annotation_leaves_out_count_as_empty_objects(tree):
    three = tree.square(3)
    tree.write([three] * 3, [None, three, None])
    assert scores(tree) == ([[1], [1], [1]], [[1], [1], [1]])


def test_an_object_that_is_away_must_not_be_found(tree):
    square, empty = tree.square(), np.zeros((12, 16), np.uint8)
    tree.write([square, empty, empty, square, square], [None, empty, square, empty, None])
    assert scores(tree) == ([[1, 0, 0]], [[1, 0, 0]])


def test_void_is_background_unless_the_task_is_unsupervised(tree):
    square = tree.square()
    void = square.copy()
    void[3:8, 9:13] = 255
    wide = (void > 0).astype(np.uint8)
    tree.write([void] * 3, [wide] * 3)
    ((semi,),), _ = scores(tree)
    assert semi == 25 / 45
    assert scores(tree, task="unsupervised") == ([[1, 1, 1]], [[1, 1, 1]])


def test_proposals_are_given_to_the_objects_they_fit_best(tree):
    truth, found = tree.square(), tree.square(7)
    truth[9:11, 12:15], found[9:11, 12:15] = 2, 4
    tree.write([truth] * 2, [found] * 2)
    assert scores(tree, task="unsupervised") == ([[1, 1], [1, 1]], [[1, 1], [1, 1]])


def test_rows_without_a_proposal_count_as_empty_masks(tree):
    truth = tree.square()
    truth[9:11, 12:15] = 2
    tree.write([truth] * 2, [tree.square()] * 2)
    assert scores(tree, task="unsupervised") == ([[1, 1], [0, 0]], [[1, 1], [0, 0]])


def test_a_grey_file_is_read_by_its_numbers(tree):
    square = tree.square()
    tree.write([square] * 3, [None, square, None])
    Image.fromarray(square).save(tree.results / "one" / "00001.png")
    assert scores(tree) == ([[1]], [[1]])


@pytest.mark.parametrize("white", [False, True])
def test_2016_sees_one_object_in_annotations_of_either_release(tree, white):
    truth = tree.square(255 if white else 2)
    tree.write([truth] * 3, [None, tree.square(5), None])
    assert scores(tree, year=2016) == ([[1]], [[1]])


def test_2016_cuts_grey_masks_at_half_brightness(tree):
    tree.write([tree.square()] * 3, [None, tree.square(), None])
    soft = tree.square(200)
    soft[soft == 0] = 128
    Image.fromarray(soft).save(tree.results / "one" / "00001.png")
    assert scores(tree, year=2016) == ([[1]], [[1]])
    Image.fromarray(tree.square(1)).save(tree.results / "one" / "00001.png")
    assert scores(tree, year=2016) == ([[1]], [[1]])


@pytest.mark.parametrize("number", [2, 255])
def test_numbers_without_an_object_are_refused(tree, number):
    square = tree.square()
    tree.write([square] * 3, [None, tree.square(number), None])
    with pytest.raises(
        SourceError, match=rf"00001.png holds the number {number}, but one has 1 obj"
    ):
        scores(tree)


def test_more_than_twenty_proposals_are_refused(tree):
    square = tree.square()
    tree.write([square] * 2, [square, tree.square(20)])
    scores(tree, task="unsupervised")
    tree.write([square] * 2, [square, tree.square(21)])
    with pytest.raises(SourceError, match="at most 20 proposals"):
        scores(tree, task="unsupervised")


def test_a_missing_mask_is_named(tree):
    square = tree.square()
    tree.write([square] * 5, [None, square, None, square, None])
    with pytest.raises(SourceError, match=r"00002.png is missing \(1 of 3"):
        scores(tree)


def test_masks_of_another_size_are_refused(tree):
    tree.write([tree.square()] * 3, [None, tree.square(size=(12, 18)), None])
    with pytest.raises(SourceError, match=r"has 18x12 pixels, but .* has 16x12"):
        scores(tree)
    tree.write([tree.square(), tree.square(size=(12, 18)), tree.square()], [tree.square()] * 3)
    with pytest.raises(SourceError, match="save all masks of a sequence in the size"):
        scores(tree)


def test_colour_pictures_are_refused(tree):
    square = tree.square()
    tree.write([square] * 3, [None, square, None])
    Image.fromarray(np.stack([square] * 3, axis=-1)).save(tree.results / "one" / "00001.png")
    with pytest.raises(SourceError, match="colour or deep picture"):
        scores(tree)


@pytest.mark.parametrize("frames", [1, 2])
def test_a_sequence_without_inner_frames_is_refused(tree, frames):
    tree.write([tree.square()] * frames, [tree.square()] * frames)
    with pytest.raises(SourceError, match="there is nothing to score"):
        scores(tree)
    assert scores(tree, task="unsupervised")[0] == [[1] * frames]


def test_a_sequence_without_objects_has_no_rows(tree):
    empty = np.zeros((12, 16), np.uint8)
    tree.write([empty] * 3, [None, empty, None])
    assert scores(tree) == ([], [])
    with pytest.raises(SourceError, match="show no object"):
        score_davis(find_davis(tree.root), tree.results)

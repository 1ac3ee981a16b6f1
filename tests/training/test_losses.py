"""Losses and valid positions against stored values of the public codes' definitions."""

from __future__ import annotations

import golden_data
import numpy as np
import pytest
import torch

from rvsam_video.segmenters.sam.transforms import network_input
from rvsam_video.training.losses import LOSSES, valid_cosine
from rvsam_video.training.squares import as_sizes, encoder_input, square_of, valid_cells

EXPECTED = {
    "valid-mse": 0.2516406774520874,
    "mse": 0.2509925663471222,
    "root": 1.4170182943344116,
}


@pytest.fixture(scope="module")
def golden():
    arrays = golden_data.golden("distill_losses")
    return (
        torch.tensor(arrays["prediction"]),
        torch.tensor(arrays["target"]),
        as_sizes([(int(width), int(height)) for height, width in arrays["sizes"]]),
        np.unpackbits(arrays["valid"]).reshape(3, 1, 64, 64).astype(bool),
    )


def test_valid_positions_are_those_of_the_bilinear_rule(golden):
    valid = valid_cells(golden[2], 64)
    assert valid.sum((1, 2, 3)).tolist() == [4096, 2752, 2304]
    np.testing.assert_array_equal(valid.numpy(), golden[3])


@pytest.mark.parametrize("width", [16, 23, 24, 25, 31, 32, 33, 127, 128])
def test_valid_positions_of_every_remainder(width):
    inside = torch.zeros(1, 1, 128, 128)
    inside[..., :100, :width] = 1
    shrunk = torch.nn.functional.interpolate(inside, (8, 8), mode="bilinear")
    np.testing.assert_array_equal(valid_cells(as_sizes([(width, 100)]), 8), shrunk > 0.5)


def test_a_thread_like_picture_has_a_position():
    assert valid_cells(as_sizes([(1024, 1)]), 64).sum() == 64


@pytest.mark.parametrize("name", EXPECTED)
def test_losses_are_the_published_ones(golden, name):
    prediction, target, sizes, _ = golden
    found = float(LOSSES[name](prediction, target, valid_cells(sizes, 64)))
    assert found == pytest.approx(EXPECTED[name], rel=1e-6)


def test_padding_plays_no_part_in_the_valid_loss_and_cosine(golden):
    prediction, target, sizes, _ = golden
    valid = valid_cells(sizes, 64)
    spoilt = torch.where(valid, prediction, 9.0)
    for measure in (LOSSES["valid-mse"], valid_cosine):
        assert measure(spoilt, target, valid) == measure(prediction, target, valid)


def test_cosine_of_the_same_direction_is_one(golden):
    prediction, _, sizes, _ = golden
    valid = valid_cells(sizes, 64)
    assert float(valid_cosine(prediction, 2 * prediction.float(), valid)) == pytest.approx(1)


def test_students_see_what_segmenters_see():
    image = np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8)
    square, size = square_of(image, 1024)
    found = encoder_input(square[None], as_sizes([size]))
    torch.testing.assert_close(found, network_input(image, torch.device("cpu")), rtol=0, atol=0)

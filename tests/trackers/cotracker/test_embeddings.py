"""Embeddings of time, place and motion, to the last bit where the public code has them stored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from golden_data import golden

from rvsam_video.trackers.cotracker.embeddings import (
    motion_embedding,
    place_embedding,
    place_embedding_at,
    time_embedding,
)
from rvsam_video.trackers.cotracker.maps import sample

GOLDEN = golden("cotracker_v2")


def test_time_is_embedded_as_in_the_public_code():
    np.testing.assert_array_equal(time_embedding(8, 456), GOLDEN["time_emb"])


def test_places_are_embedded_as_in_the_public_code():
    rows, columns = GOLDEN["pos_emb_rows"], GOLDEN["pos_emb_cols"]
    found = place_embedding(24, 32, 456).numpy()[:, rows][:, :, columns]
    np.testing.assert_array_equal(found, GOLDEN["pos_emb_sub"])


def test_places_between_cells_need_no_picture_of_the_embedding():
    xy = torch.tensor([[3.25, 7.5], [0.0, 23.0], [-4.0, 30.0], [31.0, 0.5], [99.0, 11.9]])
    found = place_embedding_at(xy, (24, 32), 456)
    torch.testing.assert_close(found, sample(place_embedding(24, 32, 456), xy), rtol=0, atol=1e-6)


@pytest.mark.parametrize("motion", [(0.0, 0.0), (0.5, -0.125), (-3.0, 0.001)])
def test_motion_has_sines_and_cosines_in_turn(motion):
    u, v = motion
    found = motion_embedding(torch.tensor([motion])).numpy()[0]
    angles = np.outer([u, v], 31.25 * np.arange(32))
    waves = np.stack([np.sin(angles), np.cos(angles)], -1).reshape(-1)
    np.testing.assert_allclose(found, [u, v, *waves], rtol=0, atol=2e-4)

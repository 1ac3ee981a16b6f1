"""Masks from pictures: which numbers become objects, and which files are refused."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rvsam_video.errors import PromptError
from rvsam_video.prompts.masks import load_mask

INDICES = np.array([[0, 1, 3], [3, 255, 0]], np.uint8)


def palette_picture(indices):
    picture = Image.fromarray(indices)
    picture.putpalette(list(range(256)) * 3)
    return picture


def objects(path, **arguments):
    return {item.object_id: item.mask.astype(int).tolist() for item in load_mask(path, **arguments)}


@pytest.mark.parametrize("make", [palette_picture, Image.fromarray])
def test_numbers_are_objects_and_255_is_void(tmp_path, make):
    path = tmp_path / "mask.png"
    make(INDICES).save(path)
    assert objects(path) == {1: [[0, 1, 0], [0, 0, 0]], 3: [[0, 0, 1], [1, 0, 0]]}


def test_the_frame_is_passed_on(tmp_path):
    path = tmp_path / "mask.png"
    palette_picture(INDICES).save(path)
    assert [item.frame for item in load_mask(path, 12)] == [12, 12]


def test_an_id_picks_one_object_of_several(tmp_path):
    path = tmp_path / "mask.png"
    palette_picture(INDICES).save(path)
    assert objects(path, object_id=3) == {3: [[0, 0, 1], [1, 0, 0]]}
    with pytest.raises(PromptError, match="holds the objects 1, 3, not 2; name one of them"):
        load_mask(path, object_id=2)


@pytest.mark.parametrize("white", [1, 255, 77])
def test_an_id_names_the_only_object(tmp_path, white):
    path = tmp_path / "mask.png"
    Image.fromarray(np.array([[0, white]], np.uint8)).save(path)
    assert objects(path, object_id=9) == {9: [[0, 1]]}


@pytest.mark.parametrize(
    "picture",
    [
        Image.fromarray(np.array([[0, 255]], np.uint8)),
        Image.fromarray(np.array([[0, 1]], np.uint8)),
        Image.fromarray(np.array([[False, True]])),
        Image.fromarray(np.array([[[0] * 3, [255] * 3]], np.uint8)),
        Image.fromarray(np.array([[[0] * 3 + [255], [255] * 4]], np.uint8)),
    ],
    ids=["grey 255", "grey 1", "black and white", "RGB", "RGBA"],
)
def test_a_black_and_white_picture_is_object_1(tmp_path, picture):
    path = tmp_path / "mask.png"
    picture.save(path)
    assert objects(path) == {1: [[0, 1]]}


def test_many_shades_are_one_object_with_soft_edges(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(np.arange(256, dtype=np.uint8)[None]).save(path)
    assert objects(path) == {1: [[0] * 128 + [1] * 128]}


def test_a_jpeg_is_cut_at_half_brightness(tmp_path):
    path = tmp_path / "mask.jpg"
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, 8:24] = 255
    Image.fromarray(mask).save(path, quality=60)
    assert objects(path) == {1: (mask > 0).astype(int).tolist()}


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (palette_picture(np.array([[0, 255]], np.uint8)), "holds no object"),
        (Image.fromarray(np.zeros((2, 2), np.uint8)), "holds no object"),
        (Image.fromarray(np.array([[[1, 2, 3]]], np.uint8)), "is a colour or deep picture"),
        (Image.fromarray(np.array([[0, 600]], np.uint16)), "is a colour or deep picture"),
        (Image.new("L", (16385, 1), 255), "its sides are 16385x1 pixels"),
    ],
    ids=["only void", "black", "colour", "16 bit", "too wide"],
)
def test_pictures_that_are_no_masks_are_refused(tmp_path, picture, message):
    path = tmp_path / "mask.png"
    picture.save(path)
    with pytest.raises(PromptError, match=re.escape(message)):
        load_mask(path)


def test_a_folder_and_a_strange_format_are_refused(tmp_path):
    Image.fromarray(INDICES).save(tmp_path / "mask.gif")
    for path in (tmp_path, tmp_path / "mask.gif", "nul\0byte.png"):
        with pytest.raises(PromptError, match="cannot be read"):
            load_mask(path)


@given(st.integers(8, 200), st.binary(min_size=1, max_size=4), st.integers(0, 200))
def test_a_damaged_picture_is_read_or_refused(tmp_path_factory, place, noise, end):
    buffer = io.BytesIO()
    Image.fromarray(INDICES.repeat(9, 0)).save(buffer, format="PNG")
    content = bytearray(buffer.getvalue())
    content[place : place + len(noise)] = noise
    path = tmp_path_factory.mktemp("fuzz") / "mask.png"
    path.write_bytes(content[: len(content) - end])
    try:
        found = load_mask(path)
    except PromptError:
        return
    assert all(item.mask is not None and item.mask.any() for item in found)

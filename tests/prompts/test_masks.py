"""Masks from pictures: which numbers become objects, and which files are refused."""

from __future__ import annotations

import io
import re

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rvsam_video.errors import PromptError
from rvsam_video.palette import davis_palette
from rvsam_video.prompts.masks import load_mask

NOISE = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
INDICES = np.array([[0, 1, 3], [3, 255, 0]], np.uint8)


def palette_picture(indices):
    picture = Image.fromarray(indices)
    picture.putpalette(davis_palette().tobytes())
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
        (Image.fromarray(np.zeros((2, 2), np.uint8)), "holds no object"),
        (Image.fromarray(NOISE), "is a colour picture without plain regions"),
        (Image.fromarray(np.array([[0, 600, 0, 300]], np.uint16)), "holds the number 600"),
        (Image.new("L", (16385, 1), 255), "its sides are 16385x1 pixels"),
    ],
    ids=["black", "colour", "16 bit", "too wide"],
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


def disc(side=96, centre=(40, 50), radius=18, scale=1):
    """A filled circle of 255, drawn so many times larger."""
    picture = np.zeros((side * scale, side * scale), np.uint8)
    cv2.circle(picture, tuple(scale * item for item in centre), radius * scale, 255, -1)
    return picture


def overlap(one, other):
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def saved(tmp_path, pixels, name="mask.png"):
    path = tmp_path / name
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_smooth_edges_are_no_objects(tmp_path, caplog, scale):
    soft = cv2.resize(disc(scale=scale), (96, 96), interpolation=cv2.INTER_AREA)
    ((number, mask),) = masks(saved(tmp_path, soft)).items()
    assert number == 1
    assert overlap(mask, disc() > 0) > 0.93
    # The inside, which is 255, belongs to the object.
    assert mask[50, 40]
    assert "read as one object with soft edges" in caplog.text
    assert "--mask-mode ids" in caplog.text


def masks(path, **arguments):
    return {item.object_id: item.mask for item in load_mask(path, **arguments)}


def test_the_other_reading_can_be_asked_for(tmp_path):
    soft = cv2.resize(disc(scale=2), (96, 96), interpolation=cv2.INTER_AREA)
    shades = {int(shade) for shade in np.unique(soft)} - {0}
    assert 255 in shades
    assert set(masks(saved(tmp_path, soft), mode="ids")) == shades
    two = np.zeros((40, 40), np.uint8)
    two[5:15, 5:15], two[20:35, 20:35] = 200, 255
    assert {number: mask.sum() for number, mask in masks(saved(tmp_path, two)).items()} == {
        200: 100,
        255: 225,
    }
    ((number, mask),) = masks(saved(tmp_path, two), mode="one").items()
    assert (number, mask.sum()) == (1, 325)
    with pytest.raises(PromptError, match="the mask mode is 'soft'; choose one of: auto, one, ids"):
        load_mask(saved(tmp_path, two), mode="soft")


@pytest.mark.parametrize("object_id", range(1, 256))
def test_a_palette_picture_of_a_run_comes_back(tmp_path, object_id):
    path = tmp_path / "mask.png"
    numbers = np.zeros((12, 16), np.uint8)
    numbers[3:9, 4:12] = object_id
    palette_picture(numbers).save(path)
    ((number, mask),) = masks(path).items()
    assert number == object_id
    np.testing.assert_array_equal(mask, numbers > 0)


def test_void_is_said_and_can_be_an_object(tmp_path, caplog):
    path = tmp_path / "mask.png"
    palette_picture(INDICES).save(path)
    assert set(masks(path)) == {1, 3}
    assert "read as objects 1, 3 with 255 as void (ignored); --mask-mode ids" in caplog.text
    assert set(masks(path, mode="ids")) == {1, 3, 255}
    assert set(masks(path, object_id=255)) == {255}


def test_a_grey_map_holds_as_many_objects_as_it_has_regions(tmp_path):
    grey = np.zeros((240, 320), np.uint8)
    for k in range(60):
        row, column = divmod(k, 10)
        grey[row * 36 + 3 : row * 36 + 25, column * 30 + 3 : column * 30 + 22] = k + 1
    found = masks(saved(tmp_path, grey))
    assert sorted(found) == list(range(1, 61))
    assert all(mask.sum() == 22 * 19 for mask in found.values())


def test_a_person_that_holds_a_ball_is_two_objects(tmp_path):
    grey = np.zeros((96, 96), np.uint8)
    grey[10:80, 20:70], grey[30:45, 30:45] = 1, 2
    found = masks(saved(tmp_path, grey))
    assert {number: int(mask.sum()) for number, mask in found.items()} == {
        1: 70 * 50 - 225,
        2: 225,
    }


def test_the_numbers_of_a_smoothed_index_map_go_to_the_objects_they_edge(tmp_path, caplog):
    small = np.zeros((60, 60), np.uint8)
    small[8:25, 8:25], small[35:55, 10:30], small[20:50, 38:55] = 1, 4, 9
    large = cv2.resize(small, (240, 240), interpolation=cv2.INTER_LINEAR)
    assert len(np.unique(large)) > 6
    found = masks(saved(tmp_path, large))
    assert sorted(found) == [1, 4, 9]
    truth = cv2.resize(small, (240, 240), interpolation=cv2.INTER_NEAREST)
    assert all(overlap(mask, truth == number) > 0.9 for number, mask in found.items())
    assert "resized with smoothing" in caplog.text


@pytest.mark.parametrize(
    ("dtype", "value", "number"),
    [(np.uint16, 65535, 1), (np.uint16, 255, 1), (np.uint16, 7, 7), (np.uint16, 600, 1)],
)
def test_a_deep_mask_is_read(tmp_path, dtype, value, number):
    path = saved(tmp_path, np.where(disc() > 0, value, 0).astype(dtype))
    ((found, mask),) = masks(path).items()
    assert found == number
    np.testing.assert_array_equal(mask, disc() > 0)


def test_a_deep_soft_mask_is_one_object(tmp_path):
    soft = cv2.resize(disc(scale=4), (96, 96), interpolation=cv2.INTER_AREA).astype(np.uint16) * 257
    ((number, mask),) = masks(saved(tmp_path, soft)).items()
    assert number == 1
    assert overlap(mask, disc() > 0) > 0.93


def coloured(alpha, shown, hidden):
    """An RGBA picture of one colour where it is visible, and another where it is not."""
    rgb = np.where(alpha[..., None] > 0, np.array(shown), np.array(hidden)).astype(np.uint8)
    return np.dstack([rgb, alpha])


@pytest.mark.parametrize(
    ("shown", "hidden"),
    [
        ([255] * 3, [0] * 3),
        ([255] * 3, [255] * 3),
        ([0] * 3, [0] * 3),
        ([0] * 3, [255] * 3),
        ([200, 30, 30], [0] * 3),
    ],
    ids=["white", "all white", "all black", "black on white", "red"],
)
@pytest.mark.parametrize("soft", [False, True])
def test_transparency_is_the_mask(tmp_path, shown, hidden, soft):
    alpha = cv2.GaussianBlur(disc(), (0, 0), 2) if soft else disc()
    ((number, mask),) = masks(saved(tmp_path, coloured(alpha, shown, hidden))).items()
    assert number == 1
    assert overlap(mask, disc() > 0) > 0.97


@pytest.mark.parametrize("grey", [0, 255])
def test_grey_with_transparency_is_read_like_colour(tmp_path, grey):
    path = tmp_path / "mask.png"
    Image.fromarray(np.dstack([np.full_like(disc(), grey), disc()])).save(path)
    ((number, mask),) = masks(path).items()
    assert number == 1
    np.testing.assert_array_equal(mask, disc() > 0)


def test_a_cut_out_photo_is_what_is_not_transparent(tmp_path, caplog):
    photo = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
    ((number, mask),) = masks(saved(tmp_path, np.dstack([photo, disc()]))).items()
    assert number == 1
    np.testing.assert_array_equal(mask, disc() > 0)
    assert "read as a cut-out picture" in caplog.text


def test_plain_colours_are_objects(tmp_path, caplog):
    picture = np.zeros((60, 60, 3), np.uint8)
    picture[5:25, 5:25], picture[30:55, 30:55] = [0, 0, 250], [250, 140, 20]
    found = masks(saved(tmp_path, picture))
    assert {number: int(mask.sum()) for number, mask in found.items()} == {1: 400, 2: 625}
    assert "#0000fa is object 1, #fa8c14 is object 2" in caplog.text


def test_the_colours_of_davis_are_its_numbers(tmp_path):
    numbers = np.zeros((60, 60), np.uint8)
    numbers[5:25, 5:25], numbers[30:55, 30:55] = 2, 7
    found = masks(saved(tmp_path, davis_palette()[numbers]))
    assert {number: int(mask.sum()) for number, mask in found.items()} == {2: 400, 7: 625}


def test_a_small_file_may_not_take_much_memory(tmp_path, monkeypatch):
    path = saved(tmp_path, np.eye(100, dtype=np.uint8))
    monkeypatch.setenv("RVSAM_MAX_PIXELS", "9999")
    with pytest.raises(PromptError, match="100x100 pixels are more than the 9999 that are read"):
        load_mask(path)
    monkeypatch.setenv("RVSAM_MAX_PIXELS", "10000")
    assert set(masks(path)) == {1}
    many = np.arange(100, dtype=np.uint8).repeat(100).reshape(100, 100)
    palette_picture(many).save(path)
    with pytest.raises(PromptError, match="its masks have 990000 pixels together"):
        load_mask(path)


blobs = st.lists(
    st.tuples(st.integers(20, 76), st.integers(20, 76), st.integers(9, 18), st.integers(9, 18)),
    min_size=1,
    max_size=3,
)


def drawn(shapes, scale):
    picture = np.zeros((96 * scale, 96 * scale), np.uint8)
    for x, y, a, b in shapes:
        place, axes = (x * scale, y * scale), (a * scale, b * scale)
        cv2.ellipse(picture, place, axes, 0, 0, 360, 255, -1)
    return picture


def resized(size, method):
    return lambda mask: cv2.resize(mask, size, interpolation=method)


def compressed(quality):
    def through(mask):
        coded = cv2.imencode(".jpg", mask, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)

    return through


THROUGH = {
    "area": resized((96, 96), cv2.INTER_AREA),
    "linear": resized((131, 87), cv2.INTER_LINEAR),
    "cubic": resized((200, 200), cv2.INTER_CUBIC),
    "blur": lambda mask: cv2.blur(mask, (3, 3)),
    "gauss": lambda mask: cv2.GaussianBlur(mask, (0, 0), 3),
    "jpeg": compressed(50),
    "half": lambda mask: mask // 2,
    "deep": lambda mask: cv2.blur(mask, (3, 3)).astype(np.uint16) * 257,
    "red": lambda mask: np.dstack([mask, mask // 5, mask // 5]),
    "alpha": lambda mask: np.dstack([np.full_like(mask, 255)] * 3 + [cv2.blur(mask, (3, 3))]),
}


@pytest.mark.parametrize("way", THROUGH)
@settings(deadline=None, max_examples=25)
@given(shapes=blobs, scale=st.integers(1, 3))
def test_a_mask_that_was_worked_on_is_one_object(tmp_path_factory, way, shapes, scale):
    before = drawn(shapes, scale)
    after = THROUGH[way](before)
    path = saved(tmp_path_factory.mktemp("blobs"), after)
    ((number, mask),) = masks(path).items()
    assert number == (127 if way == "half" else 1)
    back = cv2.resize(mask.astype(np.uint8), before.shape, interpolation=cv2.INTER_NEAREST)
    # The way back to the old size moves edges by half a pixel.
    assert overlap(back > 0, before > 0) > 0.8


@settings(deadline=None, max_examples=40)
@given(
    ids=st.lists(st.integers(1, 254), min_size=2, max_size=9, unique=True),
    radius=st.integers(3, 14),
    scale=st.integers(1, 3),
    grey=st.booleans(),
)
def test_the_numbers_that_went_in_come_out(tmp_path_factory, ids, radius, scale, grey):
    numbers = np.zeros((96, 96), np.uint8)
    for place, number in enumerate(ids):
        cv2.circle(numbers, (16 + 32 * (place % 3), 16 + 32 * (place // 3)), radius, number, -1)
    large = cv2.resize(numbers, (96 * scale, 96 * scale), interpolation=cv2.INTER_NEAREST)
    path = tmp_path_factory.mktemp("ids") / "mask.png"
    (Image.fromarray(large) if grey else palette_picture(large)).save(path)
    found = masks(path)
    assert sorted(found) == sorted(ids)
    for number, mask in found.items():
        np.testing.assert_array_equal(mask, large == number)

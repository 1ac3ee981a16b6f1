"""Colours and shapes of video: HDR, untagged HD, interlaced pictures."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import Colorspace

from rvsam_video.sources import open_source
from rvsam_video.sources.pixels.combs import without_combs
from rvsam_video.sources.pixels.high_range import BT2020, HLG, PQ, to_ordinary

PATCHES = [
    (250, 140, 20),
    (20, 40, 230),
    (128, 128, 128),
    (255, 255, 255),
    (0, 0, 0),
    (40, 200, 60),
]


def colour_bars(width, height):
    bars = np.zeros((height, width, 3), np.uint8)
    edges = np.linspace(0, width, len(PATCHES) + 1).astype(int)
    for patch, begin, end in zip(PATCHES, edges, edges[1:], strict=False):
        bars[:, begin:end] = patch
    return bars


def middles(image):
    edges = np.linspace(0, image.shape[1], len(PATCHES) + 1).astype(int)
    places = (edges[1:] + edges[:-1]) // 2
    return image[image.shape[0] // 2, places].astype(int)


def write(path, frames, *, set_up=None, codec="libx264", pixels="yuv420p", options=None):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0].height, frames[0].width
        stream.pix_fmt = pixels
        stream.options = options or {"crf": "1"}
        if set_up is not None:
            set_up(stream.codec_context)
        for index, frame in enumerate(frames):
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("height", "coded"), [(720, Colorspace.ITU709), (480, Colorspace.ITU601)])
def test_untagged_video_is_coded_as_its_size_says(tmp_path, height, coded):
    bars = colour_bars(1280 if height == 720 else 640, height)
    frame = av.VideoFrame.from_ndarray(bars, format="rgb24").reformat(
        format="yuv420p", dst_colorspace=coded
    )
    frame.colorspace = 2
    with open_source(write(tmp_path / "untagged.mkv", [frame])) as source:
        (read,) = source
    assert np.abs(middles(read.image) - PATCHES).max() <= 6


def coded(light, transfer):
    """Return the codes of light (white 1, 100 nits) by the definitions of the standards."""
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        power = (light / 100) ** m1
        return ((c1 + c2 * power) / (1 + c3 * power)) ** m2
    luma = light @ np.array([0.2627, 0.6780, 0.0593])
    scene = light / 10 * np.maximum(luma / 10, 1e-9)[..., None] ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    logarithm = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_light_of_half_white_and_less_comes_back(transfer):
    shown = np.array([[[120, 90, 30], [60, 60, 60], [10, 100, 180], [0, 0, 0]]], np.uint8)
    to_2020 = np.linalg.inv(
        [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    )
    light = (shown / 255.0) ** 2.4 @ to_2020.T
    codes = np.rint(coded(light, transfer) * 65535).astype(np.uint16)
    assert np.abs(to_ordinary(codes, transfer, BT2020).astype(int) - shown).max() <= 2


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_brighter_light_is_shown_brighter_and_never_as_nothing(transfer):
    light = np.repeat(np.array([[0.2, 0.5, 1.0, 2.03, 4.0, 9.9]])[..., None], 3, 2)
    codes = np.rint(coded(light, transfer) * 65535).astype(np.uint16)
    shown = to_ordinary(codes, transfer, BT2020)[0, :, 0].astype(int)
    assert (np.diff(shown) >= 0).all()
    assert shown[2] > 220
    assert shown[3] > 245


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_video_is_converted_and_said(tmp_path, transfer):
    light = np.full((48, 64, 3), 0.3)
    light[:, 32:] = 0.05
    codes = np.rint(coded(light, transfer) * 65535).astype(np.uint16)
    frame = av.VideoFrame.from_ndarray(codes, format="rgb48le").reformat(
        format="yuv420p10le", dst_colorspace=Colorspace.BT2020
    )
    frame.color_trc, frame.color_primaries, frame.colorspace = transfer, BT2020, 9

    def tag(context):
        context.color_trc, context.color_primaries, context.colorspace = transfer, BT2020, 9

    path = write(tmp_path / "hdr.mkv", [frame], set_up=tag, pixels="yuv420p10le")
    with open_source(path) as source:
        (read,) = source
        assert "the video is HDR" in source.report.messages[0]
    expected = [round(255 * value ** (1 / 2.4)) for value in (0.3, 0.05)]
    assert read.image[24, 16].tolist() == pytest.approx([expected[0]] * 3, abs=4)
    assert read.image[24, 48].tolist() == pytest.approx([expected[1]] * 3, abs=4)


def moving_disc(place):
    rng = np.random.default_rng(0)
    noise = rng.integers(60, 120, (96, 128, 3)).astype(np.uint8)
    image = cv2.GaussianBlur(noise, (0, 0), 2)
    cv2.circle(image, (place, 48), 20, (250, 140, 20), -1)
    return image


def woven(shift):
    first, second = moving_disc(50), moving_disc(50 + shift)
    picture = first.copy()
    picture[1::2] = second[1::2]
    return first, picture


def overlap(one, other):
    """Of the discs, which are far redder than what is around them."""
    first, second = (image[..., 0] > 170 for image in (one, other))
    return np.count_nonzero(first & second) / np.count_nonzero(first | second)


@pytest.mark.parametrize("shift", [4, 8, 16])
def test_what_moves_is_of_one_moment(shift):
    truth, picture = woven(shift)
    assert overlap(picture, truth) < 0.95
    assert overlap(without_combs(picture), truth) > 0.96
    # The lines of the first moment are not touched.
    np.testing.assert_array_equal(without_combs(picture)[::2], picture[::2])


def test_what_stands_still_is_kept():
    still = moving_disc(50)
    changed = np.abs(without_combs(still).astype(int) - still).max(2) > 8
    assert changed.mean() < 0.02


@pytest.mark.parametrize("height", [1, 2, 3, 7])
def test_odd_heights_are_no_trouble(height):
    image = moving_disc(50)[:height]
    assert without_combs(image).shape == image.shape


def test_interlaced_video_is_told(tmp_path):
    truth, picture = woven(8)
    frames = [av.VideoFrame.from_ndarray(picture, format="rgb24") for _ in range(3)]

    def interlace(context):
        context.flags |= 1 << 18 | 1 << 29

    path = write(
        tmp_path / "interlaced.mkv",
        [frame.reformat(format="yuv422p") for frame in frames],
        set_up=interlace,
        codec="mpeg2video",
        pixels="yuv422p",
        options={"qscale": "1", "flags": "+ildct+ilme"},
    )
    with open_source(path) as source:
        (first, *_rest) = source
        assert any("interlaced" in message for message in source.report.messages)
    wrong = np.abs(first.image.astype(int) - truth).max(2) > 60
    assert wrong.mean() < 0.01

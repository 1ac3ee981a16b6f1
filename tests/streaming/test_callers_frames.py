"""Frames as programs have them: one buffer again and again, Pillow images, tensors, open files."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
import torch
from PIL import Image

import rvsam_video as rv
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.images import as_image

CLIP = SyntheticClip(frames=6)
PICTURES = [frame.image for frame in CLIP]
PLACES = [[200, 100], [320, 180], [90, 200]]


def places(frames, **options):
    found = rv.track_points(frames, PLACES, tracker="lucas-kanade", **options)
    return np.stack([points.xy for points in found])


def one_buffer(wrap):
    buffer = np.empty_like(PICTURES[0])
    for index, picture in enumerate(PICTURES):
        buffer[:] = picture
        yield wrap(index, buffer)


@pytest.mark.parametrize(
    "wrap",
    [lambda _, image: image, lambda index, image: rv.Frame(index, index / 25, image)],
    ids=["arrays", "frames"],
)
def test_one_buffer_may_be_filled_again(wrap):
    np.testing.assert_array_equal(places(one_buffer(wrap)), places(PICTURES))
    segmenter = rv.VideoSegmenter("lucas-kanade", "grabcut")
    told = [result.index_map() for result in segmenter.track(one_buffer(wrap), CLIP.prompts())]
    truth = [result.index_map() for result in segmenter.track(PICTURES, CLIP.prompts())]
    np.testing.assert_array_equal(told, truth)


def test_a_session_takes_the_same_buffer():
    segmenter = rv.VideoSegmenter("lucas-kanade", "grabcut")
    truth = [result.points.xy for result in segmenter.track(PICTURES, CLIP.prompts())]
    session = segmenter.session(CLIP.prompts())
    results = [one for image in one_buffer(lambda _, image: image) for one in session.push(image)]
    for result, xy in zip(results, truth, strict=True):
        np.testing.assert_array_equal(result.points.xy, xy)
    # What was given out before holds the picture of its own frame.
    np.testing.assert_array_equal(results[0].image, PICTURES[0])


FORMS = {
    "Pillow": Image.fromarray,
    "CHW": lambda image: torch.from_numpy(image).permute(2, 0, 1),
    "HWC": torch.from_numpy,
    "float CHW": lambda image: torch.from_numpy(image).permute(2, 0, 1) / 255,
    "half": lambda image: torch.from_numpy(image).permute(2, 0, 1).double() / 255,
    "gradient": lambda image: (torch.from_numpy(image) / 255).requires_grad_(),
    "float array": lambda image: image / 255,
    "bottom up": lambda image: image[::-1][::-1],
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_picture_in_any_form_is_the_same(form):
    np.testing.assert_array_equal(as_image(FORMS[form](PICTURES[0])), PICTURES[0])
    np.testing.assert_array_equal(places(map(FORMS[form], PICTURES)), places(PICTURES))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_tensor_on_a_device_is_the_same():
    tensor = torch.from_numpy(PICTURES[0]).permute(2, 0, 1).cuda()
    np.testing.assert_array_equal(as_image(tensor), PICTURES[0])
    np.testing.assert_array_equal(as_image(tensor.half() / 255), PICTURES[0])


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        ("frame.png", "frame 0 is of type str"),
        (None, "frame 0 is of type NoneType"),
        (np.zeros((4, 4), np.uint8), r"frame 0 has shape \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"frame 0 has shape \(4, 4, 4\)"),
        (np.zeros((4, 4, 3), np.uint16), "type uint16"),
        (np.full((4, 4, 3), 255.0), "frame 0 holds floats from 255 to 255; floats are 0"),
        (np.full((4, 4, 3), np.nan), "frame 0 holds floats from nan"),
        (torch.zeros((3, 4, 4), dtype=torch.int64), "type int64"),
        (Image.new("F", (4, 4)), "Pillow image of mode F"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_sentence(picture, message):
    with pytest.raises(rv.UsageError, match=message):
        list(rv.VideoSegmenter("lucas-kanade", "grabcut").track([picture], [[1, 1]]))
    with pytest.raises(rv.UsageError, match=message):
        list(rv.track_points([picture], [[1, 1]], tracker="lucas-kanade"))


def test_pictures_without_a_clock_come_at_the_rate_that_is_told():
    segmenter = rv.VideoSegmenter("lucas-kanade", "grabcut")
    times = [result.time for result in segmenter.track(PICTURES[:3], [[200, 100]])]
    assert times == pytest.approx([0, 0.04, 0.08])
    times = [result.time for result in segmenter.track(PICTURES[:3], [[200, 100]], fps=10)]
    assert times == pytest.approx([0, 0.1, 0.2])
    with pytest.raises(rv.UsageError, match="fps is -1; it must be a number above 0"):
        list(segmenter.track(PICTURES[:3], [[200, 100]], fps=-1))


def test_a_source_may_be_named_by_bytes_or_be_an_open_file(tmp_path):
    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for path, picture in zip(paths, PICTURES, strict=False):
        Image.fromarray(picture).save(path)
    with rv.open_source(os.fsencode(tmp_path)) as source:
        assert len(list(source)) == 3
    gif = io.BytesIO()
    first, *rest = (Image.fromarray(picture) for picture in PICTURES)
    first.save(gif, "GIF", save_all=True, append_images=rest, duration=40)
    gif.seek(0)
    with rv.open_source(gif) as source:
        assert (source.name, len(list(source))) == ("the open file", len(PICTURES))


@pytest.mark.parametrize("source", [None, 2.5, True, object()])
def test_what_is_no_source_is_refused_in_one_sentence(source):
    with pytest.raises(rv.UsageError, match="the source is of type"):
        rv.open_source(source)
    with pytest.raises(rv.UsageError, match="the source is of type"):
        list(rv.VideoSegmenter("lucas-kanade", "grabcut").track(source, [[1, 1]]))


def test_a_prompt_on_a_frame_that_is_missing_is_told():
    frames = [rv.Frame(index, index / 25, PICTURES[index]) for index in (0, 1, 3)]
    session = rv.VideoSegmenter("lucas-kanade", "grabcut").session(
        [rv.Prompt.create(1, 2, points=[[200, 100]])]
    )
    for frame in frames:
        session.push(frame)
    assert session.notes == [
        "the prompt of object 1 in frame 2 was taken in frame 3: frame 2 was not read"
    ]


@pytest.mark.parametrize(("radius", "told"), [(2, True), (30, False)])
def test_a_box_that_is_nearly_empty_is_told(fakes, radius, told):
    session = rv.Session(
        fakes.DriftTracker(),
        fakes.DiscSegmenter(radius=radius),
        prompts=[rv.Prompt.create(box=[100, 80, 199, 179])],
    )
    session.push(PICTURES[0])
    # A disc of radius 2 has 13 of 10000 pixels.
    sentence = "the mask of object 1 in frame 0 fills 0% of its box; look at it, and add a point"
    assert [note[: len(sentence)] for note in session.notes] == [sentence] * told

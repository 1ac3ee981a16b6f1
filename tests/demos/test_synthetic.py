"""The synthetic clip: its truth is exact, its frames are reproducible, its scene is a fair test."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rvsam_video.demos.synthetic import Occlusion, SyntheticClip
from rvsam_video.errors import OutputError, UsageError

Truth = NDArray[np.uint8]

OVERSAMPLING = 16
UNDECIDED = 0.1
"""Coverage this close to one half may fall either way: the references differ in the last bit."""


@pytest.fixture(scope="module")
def clip() -> SyntheticClip:
    return SyntheticClip()


@pytest.fixture(scope="module")
def truths(clip: SyntheticClip) -> list[Truth]:
    return [clip.truth(index) for index in range(len(clip))]


def coverage(polygon: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float32]:
    """Share of each pixel inside a polygon, by counting fine dots: nothing shared with the clip."""
    width, height = (side * OVERSAMPLING for side in size)
    canvas = Image.new("L", (width, height))
    fine = (polygon + 0.5) * OVERSAMPLING - 0.5
    ImageDraw.Draw(canvas).polygon([tuple(point) for point in fine], fill=1)
    blocks = np.asarray(canvas, np.float32).reshape(size[1], OVERSAMPLING, size[0], OVERSAMPLING)
    return blocks.mean(axis=(1, 3))


@pytest.mark.parametrize("size", [(160, 90), (161, 91), (97, 130)])
@pytest.mark.parametrize("occlusion", ["partial", "full"])
@pytest.mark.parametrize("index", [0, 45, 71])
def test_truth_is_the_front_most_object_that_covers_half_of_the_pixel(
    size: tuple[int, int], occlusion: Occlusion, index: int
) -> None:
    clip = SyntheticClip(size=size, occlusion=occlusion, seed=7)
    expected = np.zeros(size[::-1], np.uint8)
    decided = np.ones(size[::-1], bool)
    for object_id, polygon in clip.outlines(index).items():
        covered = coverage(polygon, size)
        expected[covered > 0.5] = object_id
        decided &= np.abs(covered - 0.5) > UNDECIDED
    truth = clip.truth(index)
    assert truth.dtype == np.uint8
    np.testing.assert_array_equal(truth[decided], expected[decided])
    assert decided.mean() > 0.95


@settings(max_examples=12, deadline=None)
@given(
    width=st.integers(64, 200),
    height=st.integers(64, 200),
    seed=st.integers(0, 2**32 - 1),
    index=st.integers(0, 500),
)
def test_any_size_and_seed_shows_all_objects_in_the_first_frame(
    width: int, height: int, seed: int, index: int
) -> None:
    clip = SyntheticClip(frames=501, size=(width, height), seed=seed)
    assert set(np.unique(clip.first_mask())) == {0, 1, 2, 3}
    frame = clip.frame(index)
    assert frame.image.shape == (height, width, 3)
    assert frame.image.dtype == np.uint8
    assert clip.truth(index).shape == (height, width)


def test_a_frame_is_the_same_alone_in_order_and_from_another_clip(clip: SyntheticClip) -> None:
    streamed = {frame.index: frame for frame in clip}
    assert list(streamed) == list(range(72))
    other = SyntheticClip()
    for index in (50, 3, 71):
        np.testing.assert_array_equal(other.frame(index).image, streamed[index].image)
    # Neither the length nor what was rendered before has a part in it.
    longer = SyntheticClip(frames=1000)
    np.testing.assert_array_equal(longer.frame(50).image, streamed[50].image)


def test_frames_and_truth_come_in_pairs(clip: SyntheticClip, truths: list[Truth]) -> None:
    pairs = list(clip.with_truth())
    assert [frame.index for frame, _ in pairs] == list(range(72))
    for (_, truth), expected in zip(pairs, truths, strict=True):
        np.testing.assert_array_equal(truth, expected)


def test_times_follow_the_frame_rate() -> None:
    clip = SyntheticClip(frames=4, fps=25, size=(64, 64))
    assert [frame.time for frame in clip] == pytest.approx([0, 0.04, 0.08, 0.12])


def test_another_seed_looks_different_but_moves_the_same(clip: SyntheticClip) -> None:
    other = SyntheticClip(seed=1)
    assert np.abs(other.frame(0).image.astype(int) - clip.frame(0).image).mean() > 5
    for object_id, line in other.outlines(30).items():
        # Outlines differ a little in form; their middles do not go elsewhere.
        middle = clip.outlines(30)[object_id].mean(axis=0)
        np.testing.assert_allclose(line.mean(axis=0), middle, atol=6)


def test_the_starfish_passes_in_front_of_the_stone_which_comes_back(truths: list[Truth]) -> None:
    stone = [int((truth == 2).sum()) for truth in truths]
    whole = stone[0]
    least = min(stone)
    assert stone.index(least) in range(40, 56)
    assert whole * 0.2 < least < whole * 0.45
    assert stone[-1] > 1.8 * least


def test_hidden_pixels_belong_to_the_object_in_front(clip: SyntheticClip) -> None:
    outlines = clip.outlines(48)
    star, stone = (coverage(outlines[object_id], clip.size) > 0.99 for object_id in (1, 2))
    both = star & stone
    assert both.sum() > 1000
    assert (clip.truth(48)[both] == 1).all()


def test_every_object_stays_visible_without_full_occlusion(truths: list[Truth]) -> None:
    for truth in truths:
        assert np.bincount(truth.ravel(), minlength=4)[1:].min() > 2500


def test_full_occlusion_hides_the_shell_and_shows_it_again() -> None:
    clip = SyntheticClip(occlusion="full")
    seen = [bool((clip.truth(index) == 3).any()) for index in range(len(clip))]
    hidden = [index for index, visible in enumerate(seen) if not visible]
    assert len(hidden) >= 5
    assert hidden == list(range(hidden[0], hidden[-1] + 1))
    assert (clip.truth(0) == 3).sum() > 1000
    assert (clip.truth(71) == 3).sum() > 1000


@pytest.mark.parametrize("object_id", [1, 2, 3])
def test_objects_move_a_few_pixels_per_frame_turn_and_change_size(
    clip: SyntheticClip, object_id: int
) -> None:
    lines = [clip.outlines(index)[object_id] for index in range(len(clip))]
    middles = np.array([line.mean(axis=0) for line in lines])
    steps = np.linalg.norm(np.diff(middles, axis=0), axis=1)
    assert 1 < steps.mean() < 5
    assert steps.max() < 7
    spokes = np.array([line[0] for line in lines]) - middles
    lengths = np.linalg.norm(spokes, axis=1)
    assert lengths.max() / lengths.min() > 1.1
    turns = np.unwrap(np.arctan2(spokes[:, 1], spokes[:, 0]))
    assert np.ptp(turns) > np.radians(30)


def test_light_and_noise_change_from_frame_to_frame(clip: SyntheticClip) -> None:
    first, second = clip.frame(0).image.astype(float), clip.frame(1).image.astype(float)
    bed = np.zeros((360, 640), bool)
    bed[:40, :200] = True
    flicker = (first - second)[bed]
    # A still bed without noise would differ by the slow pan alone, and not in every pixel.
    assert 2 < flicker.std() < 12
    brightness = [clip.frame(index).image[bed].mean() for index in (0, 27, 71)]
    assert np.ptp(brightness) > 5


def test_prompts_lie_on_their_objects(clip: SyntheticClip) -> None:
    first = clip.first_mask()
    prompts = clip.prompts()
    assert [prompt.object_id for prompt in prompts] == [1, 2, 3]
    for prompt in prompts:
        assert prompt.frame == 0
        assert len(prompt.points) == len(prompt.labels)
        assert (len(prompt.points) > 0) != (prompt.box is not None)
        assert (prompt.labels == 1).all()
        for x, y in prompt.points.astype(int):
            assert (first[y - 5 : y + 6, x - 5 : x + 6] == prompt.object_id).all()


def test_the_box_of_a_prompt_encloses_its_object_tightly(clip: SyntheticClip) -> None:
    boxed = [prompt for prompt in clip.prompts() if prompt.box is not None]
    assert boxed
    for prompt in boxed:
        rows, columns = np.nonzero(clip.first_mask() == prompt.object_id)
        expected = [columns.min(), rows.min(), columns.max(), rows.max()]
        np.testing.assert_array_equal(prompt.box, expected)


def test_the_written_file_shows_the_clip(tmp_path: Path) -> None:
    clip = SyntheticClip(frames=9, size=(160, 90), fps=12)
    path = tmp_path / "clip.mp4"
    clip.write(path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == 12
        decoded = [picture.to_ndarray(format="rgb24") for picture in container.decode(stream)]
    assert len(decoded) == 9
    for index, picture in enumerate(decoded):
        assert np.abs(picture.astype(int) - clip.frame(index).image).mean() < 8
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    clip = SyntheticClip(frames=2, size=(64, 64))
    with pytest.raises(OutputError, match="cannot write"):
        clip.write(tmp_path / "missing" / "clip.mp4")
    (tmp_path / "taken.mp4").mkdir()
    with pytest.raises(OutputError, match=r"taken\.mp4"):
        clip.write(tmp_path / "taken.mp4")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken.mp4"]


def test_odd_sizes_are_refused_for_files_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="65x64; make them 66x64"):
        SyntheticClip(frames=1, size=(65, 64)).write(tmp_path / "clip.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"frames": 0}, "frames of a synthetic clip is 0"),
        ({"size": (10, 360)}, "width of a synthetic clip is 10; allowed is 64 to 4096"),
        ({"size": (640, 5000)}, "height .* 5000"),
        ({"fps": 0}, "fps .* 0"),
        ({"seed": -1}, "seed .* -1"),
        ({"occlusion": "none"}, "'none'; choose one of: partial, full"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SyntheticClip(**wrong)


@pytest.mark.parametrize("index", [-1, 72])
def test_frames_outside_the_clip_are_refused(clip: SyntheticClip, index: int) -> None:
    for ask in (clip.frame, clip.truth, clip.outlines):
        with pytest.raises(UsageError, match="it has frames 0 to 71"):
            ask(index)

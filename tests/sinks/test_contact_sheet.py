"""Contact sheets: where pictures and captions stand, and which frames of a stream are chosen."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as PillowImage

from rvsam_video.errors import OutputError, UsageError
from rvsam_video.sinks.contact_sheet import ContactSheet, contact_sheet

Picture = NDArray[np.uint8]


def plain(value: int, size: tuple[int, int] = (40, 30)) -> Picture:
    return np.full((size[1], size[0], 3), value, np.uint8)


def numbered(count: int, **options: int) -> list[int]:
    """Stream `count` pictures captioned by their number; return the numbers on the sheet."""
    sheet = ContactSheet(**options)
    for number in range(count):
        sheet.add(plain(number % 256, (4, 4)), str(number))
    return [int(caption) for caption in sheet.captions()]


def test_pictures_stand_in_rows_from_left_to_right() -> None:
    values = [60, 90, 120, 150, 180]
    sheet = contact_sheet([plain(value) for value in values], [""] * 5, columns=3)
    height, width = sheet.shape[0] // 2, sheet.shape[1] // 3
    for position, value in enumerate(values):
        row, column = divmod(position, 3)
        cell = sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]
        assert (cell == value).all(axis=2).sum() == 40 * 30
    last = sheet[height:, 2 * width :]
    assert len(np.unique(last.reshape(-1, 3), axis=0)) == 1


def test_fewer_pictures_than_columns_make_a_narrower_sheet() -> None:
    one = contact_sheet([plain(99)], ["a"], columns=4)
    two = contact_sheet([plain(99)] * 2, ["a", "b"], columns=4)
    assert two.shape[1] == 2 * one.shape[1]
    assert two.shape[0] == one.shape[0]


def test_smaller_pictures_stand_in_the_middle_of_their_cell() -> None:
    sheet = contact_sheet([plain(99), plain(200, (20, 10))], ["", ""], columns=2)
    rows, columns = np.nonzero((sheet == 200).all(axis=2))
    big_rows, big_columns = np.nonzero((sheet == 99).all(axis=2))
    assert rows.size == 20 * 10
    assert rows.mean() == big_rows.mean()
    assert columns.mean() - big_columns.mean() == sheet.shape[1] / 2


def test_captions_are_written_below_their_own_picture() -> None:
    blank = contact_sheet([plain(99)] * 2, ["", ""], columns=2)
    written = contact_sheet([plain(99)] * 2, ["", "f 7"], columns=2)
    rows, columns = np.nonzero((blank != written).any(axis=2))
    picture_rows = np.nonzero((blank == 99).all(axis=2))[0]
    assert rows.size > 10
    assert rows.min() > picture_rows.max()
    assert columns.min() > blank.shape[1] // 2


def test_a_long_caption_is_cut_and_does_not_run_into_the_next_cell() -> None:
    blank = contact_sheet([plain(99, (90, 30))] * 2, ["", ""], columns=2)
    written = contact_sheet([plain(99, (90, 30))] * 2, ["W" * 100, ""], columns=2)
    columns = np.nonzero((blank != written).any(axis=2))[1]
    assert columns.size > 10
    assert columns.max() < blank.shape[1] // 2


@pytest.mark.parametrize(
    ("images", "captions", "columns"),
    [([], [], 4), ([plain(1)], [], 4), ([plain(1)], ["a"], 0)],
)
def test_what_makes_no_sheet_is_refused(
    images: list[Picture], captions: list[str], columns: int
) -> None:
    with pytest.raises(UsageError, match="at least one image"):
        contact_sheet(images, captions, columns)


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 1500), tiles=st.integers(2, 15))
def test_chosen_frames_are_evenly_spaced_whatever_the_length(count: int, tiles: int) -> None:
    numbers = numbered(count, tiles=tiles)
    assert len(numbers) == min(count, tiles)
    assert numbers[0] == 0
    gaps = np.diff(numbers)
    assert (gaps > 0).all()
    if count > 4 * tiles:
        assert gaps.max() <= 1.5 * gaps.min()
        # What follows the last picture is less than one gap.
        assert count - 1 - numbers[-1] < gaps.max()
    else:
        assert numbers[-1] == count - 1


def test_the_sheet_does_not_depend_on_what_comes_later() -> None:
    sheet = ContactSheet(tiles=4)
    for number in range(300):
        sheet.add(plain(number % 256, (4, 4)), str(number))
        if number == 99:
            early = [int(caption) for caption in sheet.captions()]
    assert early == numbered(100, tiles=4)


def test_skipping_unwanted_pictures_changes_nothing() -> None:
    everything, wanted = ContactSheet(tiles=5), ContactSheet(tiles=5)
    drawn = 0
    for number in range(700):
        everything.add(plain(number % 256), str(number))
        if wanted.wants_next:
            wanted.add(plain(number % 256), str(number))
            drawn += 1
        else:
            wanted.skip()
    np.testing.assert_array_equal(everything.render(), wanted.render())
    assert drawn < 100


def test_memory_does_not_grow_with_the_video() -> None:
    sheet = ContactSheet(tiles=3, tile_width=64)
    picture = plain(7, (128, 96))
    tracemalloc.start()
    try:
        for number in range(20_000):
            sheet.add(picture, str(number))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    thumbnail = 64 * 48 * 3
    assert peak < 30 * thumbnail


def test_pictures_are_copied_and_large_ones_scaled_down() -> None:
    sheet = ContactSheet(tile_width=100)
    picture = plain(80, (400, 200))
    sheet.add(picture, "")
    picture[:] = 0
    rendered = sheet.render()
    assert (rendered == 80).all(axis=2).sum() == 100 * 50


def test_the_saved_file_holds_the_rendered_sheet(tmp_path: Path) -> None:
    sheet = ContactSheet()
    for number in range(30):
        sheet.add(plain(8 * number), f"frame {number}")
    path = tmp_path / "sheet.png"
    path.write_bytes(b"of an earlier run")
    sheet.save(path)
    with PillowImage.open(path) as saved:
        assert saved.format == "PNG"
        np.testing.assert_array_equal(np.asarray(saved), sheet.render())
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = ContactSheet()
    sheet.add(plain(8), "")
    path = tmp_path / "sheet.png"
    path.write_bytes(b"old")

    def full_disk(self: PillowImage.Image, file: Path, **_options: object) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PillowImage.Image, "save", full_disk)
    with pytest.raises(OutputError, match=r"sheet\.png.*disk is full"):
        sheet.save(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_sheet_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one image"):
        ContactSheet().save(tmp_path / "sheet.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("options", [{"tiles": 1}, {"columns": 0}, {"tile_width": 8}])
def test_numbers_too_small_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="at least 2 tiles"):
        ContactSheet(**options)

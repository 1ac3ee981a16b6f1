"""Index maps are read as Pillow reads them, whoever wrote the file."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from rvsam_video.errors import SourceError
from rvsam_video.evals.davis.index_png import read_index_map

shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)


@given(hnp.arrays(np.uint8, shapes), st.sampled_from(["P", "L"]), st.integers(0, 9))
def test_numbers_come_back(tmp_path_factory, numbers, mode, level):
    path = tmp_path_factory.getbasetemp() / "numbers.png"
    picture = Image.fromarray(numbers)
    if mode == "P":
        picture.putpalette(bytes(768))
    picture.save(path, compress_level=level)
    found = read_index_map(path)
    assert np.array_equal(found.numbers, numbers)
    assert found.palette == (mode == "P")


def test_files_of_other_writers_are_read(tmp_path):
    numbers = np.repeat(np.repeat(np.arange(12, dtype=np.uint8).reshape(3, 4), 20, 0), 20, 1)
    for filtering in (0, 1, 2, 3, 4):
        path = tmp_path / f"{filtering}.png"
        cv2.imwrite(str(path), numbers, [cv2.IMWRITE_PNG_FILTER, 1 << (filtering + 3)])
        assert np.array_equal(read_index_map(path).numbers, numbers)
    few = Image.fromarray(numbers % 4)
    few.putpalette(bytes(12))
    few.save(tmp_path / "two-bits.png", bits=2)
    assert np.array_equal(read_index_map(tmp_path / "two-bits.png").numbers, numbers % 4)
    Image.fromarray(numbers > 5).save(tmp_path / "one-bit.png")
    assert np.array_equal(read_index_map(tmp_path / "one-bit.png").numbers, numbers > 5)


def whole():
    file = io.BytesIO()
    picture = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (64, 1)))
    picture.putpalette(bytes(768))
    picture.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "data", [b"", b"not a picture", whole()[:40], whole()[: len(whole()) // 2]]
)
def test_damaged_files_are_told(tmp_path, data):
    path = tmp_path / "mask.png"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"the mask .*mask.png cannot be read"):
        read_index_map(path)


@given(st.integers(8, len(whole()) - 1), st.integers(0, 255))
def test_a_changed_byte_is_told_or_harmless(tmp_path_factory, place, value):
    path = tmp_path_factory.getbasetemp() / "changed.png"
    data = bytearray(whole())
    data[place] = value
    path.write_bytes(data)
    try:
        found = read_index_map(path)
    except SourceError:
        return
    assert found.numbers.ndim == 2


def test_a_header_cannot_ask_for_any_amount_of_memory(tmp_path):
    data = bytearray(whole())
    data[16:24] = b"\x7f\xff\xff\xff\x7f\xff\xff\xff"
    (tmp_path / "mask.png").write_bytes(data)
    with pytest.raises(SourceError):
        read_index_map(tmp_path / "mask.png")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(SourceError, match="No such file"):
        read_index_map(tmp_path / "mask.png")

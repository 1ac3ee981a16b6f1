"""What is wrong about masks is seen before hours of scoring, and what is strange is said."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from rvsam_video.errors import SourceError
from rvsam_video.evals.davis.checks import remarks
from rvsam_video.evals.davis.files import Speed, save_speeds
from rvsam_video.evals.davis.index_png import read_index_map
from rvsam_video.evals.davis.layout import find_davis
from rvsam_video.evals.davis.notes import read_note, write_note
from rvsam_video.evals.davis.scores import score_davis


def moving(tree, count=6):
    frames = [tree.square() for _ in range(count)]
    return [np.roll(frame, index, axis=1) for index, frame in enumerate(frames)]


def renumbered(tree, by):
    """Number the masks from `by` on, as tools that count from 1 do."""
    files = sorted((tree.results / "one").glob("*.png"), reverse=True)
    for path in files:
        path.rename(path.with_name(f"{int(path.stem) + by:05d}.png"))


def test_masks_numbered_from_1_are_told(tree):
    truth = moving(tree)
    tree.write(truth, truth)
    chosen = find_davis(tree.root)
    assert remarks(chosen, tree.results) == []
    assert score_davis(chosen, tree.results).summary()["J&F-Mean"] == 1
    renumbered(tree, 1)
    (note,) = remarks(chosen, tree.results)
    assert "numbered from 1: 00000.png is missing and 00006.png is more" in note
    assert score_davis(chosen, tree.results).summary()["J-Mean"] < 0.9


def test_masks_without_the_first_are_nothing_strange(tree):
    truth = moving(tree)
    tree.write(truth, [None, *truth[1:-1], None])
    assert remarks(find_davis(tree.root), tree.results) == []


def test_white_annotations_name_the_year_before_anything_is_scored(tree):
    tree.write([tree.square(255)] * 4, [tree.square(255)] * 4)
    watched = Watched()
    with pytest.raises(SourceError, match=r"white on black.*use --year 2016"):
        score_davis(find_davis(tree.root), tree.results, watch=watched)
    assert watched.ticks == 0


def test_white_masks_name_the_year(tree):
    tree.write([tree.square()] * 4, [tree.square(255)] * 4)
    with pytest.raises(SourceError, match=r"the number 255, .* scored by --year 2016"):
        score_davis(find_davis(tree.root), tree.results)


def test_a_mask_missing_in_the_last_sequence_is_told_before_the_first_is_scored(tree):
    truth = moving(tree)
    tree.write(truth, truth)
    for folder in (tree.root / "Annotations" / "480p", tree.results):
        (folder / "two").mkdir()
        for path in (folder / "one").iterdir():
            (folder / "two" / path.name).write_bytes(path.read_bytes())
    (tree.results / "two" / "00003.png").unlink()
    watched = Watched()
    with pytest.raises(SourceError, match=r"two/00003\.png is missing"):
        score_davis(find_davis(tree.root, names=["one", "two"]), tree.results, watch=watched)
    assert watched.ticks == 0


class Watched:
    ticks = 0

    def ticked(self, count):
        self.ticks = count

    def finished(self, index, result):
        """Ignore it."""


def test_the_folder_of_the_other_year_names_it(tree):
    for here, there in (("2017", "480p"), ("480p", "2016")):
        (tree.root / "ImageSets" / here).rename(tree.root / "ImageSets" / there)
        with pytest.raises(SourceError, match="looks like DAVIS 2016: use --year 2016"):
            find_davis(tree.root)
    (tree.root / "ImageSets" / "2016").rename(tree.root / "ImageSets" / "2017")
    with pytest.raises(SourceError, match="looks like DAVIS 2017: use --year 2017"):
        find_davis(tree.root, year=2016)


def test_a_list_with_a_byte_order_mark_is_read(tree):
    tree.write(moving(tree), moving(tree))
    path = tree.root / "ImageSets" / "2017" / "val.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert [sequence.name for sequence in find_davis(tree.root).sequences] == ["one"]
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceError, match="is not UTF-8 text"):
        find_davis(tree.root)


def png(width, height, data):
    """A grey PNG that says what it likes of itself."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", data)]
    body = b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(content))
        for name, content in [*chunks, (b"IEND", b"")]
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("width", "height", "inflated"),
    [(70_000, 70_000, 10), (16, 12, 200_000_000), (2**31 - 1, 1, 10), (0, 5, 10)],
)
def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path, width, height, inflated):
    import tracemalloc

    packer = zlib.compressobj(9)
    block = bytes(1_000_000)
    data = b"".join(
        packer.compress(block[: min(inflated, 10**6)]) for _ in range(-(-inflated // 10**6))
    )
    (tmp_path / "m.png").write_bytes(png(width, height, data + packer.flush()))
    tracemalloc.start()
    with pytest.raises(SourceError, match=r"m\.png cannot be read"):
        read_index_map(tmp_path / "m.png")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_the_speed_of_each_sequence_has_a_table(tree):
    truth = moving(tree)
    tree.write(truth, truth)
    scores = score_davis(find_davis(tree.root), tree.results)
    path = save_speeds(scores, {"one": Speed(6, 1.5)}, tree.results)
    assert path.read_text().splitlines() == [
        "Sequence,Objects,Frames,Seconds,FPS,J&F-Mean,J-Mean,F-Mean",
        "one,1,6,1.500,4.000,1.000,1.000,1.000",
    ]
    assert save_speeds(scores, {}, tree.results).read_text().splitlines()[1] == (
        "one,1,,,,1.000,1.000,1.000"
    )


def test_a_note_on_a_sequence_is_read_again_and_a_damaged_one_is_none(tmp_path):
    (tmp_path / ".parts").mkdir()
    assert read_note(tmp_path, "dog") is None
    write_note(tmp_path, "dog", 2.5, ["00000.png", "00001.png"])
    assert read_note(tmp_path, "dog") == 2.5
    for content in ("", "[]", '{"seconds": "2"}', '{"seconds": NaN}'):
        (tmp_path / ".parts" / "done-dog.json").write_text(content)
        assert read_note(tmp_path, "dog") is None

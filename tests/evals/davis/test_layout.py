"""Finding DAVIS, and what is said when it is not there."""

from __future__ import annotations

import pytest
from PIL import Image

from rvsam_video.errors import SourceError, UsageError
from rvsam_video.evals.davis.layout import find_davis


def test_sequences_come_in_the_order_of_the_list(davis_mini):
    chosen = find_davis(davis_mini / "root")
    assert [one.name for one in chosen.sequences][:3] == ["bike-packing", "dogs-jump", "shooting"]
    assert chosen.sequences[0].frame_ids[:2] == ["00000", "00001"]
    assert len(find_davis(davis_mini / "root", year=2016).sequences) == 3


def test_named_sequences_need_no_list(davis_mini):
    (one,) = find_davis(davis_mini / "root", "train", names=["syn-gap"]).sequences
    assert one.name == "syn-gap"


def test_the_lists_of_the_first_release_name_every_frame(tree):
    tree.write([tree.square()] * 3, [])
    lists = tree.root / "ImageSets" / "480p"
    lists.mkdir()
    lines = [
        f"/JPEGImages/480p/one/{n:05d}.jpg /Annotations/480p/one/{n:05d}.png" for n in range(3)
    ]
    (lists / "val.txt").write_text("\n".join(lines) + "\n")
    assert [one.name for one in find_davis(tree.root, year=2016).sequences] == ["one"]


def test_other_unsupervised_test_sets_have_lists_of_their_own(tree):
    tree.write([tree.square()] * 3, [])
    lists = tree.root / "ImageSets" / "2019"
    lists.mkdir()
    (lists / "test-dev.txt").write_text("one\n\n")
    assert find_davis(tree.root, "test-dev", task="unsupervised").sequences[0].name == "one"


def test_what_is_missing_and_where_davis_comes_from_is_told(tree, tmp_path):
    for call in (
        lambda: find_davis(tmp_path / "nowhere"),
        lambda: find_davis(tree.root, "train"),
        lambda: find_davis(tree.root),  # no annotations yet
    ):
        with pytest.raises(
            SourceError, match=r"should hold JPEGImages.*https://davischallenge.org"
        ):
            call()


def test_more_frames_than_annotations_are_refused(tree):
    tree.write([tree.square()] * 3, [])
    pictures = tree.root / "JPEGImages" / "480p" / "one"
    pictures.mkdir(parents=True)
    for index in range(4):
        Image.new("RGB", (16, 12)).save(pictures / f"{index:05d}.jpg")
    with pytest.raises(SourceError, match=r"one has 4 frames in .* but only 3 annotations"):
        find_davis(tree.root)


@pytest.mark.parametrize(
    "options",
    [
        {"split": "vall"},
        {"task": "supervised"},
        {"year": 2019},
        {"year": 2016, "task": "unsupervised"},
        {"year": 2016, "split": "test-dev"},
    ],
)
def test_parts_that_davis_does_not_have_are_refused(tree, options):
    with pytest.raises(UsageError, match="DAVIS"):
        find_davis(tree.root, **options)

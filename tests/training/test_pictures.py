"""What is found in folders, archives and lists, and in which order."""

from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from rvsam_video.errors import SourceError, UsageError
from rvsam_video.training.pictures import find_pictures


def picture(value: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((8, 9, 3), value, np.uint8)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def place(tmp_path):
    """b.png, a/c.png with annotations, and an archive with two pictures, one annotated."""
    folder = tmp_path / "place"
    (folder / "a").mkdir(parents=True)
    (folder / "b.png").write_bytes(picture(1))
    (folder / ".hidden.png").write_bytes(picture(9))
    (folder / "a" / "c.png").write_bytes(picture(2))
    (folder / "a" / "c.json").write_text(json.dumps({"annotations": [{"id": 7}]}))
    members = {
        "./sa_2.png": picture(4),
        "./sa_1.png": picture(3),
        "./sa_1.json": json.dumps({"annotations": [{"id": 8}, {"id": 9}]}).encode(),
    }
    with tarfile.open(folder / "sa_000000.tar", "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return folder


def test_a_folder_with_an_archive_is_read_to_the_bottom(place):
    found = find_pictures([place])
    names = ["a/c.png", "b.png", "sa_000000.tar/sa_1.png", "sa_000000.tar/sa_2.png"]
    assert [item.name for item in found] == names
    assert [item.load()[0, 0, 0] for item in found] == [2, 1, 3, 4]
    assert [[entry["id"] for entry in item.objects()] for item in found] == [[7], [], [8, 9], []]


def test_a_list_names_pictures_archives_and_folders(place):
    (place.parent / "list.txt").write_text("place/b.png\n\nplace/sa_000000.tar\nplace/a\n")
    found = find_pictures([place.parent / "list.txt"])
    assert [item.name for item in found] == [
        "c.png", "place/b.png", "sa_000000.tar/sa_1.png", "sa_000000.tar/sa_2.png"
    ]  # fmt: skip


def test_an_archive_alone_gives_the_names_that_its_folder_gives(place):
    alone = find_pictures([place / "sa_000000.tar"])
    assert {item.name for item in alone} < {item.name for item in find_pictures([place])}


def test_two_pictures_of_one_name_are_refused(place):
    (place / "c.png").write_bytes(picture(5))
    with pytest.raises(UsageError, match=r"two pictures are called c\.png"):
        find_pictures([place, place / "a"])


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("empty", None, "there are no pictures in"),
        ("no.tar", b"no archive", "no readable tar archive"),
        ("list.txt", b"gone.png\n", "check the path"),
        ("list.txt", b"\xff\xfe", "no readable list"),
        ("film.mp4", b"", "is no folder, tar archive"),
    ],
)
def test_places_that_are_nothing_are_refused(tmp_path, name, data, said):
    path = tmp_path / name
    if data is None:
        path.mkdir()
    else:
        path.write_bytes(data)
    with pytest.raises(SourceError, match=said):
        find_pictures([path])


def test_an_archive_that_was_cut_off_after_it_was_listed_is_refused(place):
    found = find_pictures([place / "sa_000000.tar"])
    with (place / "sa_000000.tar").open("r+b") as file:
        file.truncate(600)
    with pytest.raises(SourceError, match="ends too early"):
        found[0].load()


def test_damaged_pictures_and_annotations_are_named(place):
    (place / "b.png").write_bytes(picture(1)[:40])
    (place / "a" / "c.json").write_text("[]")
    found = find_pictures([place])
    with pytest.raises(SourceError, match=r"b\.png cannot be read"):
        found[1].load()
    with pytest.raises(SourceError, match=r"annotations of a/c\.png"):
        found[0].objects()

"""Stores of embeddings: what is written, what is refused, what outlives a kill."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple

import numpy as np
import pytest
import tiny_distillation
import torch

from rvsam_video.errors import OutputError, SourceError, UsageError
from rvsam_video.runs.lock import FolderLock
from rvsam_video.training import embedding
from rvsam_video.training.embedding import (
    EmbedSettings,
    Teacher,
    embed_pictures,
    plan_store,
    space_needed,
)
from rvsam_video.training.pictures import find_pictures
from rvsam_video.training.squares import as_sizes, encoder_input, square_of
from rvsam_video.training.store import EmbeddingStore

SETTINGS = EmbedSettings(side=tiny_distillation.SIDE, shard_size=4, workers=0, device="cpu")


@pytest.fixture
def place(tmp_path, pictures):
    """Ten pictures, the fourth one damaged."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for path in sorted(pictures.iterdir())[:10]:
        shutil.copy(path, folder)
    (folder / "003.png").write_bytes((folder / "003.png").read_bytes()[:50])
    return folder


def embed(place, out, teacher=None, settings=SETTINGS):
    files = find_pictures([place])
    teacher = teacher or tiny_distillation.make_teacher()
    facts = plan_store(files, teacher, [place], settings)
    return embed_pictures(files, teacher, out, facts, settings)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_what_is_read_is_what_the_teacher_said(place, tmp_path):
    outcome = embed(place, tmp_path / "store")
    store = EmbeddingStore.open(tmp_path / "store")
    assert (outcome.embedded, list(outcome.skipped)) == (9, ["003.png"])
    assert store.names == [f"{n:03d}.png" for n in range(10) if n != 3]
    assert "003.png cannot be read" in store.skipped["003.png"]
    encoder = tiny_distillation.make_teacher().encoder
    for picture in find_pictures([place]):
        if picture.name in store.names:
            square, size = square_of(picture.load(), tiny_distillation.SIDE)
            with torch.inference_mode():
                wanted = encoder(encoder_input(square[None], as_sizes([size])))[0].numpy()
            found = store.read(picture.name)
            assert store.size(picture.name) == size
            np.testing.assert_allclose(found, wanted, atol=2e-3)
            assert np.abs(found - wanted).max() <= outcome.largest_rounding * 1.01


def test_shards_are_ordinary_arrays(place, tmp_path):
    embed(place, tmp_path / "store")
    shard = np.load(tmp_path / "store" / "shard_00000.npy")
    assert (shard.shape, shard.dtype) == ((3, 256, 8, 8), np.float16)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("after", [0, 1, 3, 4, 6])
def test_going_on_leaves_the_same_bytes_and_embeds_nothing_twice(place, tmp_path, after):
    embed(place, tmp_path / "whole")
    teacher = tiny_distillation.make_teacher()
    seen = []

    def counting(module, inputs):
        if len(seen) == after:
            raise KilledError
        seen.append(1)

    handle = teacher.encoder.register_forward_pre_hook(counting)
    one = EmbedSettings(side=tiny_distillation.SIDE, shard_size=4, workers=0, batch=1, device="cpu")
    with pytest.raises(KilledError):
        embed(place, tmp_path / "store", teacher, one)
    handle.remove()
    # As a kill leaves it: half a record behind the last whole one.
    for part in (tmp_path / "store").glob("*.npy.part"):
        with part.open("ab") as file:
            file.write(b"half")
    outcome = embed(place, tmp_path / "store", teacher, one)
    assert outcome.embedded == 9 - after
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


def test_a_shard_that_another_process_works_on_is_left_to_it(place, tmp_path):
    out = tmp_path / "store"
    out.mkdir()
    lock = FolderLock(out / "shard_00001.lock")
    lock.acquire()
    first = embed(place, out)
    lock.release()
    assert (first.embedded, first.elsewhere) == (5, 1)
    with pytest.raises(SourceError, match=r"shard_00001\.json of 3 shards is missing"):
        EmbeddingStore.open(out)
    assert embed(place, out).embedded == 4
    assert len(EmbeddingStore.open(out).names) == 9


def damage(folder, name, change):
    path = folder / name
    path.write_bytes(change(path.read_bytes()))


def without_last_name(data: bytes) -> bytes:
    return json.dumps({"pictures": json.loads(data)["pictures"][:-1]}).encode()


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("shard_00000.npy", lambda data: data[:-1], r"shard_00000\.npy has \d+ bytes instead of"),
        ("shard_00001.json", without_last_name, r"shard_00001\.json lists 3 .*last: 006\.png"),
        ("shard_00002.json", lambda data: data[:-9], r"shard_00002\.json cannot be read"),
        (
            "store.json",
            lambda data: data.replace(b'"format": 1', b'"format": 9'),
            "another version",
        ),
    ],
)
def test_damaged_stores_are_refused_when_opened(place, tmp_path, name, change, said):
    embed(place, tmp_path / "store")
    damage(tmp_path / "store", name, change)
    with pytest.raises(SourceError, match=said):
        EmbeddingStore.open(tmp_path / "store")


def test_a_changed_byte_is_refused_with_file_and_picture(place, tmp_path):
    embed(place, tmp_path / "store")
    damage(
        tmp_path / "store", "shard_00001.npy",
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    )  # fmt: skip
    store = EmbeddingStore.open(tmp_path / "store")
    store.read("006.png")
    with pytest.raises(SourceError, match=r"007\.png in .*shard_00001\.npy does not have its"):
        store.read("007.png")


def test_another_list_or_teacher_needs_another_folder(place, tmp_path):
    embed(place, tmp_path / "store")
    shutil.copy(place / "000.png", place / "999.png")
    with pytest.raises(OutputError, match="pictures was 10 and is now 11"):
        embed(place, tmp_path / "store")


def test_values_beyond_float16_are_refused(place, tmp_path):
    class Huge(torch.nn.Module):
        def forward(self, x):
            return torch.full((len(x), 256, 8, 8), 70000.0)

    teacher = Teacher("huge", "0" * 64, Huge(), {})
    with pytest.raises(UsageError, match="reaches 70000"):
        embed(place, tmp_path / "store", teacher)


def test_teachers_that_do_not_fit_the_side_are_refused(place, tmp_path):
    class Small(torch.nn.Module):
        def forward(self, x):
            return torch.zeros(len(x), 256, 4, 4)

    with pytest.raises(UsageError, match=r"--side 1024 only"):
        embed(place, tmp_path / "store", Teacher("small", "0" * 64, Small(), {}))


def test_a_disk_without_room_is_refused_before_anything_is_written(place, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(embedding.shutil, "disk_usage", lambda _: usage(0, 0, 10_000))
    files = find_pictures([place])
    facts = plan_store(files, tiny_distillation.make_teacher(), [place], SETTINGS)
    with pytest.raises(OutputError, match=r"10 embeddings need another 0\.1 GB"):
        space_needed(tmp_path / "store", facts)
    assert list((tmp_path / "store").iterdir()) == []


def test_sides_that_no_embedding_fits_are_refused(place):
    with pytest.raises(UsageError, match="multiple of 16"):
        plan_store([], tiny_distillation.make_teacher(), [], EmbedSettings(side=100))

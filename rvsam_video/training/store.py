"""`EmbeddingStore`: the embeddings of many pictures on the disk, checked whenever they are read.

A folder with `store.json` (what it is of), and for every thousand pictures `shard_00000.npy`, an
ordinary (n, 256, h, w) float16 array that is mapped and not loaded, with `shard_00000.json` (names,
sizes, check sums, pictures that could not be read).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import OutputError, SourceError
from rvsam_video.runs.identity import first_difference
from rvsam_video.segmenters.sam.encoder_layers import EMBEDDING_WIDTH
from rvsam_video.segmenters.sam.model import PATCH_SIDE
from rvsam_video.training.squares import PREPROCESSING
from rvsam_video.writing import replacing

STORE_FILE = "store.json"
DECODER_FILE = "decoder.pt"
"""The teacher's prompt encoder and mask decoder, so that training needs no teacher."""

_FORMAT = 1
_AGAIN = "run the same `distill embed` again"
_DAMAGED = f"it was damaged or changed; remove this shard's files and {_AGAIN}"

StoredEmbedding = NDArray[np.float16]
"""(256, h, w)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What a store is of; another teacher, list or side needs another folder.

    Attributes:
        teacher: name of the segmenter.
        teacher_sha256: of its checkpoint.
        side: pixels along each side of the square that was encoded.
        pictures: how many were to be embedded.
        pictures_sha256: of their names in order.
        shard_size: pictures a shard, those that could not be read included.
        images: the folders, archives and lists they are from.
    """

    teacher: str
    teacher_sha256: str
    side: int
    pictures: int
    pictures_sha256: str
    shard_size: int
    images: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one embedding."""
        return EMBEDDING_WIDTH, self.side // PATCH_SIDE, self.side // PATCH_SIDE

    @property
    def record_bytes(self) -> int:
        """Of one embedding: 2 MiB at 1024 pixels."""
        return int(np.prod(self.shape)) * np.dtype(np.float16).itemsize

    @property
    def shards(self) -> int:
        """Their number."""
        return -(-self.pictures // self.shard_size)


def shard_path(folder: Path, number: int, suffix: str) -> Path:
    """Return the path of a shard's file."""
    return folder / f"shard_{number:05d}{suffix}"


def write_facts(folder: Path, facts: StoreFacts) -> None:
    """Make `store.json`, or compare with the one that is there.

    Raises:
        OutputError: if the store is of something else, or cannot be written.
    """
    path = folder / STORE_FILE
    # Through JSON, so that tuples compare as the lists that they become.
    wanted = json.loads(json.dumps(_as_values(facts)))
    if path.exists():
        there = _read_json(path)
        # The same pictures may lie elsewhere now.
        if difference := first_difference({**there, "images": 0}, {**wanted, "images": 0}):
            msg = f"{folder} is the store of something else: {difference}; choose another --out"
            raise OutputError(msg)
        return
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(wanted, indent=1), encoding="utf-8")


def _as_values(facts: StoreFacts) -> dict[str, Any]:
    return {"format": _FORMAT, "preprocessing": PREPROCESSING, **asdict(facts)}


def read_facts(folder: Path) -> StoreFacts:
    """Read `store.json`.

    Raises:
        SourceError: if there is none, or it is damaged or of another version.
    """
    path = folder / STORE_FILE
    if not path.is_file():
        msg = f"{folder} is no store of embeddings; make one with `rvsam-video distill embed`"
        raise SourceError(msg)
    values = _read_json(path)
    versions = {"format": _FORMAT, "preprocessing": PREPROCESSING}
    if any(values.pop(key, None) != value for key, value in versions.items()):
        msg = f"{path} is of another version of rvsam-video; {_AGAIN} into another folder"
        raise SourceError(msg)
    try:
        return StoreFacts(**{**values, "images": tuple(values["images"])})
    except (TypeError, KeyError) as error:
        raise SourceError(f"{path} is damaged ({error}); {_AGAIN} into another folder") from error


@dataclass(frozen=True, slots=True)
class _Record:
    """Where one embedding is."""

    shard: int
    row: int
    size: tuple[int, int]
    crc: int


class EmbeddingStore:
    """The embeddings of a folder, by the names of their pictures.

    Use `EmbeddingStore.open`. Can be sent to other processes; each maps the files for itself.

    Attributes:
        folder: where it is.
        facts: what it is of.
        names: of the pictures that have an embedding, in order.
        skipped: name to reason of those that could not be read.
    """

    def __init__(
        self,
        folder: Path,
        facts: StoreFacts,
        records: Mapping[str, _Record],
        skipped: Mapping[str, str],
    ) -> None:
        self.folder, self.facts = folder, facts
        self.names = list(records)
        self.skipped = dict(skipped)
        self._records = dict(records)
        self._maps: dict[int, Any] = {}

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the index of a store and check that its files are whole.

        Raises:
            SourceError: if a file is missing, cut off or does not fit the others.
        """
        facts = read_facts(folder)
        records: dict[str, _Record] = {}
        skipped: dict[str, str] = {}
        for number in range(facts.shards):
            entries = _shard_entries(folder, facts, number)
            present = [entry for entry in entries if "skipped" not in entry]
            skipped |= {item["name"]: item["skipped"] for item in entries if "skipped" in item}
            _check_shard(folder, facts, number, len(present))
            for row, entry in enumerate(present):
                width, height = entry["size"]
                records[entry["name"]] = _Record(number, row, (width, height), entry["crc"])
        return cls(folder, facts, records, skipped)

    def size(self, name: str) -> tuple[int, int]:
        """Return width and height that the picture has in its square."""
        return self._records[name].size

    def read(self, name: str) -> StoredEmbedding:
        """Return a copy of an embedding.

        Raises:
            SourceError: if its bytes are not those that were written.
        """
        record = self._records[name]
        path = shard_path(self.folder, record.shard, ".npy")
        if record.shard not in self._maps:
            self._maps[record.shard] = np.load(path, mmap_mode="r")
        embedding: StoredEmbedding = np.array(self._maps[record.shard][record.row])
        # Each time: it takes a millisecond, and a wrong target would never be noticed.
        if zlib.crc32(embedding.tobytes()) != record.crc:
            msg = f"the embedding of {name} in {path} does not have its check sum: {_DAMAGED}"
            raise SourceError(msg)
        return embedding

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the maps: sent along they would be copies of whole files."""
        return {**self.__dict__, "_maps": {}}


def _shard_entries(folder: Path, facts: StoreFacts, number: int) -> Sequence[dict[str, Any]]:
    path = shard_path(folder, number, ".json")
    if not path.is_file():
        msg = f"{folder} is not complete: {path.name} of {facts.shards} shards is missing; {_AGAIN}"
        raise SourceError(msg)
    entries: list[dict[str, Any]] = _read_json(path).get("pictures", [])
    wanted = min(facts.shard_size, facts.pictures - number * facts.shard_size)
    if len(entries) != wanted:
        last = entries[-1]["name"] if entries else "none"
        msg = f"{path} lists {len(entries)} pictures (last: {last}) instead of {wanted}: {_DAMAGED}"
        raise SourceError(msg)
    return entries


def _check_shard(folder: Path, facts: StoreFacts, number: int, rows: int) -> None:
    path = shard_path(folder, number, ".npy")
    wanted = HEADER_BYTES + rows * facts.record_bytes
    found = path.stat().st_size if path.is_file() else 0
    if found != wanted:
        msg = f"{path} has {found} bytes instead of {wanted}: {_DAMAGED}"
        raise SourceError(msg)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read ({error}): {_DAMAGED}"
        raise SourceError(msg) from error
    if not isinstance(values, dict):
        msg = f"{path} holds no JSON object: {_DAMAGED}"
        raise SourceError(msg)
    return values


HEADER_BYTES = 128
"""Of a `.npy` file whose shape takes one line: NumPy fills its header up to a multiple of 64."""

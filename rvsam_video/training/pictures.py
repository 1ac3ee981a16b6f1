"""`find_pictures`: what there is to learn from, in folders, tar archives and lists, in one order.

Archives are read as they are: SA-1B's `sa_000000.tar` need not be unpacked.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from rvsam_video.errors import SourceError, UsageError
from rvsam_video.frame import Image
from rvsam_video.sources.finding import IMAGE_SUFFIXES
from rvsam_video.sources.picture_reading import decode_picture

_ARCHIVE = ".tar"
_LIST = ".txt"
_ANNOTATIONS = ".json"


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes on the disk.

    Attributes:
        path: the file that holds them.
        start: the first byte.
        size: their number; None for all to the end of the file.
    """

    path: Path
    start: int = 0
    size: int | None = None

    def read(self) -> bytes:
        """Return the bytes.

        Raises:
            SourceError: if the file cannot be read or is too short.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                data = file.read(-1 if self.size is None else self.size)
        except OSError as error:
            msg = f"{self.path} cannot be read ({error.strerror or error}); check the disk"
            raise SourceError(msg) from error
        if self.size is not None and len(data) < self.size:
            msg = f"{self.path} ends too early: it was cut off or changed; fetch it again"
            raise SourceError(msg)
        return data


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture that can be learnt from.

    Attributes:
        name: unique among the pictures of a run, the same on every machine: the path below the
            folder that was given, archives included.
        pixels: where the encoded picture is.
        annotations: where SA-1B's JSON of the same name is; None if there is none.
    """

    name: str
    pixels: Extent
    annotations: Extent | None = None

    def load(self) -> Image:
        """Decode the picture.

        Raises:
            SourceError: if it cannot be read.
        """
        return decode_picture(self.pixels.read(), self.name)

    def objects(self) -> list[dict[str, Any]]:
        """Return the entries of SA-1B's annotations; none where there is no such file.

        Raises:
            SourceError: if the file is no JSON in the form of SA-1B.
        """
        if self.annotations is None:
            return []
        try:
            entries = json.loads(self.annotations.read())["annotations"]
        except (ValueError, KeyError, TypeError) as error:
            msg = f"the annotations of {self.name} are not in the form of SA-1B ({error!r})"
            raise SourceError(f"{msg}; remove the file beside the picture, or mend it") from error
        return list(entries)


def find_pictures(places: Sequence[Path]) -> list[PictureFile]:
    """Return all pictures in these places, sorted by name.

    Args:
        places: folders, searched to the bottom with the archives in them; tar archives; text
            files with one path of a picture, archive or folder a line, relative to the file.

    Raises:
        SourceError: if a place cannot be read, or there is no picture at all.
        UsageError: if two pictures have one name.
    """
    found: dict[str, PictureFile] = {}
    for place in places:
        for picture in _pictures_at(place):
            if picture.name in found:
                msg = (
                    f"two pictures are called {picture.name} ({found[picture.name].pixels.path} "
                    f"and {picture.pixels.path}); give the folder that holds both"
                )
                raise UsageError(msg)
            found[picture.name] = picture
    if not found:
        told = ", ".join(map(str, places))
        msg = f"there are no pictures in {told}; give folders, tar archives or lists of them"
        raise SourceError(msg)
    # Not in the order of the disk: batches must be the same on every machine.
    return [found[name] for name in sorted(found)]


def names_sha256(names: Iterable[str]) -> str:
    """Return a hash that tells two lists of pictures apart."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _pictures_at(place: Path) -> Iterator[PictureFile]:
    if place.is_dir():
        yield from _in_folder(place)
    elif place.suffix.lower() == _ARCHIVE:
        yield from _in_archive(place, place.name)
    elif place.suffix.lower() == _LIST:
        yield from _in_list(place)
    elif place.suffix.lower() in IMAGE_SUFFIXES and place.is_file():
        yield _picture(place.name, place)
    else:
        msg = f"{place} is no folder, tar archive, list (.txt) or picture; check the path"
        raise SourceError(msg)


def _in_folder(folder: Path) -> Iterator[PictureFile]:
    # Links are followed: large data sets are often linked together from several disks.
    for base, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for file in files:
            path = Path(base, file)
            name = path.relative_to(folder).as_posix()
            if file.startswith("."):
                continue
            if path.suffix.lower() == _ARCHIVE:
                yield from _in_archive(path, name)
            elif path.suffix.lower() in IMAGE_SUFFIXES:
                yield _picture(name, path)


def _picture(name: str, path: Path) -> PictureFile:
    beside = path.with_suffix(_ANNOTATIONS)
    return PictureFile(name, Extent(path), Extent(beside) if beside.is_file() else None)


def _in_archive(path: Path, prefix: str) -> Iterator[PictureFile]:
    try:
        # Headers only: one seek a member, whatever the size of the archive.
        with tarfile.open(path, "r:") as archive:
            members = [item for item in archive if item.isfile()]
    except (OSError, tarfile.TarError) as error:
        msg = f"{path} is no readable tar archive ({error}); fetch it again, or unpack it"
        raise SourceError(msg) from error
    # As paths, which are the same with and without the `./` that SA-1B's names begin with.
    extents = {
        PurePosixPath(item.name): Extent(path, item.offset_data, item.size) for item in members
    }
    for inner, extent in extents.items():
        if inner.suffix.lower() in IMAGE_SUFFIXES:
            beside = extents.get(inner.with_suffix(_ANNOTATIONS))
            yield PictureFile(f"{prefix}/{inner}", extent, beside)


def _in_list(path: Path) -> Iterator[PictureFile]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} is no readable list of pictures ({error}); write one path a line"
        raise SourceError(msg) from error
    for line in filter(None, map(str.strip, lines)):
        target = path.parent / line
        if target.suffix.lower() in IMAGE_SUFFIXES and target.is_file():
            # By the whole line: pictures of one name in several folders are common.
            yield _picture(PurePosixPath(line).as_posix(), target)
        else:
            yield from _pictures_at(target)

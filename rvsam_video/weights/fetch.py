"""Getting published weights onto this machine, whole and unchanged."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from rvsam_video.errors import WeightsError
from rvsam_video.weights.cache import (
    cache_folder,
    is_offline,
    only_writer,
    pin_file,
    read_pin,
    write_pin,
    writing_cache,
)
from rvsam_video.weights.download import Progress, Retries, discard, download
from rvsam_video.weights.published import PUBLISHED, PublishedWeights, find_weights
from rvsam_video.weights.read import check_stored_sums, load_state_dict

__all__ = [
    "PUBLISHED",
    "PublishedWeights",
    "cached_file",
    "checkpoint_path",
    "describe_weights",
    "fetch",
    "file_sha256",
    "find_weights",
    "held_against",
    "load_state_dict",
    "verify",
]

_LOGGER = logging.getLogger(__name__)

_WITHOUT_NETWORK = (
    "fetch {url} on a machine with network and pass the file with {option} PATH, or go without "
    "weights: --tracker lucas-kanade --segmenter grabcut"
)
_REPLACE = "it was changed or damaged; remove it and run `rvsam-video weights fetch {name}`"


def cached_file(checkpoint: PublishedWeights, cache: str | Path | None = None) -> Path:
    """Return where the weights are in the cache, or would be."""
    return cache_folder(cache) / checkpoint.file_name


def checkpoint_path(
    name: str,
    *,
    cache: str | Path | None = None,
    offline: bool | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return a verified file of the weights of this name; downloads them on first use.

    Args:
        name: a key of `PUBLISHED`.
        cache: the folder to keep them in; by default RVSAM_CACHE or the system's cache.
        offline: never use the network; by default as RVSAM_OFFLINE says.
        progress: told of every chunk, with bytes done and in all.

    Raises:
        UsageError: if the name is unknown.
        WeightsError: if they are not there and cannot be fetched, or do not verify.
    """
    return fetch(find_weights(name), cache=cache, offline=offline, progress=progress)


def fetch(
    checkpoint: PublishedWeights,
    *,
    cache: str | Path | None = None,
    offline: bool | None = None,
    progress: Progress | None = None,
    retries: Retries | None = None,
) -> Path:
    """Return a verified file of these weights, as `checkpoint_path` does for a name.

    Only a file that has the published size and hash (or, if none is published, that is whole and
    readable) ever gets its name in the cache. Two processes at once download once.

    Raises:
        WeightsError: as `checkpoint_path`.
    """
    target = cached_file(checkpoint, cache)
    if not target.is_file():
        if is_offline(offline):
            # Not every command has the option, and the environment may say it.
            why = "RVSAM_OFFLINE is set" if offline is None else "--offline is given"
            msg = f"the weights {checkpoint.name} are not in the cache ({target}) and {why}, so "
            msg += f"they are not downloaded: {_without_network(checkpoint)}"
            raise WeightsError(msg)
        with writing_cache(target.parent), only_writer(target):
            if not target.is_file():
                return _download(checkpoint, target, progress, retries)
    # Also what was there before: a cache is shared, and disks rot.
    verify(checkpoint, target)
    return target


def verify(checkpoint: PublishedWeights, path: Path) -> str:
    """Hold a file against the published hash, or against the one it had when first seen.

    A file without either is seen for the first time: it must be readable, have the published MD5
    if there is one, and is noted.

    Returns:
        The file's sha256.

    Raises:
        WeightsError: if it is missing, differs or is not a checkpoint.
    """
    if not path.is_file():
        msg = f"there is no file {path}; run `rvsam-video weights fetch {checkpoint.name}`"
        raise WeightsError(msg)
    found, pinned = file_sha256(path), read_pin(path)
    # The published one first: it cannot have been noted from a wrong file.
    expected = checkpoint.sha256 or pinned
    if expected is None:
        if checkpoint.md5 is not None and (md5 := _file_hash(path, "md5")) != checkpoint.md5:
            msg = f"{path} has MD5 {md5}, not the one published ({checkpoint.md5}): "
            msg += _REPLACE.format(name=checkpoint.name)
            raise WeightsError(msg)
        if not found.startswith(checkpoint.sha256_start):
            msg = f"{path} has sha256 {found}, which does not begin with the digits published "
            msg += f"({checkpoint.sha256_start}): {_REPLACE.format(name=checkpoint.name)}"
            raise WeightsError(msg)
        _check_readable(path)
        _say_if_unreported(checkpoint, found)
        _pin(path, found, checkpoint)
    elif found != expected:
        where = "published" if checkpoint.sha256 else f"noted in {pin_file(path)}"
        msg = (
            f"{path} has sha256 {found}, not the one {where} ({expected}): "
            f"{_REPLACE.format(name=checkpoint.name)}"
        )
        raise WeightsError(msg)
    return found


def held_against(
    checkpoint: PublishedWeights, path: Path
) -> Literal["published", "first seen"] | None:
    """Return what `verify` holds a file against; None if nothing is known of it yet.

    Raises:
        WeightsError: if the note on the file is damaged.
    """
    if checkpoint.sha256 is not None or checkpoint.md5 is not None:
        return "published"
    return None if read_pin(path) is None else "first seen"


def file_sha256(path: str | Path) -> str:
    """Return the sha256 of a file, in hexadecimal.

    Raises:
        WeightsError: if it cannot be read.
    """
    return _file_hash(path, "sha256")


def _file_hash(path: str | Path, algorithm: str) -> str:
    import pooch

    try:
        return str(pooch.file_hash(str(path), alg=algorithm))
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}"
        raise WeightsError(msg) from error


def describe_weights(name: str, path: str | Path | None = None) -> dict[str, str]:
    """Return what `run.json` keeps of weights: file, sha256, licence and whom to cite.

    What users must be told of the licence, if anything, is under "notice".

    Args:
        name: of the part that the weights are for; nothing is known of those of an own part.
        path: the file that was loaded; None for the published one in the cache. Of a file that is
            not the published one neither licence nor authors are known.

    Raises:
        WeightsError: if the file is not there.
    """
    entry = PUBLISHED.get(name)
    if path is None and entry is None:
        return {}
    # Loading has just verified the published file; one more look at its bytes gives the hash.
    file = cached_file(find_weights(name)) if path is None else Path(path)
    facts = {"file": str(file), "sha256": file_sha256(file)}
    if entry is not None and (path is None or _is_published(entry, file, facts["sha256"])):
        facts |= {"licence": entry.licence, "citation": entry.citation, "url": entry.url}
        facts |= {"notice": entry.notice} if entry.notice else {}
    if entry is not None and path is None and entry.sha256 is None and entry.md5 is None:
        # Its name in the cache says what it should be; nobody can say that it is.
        facts |= {"verified": "no: nobody published a hash of these weights"}
    return facts


def _is_published(entry: PublishedWeights, path: Path, sha256: str) -> bool:
    if entry.sha256 is not None:
        return sha256 == entry.sha256
    return entry.md5 is not None and _file_hash(path, "md5") == entry.md5


def _without_network(checkpoint: PublishedWeights) -> str:
    return _WITHOUT_NETWORK.format(url=checkpoint.url, option=checkpoint.option)


def _download(
    checkpoint: PublishedWeights, target: Path, progress: Progress | None, retries: Retries | None
) -> Path:
    part = target.with_name(f"{target.name}.part")
    try:
        download(
            checkpoint.url,
            part,
            size=checkpoint.size,
            resumable=(checkpoint.sha256 or checkpoint.md5) is not None,
            progress=progress,
            retries=retries,
        )
    except WeightsError as error:
        msg = f"{error}; {_without_network(checkpoint)}"
        raise WeightsError(msg) from error
    try:
        found = _admit(checkpoint, part, pinned=read_pin(target))
    except WeightsError:
        # A file that failed its check would fail again: going on behind its bytes is no use.
        discard(part)
        raise
    # The last step: whatever has its name in the cache has passed.
    part.replace(target)
    if checkpoint.sha256 is None:
        _say_if_unreported(checkpoint, found)
        _pin(target, found, checkpoint)
    return target


def _admit(checkpoint: PublishedWeights, part: Path, *, pinned: str | None) -> str:
    """Check a complete download before it gets its name; return its sha256."""
    size = part.stat().st_size
    # Size first: it costs nothing, and says more than a hash that differs.
    if checkpoint.size is not None and size != checkpoint.size:
        msg = f"{checkpoint.url} sent {size} bytes instead of {checkpoint.size}; nothing was kept"
        raise WeightsError(msg)
    found = file_sha256(part)
    expected = checkpoint.sha256 or pinned
    if expected is not None and found != expected:
        known = "published" if checkpoint.sha256 else "of the first download"
        msg = f"{checkpoint.url} sent a file with sha256 {found}, not the one {known} ({expected})"
        msg += "; nothing was kept"
        raise WeightsError(msg)
    if checkpoint.md5 is not None and (md5 := _file_hash(part, "md5")) != checkpoint.md5:
        msg = f"{checkpoint.url} sent a file with MD5 {md5}, not the one published "
        msg += f"({checkpoint.md5}); nothing was kept"
        raise WeightsError(msg)
    if not found.startswith(checkpoint.sha256_start):
        msg = f"{checkpoint.url} sent a file with sha256 {found}, which does not begin with the "
        msg += f"digits published ({checkpoint.sha256_start}); nothing was kept"
        raise WeightsError(msg)
    try:
        _check_readable(part)
    except WeightsError as error:
        msg = f"what {checkpoint.url} sent is of no use and was not kept: {error}"
        raise WeightsError(msg) from error
    return found


def _check_readable(path: Path) -> None:
    check_stored_sums(path)
    load_state_dict(path)


def _say_if_unreported(checkpoint: PublishedWeights, sha256: str) -> None:
    """Say that a file is another one than people have reported, which is no proof of anything."""
    reported = checkpoint.reported_sha256
    if reported is not None and sha256 != reported:
        _LOGGER.warning(
            "the weights %s have sha256 %s; others have reported %s for them. The authors publish "
            "none. The file is used, and refused only if a name or shape in it differs",
            checkpoint.name,
            sha256,
            reported,
        )


def _pin(path: Path, sha256: str, checkpoint: PublishedWeights) -> None:
    try:
        write_pin(path, sha256, checkpoint.url)
    except OSError as error:
        # A cache that is shared for reading only still serves.
        _LOGGER.warning("%s: its hash could not be noted (%s)", path, error.strerror or error)

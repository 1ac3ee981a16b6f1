"""Published weights: what there is, and how they get onto this machine whole and unchanged."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from rvsam_video.downloading import Progress, Retries, discard, download
from rvsam_video.errors import UsageError, WeightsError
from rvsam_video.state_dict import check_stored_sums, load_state_dict
from rvsam_video.weights_cache import (
    cache_folder,
    is_offline,
    only_writer,
    pin_file,
    read_pin,
    write_pin,
    writing_cache,
)

__all__ = [
    "CHECKPOINTS",
    "Checkpoint",
    "cached_file",
    "checkpoint_path",
    "fetch",
    "file_sha256",
    "find_checkpoint",
    "load_state_dict",
    "verify",
]

_LOGGER = logging.getLogger(__name__)

_WITHOUT_NETWORK = (
    "fetch {url} on a machine with network and pass the file with --checkpoint PATH, or go without "
    "weights: --tracker lucas-kanade --segmenter grabcut"
)

_SAM_URL = "https://dl.fbaipublicfiles.com/segment_anything"
_SAM_CITATION = "Kirillov et al., Segment Anything, ICCV 2023, arXiv:2304.02643"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Weights that someone published.

    Attributes:
        name: what users call it; the name of the segmenter or tracker that it is for.
        url: where its authors keep it.
        file_name: its name in the cache.
        licence: SPDX identifier of the licence of the weights.
        citation: whom to cite.
        size: bytes, or None where not known for certain.
        sha256: of the whole file, in hexadecimal, or None where nobody published it; then the hash
            of the first download is kept and later files are held against it.
    """

    name: str
    url: str
    file_name: str
    licence: str
    citation: str
    size: int | None = None
    sha256: str | None = None


_PUBLISHED = (
    Checkpoint(
        name="repvit-sam",
        url="https://github.com/THU-MIG/RepViT/releases/download/v1.0/repvit_sam.pt",
        file_name="repvit_sam.pt",
        licence="Apache-2.0",
        citation="Wang et al., RepViT-SAM: Towards Real-Time Segmenting Anything, arXiv:2312.05760",
    ),
    Checkpoint(
        name="mobile-sam",
        url="https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
        file_name="mobile_sam.pt",
        licence="Apache-2.0",
        citation="Zhang et al., Faster Segment Anything, arXiv:2306.14289",
        size=40_728_226,
        sha256="6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
    ),
    Checkpoint(
        name="sam-vit-b",
        url=f"{_SAM_URL}/sam_vit_b_01ec64.pth",
        file_name="sam_vit_b_01ec64.pth",
        licence="Apache-2.0",
        citation=_SAM_CITATION,
        size=375_042_383,
        sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    Checkpoint(
        name="sam-vit-l",
        url=f"{_SAM_URL}/sam_vit_l_0b3195.pth",
        file_name="sam_vit_l_0b3195.pth",
        licence="Apache-2.0",
        citation=_SAM_CITATION,
        size=1_249_524_607,
        sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    Checkpoint(
        name="sam-vit-h",
        url=f"{_SAM_URL}/sam_vit_h_4b8939.pth",
        file_name="sam_vit_h_4b8939.pth",
        licence="Apache-2.0",
        citation=_SAM_CITATION,
        size=2_564_550_879,
        sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
)

CHECKPOINTS: dict[str, Checkpoint] = {entry.name: entry for entry in _PUBLISHED}
"""All weights that can be fetched, by name."""


def find_checkpoint(name: str) -> Checkpoint:
    """Return the entry of this name.

    Raises:
        UsageError: if there is none.
    """
    if name not in CHECKPOINTS:
        msg = f"there are no weights named {name!r}; choose one of: {', '.join(CHECKPOINTS)}"
        raise UsageError(msg)
    return CHECKPOINTS[name]


def cached_file(checkpoint: Checkpoint, cache: str | Path | None = None) -> Path:
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
        name: a key of `CHECKPOINTS`.
        cache: the folder to keep them in; by default RVSAM_CACHE or the system's cache.
        offline: never use the network; by default as RVSAM_OFFLINE says.
        progress: told of every chunk, with bytes done and in all.

    Raises:
        UsageError: if the name is unknown.
        WeightsError: if they are not there and cannot be fetched, or do not verify.
    """
    return fetch(find_checkpoint(name), cache=cache, offline=offline, progress=progress)


def fetch(
    checkpoint: Checkpoint,
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
            msg = f"the weights {checkpoint.name} are not in the cache ({target}) and --offline "
            msg += f"forbids downloading them: {_WITHOUT_NETWORK.format(url=checkpoint.url)}"
            raise WeightsError(msg)
        with writing_cache(target.parent), only_writer(target):
            if not target.is_file():
                return _download(checkpoint, target, progress, retries)
    verify(checkpoint, target)
    return target


def verify(checkpoint: Checkpoint, path: Path) -> str:
    """Hold a file against the published hash, or against the one it had when first seen.

    A file without either is seen for the first time: it must be readable, and is noted.

    Returns:
        The file's sha256.

    Raises:
        WeightsError: if it is missing, differs or is not a checkpoint.
    """
    if not path.is_file():
        msg = f"there is no file {path}; run `rvsam-video weights fetch {checkpoint.name}`"
        raise WeightsError(msg)
    found, pinned = file_sha256(path), read_pin(path)
    expected = checkpoint.sha256 or pinned
    if expected is None:
        _check_readable(path)
        _pin(path, found, checkpoint)
    elif found != expected:
        where = "published" if checkpoint.sha256 else f"noted in {pin_file(path)}"
        msg = (
            f"{path} has sha256 {found}, not the one {where} ({expected}): it was changed or "
            f"damaged; remove it and run `rvsam-video weights fetch {checkpoint.name}`"
        )
        raise WeightsError(msg)
    return found


def file_sha256(path: str | Path) -> str:
    """Return the sha256 of a file, in hexadecimal.

    Raises:
        WeightsError: if it cannot be read.
    """
    import pooch

    try:
        return str(pooch.file_hash(str(path), alg="sha256"))
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}"
        raise WeightsError(msg) from error


def _download(
    checkpoint: Checkpoint, target: Path, progress: Progress | None, retries: Retries | None
) -> Path:
    part = target.with_name(f"{target.name}.part")
    try:
        download(
            checkpoint.url,
            part,
            size=checkpoint.size,
            resumable=checkpoint.sha256 is not None,
            progress=progress,
            retries=retries,
        )
    except WeightsError as error:
        msg = f"{error}; {_WITHOUT_NETWORK.format(url=checkpoint.url)}"
        raise WeightsError(msg) from error
    try:
        found = _admit(checkpoint, part, pinned=read_pin(target))
    except WeightsError:
        discard(part)
        raise
    part.replace(target)
    if checkpoint.sha256 is None:
        _pin(target, found, checkpoint)
    return target


def _admit(checkpoint: Checkpoint, part: Path, *, pinned: str | None) -> str:
    """Check a complete download before it gets its name; return its sha256."""
    size = part.stat().st_size
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
    try:
        _check_readable(part)
    except WeightsError as error:
        msg = f"what {checkpoint.url} sent is of no use and was not kept: {error}"
        raise WeightsError(msg) from error
    return found


def _check_readable(path: Path) -> None:
    check_stored_sums(path)
    load_state_dict(path)


def _pin(path: Path, sha256: str, checkpoint: Checkpoint) -> None:
    try:
        write_pin(path, sha256, checkpoint.url)
    except OSError as error:
        # A cache that is shared for reading only still serves.
        _LOGGER.warning("%s: its hash could not be noted (%s)", path, error.strerror or error)

"""Named tensors from a file, without ever running what the file contains."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile, is_zipfile

from rvsam_video.errors import WeightsError

if TYPE_CHECKING:
    import torch

_CONTAINERS = ("model", "state_dict")
"""Keys under which training scripts commonly keep the tensors among other things."""

_WEB_PAGES = (b"<!doctype", b"<html", b"<?xml")
_LFS_POINTER = b"version https://git-lfs"
_HEAD = 256
"""Bytes that tell a web page or a Git LFS pointer."""


def load_state_dict(path: str | Path) -> dict[str, torch.Tensor]:
    """Read a PyTorch checkpoint into the main memory.

    Accepted are a flat {name: tensor} mapping, and one that lies under "model" or "state_dict".
    The file is read with PyTorch's `weights_only` unpickler, which refuses everything but tensors
    and plain values: a file that contains code is not run.

    Args:
        path: a file written by `torch.save`.

    Returns:
        The tensors by name, on the CPU, in the file's order.

    Raises:
        WeightsError: if there is no such file, or it is damaged, cut off, a web page, wants to run
            code, or holds something else than named tensors.
    """
    path = Path(path)
    _refuse_lookalikes(path)
    return _named_tensors(path, _unpickle(path))


def check_stored_sums(path: Path) -> None:
    """Compare every part of a zipped checkpoint with the check sum stored in it.

    PyTorch does not do so when it loads. Files in its older format have no sums and pass.

    Raises:
        WeightsError: naming the first part that was changed after it was written.
    """
    if not is_zipfile(path):
        return
    try:
        with ZipFile(path) as archive:
            damaged = archive.testzip()
    except (BadZipFile, NotImplementedError, EOFError) as error:
        msg = f"{path} is damaged: {error}; fetch it again"
        raise WeightsError(msg) from error
    if damaged is not None:
        msg = f"{path} is damaged: the part {damaged} does not have its check sum; fetch it again"
        raise WeightsError(msg)


def _refuse_lookalikes(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).lstrip().lower()
    except OSError as error:
        msg = f"{path} cannot be read as weights: {error.strerror or error}; check the path"
        raise WeightsError(msg) from error
    if head.startswith(_WEB_PAGES):
        msg = f"{path} is a web page, not weights; download the file itself"
        raise WeightsError(msg)
    if head.startswith(_LFS_POINTER):
        msg = f"{path} is a Git LFS pointer, not weights; run git lfs pull where it comes from"
        raise WeightsError(msg)


def _unpickle(path: Path) -> object:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # A damaged file can raise nearly anything from inside the unpickler.
        text = str(error)
        if "GLOBAL" in text:
            msg = f"{path} wants to run code when it is loaded and was refused; use a file that "
            msg += "holds only tensors (saved from model.state_dict())"
        elif "TorchScript" in text:
            msg = f"{path} is a TorchScript program, not plain weights; use the checkpoint that "
            msg += "it was made from"
        else:
            msg = f"{path} is not a readable PyTorch checkpoint (cut off, damaged or another kind "
            msg += "of file); fetch it again"
        raise WeightsError(msg) from error


def _named_tensors(path: Path, content: object) -> dict[str, torch.Tensor]:
    import torch

    if isinstance(content, Mapping):
        inner = next((content[key] for key in _CONTAINERS if key in content), None)
        content = inner if isinstance(inner, Mapping) else content
    if not isinstance(content, Mapping) or not content:
        kind = "an empty mapping" if isinstance(content, Mapping) else type(content).__name__
        msg = f"{path} holds {kind} instead of named tensors; use a file saved from state_dict()"
        raise WeightsError(msg)
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            msg = (
                f"{path} holds {type(value).__name__} under {name!r} instead of a tensor; use a "
                "file saved from state_dict()"
            )
            raise WeightsError(msg)
    return dict(content)

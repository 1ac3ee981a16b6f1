"""Named tensors: read from a file without running what it contains, and put into a network."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile, is_zipfile

from rvsam_video.errors import WeightsError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

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
    try:
        if not is_zipfile(path):
            return
        with ZipFile(path) as archive:
            damaged = archive.testzip()
    # Names that are no text are met by all of these, also by ValueError.
    except (BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError) as error:
        msg = f"{path} is damaged: {error}; fetch it again"
        raise WeightsError(msg) from error
    if damaged is not None:
        msg = f"{path} is damaged: the part {damaged} does not have its check sum; fetch it again"
        raise WeightsError(msg)


def _refuse_lookalikes(path: Path) -> None:
    try:
        with path.open("rb") as file:
            # Told apart before unpickling: its errors would say nothing of what the file really is.
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
        # It warns of protocols that damage has made up; what is wrong is said by the error.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # A damaged file can raise nearly anything from inside the unpickler.
        text = str(error)
        # By its text, as PyTorch has no error of its own for it.
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
        # Only if it is a mapping itself: a network may have a parameter of that name.
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


_SHOWN = 3
"""Differing names that a message lists of each kind; the first ones tell which network it was."""


def same_entries(model: nn.Module, state_dict: Mapping[str, Tensor]) -> bool:
    """Whether a network has exactly these names and shapes; it may be one without memory."""
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    return own == {name: tuple(value.shape) for name, value in state_dict.items()}


def load_checked(
    model: nn.Module,
    state_dict: Mapping[str, Tensor],
    source: str,
    known: Callable[[], Sequence[str]] = tuple,
) -> None:
    """Copy a state dict into a network if all names and shapes agree.

    Args:
        model: the network; its entries are overwritten in place and keep their type and device.
        state_dict: names to tensors, exactly the network's.
        source: where the tensors are from, for the message.
        known: names the networks that these weights are of; asked only if they do not fit.

    Raises:
        WeightsError: naming the first entries that are missing, superfluous or of another shape,
            or hold values that are no finite numbers; the network is left as it was.
    """
    # Compared here and not by PyTorch's strict loading, whose message lists hundreds of names.
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state_dict.items()}
    differences = [
        *_listed("lack", [name for name in own if name not in given]),
        *_listed("also hold", [name for name in given if name not in own]),
        *_listed(
            "have other shapes in",
            [
                f"{name} {given[name]} instead of {shape}"
                for name, shape in own.items()
                if given.get(name, shape) != shape
            ],
        ),
    ]
    if differences:
        names = known()
        advice = (
            f"they are weights of {' or '.join(names)}: choose that"
            if names
            else "choose the segmenter or tracker that these weights were made for"
        )
        msg = (
            f"the weights from {source} do not fit this network: they {'; they '.join(differences)}"
            f"; {advice}, or other weights"
        )
        raise WeightsError(msg)
    refuse_infinite_weights(state_dict, source)
    # Only once everything fits: a network half filled would compute nonsense.
    model.load_state_dict(dict(state_dict))


def refuse_infinite_weights(state_dict: Mapping[str, Tensor], source: str) -> None:
    """Refuse weights in which a value is no finite number: every result would rest on it.

    Args:
        state_dict: names to tensors.
        source: where they are from, for the message.

    Raises:
        WeightsError: naming the first such tensor, and how many values are wrong.
    """
    import torch

    for name, value in state_dict.items():
        if not (value.is_floating_point() or value.is_complex()):
            continue
        wrong = value.numel() - int(torch.isfinite(value).sum())
        if wrong:
            msg = (
                f"the weights from {source} are damaged: {name} holds {wrong} of "
                f"{value.numel()} values that are no finite numbers; fetch them again, or use an "
                "earlier file of the training"
            )
            raise WeightsError(msg)


def _listed(verb: str, entries: list[str]) -> Iterable[str]:
    if entries:
        more = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
        yield f"{verb} {', '.join(entries[:_SHOWN])}{more}"

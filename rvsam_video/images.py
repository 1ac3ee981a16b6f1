"""What callers have as a picture, as the RGB array that everything here works on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import UsageError
from rvsam_video.frame import Frame, Image

CALLERS_RATE = 25.0
"""Frames per second of a caller's pictures unless told otherwise, as of pictures in files."""

_ALLOWED = "(height, width, 3) uint8 arrays, RGB; Pillow images; or tensors of uint8 or of 0 to 1"


def as_image(picture: object, what: str = "the picture") -> Image:
    """Return a picture as (H, W, 3) uint8 RGB that nobody else writes into.

    Args:
        picture: an array (H, W, 3); a Pillow image; or a PyTorch tensor on any device, (3, H, W)
            or (H, W, 3). Numbers are uint8, or floats from 0 to 1.
        what: to call it in messages.

    Returns:
        always a copy: callers fill the same buffer again.

    Raises:
        UsageError: if it is something else.
    """
    if _is_of(picture, "PIL.Image", "Image"):
        return _of_pillow(picture, what)
    if _is_of(picture, "torch", "Tensor"):
        values = _of_tensor(picture)
    elif isinstance(picture, np.ndarray):
        values = picture
    else:
        msg = f"{what} is of type {type(picture).__name__}; frames are {_ALLOWED}"
        raise UsageError(msg)
    if values.ndim != 3 or values.shape[2] != 3 or values.dtype.kind not in "uf":
        _refuse(what, values)
    if values.dtype.kind == "f":
        values = _of_floats(values, what)
    if values.dtype != np.uint8:
        _refuse(what, values)
    return np.array(values, np.uint8, order="C")


def frames_of(pictures: object, fps: float | None = None) -> Iterator[Frame]:
    """Number a caller's pictures, and give them times.

    Args:
        pictures: `Frame`s, which keep their numbers and times, or whatever `as_image` takes.
        fps: frames per second of pictures without a time; None takes 25.

    Raises:
        UsageError: if they are something else.
    """
    if fps is not None and not 0 < fps < float("inf"):
        msg = f"fps is {fps}; it must be a number above 0"
        raise UsageError(msg)
    try:
        iterator = iter(pictures)  # type: ignore[call-overload]
    except TypeError as error:
        msg = (
            f"the source is of type {type(pictures).__name__}; give a path, an address, the number "
            f"of a camera, or frames: {_ALLOWED}"
        )
        raise UsageError(msg) from error
    index = -1
    for picture in iterator:
        index += 1
        if isinstance(picture, Frame):
            index = picture.index
            yield owned(picture)
        else:
            yield Frame(index, index / (fps or CALLERS_RATE), as_image(picture, f"frame {index}"))


def owned(frame: Frame) -> Frame:
    """Return a frame with a picture of its own, whatever the caller does with the first one.

    Raises:
        UsageError: if its picture is none.
    """
    return Frame(frame.index, frame.time, as_image(frame.image, f"frame {frame.index}"))


def _is_of(value: object, module: str, name: str) -> bool:
    # Libraries that nobody has loaded made nothing.
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _of_pillow(picture: Any, what: str) -> Image:  # noqa: ANN401 (Pillow is not loaded)
    if picture.mode.startswith("I") or picture.mode == "F":
        msg = f"{what} is a Pillow image of mode {picture.mode}; convert it to RGB first"
        raise UsageError(msg)
    return np.array(picture.convert("RGB"), np.uint8)


def _of_tensor(tensor: Any) -> NDArray[np.generic]:  # noqa: ANN401 (PyTorch is not loaded)
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        # NumPy has no bfloat16.
        tensor = tensor.float()
    # Channels stand first in PyTorch; last only where they cannot stand first.
    if tensor.ndim == 3 and tensor.shape[0] == 3:
        tensor = tensor.permute(1, 2, 0)
    return np.asarray(tensor.numpy())


def _of_floats(values: NDArray[np.generic], what: str) -> NDArray[np.uint8]:
    low, high = (float(value) for value in (values.min(), values.max()))
    if not (low >= 0 and high <= 1):
        msg = (
            f"{what} holds floats from {low:g} to {high:g}; floats are 0 (black) to 1: divide by "
            "the largest value, or convert to uint8"
        )
        raise UsageError(msg)
    return np.asarray(np.rint(values.astype(np.float64) * 255), np.uint8)


def _refuse(what: str, values: NDArray[np.generic]) -> None:
    msg = f"{what} has shape {values.shape} and type {values.dtype}; frames are {_ALLOWED}"
    raise UsageError(msg)

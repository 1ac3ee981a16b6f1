"""Read pickles that hold plain values and NumPy arrays, without running anything they contain.

A pickle is a program: whoever wrote it decides which functions run when it is loaded. Here it may
call nothing but the few stand-ins below, which build arrays from bytes after checking them. Not
even NumPy's own functions are reachable, since they trust what a pickle tells them.
"""

from __future__ import annotations

import math
import mmap
import pickle
import pickletools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from ...errors import SourceError

_PLAIN_TYPES = frozenset(["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])
"""What an array may hold: bools, whole and real numbers, by their size in bytes."""


def load_array_pickle(path: Path) -> object:
    """Read a pickle of dicts, lists, tuples, texts, bytes, numbers and arrays.

    Args:
        path: written with any protocol and any NumPy from 1.0 on. Arrays must hold bools, whole or
            real numbers.

    Returns:
        What was stored. Arrays share memory with the file's bytes and are read-only.

    Raises:
        SourceError: if the file is missing, damaged, no pickle, or asks for anything else.
    """
    try:
        with path.open("rb") as file:
            with _mapped(file) as content:
                _refuse_promises(content)
            size = file.seek(0, 2)
            file.seek(0)
            return _finished(_ArrayUnpickler(file, size).load(), {})
    except _Refused as error:
        msg = f"{path} was not loaded: {error}"
        raise SourceError(msg) from error
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}; check the path"
        raise SourceError(msg) from error
    except MemoryError as error:
        msg = f"{path} was not loaded: it asks for more memory than there is"
        raise SourceError(msg) from error
    except Exception as error:
        # A damaged pickle can fail in any way; nothing of it was run, so nothing else can be wrong.
        msg = f"{path} is damaged or no pickle of arrays ({type(error).__name__}: {error})"
        raise SourceError(msg) from error


class _Refused(pickle.UnpicklingError):
    """The pickle asks for what it may not have."""


@contextmanager
def _mapped(file: BinaryIO) -> Iterator[mmap.mmap]:
    """Open a file as memory; unlike a read, that takes none for bytes that are not there."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


def _refuse_promises(content: mmap.mmap) -> None:
    """Refuse a pickle that makes the unpickler take memory for what the file does not hold.

    The unpickler takes memory before it reads: for the length that stands before bytes and frames,
    and for all numbers below the one that a value is remembered by. Ten bytes could ask for 4 GB.
    """
    # Reads every argument in full, and so meets one that is longer than the file.
    for steps, (opcode, argument, _) in enumerate(pickletools.genops(cast("BinaryIO", content))):
        if opcode.name == "FRAME" and cast("int", argument) > len(content) - content.tell():
            msg = f"a frame of {argument} bytes in a file of {len(content)}"
            raise ValueError(msg)
        # Whoever pickles numbers values as they come; each has had a step of its own.
        if opcode.name in _REMEMBERS and int(cast("int", argument)) > steps:
            msg = f"it numbers a value {argument} after {steps} steps, as no NumPy does"
            raise _Refused(msg)


_REMEMBERS = frozenset(["PUT", "BINPUT", "LONG_BINPUT"])


class _Budget:
    """How many bytes may still be made: a short file can name one text over and over.

    Args:
        size: of the file; what it holds is made once.
    """

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, count: int) -> None:
        """Use some of it up.

        Raises:
            _Refused: if it does not suffice.
        """
        self._left -= count
        if self._left < 0:
            msg = "it makes more bytes than it holds"
            raise _Refused(msg)


class _ArrayUnpickler(pickle.Unpickler):
    """Finds the stand-ins only.

    Args:
        file: with the pickle.
        size: of the file in bytes.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        super().__init__(file)
        self._stand_ins = _stand_ins(_Budget(size))

    def find_class(self, module: str, name: str, /) -> object:
        """Return the stand-in, or refuse."""
        # Never the real thing, not even NumPy's: a list of what is allowed, not of what is
        # forbidden.
        found = self._stand_ins.get((module, name))
        if found is None:
            msg = (
                f"it asks for {module}.{name}, and only plain values and arrays are allowed; a "
                "pickle can run any program, so get the file from its publisher"
            )
            raise _Refused(msg)
        return found

    def persistent_load(self, pid: object, /) -> NoReturn:  # noqa: ARG002
        """Refuse what is not in the file."""
        msg = "it refers to objects outside the file"
        raise _Refused(msg)


class _Dtype:
    """What an array of the file holds."""

    __slots__ = ("_code", "_order")

    def __init__(self, code: object) -> None:
        self._code = code
        self._order = "="

    def __setstate__(self, state: object) -> None:
        """Take the byte order; all else in the state belongs to types that are not allowed."""
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in {"<", ">", "|", "="}:
            _refuse_array()
        self._order = state[1]

    def resolve(self) -> np.dtype[np.generic]:
        """Return the type, if it is a plain one."""
        code = self._code
        if not isinstance(code, str) or code not in _PLAIN_TYPES:
            msg = f"it holds an array of {code!r}; allowed are bools, whole and real numbers"
            raise _Refused(msg)
        return np.dtype((self._order if self._order in "<>" else "=") + code)


class _Array:
    """An array of the file before it is finished."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: NDArray[np.generic] | None = None

    def __setstate__(self, state: object) -> None:
        """Take shape, type, order and bytes, as `numpy.ndarray.__reduce__` writes them."""
        if not isinstance(state, tuple) or len(state) != 5:
            _refuse_array()
        _, shape, dtype, fortran, data = state
        self.value = _build(data, dtype, shape, "F" if fortran else "C")


class _NewArray:
    """Stands for `numpy.core.multiarray._reconstruct`.

    Stand-ins are objects without attributes: a pickle can set attributes of what it gets.
    """

    __slots__ = ()

    def __call__(self, kind: object, shape: object, code: object) -> _Array:  # noqa: ARG002
        return _Array()


class _ArrayOfBuffer:
    """Stands for `numpy.core.numeric._frombuffer`, which newer protocols use."""

    __slots__ = ()

    def __call__(self, data: object, dtype: object, shape: object, order: object) -> _Array:
        array = _Array()
        array.value = _build(data, dtype, shape, "F" if order == "F" else "C")
        return array


class _NewDtype:
    """Stands for `numpy.dtype`."""

    __slots__ = ()

    def __call__(self, code: object, *flags: object) -> _Dtype:  # noqa: ARG002
        return _Dtype(code)


class _Latin1:
    """Stands for `_codecs.encode`, by which old protocols store bytes."""

    __slots__ = ("_budget",)

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget

    def __call__(self, text: object, encoding: object = "latin1") -> bytes:
        if not isinstance(text, str) or encoding != "latin1":
            msg = f"it asks for the encoding {encoding!r}"
            raise _Refused(msg)
        self._budget.take(len(text))
        return text.encode("latin-1")


class _Bytes:
    """Stands for `bytes` and `bytearray`; old protocols make empty ones with it."""

    __slots__ = ("_budget",)

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget

    def __call__(self, data: object = b"") -> bytes:
        if not isinstance(data, bytes | bytearray):
            msg = "it makes bytes out of something else"
            raise _Refused(msg)
        self._budget.take(len(data))
        return bytes(data)


class _Kind:
    """Stands for `numpy.ndarray`, which is only named."""

    __slots__ = ()


def _stand_ins(budget: _Budget) -> Mapping[tuple[str, str], object]:
    """Return all that a pickle may call, by module and name."""
    made = _Bytes(budget)
    return {
        ("numpy", "ndarray"): _Kind(),
        ("numpy", "dtype"): _NewDtype(),
        ("_codecs", "encode"): _Latin1(budget),
        **{
            (module, name): made
            for module in ("builtins", "__builtin__")
            for name in ("bytes", "bytearray")
        },
        **{(f"numpy.{core}.multiarray", "_reconstruct"): _NewArray() for core in ("core", "_core")},
        **{
            (f"numpy.{core}.numeric", "_frombuffer"): _ArrayOfBuffer() for core in ("core", "_core")
        },
    }


def _build(data: object, dtype: object, shape: object, order: str) -> NDArray[np.generic]:
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray):
        _refuse_array()
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        _refuse_array()
    plain = dtype.resolve()
    # Python's whole numbers, which do not overflow: a huge shape cannot wrap around to a fitting
    # one.
    if math.prod(shape) * plain.itemsize != len(data):
        msg = f"it holds an array of shape {shape} and type {plain} in {len(data)} bytes"
        raise _Refused(msg)
    # Bytes are shared, not copied: a short file can make any number of arrays of them. Those that
    # could be changed are the unpickler's own, and nothing holds on to them.
    array = np.frombuffer(data, plain)
    array.flags.writeable = False
    return array.reshape(shape, order="F" if order == "F" else "C")


def _refuse_array() -> NoReturn:
    msg = "it holds an array that no NumPy has written"
    raise _Refused(msg)


def _finished(value: object, seen: dict[int, object]) -> object:
    """Return a copy in which every array is there as such.

    Args:
        value: what was loaded.
        seen: copies by the id of what they were made from: a short file can name one list so often,
            within lists of such lists, that copies of it would fill the memory.
    """
    if isinstance(value, str | bytes | int | float | complex) or value is None:
        return value
    if id(value) not in seen:
        seen[id(value)] = _copy(value, seen)
    return seen[id(value)]


def _copy(value: object, seen: dict[int, object]) -> object:
    if isinstance(value, _Array):
        if value.value is None:
            _refuse_array()
        return value.value
    if isinstance(value, dict):
        return {_finished(key, seen): _finished(item, seen) for key, item in value.items()}
    if isinstance(value, list):
        return [_finished(item, seen) for item in value]
    if isinstance(value, tuple):
        return tuple(_finished(item, seen) for item in value)
    msg = f"it holds a {type(value).__name__.strip('_')}, not only plain values and arrays"
    raise _Refused(msg)

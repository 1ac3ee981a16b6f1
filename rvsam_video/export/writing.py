"""From a network to a checked file under its own name."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rvsam_video.errors import OutputError, RvsamError, UsageError
from rvsam_video.export import coreml, onnx, openvino
from rvsam_video.export.parity import Parity, check_parity
from rvsam_video.export.parts import ExportPart
from rvsam_video.export.runtimes import NetworkRun, open_onnx, open_openvino


@dataclass(frozen=True, slots=True)
class Format:
    """A file format of another runtime.

    Attributes:
        suffix: of the file's name.
        write: writes a part to a path, with metadata.
        open_file: prepares a file to be run, or None where that is not possible.
    """

    suffix: str
    write: Callable[[ExportPart, Path, Mapping[str, str]], None]
    open_file: Callable[[Path], NetworkRun] | None


FORMATS = {
    "onnx": Format(".onnx", onnx.write_onnx, open_onnx),
    "openvino": Format(".xml", openvino.write_openvino, open_openvino),
    "coreml": Format(".mlpackage", coreml.write_coreml, None),
}
"""All formats by name."""


@dataclass(frozen=True, slots=True)
class Exported:
    """An exported file.

    Attributes:
        path: the file, or folder, to give to the runtime.
        size: bytes, with all that belongs to it.
        parity: how far it is from PyTorch, or None if it could not be run here.
        remark: why it was not run, or "".
    """

    path: Path
    size: int
    parity: Parity | None
    remark: str = ""


def export_part(
    part: ExportPart,
    format_name: str,
    out: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a network for another runtime, run it there and compare with PyTorch.

    The file gets its name only once it has passed; until then it stands in a temporary folder
    beside it.

    Args:
        part: what to write.
        format_name: a key of `FORMATS`.
        out: the file to make; must have the format's suffix.
        metadata: kept in the file.
        overwrite: replace a file of this name.

    Raises:
        UsageError: if the format is unknown, a package is missing or `out` does not fit.
        OutputError: if the file does not compute what PyTorch does, exists already or cannot be
            written.
    """
    _check_name(format_name, out)
    if out.exists() and not overwrite:
        msg = f"{out} is already there; use --overwrite to replace it, or another name with --out"
        raise OutputError(msg)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder, so on the same disk: moving from there is one step.
        with TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}-") as folder:
            path = Path(folder) / out.name
            parity, remark = _write_and_check(part, format_name, path, metadata or {})
            return Exported(out, _move(Path(folder), out.parent), parity, remark)
    except OutputError:
        raise
    except OSError as error:
        msg = f"cannot write {out}: {error.strerror or error}; choose another place with --out"
        raise OutputError(msg) from error


def _check_name(name: str, out: Path) -> None:
    if name not in FORMATS:
        msg = f"there is no format named {name!r}; choose one of: {', '.join(FORMATS)}"
        raise UsageError(msg)
    suffix = FORMATS[name].suffix
    if out.suffix != suffix:
        msg = f"--out is {out}, but files of the format {name} must end in {suffix}"
        raise UsageError(msg)


def _write_and_check(
    part: ExportPart, name: str, path: Path, metadata: Mapping[str, str]
) -> tuple[Parity | None, str]:
    try:
        FORMATS[name].write(part, path, metadata)
        return _check(part, name, path)
    # These are in one's own words already, or have a place that says more.
    except (RvsamError, OSError):
        raise
    except Exception as error:
        # Converters and runtimes have errors of their own kinds; the first line says it all.
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        msg = f"the {part.name} could not be made into a working {name} file: {first}"
        raise OutputError(msg) from error


def _check(part: ExportPart, name: str, path: Path) -> tuple[Parity | None, str]:
    chosen = FORMATS[name]
    if chosen.open_file is None:
        return (
            None,
            f"nothing was compared: {name} files are not run here, only Apple's systems can",
        )
    try:
        run = chosen.open_file(path)
    except UsageError as error:
        # Writing ONNX does not need its runtime.
        return None, f"nothing was compared: {error}"
    return check_parity(part, run), ""


def _move(folder: Path, target: Path) -> int:
    """Move everything from one folder to another, over what is there; return the bytes."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    # The .xml goes last: whoever sees it finds its .bin.
    for path in sorted(folder.iterdir()):
        final = target / path.name
        if final.is_dir():
            shutil.rmtree(final)
        path.replace(final)
    return size

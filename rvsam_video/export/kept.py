"""`KeptNetwork`: files of other runtimes, made of weights on first use and kept beside them.

Importing this loads no torch: a file that is there already is run without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rvsam_video import __version__
from rvsam_video.errors import UsageError
from rvsam_video.export.parts import ExportPart
from rvsam_video.export.runtimes import RUNTIMES, NetworkRun, Runtime
from rvsam_video.weights.cache import cache_folder, only_writer, writing_cache

_HASH_LETTERS = 16
"""Of the weights' hash in a file name: 64 bits tell all files of one machine apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptNetwork:
    """A part of a network as a file in the cache, exported on first use.

    Attributes:
        name: of the network and of all that is fixed in the file, for the file's name.
        part: of the network: "encoder", ...
        weights_sha256: of the file the weights came from; other weights make another file.
        make: builds the part, if it has to be exported.
        cache: the folder that exported files are kept in, under `exported`; by default that of
            the weights.
    """

    name: str
    part: str
    weights_sha256: str
    make: Callable[[], ExportPart]
    cache: str | Path | None = None

    def on(self, backend: str) -> NetworkRun:
        """Return the part as run by a backend other than "torch".

        Raises:
            UsageError: if the package of the backend is missing, or PyTorch is, and there is no
                file yet.
            OutputError: if the exported file does not compute what PyTorch does.
            WeightsError: if the cache cannot be written.
        """
        runtime = RUNTIMES[backend]
        folder = cache_folder(self.cache) / "exported"
        # The version is in the name because another one may build the network differently.
        stem = f"{self.name}-{self.part}-{self.weights_sha256[:_HASH_LETTERS]}-{__version__}"
        path = folder / f"{stem}{runtime.suffix}"
        # Looked for before the lock: a file that is there needs no leave to write.
        if not path.is_file():
            with writing_cache(folder), only_writer(path):
                # And again: another process may have made it while this one waited.
                if not path.is_file():
                    self._check_exportable(folder)
                    self._export(runtime, path)
        return runtime.open_file(path)

    def _check_exportable(self, folder: Path) -> None:
        try:
            import torch  # noqa: F401 (whether it is there is all that is asked)
        except ImportError as error:
            msg = (
                f"there is no file yet of the {self.part} of {self.name}, and PyTorch, which makes "
                f"it, is missing: install torch, or copy {folder} from where it was made"
            )
            raise UsageError(msg) from error

    def _export(self, runtime: Runtime, path: Path) -> None:
        from rvsam_video.export.writing import export_part

        notes = {
            "network": self.name,
            "part": self.part,
            "weights_sha256": self.weights_sha256,
        }
        export_part(self.make(), runtime.format_name, path, metadata=notes)

"""Optional packages that exporting needs."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from rvsam_video.errors import UsageError


def require(package: str, extra: str) -> ModuleType:
    """Import an optional package.

    Args:
        package: its import name.
        extra: the extra of this project that installs it.

    Raises:
        UsageError: with the command that installs it.
    """
    # Looked for, not tried: an import error inside an installed package must be seen as it is.
    if find_spec(package) is None:
        msg = (
            f"this needs the package {package}, which is not installed; run "
            f'pip install "rvsam-video[{extra}]"'
        )
        raise UsageError(msg)
    return import_module(package)

"""Reading a JSON file of annotations, with errors that name it."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import SourceError


def read_json(path: Path) -> object:
    """Return what a JSON file holds.

    Raises:
        SourceError: if the file is missing, cannot be read, or is no JSON.
    """
    try:
        # Some annotation tools begin UTF-8 files with a byte order mark.
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}; check the path"
        raise SourceError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{path} is not JSON: {error}"
        raise SourceError(msg) from error

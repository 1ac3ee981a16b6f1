"""`Body`: the JSON that the page sends, read field by field and never trusted."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Self

from starlette.requests import Request

from rvsam_video.errors import UsageError

LONGEST = 64 * 1024
"""Bytes; a click takes about 80."""

LONGEST_MASK = 4 * 1024**2
"""Bytes of a painted mask, or of a file with prompts."""


@dataclass(frozen=True, slots=True)
class Body:
    """The fields of one request."""

    fields: dict[str, Any]

    @classmethod
    async def of(cls, request: Request, longest: int = LONGEST) -> Self:
        """Read the body of a request.

        Args:
            request: as it came.
            longest: bytes that are taken.

        Raises:
            UsageError: if it is too long, or no JSON object.
        """
        content = await read_bytes(request, longest)
        try:
            # No body is no fields.
            fields = json.loads(content or b"{}")
        except (ValueError, RecursionError) as error:
            raise UsageError("the request is not JSON") from error
        if not isinstance(fields, dict):
            raise UsageError("the request is not a JSON object")
        return cls(fields)

    def whole(self, name: str, low: int, high: int) -> int:
        """Return a whole number in a range.

        Raises:
            UsageError: if it is something else.
        """
        value = self.fields.get(name)
        # In Python true is the number 1.
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise UsageError(f"{name} must be a whole number from {low} to {high}")
        return value

    def numbers(self, name: str, count: int) -> list[float]:
        """Return a list of finite numbers.

        Raises:
            UsageError: if it is something else.
        """
        values = self.fields.get(name)
        if not isinstance(values, list) or len(values) != count or not all(map(_finite, values)):
            raise UsageError(f"{name} must be a list of {count} numbers")
        return [float(value) for value in values]

    def text(self, name: str) -> str:
        """Return a text.

        Raises:
            UsageError: if it is something else.
        """
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise UsageError(f"{name} must be a text")
        return value


async def read_bytes(request: Request, longest: int) -> bytes:
    """Return the body of a request.

    Raises:
        UsageError: if it is too long.
    """
    content = b""
    # Chunk by chunk: a request that never ends is refused once it is too long.
    async for chunk in request.stream():
        content += chunk
        if len(content) > longest:
            raise UsageError(f"the request is longer than {longest} bytes")
    return content


def _finite(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    # A whole number of 400 digits is none that a float can hold.
    except OverflowError:
        return False

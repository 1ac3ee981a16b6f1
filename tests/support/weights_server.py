"""A server of weights that misbehaves as a script says, and the weights that it serves."""

from __future__ import annotations

import io
import re
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import torch

from rvsam_video.weights.download import Retries

QUICK = Retries(attempts=3, pause=0)


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


# Noise, so that nothing could compress it or find it twice in the file.
TENSOR = torch.from_numpy(np.random.default_rng(0).standard_normal((600, 500), np.float32))
WEIGHTS = saved({"layer.weight": TENSOR, "layer.bias": torch.zeros(3)})
# A multiple of what is written at a time.
CUT = 8 << 16


@dataclass
class Answer:
    """What the server does with one request."""

    body: bytes = WEIGHTS
    status: int = 200
    ranges: bool = True
    cut: int | None = None
    etag: str | None = None
    pause: float = 0.0
    length: bool = True
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """A web server whose answers are scripted; the last one repeats."""

    url: str
    answers: list[Answer] = field(default_factory=lambda: [Answer()])
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def script(self, *answers: Answer) -> None:
        self.answers[:] = answers

    def take(self, path: str, headers: dict[str, str]) -> Answer:
        self.requests.append((path, headers))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.requests]


class Handler(BaseHTTPRequestHandler):
    script: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        answer = self.script.take(self.path, dict(self.headers))
        body, status = answer.body, answer.status
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        fresh = self.headers.get("If-Range") in (None, answer.etag)
        head = dict(answer.headers)
        if asked and answer.ranges and fresh and status == 200:
            start = int(asked[1])
            status = 206 if start < len(body) else 416
            span = f"{start}-{len(body) - 1}" if status == 206 else "*"
            head["Content-Range"] = f"bytes {span}/{len(body)}"
            body = body[start:]
        self.send_response(status)
        if answer.length:
            head["Content-Length"] = str(len(body))
        if answer.etag:
            head["ETag"] = answer.etag
        for key, value in head.items():
            self.send_header(key, value)
        self.end_headers()
        self._send(body[: answer.cut], answer.pause)

    def _send(self, body: bytes, pause: float) -> None:
        pieces = 8 if pause else 1
        step = -(-len(body) // pieces) or 1
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            self.wfile.flush()
            time.sleep(pause)


def left_behind(cache: Path) -> list[str]:
    """Everything in the cache but lock files."""
    names = [path.name for path in cache.iterdir()] if cache.is_dir() else []
    return sorted(name for name in names if not name.endswith(".lock"))


def damaged() -> bytes:
    data = bytearray(WEIGHTS)
    data[len(data) // 2] ^= 0xFF
    return bytes(data)

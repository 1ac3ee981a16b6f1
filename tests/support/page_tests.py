"""What tests of the page have in common."""

from __future__ import annotations

import http.client
import io
import json
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rvsam_video.demos.synthetic import SyntheticClip


@dataclass
class Client:
    """A browser without a screen: it keeps its cookie and says where it comes from."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)
    cookie: str = ""

    def ask(
        self, method: str, path: str, body: bytes | dict[str, Any] | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Send a request; return the status and the body, as JSON if it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        given = {"Cookie": self.cookie} | self.headers | headers
        connection.request(method, path, content, given)
        response = connection.getresponse()
        data = response.read()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                self.cookie = value.split(";")[0]
        connection.close()
        is_json = response.getheader("content-type", "").startswith("application/json")
        return response.status, json.loads(data) if is_json else data

    def post(self, path: str, body: bytes | dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request that must succeed."""
        status, answer = self.ask("POST", path, {} if body is None else body)
        assert status == 200, answer
        return answer

    def wait_for(self, state: str) -> dict[str, Any]:
        """Ask until the page is in this state."""
        for _ in range(600):
            _, answer = self.ask("GET", "/api/state")
            if answer["state"] == state:
                return answer
            time.sleep(0.1)
        raise AssertionError(f"the page is {answer['state']}, not {state}")


def click_on(clip: SyntheticClip, object_id: int, frame: int) -> list[float]:
    """Return a point well inside an object."""
    rows, columns = np.nonzero(clip.truth(frame) == object_id)
    middle = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return [float(columns[middle]), float(rows[middle])]


def iou(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found & truth).sum() / (found | truth).sum())


def masks_of(client: Any) -> dict[str, np.ndarray]:
    status, data = client.ask("GET", "/api/zip")
    assert status == 200
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {
            Path(name).stem: np.asarray(Image.open(io.BytesIO(archive.read(name))))
            for name in archive.namelist()
            if name.startswith("masks/")
        }

"""The page's own code where it needs no browser, run by node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from rvsam_video.mask_rle import encode_mask
from rvsam_video.palette import davis_palette

NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_pure_parts_of_the_page() -> None:
    random = np.random.default_rng(3)
    masks = [random.random((height, 9)) < share for height, share in ((7, 0.5), (40, 0.9), (5, 0))]
    codes = [
        {
            "mask": mask.ravel().astype(int).tolist(),
            "width": mask.shape[1],
            "height": mask.shape[0],
            "counts": encode_mask(mask),
        }
        for mask in masks
    ]
    given = {
        "page": str(files("rvsam_video.web").joinpath("page")),
        "palette": json.dumps(davis_palette().tolist()),
        "codes": json.dumps(codes),
    }
    done = subprocess.run(
        [str(NODE), "--test", str(Path(__file__).with_name("page_parts.mjs"))],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout

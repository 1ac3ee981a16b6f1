"""The names a user imports, and what an installation puts on the machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import rvsam_video

SURFACE = {
    "Frame",
    "FrameResult",
    "ObjectResult",
    "OutputError",
    "PointState",
    "PointTable",
    "Prompt",
    "PromptError",
    "RvsamError",
    "SegmentationSettings",
    "Session",
    "SourceError",
    "UsageError",
    "VideoSegmenter",
    "WeightsError",
    "load_prompts",
    "open_source",
    "register_segmenter",
    "register_sink",
    "register_tracker",
    "save_prompts",
    "track_many",
    "track_points",
}
"""Users' code holds these names: taking one away needs its successor named in CHANGELOG.md."""

ROOT = Path(__file__).parents[1]
IN_TREE = (ROOT / "pyproject.toml").is_file()


def test_the_public_surface_is_what_was_promised():
    assert set(rvsam_video.__all__) == SURFACE
    assert len(rvsam_video.__all__) <= 25
    assert set(dir(rvsam_video)) == SURFACE


@pytest.mark.parametrize("name", sorted(SURFACE))
def test_every_public_name_is_there_and_documented(name):
    value = getattr(rvsam_video, name)
    assert value.__doc__
    assert value.__module__.startswith("rvsam_video.")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Segmentor'"):
        rvsam_video.Segmentor  # noqa: B018


def test_importing_the_package_is_light():
    code = (
        "import sys, rvsam_video\n"
        "heavy = {'torch', 'cv2', 'av', 'scipy', 'PIL', 'numpy'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy of the tree, without network."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    skipped = shutil.ignore_patterns(
        ".git", "build", "*.egg-info", ".*cache", ".venv", "__pycache__"
    )
    shutil.copytree(ROOT, tree, symlinks=True, ignore=skipped)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--quiet",
         "--disable-pip-version-check", "--no-index", "--wheel-dir", folder, tree],
        check=True,
    )  # fmt: skip
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path).namelist()


@pytest.mark.skipif(not IN_TREE, reason="needs the source tree")
def test_the_wheel_has_no_other_top_level_name(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert tops == {"rvsam_video", f"rvsam_video-{rvsam_video.__version__}.dist-info"}


@pytest.mark.skipif(not IN_TREE, reason="needs the source tree")
def test_the_wheel_holds_every_module_once(wheel):
    folders = ("rvsam_video", "trackers", "evals", "demos")
    want = set()
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT).parts
            if parts[0] == "rvsam_video" and parts[1] in folders:
                continue  # the link shows the file that is counted below its own folder
            if parts[:2] == ("demos", "examples"):
                continue  # scripts to copy from, not part of the package
            want.add("/".join(parts if folder == "rvsam_video" else ("rvsam_video", *parts)))
    assert {name for name in wheel if name.endswith(".py")} == want
    assert {"rvsam_video/py.typed", "rvsam_video/prompts/prompts.schema.json"} <= set(wheel)

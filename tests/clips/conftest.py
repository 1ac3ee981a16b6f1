"""Stand-ins that the golden clips of SAM-PT are played with."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import closed_form_sam
import pytest
from sam_pt_cases import Case, ClosedFormSegmenter, ScriptedTracker


@pytest.fixture
def segmenter() -> ClosedFormSegmenter:
    return ClosedFormSegmenter()


@pytest.fixture(scope="session")
def make_segmenter() -> type[ClosedFormSegmenter]:
    return ClosedFormSegmenter


@pytest.fixture(scope="session")
def make_case() -> Callable[[str], Case]:
    return Case


@pytest.fixture(scope="session")
def scripted() -> type[ScriptedTracker]:
    return ScriptedTracker


@pytest.fixture(scope="session")
def closed_form() -> ModuleType:
    """The recipes that the golden clips were made with."""
    return closed_form_sam

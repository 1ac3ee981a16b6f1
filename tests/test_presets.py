"""Presets: what they say of SAM-PT, and that each makes sense."""

from __future__ import annotations

import json

import pytest

from rvsam_video import SegmentationSettings, UsageError
from rvsam_video.presets import PRESETS, find_preset
from rvsam_video.segmenters import segmenter_names


def test_the_paper_is_sam_pt_as_published():
    paper = find_preset("paper")
    settings = paper.settings
    assert (settings.positive_points, settings.negative_points) == (16, 1)
    assert (settings.point_selection, settings.negative_selection) == ("kmedoids", "mixed")
    assert (settings.refinements, settings.score_threshold, settings.border) == (12, 0.7, 0.01)
    assert (settings.group_size, settings.refill_below) == (5, 0)
    assert settings.other_objects_as_negatives
    assert settings.sam_pt_exact
    assert (paper.tracker, paper.longest_side) == ("cotracker1", 1024)
    assert find_preset("paper-r3").settings.refinements == 3


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_can_be_built_and_kept(name):
    preset = find_preset(name)
    assert preset.segmenter in segmenter_names()
    assert SegmentationSettings(**json.loads(json.dumps(preset.settings.to_dict())))


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"no preset named 'fast'; choose one of: .*paper, "):
        find_preset("fast")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"refinements": -1}, "refinements is -1; allowed is 0 to 100"),
        ({"refine_until": 1.5}, "refine_until is 1.5"),
        ({"negative_selection": "near"}, "negative_selection is 'near'; choose one of"),
        ({"patch_size": 4}, "patch_size is 4; it must be odd"),
        ({"max_other_negatives": -1}, "max_other_negatives is -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, message):
    with pytest.raises(UsageError, match=message):
        SegmentationSettings(**change)

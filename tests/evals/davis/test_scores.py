"""Whole DAVIS sets against the official evaluation (commit ac7c43f), to the last bit."""

from __future__ import annotations

import json
from functools import cache, partial

import numpy as np
import pytest

from rvsam_video.errors import SourceError
from rvsam_video.evals.davis.files import save_tables
from rvsam_video.evals.davis.layout import find_davis
from rvsam_video.evals.davis.scores import score_davis

SEMI, UN = "semi-supervised", "unsupervised"
RUNS = {
    "semi_perturbed": ("perturbed", SEMI, 2017),
    "semi_same": ("same", SEMI, 2017),
    "semi_zeros": ("zeros", SEMI, 2017),
    "semi_first_only": ("first_only", SEMI, 2017),
    "unsup_perturbed": ("perturbed", UN, 2017),
    "unsup_proposals": ("proposals", UN, 2017),
    "y2016_binary": ("binary2016", SEMI, 2016),
}


def scored(folder, run, **options):
    results, task, year = RUNS[run]
    chosen = find_davis(folder / "root", task=task, year=year)
    return score_davis(chosen, folder / "results" / results, **options)


@pytest.fixture(scope="module")
def all_scores(davis_mini):
    """Score each run once."""
    return cache(partial(scored, davis_mini))


@pytest.mark.parametrize("run", RUNS)
def test_every_number_equals_the_official_evaluation(davis_mini, all_scores, run):
    want = dict(np.load(davis_mini / "expected" / run / "values.npz"))
    found = all_scores(run)
    columns = dict(zip(want["global_columns"].tolist(), want["global"].tolist(), strict=True))
    assert found.summary() == columns
    assert [row.name for row in found.objects] == want["names"].tolist()
    for measure in ("j", "f"):
        for field in ("mean", "recall", "decay"):
            values = [getattr(getattr(row, measure), field) for row in found.objects]
            assert values == want[f"{measure}_{field[0]}".upper()].tolist()
    for sequence in found.sequences:
        assert np.array_equal(sequence.j, want[f"Jframes_{sequence.name}"])
        assert np.array_equal(sequence.f, want[f"Fframes_{sequence.name}"])


@pytest.mark.parametrize("run", [run for run in RUNS if run != "y2016_binary"])
def test_tables_equal_the_official_ones_byte_by_byte(davis_mini, all_scores, tmp_path, run):
    files = save_tables(all_scores(run), tmp_path)
    for path in (davis_mini / "expected" / run).glob("*.csv"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
        assert tmp_path / path.name in files


def test_several_processes_give_the_same(davis_mini, all_scores, tmp_path):
    save_tables(all_scores("semi_perturbed"), tmp_path / "one")
    save_tables(scored(davis_mini, "semi_perturbed", workers=2), tmp_path / "two")
    one, two = ((tmp_path / name / "scores.json").read_bytes() for name in ("one", "two"))
    assert one == two


def test_the_json_file_holds_every_frame(all_scores, tmp_path):
    scores = all_scores("semi_perturbed")
    save_tables(scores, tmp_path)
    content = json.loads((tmp_path / "scores.json").read_text())
    assert content["global"] == scores.summary()
    assert [row["name"] for row in content["objects"]] == [row.name for row in scores.objects]
    (dogs,) = (one for one in scores.sequences if one.name == "dogs-jump")
    assert content["frames"]["dogs-jump"]["J"] == dogs.j.tolist()
    assert content["frames"]["dogs-jump"]["ids"][0] == "00001"


def test_an_error_in_another_process_is_told_as_it_is(davis_mini):
    with pytest.raises(SourceError, match=r"holds the number \d+, but [a-z-]+ has \d objects"):
        score_davis(
            find_davis(davis_mini / "root"), davis_mini / "results" / "proposals", workers=2
        )


def test_missing_results_are_told(davis_mini, tmp_path):
    with pytest.raises(SourceError, match=r"it should hold the masks as NAME/00000.png"):
        score_davis(find_davis(davis_mini / "root"), tmp_path / "nowhere")

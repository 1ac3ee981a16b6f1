"""Files of object tracks: what is read, what is refused and why, and how results are written."""

from __future__ import annotations

import json
import math
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvsam_video.cli.main import main
from rvsam_video.errors import OutputError, SourceError, UsageError
from rvsam_video.evals import json_list as reading
from rvsam_video.evals.json_list import json_list
from rvsam_video.evals.uvo.results import TrackResults
from rvsam_video.evals.uvo.scores import score_track_files
from rvsam_video.evals.uvo.truth import load_track_truth
from rvsam_video.sinks.rle import coco_code

SHAPE = (12, 16)


def square(left, top, side=5):
    mask = np.zeros(SHAPE, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def codes(*masks):
    return [None if mask is None else coco_code(mask) for mask in masks]


def annotation(video, segmentations, **fields):
    areas = [25 if segmentation else None for segmentation in segmentations]
    plain = {"video_id": video, "category_id": 1, "iscrowd": 0, "areas": areas}
    return plain | {"id": 1, "segmentations": segmentations} | fields


def prediction(video, segmentations, score=0.5, **fields):
    entry = {"video_id": video, "category_id": 1, "score": score}
    return entry | {"segmentations": segmentations} | fields


def truth_document(*annotations, videos=2):
    sizes = {"height": SHAPE[0], "width": SHAPE[1], "length": 2}
    return {
        "videos": [{"id": index + 1, **sizes} for index in range(videos)],
        "categories": [{"id": 1, "name": "object"}],
        "annotations": list(annotations),
    }


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write_file


@pytest.fixture
def truth(write):
    track = codes(square(2, 3), square(4, 3))
    return write("truth.json", truth_document(annotation(1, track), annotation(2, track)))


def test_every_form_of_a_mask_is_read(write):
    mask = square(2, 3)
    flat = mask.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    # Corners lie on the corners of pixels.
    polygon = [2, 3, 7, 3, 7, 8, 2, 8]
    forms = [coco_code(mask), {"size": list(SHAPE), "counts": counts}, [polygon], [polygon] * 2]
    for form in forms:
        path = write("truth.json", truth_document(annotation(1, [form, None]), videos=1))
        results = write("results.json", [prediction(1, codes(mask, None))])
        assert score_track_files(path, results).scores.ar100 == 1, form


def test_a_score_of_minus_infinity_comes_last(truth, write):
    good, bad = codes(square(2, 3), square(4, 3)), codes(square(9, 6), None)
    entries = [prediction(1, good, -math.inf), prediction(1, bad, -5.0), prediction(2, good)]
    results = write("results.json", entries)
    assert "-Infinity" in results.read_text()
    report = score_track_files(truth, results)
    assert report.minus_infinity == 1
    assert report.scores.ar100 == 1
    assert report.scores.ar1 == 0.5


def test_true_ids_play_no_part(truth, write):
    results = write("results.json", [prediction(1, codes(square(2, 3), square(4, 3)))])
    before = score_track_files(truth, results).scores
    document = json.loads(truth.read_text())
    for index, entry in enumerate(document["annotations"]):
        entry["id"] = index
    assert score_track_files(write("zero.json", document), results).scores == before
    assert before.ar100 == 0.5


def test_order_of_the_videos_in_the_results_does_not_matter(write):
    track = codes(square(2, 3), square(4, 3))
    many = [annotation(video, track) for video in range(1, 13)]
    truth = write("truth.json", truth_document(*many, videos=12))
    entries = [
        prediction(1 + index % 12, codes(square(2 + index % 5, 3), square(4, 3)), index / 100)
        for index in range(60)
    ]
    mixed = score_track_files(truth, write("mixed.json", entries))
    entries.sort(key=lambda entry: entry["video_id"])
    assert score_track_files(truth, write("sorted.json", entries)) == mixed
    assert 0 < mixed.scores.ar1 < mixed.scores.ar100 == 1


def test_an_empty_list_misses_everything(truth, write):
    report = score_track_files(truth, write("results.json", []))
    assert report.scores.ar100 == 0
    assert report.videos_without_predictions == (1, 2)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ([], "track 0 of the list must be a JSON object"),
        (prediction(7, []), "has video_id 7, which is not among the videos"),
        (prediction("1", []), "has video_id '1'"),
        (prediction(1, [None]), "has 1 segmentations, but video 1 has 2"),
        (prediction(1, None), "has no list of segmentations"),
        (prediction(1, [None, None], "high"), "has score 'high'; it must be a number"),
        (prediction(1, [None, None], True), "has score True; it must be a number"),
        (prediction(1, [None, None], math.nan), "has score nan; it must be finite"),
        (prediction(1, [None, None], math.inf), "has score inf; it must be finite"),
        (prediction(1, [None, [[2, 3, 7, 3, 7, 8]]]), "mask of frame 1 .* it must be null or a"),
        (prediction(1, [{"size": [1, 2], "counts": "2"}, None]), r"its size is \[1, 2\], but"),
        (prediction(1, [{"size": list(SHAPE), "counts": "2"}, None]), "frame 0 cover 2 pixels"),
        (prediction(1, [{"size": list(SHAPE), "counts": [192]}, None]), "it must be null or a"),
        (prediction(1, [{"size": list(SHAPE), "counts": "\u2603"}, None]), "frame 0 cannot be"),
    ],
)
def test_results_that_do_not_fit_are_refused(entry, sentence, truth, write):
    with pytest.raises(SourceError, match=sentence):
        score_track_files(truth, write("results.json", [entry]))


@pytest.mark.parametrize(
    ("category", "sentence"), [("one", "has category_id 'one'"), (None, "has category_id None")]
)
def test_categories_are_looked_at_where_they_count(category, sentence, truth, write):
    results = write("results.json", [prediction(1, [None, None], category_id=category)])
    assert score_track_files(truth, results).predicted_tracks == 1
    with pytest.raises(SourceError, match=sentence):
        score_track_files(truth, results, categories="match")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must hold a JSON list"),
        ('{"a": 1}', "must hold a JSON list"),
        ("[", "element 0 is damaged or cut off"),
        ('[{"video_id": 1', "element 0 is damaged or cut off"),
        ("[1 2]", "',' or ']' must follow element 0"),
        ("[1,]", "element 1 is damaged or cut off"),
        ("[1", "',' or ']' must follow element 0"),
        ("[1] x", "more follows"),
        ("[" * 100_000, "element 0 is damaged or cut off"),
    ],
)
def test_damaged_lists_are_refused(text, sentence, write):
    with pytest.raises(SourceError, match=sentence):
        list(json_list(write("list.json", text)))


def test_text_that_is_no_utf8_and_missing_files_are_refused(tmp_path):
    path = tmp_path / "list.json"
    path.write_bytes(b'["\xff\xfe"]')
    with pytest.raises(SourceError, match="not UTF-8"):
        list(json_list(path))
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        list(json_list(tmp_path / "none.json"))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.lists(values, max_size=6), st.sampled_from([None, 1]), st.integers(1, 9))
def test_lists_are_read_whole_in_pieces_of_any_size(content, indent, chunk):
    with tempfile.TemporaryDirectory() as folder, patch.object(reading, "_CHUNK", chunk):
        path = Path(folder) / "list.json"
        path.write_text(json.dumps(content, indent=indent, ensure_ascii=False), encoding="utf-8")
        assert list(json_list(path)) == content


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda it: it.pop("videos"), "the document has no 'videos'"),
        (lambda it: it.update(annotations={}), r"has annotations \{\}; it must be a list"),
        (lambda it: it["videos"].append({"id": 1}), r"videos\[2\] has the id 1, as videos\[0\]"),
        (lambda it: it["videos"][0].pop("height"), r"videos\[0\] has no 'height'"),
        (lambda it: it["videos"][0].update(width=0), "has width 0; it must be 1 to 16384"),
        (lambda it: it["categories"].append(3), r"categories\[1\] must be a JSON object"),
        (
            lambda it: it["annotations"][1].update(video_id=9),
            r"annotations\[1\] belongs to video 9",
        ),
        (lambda it: it["annotations"][0].pop("iscrowd"), r"annotations\[0\] has no 'iscrowd'"),
        (lambda it: it["annotations"][0].pop("areas"), r"annotations\[0\] has no 'areas'"),
        (lambda it: it["annotations"][0].update(areas=["9"]), "areas that are neither null"),
        (lambda it: it["annotations"][0]["segmentations"].pop(), "has 1 frames, but its video has"),
    ],
)
def test_annotations_that_make_no_sense_are_refused(change, sentence, truth, write):
    document = json.loads(truth.read_text())
    change(document)
    with pytest.raises(SourceError, match=sentence):
        load_track_truth(write("changed.json", document))


@pytest.mark.parametrize(
    ("segmentation", "sentence"),
    [
        (5, "it must be null, a run-length code"),
        ([[1, 2, 3, 4]], "at least three points"),
        ([[1, 2, 3, 4, 5]], "at least three points"),
        ([[1, 2, 3, 4, 1e9, 6]], "within 32768 pixels"),
        ([[1, 2, 3, 4, math.nan, 6]], "within 32768 pixels"),
        ({"size": list(SHAPE), "counts": [1, 2]}, "the runs cover 3 pixels"),
        ({"size": list(SHAPE), "counts": [-1, 193]}, "it must be null, a run-length code"),
    ],
)
def test_damaged_true_masks_are_named(segmentation, sentence, write):
    path = write("truth.json", truth_document(annotation(1, [None, segmentation])))
    results = write("results.json", [prediction(1, [None, None])])
    with pytest.raises(SourceError, match=r"annotations\[0\]: the mask of frame 1 .*" + sentence):
        score_track_files(path, results)


def test_a_truth_file_that_is_no_json_is_refused(write, tmp_path):
    with pytest.raises(SourceError, match="is not JSON"):
        load_track_truth(write("truth.json", "{"))
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        load_track_truth(tmp_path / "none.json")


def test_results_are_written_video_by_video(truth, tmp_path):
    good = codes(square(2, 3), square(4, 3))
    results = TrackResults(tmp_path / "out")
    with results.video(2) as video:
        video.add(good, 0.5)
        video.add(codes(None, square(1, 1)), -math.inf)
    with results.video(1):
        pass
    assert results.has(1)
    assert results.has(2)
    assert not results.has(3)
    path = results.assemble([1, 2])
    entries = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert [entry["score"] for entry in entries] == [0.5, -sys.float_info.max]
    assert score_track_files(truth, path).scores.ar100 == 0.5
    assert json.loads(results.assemble([1]).read_text()) == []


def test_a_video_that_was_not_finished_is_not_there(tmp_path):
    results = TrackResults(tmp_path)

    def interrupted():
        with results.video(1) as video:
            video.add([None], 1.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not results.has(1)
    with pytest.raises(UsageError, match="results of video 1 are not in"):
        results.assemble([1])
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError), TrackResults(tmp_path / "file").video(1):
        pass


def test_people_get_tables_and_notes(truth, write, capsys, tmp_path):
    folder = tmp_path / "UVOv1.0" / "VideoDenseSet"
    folder.mkdir(parents=True)
    (folder / "UVO_video_val_dense.json").write_text(truth.read_text())
    good = codes(square(2, 3), square(4, 3))
    results = write("results.json", [prediction(1, good, -math.inf)])
    assert main(["score", "uvo", "--root", str(tmp_path), "--results", str(results)]) == 0
    shown = capsys.readouterr()
    assert "AR100" in shown.out
    assert "50.0" in shown.out
    assert "SAM-PT, RepViT-SAM │  25.3" in shown.out
    assert "1 of 2 videos have no predictions (2)" in shown.err
    assert "1 tracks have the score -Infinity" in shown.err


def test_machines_get_every_number(truth, write, capsys):
    good = codes(square(2, 3), square(4, 3))
    results = write("results.json", [prediction(1, good, category_id=7)])
    arguments = ["score", "uvo", "--truth", str(truth), "--results", str(results), "--json"]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["scores"]["AR100"] == 0.5
    assert report["scores"]["APl"] == -1
    assert len(report["scores"]) == 12
    assert main([*arguments, "--categories", "pool"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["scores"]["AR100"], report["dropped"]) == (0, 1)


def test_the_annotations_must_be_named_once(truth, tmp_path, capsys):
    assert main(["score", "uvo", "--results", "x"]) == 2
    assert "either --root" in capsys.readouterr().err
    assert main(["score", "uvo", "--root", str(tmp_path), "--results", "x"]) == 1
    assert "UVO_video_val_dense.json" in capsys.readouterr().err

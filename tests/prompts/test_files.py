"""Prompt files: what is saved comes back exactly; what is wrong is named with its place."""

from __future__ import annotations

import copy
import json
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jsonschema import Draft202012Validator
from PIL import Image
from pycocotools import mask as coco

from rvsam_video.errors import OutputError, PromptError
from rvsam_video.mask_rle import decode_mask, encode_mask
from rvsam_video.prompts.as_json import prompts_from_json, prompts_to_json
from rvsam_video.prompts.files import load_prompts, save_prompts
from rvsam_video.prompts.prompt import Prompt
from rvsam_video.prompts.words import parse_box, parse_points

SCHEMA = json.loads(files("rvsam_video.prompts").joinpath("prompts.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
PAGE = (Path(__file__).parents[2] / "docs" / "prompts.md").read_text(encoding="utf-8")

GOOD = {
    "version": 1,
    "source": "bees.mp4",
    "frame_size": [5, 4],
    "prompts": [
        {"object": 2, "frame": 3, "points": [[1, 2], [3.5, 3, 0]], "box": [0, 0, 4, 3]},
        {"mask": {"size": [4, 5], "counts": encode_mask(np.eye(4, 5, dtype=np.bool_))}},
    ],
}

coordinates = st.floats(width=32, allow_nan=False, allow_infinity=False)
masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24)).filter(np.any)


@st.composite
def prompts(draw):
    points = draw(st.lists(st.tuples(coordinates, coordinates), max_size=5))
    x0, x1 = sorted((draw(coordinates), draw(coordinates)))
    y0, y1 = sorted((draw(coordinates), draw(coordinates)))
    mask = draw(st.none() | masks)
    needs_box = not points and mask is None
    return Prompt.create(
        draw(st.integers(1, 255)),
        draw(st.integers(0, 2**31 - 1)),
        points=points,
        labels=draw(st.lists(st.integers(0, 1), min_size=len(points), max_size=len(points))),
        box=(x0, y0, x1, y1) if needs_box or draw(st.booleans()) else None,
        mask=mask,
    )


def contents(prompt):
    """Everything a prompt says, comparable; the bytes tell -0.0 from 0.0."""
    arrays = (prompt.points, prompt.labels, prompt.box, prompt.mask)
    packed = [None if item is None else (item.dtype, item.shape, item.tobytes()) for item in arrays]
    return prompt.object_id, prompt.frame, packed


@given(st.lists(prompts(), max_size=4))
def test_what_is_saved_comes_back_exactly_and_fits_the_schema(tmp_path_factory, given_prompts):
    path = tmp_path_factory.mktemp("prompts") / "clicks.json"
    save_prompts(path, given_prompts, source="a\nb ☃")
    VALIDATOR.validate(json.loads(path.read_text("utf-8")))
    assert [contents(item) for item in load_prompts(path)] == [contents(i) for i in given_prompts]


def test_coordinates_are_written_as_a_person_would():
    document = prompts_to_json([Prompt.create(points=[[0.1, 282.5]], box=[0, 0.7, 1, 2])])
    assert document["prompts"] == [
        {"object": 1, "frame": 0, "points": [[0.1, 282.5, 1]], "box": [0, 0.7, 1, 2]}
    ]


def test_the_document_says_what_it_was_made_for():
    document = prompts_to_json([], frame_size=(5, 4), source="bees.mp4")
    assert document == {"version": 1, "source": "bees.mp4", "frame_size": [5, 4], "prompts": []}


def test_masks_are_the_run_lengths_of_coco():
    mask = np.random.default_rng(0).random((40, 30)) > 0.5
    (entry,) = prompts_to_json([Prompt.create(mask=mask)])["prompts"]
    assert entry["mask"]["size"] == [40, 30]
    assert np.array_equal(coco.decode(entry["mask"]), mask)


@given(masks)
def test_run_lengths_of_coco_are_read(mask):
    counts = coco.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    assert np.array_equal(decode_mask(counts, *mask.shape), mask)


@given(st.text(alphabet=[chr(code) for code in range(47, 113)], max_size=40) | st.text(max_size=9))
def test_damaged_run_lengths_are_refused_and_never_crash(counts):
    try:
        mask = decode_mask(counts, 6, 7)
    except ValueError:
        return
    assert mask.shape == (6, 7)
    assert np.array_equal(decode_mask(encode_mask(mask), 6, 7), mask)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("Z", "end in the middle of a number"),
        ("~", "character 0 of the runs, '~', cannot stand there"),
        ("oooooooooo1", "character 7 of the runs"),
        ("O", "has a negative length"),
        ("5", "the runs cover 5 pixels, but 7x6 has 42"),
    ],
)
def test_a_damaged_mask_is_explained(counts, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        decode_mask(counts, 6, 7)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "clicks.json"
    save_prompts(path, [Prompt.create(points=[[1, 2]])])
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full_disk)
    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OutputError, match=r"clicks\.json"):
        save_prompts(path, [Prompt.create(points=[[3, 4]])])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_saving_into_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"clicks\.json"):
        save_prompts(tmp_path / "no" / "clicks.json", [])


def test_prompts_that_do_not_fit_the_video_are_not_saved(tmp_path):
    with pytest.raises(PromptError, match="outside the picture; x must be 0 to 4"):
        save_prompts(tmp_path / "a.json", [Prompt.create(points=[[9, 1]])], frame_size=(5, 4))
    assert not list(tmp_path.iterdir())


def test_what_may_be_left_out_has_a_default():
    VALIDATOR.validate(GOOD)
    clicked, painted = prompts_from_json(GOOD)
    assert (clicked.object_id, clicked.frame, clicked.labels.tolist()) == (2, 3, [1, 0])
    assert (painted.object_id, painted.frame) == (1, 0)
    assert painted.mask is not None
    assert painted.mask.tolist() == np.eye(4, 5, dtype=np.bool_).tolist()


def changed(*keys, value):
    """Return the good document with one value changed, or removed (None)."""
    document = copy.deepcopy(GOOD)
    inner = document
    for key in keys[:-1]:
        inner = inner[key]
    if value is None:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = value
    return document


REFUSED = [
    ([], "the document is []; it must be an object with the names frame_size, prompts, source"),
    (changed("version", value=None), "the document has no 'version'"),
    (changed("prompts", value=None), "the document has no 'prompts'"),
    (changed("version", value=2), "version is 2; this program reads up to 1: use a newer"),
    (changed("version", value="1"), 'version is "1"; it must be a whole number'),
    (changed("note", value="x"), "note is unknown; allowed names are frame_size, prompts, source"),
    (changed("source", value=""), 'source is ""; it must be the name of a video'),
    (changed("frame_size", value=[5]), "frame_size is [5]; it must be [width, height]"),
    (
        changed("frame_size", value=[5, 0]),
        "frame_size[1] is 0; it must be a whole number from 1 to",
    ),
    (changed("prompts", value={}), "prompts is {}; it must be a list of prompts"),
    (changed("prompts", 0, value=7), "prompts[0] is 7; it must be an object"),
    (
        changed("prompts", 0, value={"object": 1}),
        "prompts[0]: the prompt of object 1 in frame 0 is",
    ),
    (changed("prompts", 0, "colour", value=1), "prompts[0].colour is unknown"),
    (changed("prompts", 0, "object", value=256), "prompts[0].object is 256; it must be a whole"),
    (changed("prompts", 0, "object", value=True), "prompts[0].object is true"),
    (changed("prompts", 0, "frame", value=-1), "prompts[0].frame is -1; it must be a whole number"),
    (changed("prompts", 0, "frame", value=1.5), "prompts[0].frame is 1.5"),
    (changed("prompts", 0, "points", value=[]), "prompts[0].points is []; it must be a list of at"),
    (
        changed("prompts", 0, "points", 1, value=[9]),
        "prompts[0].points[1] is [9]; it must be [x, y] or [x, y, label]",
    ),
    (changed("prompts", 0, "points", 1, value=[1, 2, 3, 4]), "prompts[0].points[1] is"),
    (changed("prompts", 0, "points", 1, 2, value=2), "prompts[0].points[1][2] is 2; it must be a"),
    (
        changed("prompts", 0, "points", 1, 0, value="3"),
        'prompts[0].points[1][0] is "3"; it must be',
    ),
    (changed("prompts", 0, "points", 1, 0, value=False), "prompts[0].points[1][0] is false"),
    (
        changed("prompts", 0, "points", 1, 0, value=1e39),
        "prompts[0].points[1][0] is 1e+39; it must be a number from -3.40",
    ),
    (changed("prompts", 0, "points", 1, 0, value=10**400), "prompts[0].points[1][0] is 1000"),
    (changed("prompts", 0, "box", value=[1, 2, 3]), "prompts[0].box is [1, 2, 3]; it must be [x0,"),
    (changed("prompts", 1, "mask", value="m.png"), "prompts[1].mask is"),
    (changed("prompts", 1, "mask", "size", value=None), "prompts[1].mask has no 'size'"),
    (changed("prompts", 1, "mask", "size", value=[4, 10**9]), "prompts[1].mask.size[1] is"),
    (changed("prompts", 1, "mask", "counts", value=""), "prompts[1].mask.counts is"),
    (
        changed("prompts", 1, "mask", "counts", value="~~"),
        "prompts[1].mask is damaged: character 0",
    ),
]
"""Documents that both the reader and the schema refuse."""


@pytest.mark.parametrize(("document", "message"), REFUSED, ids=[item[1] for item in REFUSED])
def test_the_reader_names_the_place_and_the_schema_agrees(tmp_path, document, message):
    path = tmp_path / "clicks.json"
    path.write_text(json.dumps(document))
    with pytest.raises(PromptError, match=re.escape(f"{path}: {message}")):
        load_prompts(path)
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            changed("prompts", 0, "points", 0, value=[5, 0]),
            "prompts[0]: point (5, 0) of object 2 in frame 3 is outside the picture; "
            "x must be 0 to 4 and y 0 to 3",
        ),
        (
            changed("prompts", 0, "box", value=[3, 0, 2, 1]),
            "prompts[0]: box (3, 0, 2, 1) of object",
        ),
        (changed("frame_size", value=[6, 4]), "prompts[1]: the mask of object 1 in frame 0 is 5x4"),
        (
            changed("prompts", 1, "mask", "counts", value="d0"),
            "prompts[1]: the mask of object 1 in",
        ),
        (
            changed("prompts", 1, "mask", "counts", value="1"),
            "prompts[1].mask is damaged: the runs",
        ),
    ],
)
def test_the_reader_also_refuses_what_no_schema_can_see(document, message):
    VALIDATOR.validate(document)
    with pytest.raises(PromptError, match=re.escape(message)):
        prompts_from_json(document)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"version": NaN, "prompts": []}', b"9" * 5000],
    ids=["empty", "cut off", "not text", "deep", "NaN", "long number"],
)
def test_a_file_that_is_no_json_is_refused(tmp_path, content):
    path = tmp_path / "clicks.json"
    path.write_bytes(content)
    with pytest.raises(PromptError, match=r"clicks\.json"):
        load_prompts(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(PromptError, match=r"clicks\.json cannot be read"):
        load_prompts(tmp_path / "clicks.json")


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "clicks.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    assert len(load_prompts(path)) == 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
names = st.sampled_from(["object", "frame", "points", "box", "mask"])


@given(st.lists(st.dictionaries(names, json_values, max_size=3), max_size=2))
def test_any_document_is_read_or_refused(entries):
    document = {"version": 1, "prompts": entries}
    try:
        prompts_from_json(document)
    except PromptError:
        return
    VALIDATOR.validate(document)


def write_mask_file(folder):
    picture = Image.fromarray(np.array([[0, 2, 3]], np.uint8))
    (folder / "masks").mkdir(parents=True)
    picture.save(folder / "masks" / "cup.png")


def with_mask_file(folder, name):
    document = {"version": 1, "prompts": [{"object": 3, "mask": {"file": name}}]}
    path = folder / "clicks.json"
    path.write_text(json.dumps(document))
    return path, document


def test_a_mask_can_stand_in_a_picture_beside_the_file(tmp_path):
    write_mask_file(tmp_path)
    path, document = with_mask_file(tmp_path, "masks/cup.png")
    VALIDATOR.validate(document)
    (prompt,) = load_prompts(path)
    assert prompt.object_id == 3
    assert prompt.mask is not None
    assert prompt.mask.tolist() == [[False, False, True]]


@pytest.mark.parametrize(
    "name",
    [
        "../secret/masks/cup.png",
        "masks/../../secret/masks/cup.png",
        "..\\secret\\masks\\cup.png",
        "C:\\cup.png",
        "C:cup.png",
        "\\\\host\\share\\cup.png",
        "/etc/passwd",
    ],
)
def test_a_file_from_a_stranger_reaches_no_other_folder(tmp_path, name):
    write_mask_file(tmp_path / "secret")
    (tmp_path / "own").mkdir()
    path, document = with_mask_file(tmp_path / "own", name)
    with pytest.raises(PromptError, match=r"prompts\[0\].mask.file is .*; it must be the name of"):
        load_prompts(path)
    assert not VALIDATOR.is_valid(document)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    write_mask_file(tmp_path / "secret")
    (tmp_path / "own").mkdir()
    try:
        (tmp_path / "own" / "link").symlink_to(tmp_path / "secret")
    except OSError:
        pytest.skip("this system makes no symbolic links")
    path, _ = with_mask_file(tmp_path / "own", "link/masks/cup.png")
    with pytest.raises(PromptError, match="it must be the name of a picture in the folder"):
        load_prompts(path)


@pytest.mark.parametrize("name", ["masks", "none.png", "a\0b.png", "x" * 5000])
def test_a_mask_file_must_be_a_file(tmp_path, name):
    write_mask_file(tmp_path)
    path, _ = with_mask_file(tmp_path, name)
    with pytest.raises(PromptError, match=r"prompts\[0\].mask.file is"):
        load_prompts(path)


def test_a_mask_file_without_the_object_is_refused_with_its_place(tmp_path):
    write_mask_file(tmp_path)
    path, _ = with_mask_file(tmp_path, "masks/cup.png")
    path.write_text(path.read_text().replace('"object": 3', '"object": 1'))
    with pytest.raises(
        PromptError, match=r"prompts\[0\].mask.file: .* holds the objects 2, 3, not"
    ):
        load_prompts(path)


def test_a_document_without_a_folder_takes_no_mask_files():
    document = {"version": 1, "prompts": [{"mask": {"file": "cup.png"}}]}
    with pytest.raises(PromptError, match="write the mask itself"):
        prompts_from_json(document)


def test_the_examples_of_the_documentation_work():
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    VALIDATOR.validate(json.loads(example))
    assert len(prompts_from_json(json.loads(example))) == 3
    points = re.findall(r'`--points "?([^`"]+)"?`', PAGE)
    points = [text for text in points if text[-1].isdigit()]
    boxes = re.findall(r"`--box ([0-9:,@]+)`", PAGE)
    assert len(points) >= 3
    assert boxes
    assert all(parse_points(text) for text in points)
    assert all(parse_box(text) for text in boxes)

"""The words in which prompts are given on the command line.

| option | value |
|---|---|
| `--points` | `[OBJ:]X,Y[,LABEL][@FRAME]`, several separated by spaces; or FILE.json; or FILE.txt |
| `--box` | `[OBJ:]X0,Y0,X1,Y1[@FRAME]` |
| `--mask` | `[OBJ:]FILE[@FRAME]` |

OBJ is the object's id, 1 to 255 (default 1); X and Y are pixels of the displayed frame, x to the
right and y down from 0,0, the centre of the top left pixel, or `50%,30%` of the picture; LABEL is 1
on the object (the default) or 0 off it; FRAME counts from 0 (the default), or is a time such as
`@1.5s`. Every point stands for itself: in `2:10,20 30,40` the second point belongs to object 1.
`(320, 240)` and `320 240` are understood, too.

All options can be repeated. What they say about the same object and frame is joined: points add
up, but there can be only one box and one mask. FILE.json is a prompt file (see `files`),
FILE.txt a SAM-PT query-point file (see `load_query_points`); for masks see `masks`. A mask
file whose own name looks like OBJ: or @FRAME is written `./3:cup.png` or `cup@7@0`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn, Protocol

from rvsam_video.errors import PromptError
from rvsam_video.prompts.files import load_prompts, read_text
from rvsam_video.prompts.masks import MaskMode, load_mask
from rvsam_video.prompts.prompt import MAX_OBJECT_ID, Prompt, merge_prompts

POINT_GRAMMAR = "[OBJ:]X,Y[,LABEL][@FRAME], for example 120,80 or 2:120,80,0@30"
BOX_GRAMMAR = "[OBJ:]X0,Y0,X1,Y1[@FRAME], for example 10,20,110,220 or 2:10,20,110,220@30"
MASK_GRAMMAR = "[OBJ:]FILE[@FRAME], for example mask.png or 2:mask.png@30"
QUERY_LINE_GRAMMAR = "FRAME;X,Y X,Y ..., for example 0;282.5,241.25 336.25,240"

# At most ten digits: enough for every allowed number, and never slow to convert.
_PLACE = re.compile(
    r"(?:([0-9]{1,10}):)?(.*?)(?:@([0-9]{1,10}|[0-9]{1,10}(?:\.[0-9]{0,10})?s))?", re.DOTALL
)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_COUNT = re.compile(r"[0-9]{1,10}")
_RELATIVE = re.compile(r"%|@[0-9]+(\.[0-9]*)?s(\s|$)")


class Video(Protocol):
    """What percentages and times are understood by."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the frames in pixels."""

    def frame_at(self, seconds: float) -> int:
        """Return the index of the frame that is shown at a time.

        Raises:
            PromptError: if there is none.
        """


def needs_video(texts: Iterable[str]) -> bool:
    """Whether some words hold percentages or times, which depend on the video."""
    return any(_RELATIVE.search(text) for text in texts)


def parse_prompts(
    points: Sequence[str] = (),
    boxes: Sequence[str] = (),
    masks: Sequence[str] = (),
    mask_mode: MaskMode = "auto",
    video: Video | None = None,
) -> list[Prompt]:
    """Read all `--points`, `--box` and `--mask` values of a command.

    Args:
        points: one text for each `--points`.
        boxes: one text for each `--box`.
        masks: one text for each `--mask`.
        mask_mode: how mask pictures are read, see `masks.load_mask`.
        video: what percentages and times are of; None refuses them.

    Returns:
        one prompt per object and frame, by rising frame, then object id.

    Raises:
        PromptError: if a value cannot be read, or an object has two boxes or masks in a frame.
    """
    prompts = [prompt for text in points for prompt in parse_points(text, video)]
    prompts += [parse_box(text, video) for text in boxes]
    prompts += [prompt for text in masks for prompt in parse_mask(text, mask_mode, video)]
    return merge_prompts(prompts)


def parse_points(text: str, video: Video | None = None) -> list[Prompt]:
    """Read one `--points` value: points in words, or the name of a .json or .txt file.

    Args:
        text: as it was typed.
        video: what percentages and times are of; None refuses them.

    Returns:
        one prompt per object and frame.

    Raises:
        PromptError: naming what is not understood, and the grammar.
    """
    text = text.strip()
    if text.lower().endswith(".json"):
        return merge_prompts(load_prompts(text))
    if text.lower().endswith(".txt"):
        return load_query_points(text)
    words = point_words(text)
    if not words:
        _refuse("--points has no value", POINT_GRAMMAR)
    return merge_prompts([_point(word, video) for word in words])


def parse_box(text: str, video: Video | None = None) -> Prompt:
    """Read one `--box` value.

    Args:
        text: as it was typed.
        video: what percentages and times are of; None refuses them.

    Raises:
        PromptError: naming what is not understood, and the grammar.
    """
    object_id, body, frame = _split_place(_tidy(text), video)
    fields = body.split(",") if "," in body else body.split()
    if len(fields) != 4:
        _refuse(f"--box {text!r} has {len(fields)} numbers instead of 4", BOX_GRAMMAR)
    corners = [
        _coordinate(item, axis % 2, f"--box {text!r}", BOX_GRAMMAR, video)
        for axis, item in enumerate(fields)
    ]
    return Prompt.create(1 if object_id is None else object_id, frame, box=corners)


def parse_mask(text: str, mode: MaskMode = "auto", video: Video | None = None) -> list[Prompt]:
    """Read one `--mask` value: a picture that holds one object or several.

    Args:
        text: as it was typed.
        mode: how the picture is read, see `masks.load_mask`.
        video: what times are of; None refuses them.

    Returns:
        one prompt per object, by rising id; see `masks.load_mask`.

    Raises:
        PromptError: if the file cannot be read, or does not hold what was asked for.
    """
    object_id, body, frame = _split_place(text.strip(), video)
    if not body:
        _refuse(f"--mask {text!r} names no file", MASK_GRAMMAR)
    return load_mask(body, frame, object_id, mode=mode)


def load_query_points(path: str | Path) -> list[Prompt]:
    """Read a query-point file of SAM-PT.

    The first line is the number n of positive points. Each further line is an object (the first is
    object 1): `FRAME;X,Y X,Y ...` in pixels of the displayed frame; its first n points are on the
    object, the others off it. Lines without any text are skipped.

    Raises:
        PromptError: naming the line, and what is allowed.
    """
    path = Path(path)
    # Numbered before blank lines are dropped: messages name lines as an editor counts them.
    lines = [(number, line) for number, line in enumerate(read_text(path).splitlines(), 1)]
    lines = [(number, line.strip()) for number, line in lines if line.strip()]
    if not lines or not _COUNT.fullmatch(lines[0][1]):
        found = repr(lines[0][1][:40]) if lines else "nothing"
        msg = f"{path} begins with {found}; its first line must be the number of positive points"
        raise PromptError(msg)
    if not 2 <= len(lines) <= MAX_OBJECT_ID + 1:
        msg = f"{path} holds {len(lines) - 1} objects; allowed are 1 to {MAX_OBJECT_ID}"
        raise PromptError(msg)
    positive = int(lines[0][1])
    return merge_prompts(
        [
            _query_line(line, object_id, positive, f"{path} line {number}")
            for object_id, (number, line) in enumerate(lines[1:], 1)
        ]
    )


def _query_line(line: str, object_id: int, positive: int, place: str) -> Prompt:
    frame, _, body = line.partition(";")
    words = body.split()
    if not _COUNT.fullmatch(frame.strip()) or not words:
        _refuse(f"{place}, {line[:40]!r}, is not understood", QUERY_LINE_GRAMMAR)
    points = []
    for word in words:
        fields = word.split(",")
        if len(fields) != 2:
            _refuse(f"{place}: {word[:40]!r} is not a point", QUERY_LINE_GRAMMAR)
        points.append([_number(item, place, QUERY_LINE_GRAMMAR) for item in fields])
    # In SAM-PT's files the order alone says what is on the object.
    labels = [int(index < positive) for index in range(len(points))]
    return Prompt.create(object_id, int(frame), points=points, labels=labels)


def _tidy(text: str) -> str:
    """Take out what people type around and between numbers: `2: (320, 240) @ 30`."""
    text = text.strip().translate(_BRACKETS)
    text = re.sub(r"\s*([,@])\s*", r"\1", text)
    return re.sub(r"([0-9]):\s+", r"\1:", text).strip()


_BRACKETS = str.maketrans("()[]{}", "      ")


def point_words(text: str) -> list[str]:
    """Split a `--points` value into one word per point.

    They are split at spaces, unless those stand where commas should.
    """
    words = _tidy(text).split()
    if any("," in word for word in words) or len(words) < 2:
        return words
    # 320 240, or 320 240 1; more of them in pairs.
    step = 3 if len(words) == 3 else 2
    if len(words) % step:
        return words
    return [",".join(words[at : at + step]) for at in range(0, len(words), step)]


def _point(word: str, video: Video | None) -> Prompt:
    object_id, body, frame = _split_place(word, video)
    fields = body.split(",")
    if len(fields) not in {2, 3}:
        _refuse(f"--points {word!r} is not understood", POINT_GRAMMAR)
    if len(fields) == 3 and fields[2] not in {"0", "1"}:
        found = f"--points {word!r} has the label {fields[2]!r}"
        _refuse(f"{found}; a label is 1 (on the object) or 0 (off it)", POINT_GRAMMAR)
    place = f"--points {word!r}"
    point = [
        _coordinate(item, axis, place, POINT_GRAMMAR, video) for axis, item in enumerate(fields[:2])
    ]
    labels = [int(item) for item in fields[2:]] or [1]
    return Prompt.create(
        1 if object_id is None else object_id, frame, points=[point], labels=labels
    )


def _split_place(text: str, video: Video | None) -> tuple[int | None, str, int]:
    """Split `[OBJ:]BODY[@FRAME]` into its three parts."""
    # The body is matched lazily, so that a last @FRAME is split off and @ inside a name stays.
    match = _PLACE.fullmatch(text)
    object_id, body, frame = match.groups() if match else (None, text, None)
    number = None if object_id is None else int(object_id)
    if frame is None or not frame.endswith("s"):
        return number, body, int(frame or 0)
    if video is None:
        msg = f"the time @{frame} needs a video to count its frames in; give the frame's number"
        raise PromptError(msg)
    return number, body, video.frame_at(float(frame[:-1]))


def _coordinate(text: str, axis: int, place: str, grammar: str, video: Video | None) -> float:
    if not text.endswith("%"):
        return _number(text, place, grammar)
    share = _number(text[:-1], place, grammar) / 100
    if not 0 <= share <= 1:
        _refuse(f"{place}: {text} is not between 0% and 100%", grammar)
    if video is None:
        msg = f"{place}: {text} needs a video to be a part of; give pixels"
        raise PromptError(msg)
    # From the outer edge of the first pixel to that of the last, of which the centres are whole.
    side = video.size[axis]
    return min(max(share * side - 0.5, 0.0), side - 1.0)


def _number(text: str, place: str, grammar: str) -> float:
    # Tighter than float(), which also takes "nan", "inf" and "1_000".
    if not _NUMBER.fullmatch(text):
        _refuse(f"{place}: {text[:40]!r} is not a number", grammar)
    return float(text)


def _refuse(what: str, grammar: str) -> NoReturn:
    msg = f"{what}; write {grammar}"
    raise PromptError(msg)

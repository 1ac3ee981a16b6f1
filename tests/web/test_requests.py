"""What the page's server does for a browser, and what it refuses anybody."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from page_tests import click_on, iou, masks_of
from PIL import Image

from rvsam_video.errors import UsageError
from rvsam_video.web.files import file_below, videos_below
from rvsam_video.web.settings import WebSettings

Serve = Callable[..., "object"]


@pytest.fixture
def opened(serve, clip):
    """A visitor who has opened the clip and clicked object 1 in frame 0."""
    client = serve()
    client.post("/api/start")
    state = client.post("/api/open", {"video": "sea.mp4"})
    assert (state["width"], state["height"], state["frames"]) == (320, 180, 30)
    client.post("/api/click", {"object": 1, "frame": 0, "point": click_on(clip, 1, 0), "label": 1})
    return client


def test_a_visitor_clicks_tracks_and_takes_everything_away(opened, clip) -> None:
    opened.post("/api/track")
    opened.wait_for("done")
    masks = masks_of(opened)
    assert sorted(masks) == [f"{index:05d}" for index in range(30)]
    for index in (0, 15, 29):
        assert iou(masks[f"{index:05d}"] == 1, clip.truth(index) == 1) > 0.85
    status, listed = opened.ask("GET", "/api/files")
    assert status == 200
    names = {item["name"] for item in listed["files"]}
    assert {"overlay.mp4", "results.json", "points.csv", "prompts.json", "plots.png"} <= names
    status, prompts = opened.ask("GET", "/api/file/prompts.json")
    assert json.loads(prompts)["prompts"][0]["points"][0][2] == 1


def test_an_object_added_on_a_tracked_frame_lives_from_there_on(opened, clip) -> None:
    opened.post("/api/track")
    opened.wait_for("done")
    added = opened.post("/api/object")["added"]
    where = click_on(clip, 2, 12)
    state = opened.post("/api/click", {"object": added, "frame": 12, "point": where, "label": 1})
    assert state["next"] == 13
    opened.post("/api/track")
    opened.wait_for("done")
    masks = masks_of(opened)
    assert len(masks) == 30
    assert not (masks["00011"] == added).any()
    assert iou(masks["00020"] == added, clip.truth(20) == 2) > 0.8
    assert iou(masks["00011"] == 1, clip.truth(11) == 1) > 0.85


def test_going_back_changes_nothing_before_that_frame(opened, clip) -> None:
    opened.post("/api/track")
    opened.wait_for("done")
    before = masks_of(opened)
    opened.post(
        "/api/click", {"object": 1, "frame": 20, "point": click_on(clip, 1, 20), "label": 1}
    )
    opened.post("/api/track")
    opened.wait_for("done")
    after = masks_of(opened)
    for index in range(20):
        np.testing.assert_array_equal(before[f"{index:05d}"], after[f"{index:05d}"])


def test_undo_and_remove_take_masks_away(opened, clip) -> None:
    key = opened.post("/api/object")["added"]
    point = click_on(clip, 2, 0)
    state = opened.post("/api/click", {"object": key, "frame": 0, "point": point, "label": 1})
    assert [len(item["clicks"]) for item in state["objects"]] == [1, 1]
    state = opened.post("/api/undo")
    assert [len(item["clicks"]) for item in state["objects"]] == [1, 0]
    opened.post("/api/click", {"object": key, "frame": 0, "point": point, "label": 1})
    state = opened.post("/api/remove", {"object": 1})
    assert [item["id"] for item in state["objects"]] == [key]
    opened.post("/api/track")
    opened.wait_for("done") if key == 1 else opened.post("/api/pause")
    masks = masks_of(opened)
    assert set(np.unique(masks["00000"])) == {0, key}


def test_tracking_can_be_paused_and_goes_on(opened) -> None:
    opened.post("/api/track")
    state = opened.post("/api/pause")
    assert state["state"] == "paused"
    held = opened.post("/api/pause")["next"]
    assert held < 30
    opened.post("/api/track")
    assert opened.wait_for("done")["next"] == 30
    assert len(masks_of(opened)) == 30


def test_a_box_starts_an_object(serve, clip) -> None:
    client = serve()
    client.post("/api/start")
    client.post("/api/open", {"video": "more/copy.mp4"})
    rows, columns = np.nonzero(clip.truth(0) == 1)
    box = [float(v) for v in (columns.min(), rows.min(), columns.max(), rows.max())]
    client.post("/api/click", {"object": 1, "frame": 0, "box": box})
    client.post("/api/stop")
    assert iou(masks_of(client)["00000"] == 1, clip.truth(0) == 1) > 0.8


def test_an_upload_is_a_video_like_any_other(serve, videos, clip) -> None:
    client = serve(root=None)
    client.post("/api/start")
    status, state = client.ask(
        "POST", "/api/upload?name=../../my%20clip.mp4", (videos / "sea.mp4").read_bytes()
    )
    assert (status, state["name"], state["frames"]) == (200, "my_clip.mp4", 30)
    status, picture = client.ask("GET", "/api/frame/7")
    assert status == 200
    assert Image.open(io.BytesIO(picture)).size == (320, 180)


def test_the_folder_lists_its_videos_and_nothing_else(videos) -> None:
    assert videos_below(videos) == ["more/copy.mp4", "sea.mp4"]


BAD_PATHS = [
    "../secret.mp4",
    "more/../../secret.mp4",
    "/etc/passwd",
    "link.mp4",
    "notes.txt",
    "missing.mp4",
    "",
    ".",
    "..",
    "sea.mp4\0.txt",
    "..\\secret.mp4",
    "~/secret.mp4",
    "more/" + "a" * 5000 + ".mp4",
]


@pytest.mark.parametrize("name", BAD_PATHS)
def test_no_path_leads_out_of_the_folder(name: str, serve) -> None:
    client = serve()
    client.post("/api/start")
    status, answer = client.ask("POST", "/api/open", {"video": name})
    assert status == 400
    assert answer["error"].endswith("choose one from the list")


BAD_UPLOADS = [
    ("clip.exe", b"MZ", "is no video by its name"),
    ("clip", b"data", "is no video by its name"),
    ("clip.mp4", b"", "the upload is empty"),
    ("clip.mp4", b"this is no video", "clip|upload"),
    ("clip.mp4", bytes(300_000), "larger than"),
    ("clip.gif", b"GIF89a", "upload"),
    ("picture.png", b"\x89PNG\r\n\x1a\n", "upload"),
    ("page.html", b"<script>alert(1)</script>", "is no video by its name"),
    ("x.svg", b"<svg/>", "is no video by its name"),
    ("../../../etc/cron.d/x", b"* * * * *", "is no video by its name"),
]


@pytest.mark.parametrize(("name", "content", "sentence"), BAD_UPLOADS)
def test_bad_uploads_are_refused_and_leave_nothing(
    name: str, content: bytes, sentence: str, serve, tmp_path: Path
) -> None:
    client = serve(max_upload=200_000)
    client.post("/api/start")
    from urllib.parse import quote

    status, answer = client.ask("POST", f"/api/upload?name={quote(name)}", content)
    assert status in (400, 500)
    assert any(part in answer["error"] for part in sentence.split("|"))
    assert "\n" not in answer["error"]
    assert [path for path in tmp_path.rglob("upload-*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/api/click", {"object": 1, "frame": 0, "point": [9999, 5], "label": 1}, "outside"),
        ("/api/click", {"object": 1, "frame": 0, "point": ["a", 5], "label": 1}, "list of 2"),
        ("/api/click", {"object": 1, "frame": -1, "point": [5, 5], "label": 1}, "whole number"),
        ("/api/click", {"object": 9, "frame": 0, "point": [5, 5], "label": 1}, "no object 9"),
        ("/api/click", {"object": 1, "frame": 0, "box": [1, 2, 3]}, "list of 4"),
        ("/api/click", {"object": 1, "frame": 500, "point": [5, 5], "label": 1}, "no frame 500"),
        ("/api/rename", {"object": 1, "name": "  "}, "the name is empty"),
        ("/api/remove", {"object": 7}, "no object 7"),
        ("/api/open", {"camera": 0}, "cameras are not offered"),
        ("/api/click", b"[1, 2]", "not a JSON object"),
        ("/api/click", b"{", "not JSON"),
        ("/api/click", b" " * 70_000, "longer than"),
    ],
)
def test_nonsense_is_one_sentence_and_changes_nothing(
    path: str, body: dict | bytes, sentence: str, opened
) -> None:
    before = opened.post("/api/pause")
    status, answer = opened.ask("POST", path, body)
    assert status == 400
    assert sentence in answer["error"]
    assert opened.post("/api/pause")["objects"] == before["objects"]


def test_tracking_needs_a_video_and_a_click(serve) -> None:
    client = serve()
    client.post("/api/start")
    assert "no video yet" in client.ask("POST", "/api/track", {})[1]["error"]
    client.post("/api/open", {"video": "sea.mp4"})
    assert "click on an object" in client.ask("POST", "/api/track", {})[1]["error"]


def test_files_of_one_visitor_are_not_seen_by_another(opened) -> None:
    opened.post("/api/track")
    opened.wait_for("done")
    stranger = type(opened)(opened.port)
    status, answer = stranger.ask("GET", "/api/file/overlay.mp4")
    assert (status, answer["error"]) == (400, "your session has ended; load the page again")
    stranger.post("/api/start")
    assert "no video yet" in stranger.ask("GET", "/api/file/overlay.mp4")[1]["error"]
    for name in ("../../run.json", "%2e%2e/x", ".parts/rle.jsonl", "/etc/passwd"):
        assert opened.ask("GET", f"/api/file/{name}")[0] == 404


def test_other_sites_and_other_names_are_refused(serve) -> None:
    client = serve()
    client.post("/api/start")
    status, answer = client.ask("POST", "/api/track", {}, Origin="http://evil.example")
    assert (status, answer["error"]) == (403, "requests of other sites' pages are not taken")
    status, answer = client.ask("POST", "/api/track", {}, **{"Sec-Fetch-Site": "cross-site"})
    assert status == 403
    status, answer = client.ask("GET", "/", Host="evil.example")
    assert status == 403
    assert "not known as 'evil.example'" in answer["error"]


def test_a_token_is_asked_of_everybody(serve) -> None:
    client = serve(token="correct horse")  # noqa: S106 (a test)
    assert client.ask("GET", "/")[0] == 403
    assert client.ask("GET", "/?token=wrong")[0] == 403
    assert client.ask("GET", "/?token=correct%20horse")[0] == 303
    assert client.cookie.startswith("rvsam_token=")
    assert client.ask("GET", "/")[0] == 200


def test_an_open_address_needs_a_token() -> None:
    with pytest.raises(UsageError, match="can be reached from other machines; give a token"):
        WebSettings(host="0.0.0.0")  # noqa: S104 (refused)


def test_only_so_many_visitors_come_in(serve) -> None:
    first = serve(max_visitors=1)
    first.post("/api/start")
    status, answer = type(first)(first.port).ask("POST", "/api/start", {})
    assert status == 400
    assert "1 people use this page already" in answer["error"]


def test_whoever_left_makes_room_and_finds_everything_again(serve, clip, tmp_path: Path) -> None:
    first = serve(max_visitors=1, keep_seconds=0.0)
    first.post("/api/start")
    first.post("/api/open", {"video": "sea.mp4"})
    first.post("/api/click", {"object": 1, "frame": 0, "point": click_on(clip, 1, 0), "label": 1})
    second = type(first)(first.port)
    second.post("/api/start")
    assert second.ask("GET", "/api/state")[1]["state"] == "empty"
    # By its cookie: the work is on disk.
    first.post("/api/start")
    (video,) = first.ask("GET", "/api/videos")[1]["videos"]
    assert (video["name"], video["reach"], video["objects"]) == ("sea.mp4", 1, 1)
    state = first.post("/api/open", {"key": video["key"]})
    assert [len(item["clicks"]) for item in state["objects"]] == [1]
    assert len(list(tmp_path.rglob("visitor-*"))) == 2


def test_a_visitor_whose_video_is_tracked_stays(serve, clip) -> None:
    first = serve(max_visitors=1, keep_seconds=0.0)
    first.post("/api/start")
    first.post("/api/open", {"video": "sea.mp4"})
    first.post("/api/click", {"object": 1, "frame": 0, "point": click_on(clip, 1, 0), "label": 1})
    first.post("/api/track")
    status, answer = type(first)(first.port).ask("POST", "/api/start", {})
    assert status == 400
    assert "1 people use this page already" in answer["error"]
    assert first.wait_for("done")["next"] == 30


def test_a_visitor_keeps_its_cookie_when_the_start_fails(serve, tmp_path: Path) -> None:
    client = serve(source=str(tmp_path / "missing.mp4"), max_visitors=1)
    assert client.ask("POST", "/api/start", {})[0] == 500
    # Else the place would be taken by somebody who cannot come back.
    assert client.cookie.startswith("rvsam_visitor=")
    answer = client.ask("POST", "/api/start", {})[1]
    assert "missing.mp4" in answer["error"]


def test_file_names_are_checked_before_the_disk_is_asked(videos: Path) -> None:
    assert file_below(videos, "sea.mp4") == (videos / "sea.mp4").resolve()
    assert file_below(videos, "more/copy.mp4").name == "copy.mp4"

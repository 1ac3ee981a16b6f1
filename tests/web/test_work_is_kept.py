"""Work survives whatever happens to the page: another video, its end, a kill, a second browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_tests import Client, click_on, iou, masks_of
from PIL import Image

from rvsam_video.cli.main import main


def start(videos: Path, out: Path, *more: str) -> tuple[subprocess.Popen[str], int]:
    """Start the page as a person does; return the process and its port."""
    command = [sys.executable, "-m", "rvsam_video", "web", str(videos), "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--no-browser", *more],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "the page is at" in line:
            return process, int(line.split(":")[2].split("/")[0])
    raise AssertionError("the page did not start")


def tracked(client: Any, clip: Any) -> dict[str, Any]:
    client.post("/api/start")
    client.post("/api/open", {"video": "sea.mp4"})
    client.post("/api/click", {"object": 1, "frame": 0, "point": click_on(clip, 1, 0), "label": 1})
    client.post("/api/track")
    return client.wait_for("done")


def test_another_video_discards_nothing_and_a_restart_finds_it(serve, clip) -> None:
    client = serve(shared=True)
    tracked(client, clip)
    client.post("/api/rename", {"object": 1, "name": "fish"})
    client.post("/api/open", {"video": "more/copy.mp4"})
    again = serve(shared=True)
    again.post("/api/start")
    listed = again.ask("GET", "/api/videos")[1]["videos"]
    assert sorted(item["name"] for item in listed) == ["more/copy.mp4", "sea.mp4"]
    state = again.post("/api/open", {"video": "sea.mp4"})
    assert (state["state"], state["next"], state["ended"]) == ("done", 30, True)
    assert state["objects"][0]["name"] == "fish"
    assert again.ask("GET", "/api/masks/20")[0] == 200


def test_a_complete_run_is_corrected_near_its_end_without_starting_again(serve, clip) -> None:
    client = serve(shared=True)
    tracked(client, clip)
    before = masks_of(client)
    client.post("/api/open", {"video": "more/copy.mp4"})
    client.post("/api/open", {"video": "sea.mp4"})
    body = {"object": 1, "frame": 28, "point": click_on(clip, 1, 28), "label": 1}
    state = client.post("/api/click", body)
    assert (state["state"], state["next"]) == ("paused", 29)
    client.post("/api/track")
    client.wait_for("done")
    after = masks_of(client)
    for index in range(28):
        np.testing.assert_array_equal(before[f"{index:05d}"], after[f"{index:05d}"])


def test_two_browsers_share_one_work(serve, clip) -> None:
    one = serve(shared=True)
    tracked(one, clip)
    two = type(one)(one.port)
    assert two.post("/api/start")["worked_on"][0]["ended"] is True
    assert two.ask("GET", "/api/state")[1]["next"] == 30


def test_killed_in_the_middle_it_goes_on_and_ends_as_a_command_does(videos, clip, tmp_path) -> None:
    out = tmp_path / "runs"
    process, port = start(videos, out)
    client = Client(port)
    client.post("/api/start")
    client.post("/api/open", {"video": "sea.mp4"})
    client.post("/api/click", {"object": 1, "frame": 0, "point": click_on(clip, 1, 0), "label": 1})
    client.post("/api/object")
    client.post("/api/click", {"object": 2, "frame": 0, "point": click_on(clip, 2, 0), "label": 1})
    client.post("/api/track")
    while client.ask("GET", "/api/state")[1]["next"] < 5:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()

    process, port = start(videos, out)
    try:
        client = Client(port)
        (video,) = client.post("/api/start")["worked_on"]
        state = client.post("/api/open", {"key": video["key"]})
        assert [len(item["clicks"]) for item in state["objects"]] == [1, 1]
        client.wait_for("paused") if state["state"] == "tracking" else None
        client.post("/api/track")
        client.wait_for("done")
        point = click_on(clip, 1, 12)
        client.post("/api/click", {"object": 1, "frame": 12, "point": point, "label": 1})
        client.post("/api/track")
        client.wait_for("done")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.read()
        process.wait()
    assert "Traceback" not in said
    assert f"results are in {out}" in said
    page = out / "sea"
    prompts = page / "prompts.json"
    arguments = ["track", str(videos / "sea.mp4"), "--points", str(prompts)]
    assert main([*arguments, "--out", str(tmp_path / "command")]) == 0
    for path in sorted((tmp_path / "command").rglob("*")):
        if path.is_file() and path.name != "run.json":
            same = page / path.relative_to(tmp_path / "command")
            assert same.read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_way_to_end_it_builds_the_files_and_says_where(
    videos, clip, tmp_path, number
) -> None:
    process, port = start(videos, tmp_path / "runs")
    client = Client(port)
    client.post("/api/start")
    client.post("/api/open", {"video": "sea.mp4"})
    client.post("/api/click", {"object": 1, "frame": 0, "point": click_on(clip, 1, 0), "label": 1})
    os.kill(process.pid, number)
    assert process.stderr is not None
    said = process.stderr.read()
    assert process.wait() == 0
    assert "Traceback" not in said
    assert f"results are in {tmp_path / 'runs'}" in said
    record = json.loads((tmp_path / "runs" / "sea" / "run.json").read_text())
    assert record["status"] == "interrupted"
    assert (tmp_path / "runs" / "sea" / "overlay.mp4").is_file()


def test_a_run_of_a_command_is_opened_with_its_prompts_and_looked_at_as_it_is(
    serve, videos, clip, tmp_path
) -> None:
    x, y = click_on(clip, 1, 0)
    out = tmp_path / "visitors" / "sea"
    assert main(["track", str(videos / "sea.mp4"), "--points", f"{x},{y}", "--out", str(out)]) == 0
    stamp = (out / "overlay.mp4").stat().st_mtime_ns
    client = serve(shared=True)
    client.post("/api/start")
    state = client.post("/api/open", {"video": "sea.mp4"})
    assert (state["state"], state["next"], state["key"]) == ("done", 30, "sea")
    assert state["objects"][0]["clicks"][0]["point"] == pytest.approx([x, y])
    assert client.ask("GET", "/api/masks/29")[0] == 200
    # A look changes nothing.
    assert (out / "overlay.mp4").stat().st_mtime_ns == stamp
    body = {"object": 1, "frame": 12, "point": click_on(clip, 1, 12), "label": 1}
    state = client.post("/api/click", body)
    assert state["held"] == 30
    client.wait_for("paused") if state["state"] == "tracking" else None
    client.post("/api/track")
    client.wait_for("done")
    assert len(masks_of(client)) == 30


def test_discarding_removes_what_the_run_wrote_and_nothing_else(serve, clip, tmp_path) -> None:
    client = serve(shared=True)
    tracked(client, clip)
    folder = tmp_path / "visitors" / "sea"
    (folder / "mine.txt").write_text("kept")
    client.post("/api/discard", {"key": "sea"})
    assert client.ask("GET", "/api/videos")[1]["videos"] == []
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    for key in ("sea", "../sea", "", ".page"):
        assert client.ask("POST", "/api/discard", {"key": key})[0] == 400


def test_old_uploads_make_room_for_new_ones(serve, videos, tmp_path) -> None:
    content = (videos / "sea.mp4").read_bytes()
    client = serve(root=None, shared=True, max_disk=2 * len(content) + 10)
    client.post("/api/start")
    for number in range(3):
        status, state = client.ask("POST", f"/api/upload?name=clip{number}.mp4", content)
        assert status == 200, state
    kept = list((tmp_path / "visitors" / ".page" / "uploads").iterdir())
    assert len(kept) == 2
    small = serve(root=None, shared=True, max_disk=len(content) - 10)
    small.post("/api/start")
    assert "no room" in small.ask("POST", "/api/upload?name=a.mp4", content)[1]["error"]


def test_undo_and_redo_of_everything(serve, clip) -> None:
    client = serve(shared=True)
    tracked(client, clip)
    done = masks_of(client)
    client.post("/api/rename", {"object": 1, "name": "fish"})
    added = client.post("/api/object")["added"]
    point = click_on(clip, 2, 12)
    client.post("/api/click", {"object": added, "frame": 12, "point": point, "label": 1})
    client.post("/api/remove", {"object": 1})
    client.wait_for("paused")
    # Back, one by one: the removal, the click, the object, the name, the tracking, the first click.
    state = client.post("/api/undo")
    assert [item["name"] for item in state["objects"]] == ["fish", "object 2"]
    state = client.post("/api/undo")
    assert [len(item["clicks"]) for item in state["objects"]] == [1, 0]
    # What had been tracked before the click is tracked again by itself, to the same masks.
    client.wait_for("done")
    again = masks_of(client)
    assert all(np.array_equal(done[name], again[name]) for name in done)
    assert len(client.post("/api/undo")["objects"]) == 1
    assert client.post("/api/undo")["objects"][0]["name"] == "object 1"
    state = client.post("/api/undo")
    assert (state["next"], state["state"]) == (1, "paused")
    state = client.post("/api/undo")
    assert (state["next"], state["objects"][0]["clicks"]) == (0, [])
    assert client.ask("POST", "/api/undo", {})[1]["error"] == "there is nothing to undo"
    # And forward again, all of it.
    for _ in range(6):
        state = client.post("/api/redo")
    assert [item["id"] for item in state["objects"]] == [added]
    assert client.ask("POST", "/api/redo", {})[1]["error"] == "there is nothing to do again"


def test_a_point_is_moved_and_deleted(serve, clip) -> None:
    client = serve(shared=True)
    client.post("/api/start")
    client.post("/api/open", {"video": "sea.mp4"})
    client.post("/api/click", {"object": 1, "frame": 0, "point": [5.0, 5.0], "label": 1})
    point = click_on(clip, 1, 0)
    state = client.post("/api/move", {"number": 0, "point": point})
    assert state["objects"][0]["clicks"][0]["point"] == point
    client.post("/api/stop")
    assert iou(masks_of(client)["00000"] == 1, clip.truth(0) == 1) > 0.8
    state = client.post("/api/unclick", {"number": 0, "frame": 0})
    assert state["objects"][0]["clicks"] == []
    for path in ("/api/move", "/api/unclick"):
        body = {"number": 4, "frame": 0, "point": [5, 5]}
        assert client.ask("POST", path, body)[1]["error"] == "this point is gone already"


def test_a_correction_leaves_the_others_to_be_seen(serve, clip) -> None:
    client = serve(shared=True)
    client.post("/api/start")
    client.post("/api/open", {"video": "sea.mp4"})
    client.post("/api/click", {"object": 1, "frame": 0, "point": click_on(clip, 1, 0), "label": 1})
    client.post("/api/object")
    client.post("/api/click", {"object": 2, "frame": 0, "point": click_on(clip, 2, 0), "label": 1})
    client.post("/api/track")
    client.wait_for("done")
    body = {"object": 2, "frame": 5, "point": click_on(clip, 2, 5), "label": 1}
    state = client.post("/api/click", body)
    assert (state["next"], state["held"], state["stale"]) == (6, 30, {"2": 5})
    status, picture = client.ask("GET", "/api/masks/25")
    assert status == 200
    import io

    held = np.asarray(Image.open(io.BytesIO(picture)))
    assert iou(held == 1, clip.truth(25) == 1) > 0.85
    # A removal is tracked again by itself, so that results never hold what was removed.
    client.post("/api/remove", {"object": 2})
    client.wait_for("paused")
    client.post("/api/undo")
    client.post("/api/track")
    client.wait_for("done")
    client.post("/api/remove", {"object": 2})
    client.wait_for("done")
    masks = masks_of(client)
    assert len(masks) == 30
    assert set(np.unique(np.stack(list(masks.values())))) == {0, 1}


def test_prompts_and_masks_are_loaded_and_painted(serve, clip) -> None:
    import io

    from rvsam_video.mask_rle import encode_mask

    client = serve(shared=True)
    client.post("/api/start")
    client.post("/api/open", {"video": "sea.mp4"})
    truth = clip.truth(0)
    content = io.BytesIO()
    Image.fromarray(np.where(truth == 1, 255, 0).astype(np.uint8)).save(content, format="PNG")
    status, state = client.ask("POST", "/api/load?name=mask.png&frame=0", content.getvalue())
    assert status == 200, state
    client.post("/api/stop")
    assert iou(masks_of(client)["00000"] == 1, truth == 1) > 0.9
    prompts = {"version": 1, "prompts": [{"object": 3, "frame": 2, "points": [[5, 6, 1]]}]}
    status, state = client.ask("POST", "/api/load?name=p.json", json.dumps(prompts).encode())
    assert [item["id"] for item in state["objects"]] == [1, 3]
    mask = {"size": [180, 320], "counts": encode_mask(truth == 2)}
    state = client.post("/api/mask", {"object": 3, "frame": 0, **mask})
    assert [click["mask"] for click in state["objects"][1]["clicks"]] == [False, True]
    client.post("/api/stop")
    assert iou(masks_of(client)["00000"] == 3, truth == 2) > 0.9
    for body in (b"{", b"[]", b"nothing"):
        assert client.ask("POST", "/api/load?name=x.json", body)[0] == 400
    assert (
        client.ask("POST", "/api/mask", {"object": 3, "frame": 0, **mask, "size": [9, 9]})[0] == 400
    )

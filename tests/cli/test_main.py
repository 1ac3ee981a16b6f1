"""The command line as a whole: quick, helpful, and one sentence per error."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from rvsam_video.cli.main import group, main


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from rvsam_video.cli.main import main\n"
        "code = main(['--help'])\n"
        "heavy = {'torch', 'cv2', 'av', 'numpy', 'rich', 'PIL', 'scipy'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "track" in done.stdout
    assert "demo" in done.stdout


@pytest.mark.parametrize("name", group.list_commands(None))
def test_every_command_explains_itself(name, capsys):
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"rvsam-video {name}" in shown
    assert "--debug" in shown
    assert "\\b" not in shown


def test_examples_stand_line_by_line(capsys):
    assert main(["points", "--help"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "rvsam-video points clip.mp4 --grid 30" in lines


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["trak"], "No such command 'trak'"),
        (["track"], "Missing argument 'SOURCE'"),
        (["track", "x.mp4", "--frobnicate"], "No such option"),
        (["info", "no-such-file.mp4"], "no-such-file.mp4"),
    ],
)
def test_an_error_is_one_sentence_on_standard_error(arguments, sentence, capsys):
    code = main(arguments)
    streams = capsys.readouterr()
    assert code in (1, 2)
    assert streams.out == ""
    assert sentence in streams.err
    assert "Traceback" not in streams.err
    assert len(streams.err.strip().splitlines()) == 1


def test_bad_usage_is_2_and_a_failed_run_is_1(capsys):
    assert main(["track"]) == 2
    assert main(["info", "no-such-file.mp4"]) == 1


def test_debug_shows_the_traceback(capsys):
    assert main(["info", "no-such-file.mp4", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_machines_get_errors_as_json(capsys):
    code = main(["info", "no-such-file.mp4", "--json"])
    event = json.loads(capsys.readouterr().out)
    assert event["event"] == "error"
    assert event["exit_code"] == code == 1
    assert "no-such-file.mp4" in event["message"]


def test_info_names_what_is_installed(capsys):
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert "lucas-kanade" in facts["trackers"]
    assert "grabcut" in facts["segmenters"]
    assert facts["av"]
    assert main(["info"]) == 0
    assert "lucas-kanade" in capsys.readouterr().out

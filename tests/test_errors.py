"""Errors are one sentence on one line, whatever stands in the names that they quote."""

from __future__ import annotations

import pytest

from rvsam_video import errors
from rvsam_video.cli.main import main


@pytest.mark.parametrize(
    "kind", [errors.RvsamError, errors.UsageError, errors.SourceError, errors.WeightsError]
)
def test_what_cannot_be_printed_is_escaped(kind):
    text = str(kind("the file a\nb\r\x1b[31m\udcff\u2028 é 猫 is gone"))
    assert text == r"the file a\nb\r\x1b[31m\udcff\u2028 é 猫 is gone"
    text.encode()


def test_a_name_from_a_file_cannot_write_a_second_line(tmp_path, capsys):
    path = tmp_path / "x\ny.mp4"
    assert main(["info", str(path)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1

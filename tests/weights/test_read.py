"""Reading named tensors never runs what a file contains."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from weights_server import TENSOR, Answer, saved

from rvsam_video.errors import RvsamError, WeightsError
from rvsam_video.weights.fetch import load_state_dict
from rvsam_video.weights.read import check_stored_sums, load_checked


@pytest.mark.parametrize("wrap", [None, "model", "state_dict"])
def test_flat_and_wrapped_checkpoints_load(tmp_path, wrap):
    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(4)}
    content = state if wrap is None else {wrap: state, "epoch": 3, "optimizer": {"lr": 0.1}}
    torch.save(content, tmp_path / "own.pt")
    loaded = load_state_dict(tmp_path / "own.pt")
    assert list(loaded) == list(state)
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_the_older_file_format_loads(tmp_path):
    torch.save({"a": TENSOR}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert torch.equal(load_state_dict(str(tmp_path / "old.pt"))["a"], TENSOR)


class Malicious:
    """Would make a folder if it were unpickled in the usual way."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.folder,)


def test_code_in_a_file_is_refused_and_not_run(server, unpinned, get, tmp_path):
    body = saved({"layer.weight": Malicious(tmp_path / "owned")})
    server.script(Answer(body=body))
    with pytest.raises(WeightsError, match="wants to run code"):
        get(unpinned)
    (tmp_path / "own.pt").write_bytes(pickle.dumps(Malicious(tmp_path / "owned")))
    with pytest.raises(WeightsError, match=r"own\.pt"):
        load_state_dict(tmp_path / "own.pt")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({}, "an empty mapping"),
        ({"a": TENSOR, "epoch": 3}, "holds int under 'epoch'"),
        ({1: TENSOR}, "under 1"),
        (TENSOR, "holds Tensor instead of named tensors"),
        ({"model": {"a": [1.0]}}, "holds list under 'a'"),
        (torch.nn.Linear(2, 2), "wants to run code"),
    ],
)
def test_anything_but_named_tensors_is_refused(tmp_path, content, sentence):
    torch.save(content, tmp_path / "own.pt")
    with pytest.raises(WeightsError, match=sentence):
        load_state_dict(tmp_path / "own.pt")


def test_a_missing_file_is_both_kinds_of_error(tmp_path):
    with pytest.raises(OSError, match=r"nothing.pt cannot be read as weights: No such file"):
        load_state_dict(tmp_path / "nothing.pt")
    with pytest.raises(RvsamError, match="Is a directory"):
        load_state_dict(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_finite_numbers_are_refused(value):
    network = torch.nn.Linear(2, 3)
    before = {name: item.clone() for name, item in network.state_dict().items()}
    state = {name: item.clone() for name, item in before.items()}
    state["weight"][1, 1] = value
    with pytest.raises(WeightsError, match=r"own\.pt are damaged: weight holds 1 of 6 values"):
        load_checked(network, state, "own.pt")
    assert all(torch.equal(network.state_dict()[name], item) for name, item in before.items())


def test_names_that_no_file_can_hold_are_shown_escaped():
    network = torch.nn.Linear(2, 3)
    state = dict(network.state_dict()) | {"bad\udcff\n": TENSOR}
    with pytest.raises(WeightsError) as caught:
        load_checked(network, state, "own.pt")
    assert r"bad\udcff\n" in str(caught.value)
    str(caught.value).encode()


def test_a_zip_with_undecodable_names_is_damaged(tmp_path):
    path = tmp_path / "own.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("naïve", b"content")
    # Bytes that are no UTF-8, in a name that says it is.
    path.write_bytes(path.read_bytes().replace("naïve".encode(), b"na\xff\xffve"))
    with pytest.raises(WeightsError, match=r"own\.pt is damaged"):
        check_stored_sums(path)
    with pytest.raises(WeightsError, match=r"own\.pt is not a readable"):
        load_state_dict(path)

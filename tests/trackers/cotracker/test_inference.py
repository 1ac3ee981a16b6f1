"""How networks are called: without gradients, in half precision or compiled only when asked."""

from __future__ import annotations

import pytest
import torch

from rvsam_video.trackers.cotracker.network import EncodedFrame, Inference, WindowInput


@pytest.fixture
def window(fake_network):
    torch.manual_seed(0)
    levels = fake_network().encode(255 * torch.rand(8, 3, 32, 48))
    return WindowInput(
        levels=levels,
        xy=8 * torch.rand(8, 2, 2),
        logits=torch.zeros(8, 2, 2),
        features=torch.rand(2, 3),
        query_frames=torch.zeros(2, dtype=torch.int64),
        carried=torch.zeros(2, dtype=torch.bool),
        first=True,
        frames=8,
    )


def test_results_carry_no_gradients(fake_network, window):
    output = Inference(fake_network()).refine(window, 2)
    assert output.xy.is_inference()
    assert not output.xy.requires_grad


def test_a_frame_is_encoded_when_first_asked_for_and_once(fake_network):
    network = fake_network()
    frame = EncodedFrame(Inference(network), torch.zeros(1, 3, 32, 48))
    assert network.encoded == 0
    assert frame.levels() is frame.levels()
    assert network.encoded == 1


@pytest.mark.parametrize("half", [True, False])
def test_half_precision_is_left_to_autocast_and_ends_there(fake_network, monkeypatch, half):
    network, seen = fake_network(), []

    def encode(images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        seen.append(torch.is_autocast_enabled("cpu"))
        return (torch.nn.functional.conv2d(images, torch.ones(2, 3, 4, 4), stride=4),)

    monkeypatch.setattr(network, "encode", encode)
    levels = Inference(network, half=half).encode(torch.ones(1, 3, 32, 48))
    assert seen == [half]
    assert levels[0].dtype == torch.float32
    assert not torch.is_autocast_enabled("cpu")


def test_compiling_is_asked_of_torch_and_changes_no_numbers(fake_network, window, monkeypatch):
    compiled = []

    def compile_eagerly(function):
        compiled.append(function.__name__)
        return function

    monkeypatch.setattr(torch, "compile", compile_eagerly)
    plain = Inference(fake_network()).refine(window, 3)
    assert compiled == []
    fast = Inference(fake_network(), compiled=True).refine(window, 3)
    assert compiled == ["encode", "refine"]
    torch.testing.assert_close(fast.xy, plain.xy, rtol=0, atol=0)

"""Weights of another network are refused with the name of the network that they are of."""

from __future__ import annotations

from itertools import permutations

import pytest

from rvsam_video import WeightsError
from rvsam_video.trackers.cotracker.loading import build_network, network_with_weights
from rvsam_video.trackers.cotracker.variants import COTRACKER_VARIANTS

NAMES = ["cotracker1", "cotracker2", "cotracker2.1", "cotracker3-online", "cotracker3-offline"]


@pytest.mark.parametrize(("asked", "given"), list(permutations(NAMES, 2)))
def test_weights_of_another_version_say_which_they_are(asked, given):
    state = build_network(COTRACKER_VARIANTS[given]).state_dict()
    with pytest.raises(WeightsError) as caught:
        network_with_weights(COTRACKER_VARIANTS[asked], state, source="own.pth")
    advice = str(caught.value).split("they are weights of ")[1].split(": choose")[0]
    # Networks that differ in their training alone cannot be told apart.
    same = {"cotracker1": "cotracker1 or cotracker1-wind12 or cotracker1-stride8",
            "cotracker3-online": "cotracker3-online or cotracker3-online-baseline",
            "cotracker3-offline": "cotracker3-offline or cotracker3-offline-baseline"}  # fmt: skip
    assert advice == same.get(given, given)


def test_weights_of_nothing_known_propose_nothing():
    state = build_network(COTRACKER_VARIANTS["cotracker2"]).state_dict()
    state.popitem()
    with pytest.raises(WeightsError, match="choose the segmenter or tracker"):
        network_with_weights(COTRACKER_VARIANTS["cotracker2"], state, source="own.pth")

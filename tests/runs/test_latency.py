"""How long results take: quantiles of any number of latencies in a fixed room."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rvsam_video.runs.latency import Latencies


@given(st.lists(st.floats(0.001, 500), min_size=1, max_size=300), st.sampled_from([0.5, 0.95]))
def test_quantiles_are_within_two_percent(values: list[float], share: float) -> None:
    latencies = Latencies()
    for value in values:
        latencies.add(value)
    exact = float(np.quantile(values, share, method="inverted_cdf"))
    assert abs(latencies.quantile(share) - exact) <= 0.02 * exact + 1e-9
    assert latencies.worst == max(values)


def test_nothing_is_said_of_nothing() -> None:
    assert (Latencies().count, Latencies().quantile(0.5)) == (0, 0.0)


def test_it_reads_as_a_sentence() -> None:
    latencies = Latencies()
    for _ in range(10):
        latencies.add(0.1)
    assert str(latencies) == (
        "latency from frame to result: median 100 ms, 95 % under 100 ms, worst 100 ms"
    )
